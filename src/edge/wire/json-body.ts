// A body of `application/json`: `{"records": […]}`, an array of records, or one record. Each record is handed on as soon as
// it is read, so that a fault in a later one comes after it: the body is the caller's to take whole or not at all.

import type { Codec } from '../../core/ports/index.ts'
import { jsonWords, skipJsonSpace, skipJsonString, skipJsonValue } from '../../core/record/index.ts'
import { bodyFault, type BodyFault, jsonFault } from './body-fault.ts'
import { jsonStringOf } from './json-text.ts'
import { plainBytes } from './plain-bytes.ts'
import { RecordEnvelope } from './record-envelope.ts'
import type { RecordSink } from './record-sink.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Null: all of the body was records, and `sink` has had every one. */
export function readJsonBody(body: Uint8Array, sink: RecordSink, codec: Codec): BodyFault | null {
  const bytes = plainBytes(body)
  if (!codec.isUtf8(bytes)) return bodyFault('malformed', '', 'the body is not UTF-8')
  return new JsonBody(bytes, sink).read()
}

class JsonBody {
  readonly #bytes: Uint8Array
  readonly #words: Int32Array
  readonly #sink: RecordSink
  readonly #envelope = new RecordEnvelope()

  constructor(bytes: Uint8Array, sink: RecordSink) {
    this.#bytes = bytes
    this.#words = jsonWords(bytes)
    this.#sink = sink
    this.#envelope.use(bytes, this.#words)
    this.#envelope.mayHoldBreaks = bytes.includes(0x0a) || bytes.includes(0x0d)
  }

  read(): BodyFault | null {
    const bytes = this.#bytes
    const at = skipJsonSpace(bytes, 0, bytes.length)
    if (at === bytes.length) return bodyFault('malformed', '', 'the body is empty')
    if (bytes[at]! === OPEN_ARRAY) return this.#readArray(at, '')
    if (bytes[at]! !== OPEN_OBJECT) return this.#scalarFault(at)
    const records = this.#recordsAt(at)
    return records < 0 ? this.#readOne(at) : this.#readEnveloped(records)
  }

  /** Position of the value of the first member if that is named `records`, else -1. */
  #recordsAt(at: number): number {
    const bytes = this.#bytes
    const end = bytes.length
    at = skipJsonSpace(bytes, at + 1, end)
    if (at === end || bytes[at]! !== QUOTE) return -1
    const nameEnd = skipJsonString(bytes, at, end, this.#words)
    if (nameEnd < 0 || nameEnd - at > 64 || jsonStringOf(bytes, at, nameEnd) !== 'records') return -1
    at = skipJsonSpace(bytes, nameEnd, end)
    if (at === end || bytes[at]! !== COLON) return -1
    return skipJsonSpace(bytes, at + 1, end)
  }

  #readOne(at: number): BodyFault | null {
    const behind = this.#envelope.read(at, this.#bytes.length)
    if (behind < 0) return this.#envelope.fault
    this.#sink.add(this.#envelope.record, this.#bytes, at, behind)
    return this.#endFault(behind)
  }

  #readEnveloped(at: number): BodyFault | null {
    const bytes = this.#bytes
    const end = bytes.length
    if (at < end && bytes[at]! !== OPEN_ARRAY) {
      const behind = skipJsonValue(bytes, at, end, this.#words)
      if (behind < 0) return jsonFault(bytes, 0, end, -1 - behind)
      return bodyFault('invalid', '/records', 'records is an array')
    }
    return this.#readArray(at, '/records')
  }

  /** `at` is the opening bracket; `prefix` is empty where the array is the body. */
  #readArray(at: number, prefix: string): BodyFault | null {
    const bytes = this.#bytes
    const end = bytes.length
    const envelope = this.#envelope
    const record = envelope.record
    let count = 0
    at = skipJsonSpace(bytes, at + 1, end)
    if (at < end && bytes[at]! === CLOSE_ARRAY) return this.#closeFault(at + 1, prefix, 0)
    for (;;) {
      const behind = envelope.read(at, end)
      if (behind < 0) return this.#recordFault(envelope.fault!, prefix, count)
      this.#sink.add(record, bytes, at, behind)
      count++
      at = skipJsonSpace(bytes, behind, end)
      if (at === end) return jsonFault(bytes, 0, end, end, count)
      if (bytes[at]! === CLOSE_ARRAY) return this.#closeFault(at + 1, prefix, count)
      if (bytes[at]! !== COMMA) return jsonFault(bytes, 0, end, at, count)
      at = skipJsonSpace(bytes, at + 1, end)
    }
  }

  /** What is wrong behind the array. */
  #closeFault(at: number, prefix: string, count: number): BodyFault | null {
    if (prefix === '') return this.#endFault(at, count)
    const bytes = this.#bytes
    const end = bytes.length
    at = skipJsonSpace(bytes, at, end)
    if (at < end && bytes[at]! === CLOSE_OBJECT) return this.#endFault(at + 1, count)
    if (at === end || bytes[at]! !== COMMA) return jsonFault(bytes, 0, end, at, count)
    at = skipJsonSpace(bytes, at + 1, end)
    if (at === end || bytes[at]! !== QUOTE) return jsonFault(bytes, 0, end, at, count)
    const nameEnd = skipJsonString(bytes, at, end, this.#words)
    if (nameEnd < 0) return jsonFault(bytes, 0, end, -1 - nameEnd, count)
    const name = jsonStringOf(bytes, at, nameEnd)
    const message = name === 'records' ? 'records is given twice' : 'unknown field beside records'
    return bodyFault('invalid', `/${name}`, message, count)
  }

  #endFault(at: number, count = 1): BodyFault | null {
    const end = this.#bytes.length
    at = skipJsonSpace(this.#bytes, at, end)
    return at === end ? null : jsonFault(this.#bytes, 0, end, at, count)
  }

  #recordFault(fault: BodyFault, prefix: string, count: number): BodyFault {
    if (fault.code === 'malformed') return { ...fault, record: count }
    return { ...fault, pointer: `${prefix}/${count}${fault.pointer}`, record: count }
  }

  #scalarFault(at: number): BodyFault {
    const bytes = this.#bytes
    const behind = skipJsonValue(bytes, at, bytes.length, this.#words)
    if (behind < 0) return jsonFault(bytes, 0, bytes.length, -1 - behind)
    return (
      this.#endFault(behind, 0) ??
      bodyFault('invalid', '', 'a body is {"records": […]}, an array of records or one record, such as {"value": 1}')
    )
  }
}
