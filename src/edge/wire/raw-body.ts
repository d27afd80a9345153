// Bodies that are values: one for the whole body, one a line (`split=lines`), or what curl sends as a form unless told
// otherwise, where a JSON object or array is meant as one.

import type { Codec } from '../../core/ports/index.ts'
import { isJson, jsonWords, RecordAttribute, RecordSpans, skipJsonSpace } from '../../core/record/index.ts'
import { bodyFault, type BodyFault } from './body-fault.ts'
import { ByteWriter } from './byte-writer.ts'
import { PointerSearch } from './json-pointer.ts'
import { LinedBody } from './lined-body.ts'
import { plainBytes } from './plain-bytes.ts'
import { withoutBreaks } from './line-breaks.ts'
import type { RecordParameters } from './record-parameters.ts'
import type { RecordSink } from './record-sink.ts'

const OPEN_ARRAY = 0x5b
const OPEN_OBJECT = 0x7b

export function readRawBody(body: Uint8Array, parameters: RecordParameters, sink: RecordSink): BodyFault | null {
  if (parameters.isTombstone && body.length > 0) {
    return bodyFault('invalid', '/tombstone', 'a tombstone has no value: send no body')
  }
  const bytes = plainBytes(body)
  const record = new RecordSpans()
  parameters.fill(record)
  record.value = bytes
  record.valueEnd = bytes.length
  sink.add(record, bytes, 0, bytes.length)
  return null
}

/** `as`: what the value was taken for. */
export function readFormBody(
  body: Uint8Array,
  parameters: RecordParameters,
  sink: RecordSink,
  codec: Codec,
): BodyFault | { as: 'raw' | 'json' } {
  const bytes = plainBytes(body)
  const at = skipJsonSpace(bytes, 0, bytes.length)
  const first = at < bytes.length ? bytes[at]! : 0
  const isJsonLike = (first === OPEN_OBJECT || first === OPEN_ARRAY) && !parameters.isTombstone
  const words = jsonWords(bytes)
  if (!isJsonLike || !codec.isUtf8(bytes) || !isJson(bytes, at, bytes.length, words)) {
    return readRawBody(bytes, parameters, sink) ?? { as: 'raw' }
  }
  const search = new PointerSearch([['records']])
  const behind = search.search(bytes, at, bytes.length, words)
  if (first === OPEN_OBJECT && search.startOf(0) >= 0 && bytes[search.startOf(0)]! === OPEN_ARRAY) {
    const line = `curl --json '{"records": […]}'`
    return bodyFault('unsupported-media', '/records', `records are sent as application/json: ${line} (not -d)`)
  }
  const record = new RecordSpans()
  parameters.fill(record)
  record.attributes = RecordAttribute.json
  record.value = bytes
  record.valueStart = at
  record.valueEnd = behind
  withoutBreaks(record, new ByteWriter())
  sink.add(record, bytes, 0, bytes.length)
  return { as: 'json' }
}

/** Each line a value, as it arrives; empty lines are skipped. */
export class TextLines extends LinedBody {
  readonly #record = new RecordSpans()
  readonly #sink: RecordSink

  constructor(sink: RecordSink, parameters: RecordParameters) {
    super()
    this.#sink = sink
    parameters.fill(this.#record)
  }

  protected override use(bytes: Uint8Array): void {
    this.#record.value = bytes
  }

  protected override isSound(): boolean {
    return true
  }

  protected override readLine(start: number, end: number): null {
    if (start === end) return null
    const record = this.#record
    record.valueStart = start
    record.valueEnd = end
    this.#sink.add(record, record.value, start, end)
    this.recordCount++
    return null
  }
}
