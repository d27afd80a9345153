// A body of `application/x-ndjson`, as it arrives: each line one JSON value, or one record (`format=record`). Of values, the
// key and a tag may be taken by JSON Pointer: a string as it is, a number by its source text, none where there is nothing
// or null. Blank lines are skipped.

import { limits } from '../../core/base/index.ts'
import type { Codec } from '../../core/ports/index.ts'
import { RecordAttribute, RecordSpans, skipJsonSpace, skipJsonValue, skipPlainText } from '../../core/record/index.ts'
import { bodyFault, type BodyFault, jsonFault } from './body-fault.ts'
import { ByteWriter } from './byte-writer.ts'
import { PointerSearch } from './json-pointer.ts'
import { jsonStringOf, textOf } from './json-text.ts'
import { LinedBody } from './lined-body.ts'
import { withoutBreaks } from './line-breaks.ts'
import { RecordEnvelope } from './record-envelope.ts'
import type { RecordParameters } from './record-parameters.ts'
import type { RecordSink } from './record-sink.ts'
import { TagTexts } from './tag-texts.ts'

const QUOTE = 0x22
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const SMALL_N = 0x6e
const CARRIAGE_RETURN = 0x0d
const NOT_ONE = 'a line holds one JSON value'
const NOT_UTF8 = bodyFault('malformed', '', 'this line is not UTF-8')

/** Lines that are records. */
export class NdjsonRecords extends LinedBody {
  readonly #envelope = new RecordEnvelope()
  readonly #sink: RecordSink
  readonly #codec: Codec
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)

  constructor(sink: RecordSink, codec: Codec) {
    super()
    this.#sink = sink
    this.#codec = codec
  }

  protected override use(bytes: Uint8Array, words: Int32Array): void {
    this.#bytes = bytes
    this.#words = words
  }

  protected override isSound(bytes: Uint8Array, start: number, end: number): boolean {
    const lines = bytes.subarray(start, end)
    this.#envelope.mayHoldBreaks = lines.includes(CARRIAGE_RETURN)
    return this.#codec.isUtf8(lines)
  }

  protected override readLine(start: number, end: number, isSound: boolean): BodyFault | null {
    const bytes = this.#bytes
    const at = skipJsonSpace(bytes, start, end)
    if (at === end) return null
    if (!isSound && !this.#codec.isUtf8(bytes.subarray(start, end))) return NOT_UTF8
    this.#envelope.use(bytes, this.#words, start)
    const behind = this.#envelope.read(at, end)
    if (behind < 0) return this.#envelope.fault
    if (skipJsonSpace(bytes, behind, end) !== end) return bodyFault('malformed', '', NOT_ONE)
    this.#sink.add(this.#envelope.record, bytes, at, behind)
    this.recordCount++
    return null
  }
}

export interface ValuePointers {
  /** JSON Pointers, known to be some; null: none. */
  key: PointerPath | null
  tag: PointerPath | null
}

export interface PointerPath {
  readonly text: string
  readonly steps: readonly string[]
}

/** Lines that are values. */
export class NdjsonValues extends LinedBody {
  readonly #record = new RecordSpans()
  readonly #sink: RecordSink
  readonly #codec: Codec
  readonly #parameters: RecordParameters
  readonly #search: PointerSearch | null
  readonly #keyPath: PointerPath | null
  readonly #tagPath: PointerPath | null
  readonly #tags = new TagTexts()
  readonly #own = new ByteWriter()
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)
  #mayHoldBreaks = false

  constructor(sink: RecordSink, codec: Codec, parameters: RecordParameters, pointers: ValuePointers) {
    super()
    this.#sink = sink
    this.#codec = codec
    this.#parameters = parameters
    parameters.fill(this.#record)
    this.#keyPath = pointers.key
    this.#tagPath = pointers.tag
    const paths = [pointers.key?.steps, pointers.tag?.steps].filter((steps) => steps !== undefined)
    this.#search = paths.length === 0 ? null : new PointerSearch(paths)
  }

  protected override use(bytes: Uint8Array, words: Int32Array): void {
    this.#bytes = bytes
    this.#words = words
  }

  protected override isSound(bytes: Uint8Array, start: number, end: number): boolean {
    const lines = bytes.subarray(start, end)
    this.#mayHoldBreaks = lines.includes(CARRIAGE_RETURN)
    return this.#codec.isUtf8(lines)
  }

  protected override readLine(start: number, end: number, isSound: boolean): BodyFault | null {
    const bytes = this.#bytes
    const at = skipJsonSpace(bytes, start, end)
    if (at === end) return null
    if (!isSound && !this.#codec.isUtf8(bytes.subarray(start, end))) return NOT_UTF8
    const search = this.#search
    const behind =
      search === null ? skipJsonValue(bytes, at, end, this.#words) : search.search(bytes, at, end, this.#words)
    if (behind < 0) return jsonFault(bytes, start, end, -1 - behind)
    if (behind !== end && skipJsonSpace(bytes, behind, end) !== end) return bodyFault('malformed', '', NOT_ONE)
    const record = this.#record
    this.#own.length = 0
    if (search !== null) this.#parameters.fill(record)
    record.attributes = RecordAttribute.json
    record.value = bytes
    record.valueStart = at
    record.valueEnd = behind
    if (search !== null) {
      const fault = this.#takePointed(search)
      if (fault !== null) return fault
    }
    if (this.#mayHoldBreaks) withoutBreaks(record, this.#own)
    this.#sink.add(record, bytes, at, behind)
    this.recordCount++
    return null
  }

  #takePointed(search: PointerSearch): BodyFault | null {
    const keyPath = this.#keyPath
    if (keyPath !== null) {
      const fault = this.#takeKey(search.startOf(0), search.endOf(0))
      if (fault !== null) return bodyFault('invalid', keyPath.text, fault)
    }
    const tagPath = this.#tagPath
    if (tagPath === null) return null
    const pointer = keyPath === null ? 0 : 1
    const fault = this.#takeTag(search.startOf(pointer), search.endOf(pointer))
    return fault === null ? null : bodyFault('invalid', tagPath.text, fault)
  }

  #takeKey(start: number, end: number): string | null {
    const bytes = this.#bytes
    if (start < 0 || bytes[start]! === SMALL_N) return null
    const record = this.#record
    record.key = bytes
    record.keyStart = start
    record.keyEnd = end
    if (bytes[start]! === QUOTE) {
      record.keyStart = start + 1
      record.keyEnd = end - 1
      if (skipPlainText(bytes, start + 1, end, this.#words) !== end - 1) {
        const key = jsonStringOf(bytes, start, end)
        if (!key.isWellFormed()) return 'half of a surrogate pair cannot be stored as UTF-8'
        record.keyStart = this.#own.length
        this.#own.text(key)
        record.key = this.#own.bytes
        record.keyEnd = this.#own.length
      }
    } else if (!isNumberAt(bytes, start)) {
      return 'a key is a string or a number'
    }
    if (record.keyEnd - record.keyStart <= limits.KEY_BYTES_MAX) return null
    return `a key has ${limits.KEY_BYTES_MAX} bytes at most`
  }

  #takeTag(start: number, end: number): string | null {
    const bytes = this.#bytes
    if (start < 0 || bytes[start]! === SMALL_N) return null
    let tag: string
    if (bytes[start]! === QUOTE) tag = jsonStringOf(bytes, start, end)
    else if (isNumberAt(bytes, start)) tag = textOf(bytes, start, end)
    else return 'a tag is a string or a number'
    if (tag === '') return null
    const tags = this.#tags.of(tag)
    if (typeof tags === 'string') return tags
    this.#record.tags = tags
    return null
  }
}

function isNumberAt(bytes: Uint8Array, at: number): boolean {
  const byte = bytes[at]!
  return byte === MINUS || (byte >= ZERO && byte <= NINE)
}
