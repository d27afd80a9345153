// A record as a program has it, brought to bytes for a batch. What the broker would refuse is refused here, before it can spoil
// a batch of others. One encoder serves all records, in memory of its own that only grows to the largest of them.

import { limits, writeVarint } from '../core/base/index.ts'
import { isJson, RecordAttribute, RecordSpans, skipJsonValue } from '../core/record/index.ts'
import { NaruError } from './naru-error.ts'

export interface ProducerRecord {
  /** Equal keys go to the same partition, in order. */
  key?: string | Uint8Array
  /** Bytes are kept as they are; anything else is kept as JSON. */
  value?: unknown
  /** Instead of a value: JSON on one line, kept as it is. */
  json?: string | Uint8Array
  /** Instead of a value: deletes the key. */
  tombstone?: true
  headers?: Readonly<Record<string, string>>
  /** What consumers can filter by. */
  tags?: readonly string[]
  /** Milliseconds since 1970; now, when left out. */
  timestamp?: number
  /** Instead of the one its key chooses. */
  partition?: number
}

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true })
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
/** JSON shorter than this cannot be nested too deep. */
const SHALLOW_CHARS = 2 * limits.JSON_DEPTH_MAX
const NO_TAGS: readonly string[] = []

export class RecordEncoder {
  readonly spans = new RecordSpans()
  #memory = new Uint8Array(64 * 1024)
  #used = 0

  /** Fills `spans`, which are good until the next record. Throws a `NaruError` of code `invalid-record`. */
  encode(record: ProducerRecord): RecordSpans {
    const { spans } = this
    spans.clear()
    this.#used = 0
    const { key, value, headers, tags, timestamp } = record
    if (key !== undefined) this.#key(key)
    if (record.tombstone === true) {
      if (key === undefined || value !== undefined || record.json !== undefined)
        throw invalid('a tombstone has a key and no value')
      spans.attributes = RecordAttribute.tombstone
    } else if (value instanceof Uint8Array) {
      spans.value = value
      spans.valueEnd = value.length
    } else if (record.json === undefined) {
      this.#json(value)
    } else if (value === undefined) {
      this.#readyJson(record.json)
    } else {
      throw invalid('a record has value or json, not both')
    }
    if (headers !== undefined) this.#headers(headers)
    if (tags !== undefined) spans.tags = checkedTags(tags)
    if (timestamp !== undefined) {
      if (!(
        timestamp >= limits.TIMESTAMP_MS_MIN &&
        timestamp <= limits.TIMESTAMP_MS_MAX &&
        Number.isInteger(timestamp)
      ))
        throw invalid('timestamp is whole milliseconds since 1970')
      spans.timestamp = timestamp
    }
    if (spans.payloadBytes > limits.RECORD_BYTES_MAX) {
      const sizes = `key, value and headers have ${spans.payloadBytes} bytes, at most ${limits.RECORD_BYTES_MAX} are taken`
      throw invalid(`${sizes}: store large things elsewhere and send where they are`)
    }
    return spans
  }

  #key(key: string | Uint8Array): void {
    const { spans } = this
    if (typeof key === 'string') {
      const at = this.#text(key)
      spans.key = this.#memory
      spans.keyStart = at
      spans.keyEnd = this.#used
    } else {
      spans.key = key
      spans.keyStart = 0
      spans.keyEnd = key.length
    }
    if (spans.keyEnd - spans.keyStart > limits.KEY_BYTES_MAX) {
      throw invalid(`the key is longer than ${limits.KEY_BYTES_MAX} bytes`)
    }
  }

  #json(value: unknown): void {
    const { spans } = this
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined) throw invalid('a record has a value: JSON, bytes, or tombstone: true')
    const at = this.#text(text)
    spans.value = this.#memory
    spans.valueStart = at
    spans.valueEnd = this.#used
    spans.attributes = RecordAttribute.json
    if (text.length > SHALLOW_CHARS && typeof value === 'object' && skipJsonValue(this.#memory, at, this.#used) < 0)
      throw invalid(`the value is nested deeper than ${limits.JSON_DEPTH_MAX} levels`)
  }

  #readyJson(json: string | Uint8Array): void {
    const { spans } = this
    if (typeof json === 'string') {
      const at = this.#text(json)
      spans.value = this.#memory
      spans.valueStart = at
      spans.valueEnd = this.#used
    } else {
      spans.value = json
      spans.valueEnd = json.length
    }
    spans.attributes = RecordAttribute.json
    const bytes = spans.value.subarray(spans.valueStart, spans.valueEnd)
    if (bytes.includes(LINE_FEED) || bytes.includes(CARRIAGE_RETURN)) throw invalid('json is on one line')
    if (!isUtf8(bytes) || !isJson(bytes, 0, bytes.length)) throw invalid('json is not JSON')
  }

  #headers(headers: Readonly<Record<string, string>>): void {
    const { spans } = this
    const start = this.#used
    for (const [name, value] of Object.entries(headers)) {
      if (name === '' || typeof value !== 'string') throw invalid('headers are strings, with a name')
      this.#lengthAndText(name)
      this.#lengthAndText(value)
      spans.headerCount++
    }
    spans.headers = this.#memory
    spans.headersStart = start
    spans.headersEnd = this.#used
    if (spans.headerCount > limits.RECORD_HEADERS_MAX || this.#used - start > limits.RECORD_HEADERS_BYTES_MAX) {
      throw invalid(`at most ${limits.RECORD_HEADERS_MAX} headers and ${limits.RECORD_HEADERS_BYTES_MAX} bytes of them`)
    }
  }

  #lengthAndText(text: string): void {
    const bytes = encoder.encode(text)
    this.#reserve(bytes.length + 5)
    this.#used = writeVarint(this.#memory, this.#used, bytes.length)
    this.#memory.set(bytes, this.#used)
    this.#used += bytes.length
  }

  /** Returns where it begins. */
  #text(text: string): number {
    const at = this.#used
    this.#reserve(text.length * 3)
    this.#used += encoder.encodeInto(text, at === 0 ? this.#memory : this.#memory.subarray(at)).written
    return at
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#memory.length) return
    const wider = new Uint8Array(Math.max(this.#used + bytes, this.#memory.length * 2))
    wider.set(this.#memory.subarray(0, this.#used))
    // What was written before stays where it is.
    if (this.spans.key === this.#memory) this.spans.key = wider
    if (this.spans.value === this.#memory) this.spans.value = wider
    this.#memory = wider
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes)
    return true
  } catch {
    return false
  }
}

function checkedTags(tags: readonly string[]): readonly string[] {
  if (tags.length === 0) return NO_TAGS
  if (tags.length > limits.BATCH_TAGS_MAX) throw invalid(`at most ${limits.BATCH_TAGS_MAX} tags`)
  for (const tag of tags) {
    if (tag === '' || tag.length > limits.TAG_BYTES_MAX || encoder.encode(tag).length > limits.TAG_BYTES_MAX)
      throw invalid(`a tag has 1 to ${limits.TAG_BYTES_MAX} bytes`)
  }
  return tags
}

function invalid(message: string): NaruError {
  return new NaruError('invalid-record', `The record was not taken: ${message}`, { outcome: 'none', retryable: false })
}
