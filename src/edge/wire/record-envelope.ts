// One record as JSON, `{key | keyBase64, value | valueBase64 | tombstone, headers, tags, timestamp}`, read where it lies.
//
// First the members are found and proved to be JSON, then those that are there are taken for what they mean; so a name that
// comes twice means its last value, as to JSON.parse, and one written with escapes means the same as without. The value is
// the bytes sent; only line breaks between tokens are taken out of it, which is the one thing that would not fit a line.
//
// `read` fills `record`, whose spans lie in the bytes given or in memory of the reader's own: good until the next `read`.

import { limits } from '../../core/base/index.ts'
import { RecordAttribute, RecordSpans } from '../../core/record/index.ts'
import { bodyFault, type BodyFault } from './body-fault.ts'
import { ByteWriter } from './byte-writer.ts'
import { jsonOf, jsonStringOf, textOf } from './json-text.ts'
import { withoutBreaks } from './line-breaks.ts'
import { Field, FIELD_NAMES, type FieldNumber } from './record-fields.ts'
import { readHeaders } from './record-headers.ts'
import { RecordMembers } from './record-members.ts'
import { TagTexts } from './tag-texts.ts'
import { timestampFault } from './timestamp.ts'

const QUOTE = 0x22
const ZERO = 0x30
/** As many digits are exact as a number. */
const DIGITS_MAX = 15
const VALUE_ONLY = 1 << Field.value
const KEY_AND_VALUE = VALUE_ONLY | (1 << Field.key)
const KEYS = (1 << Field.key) | (1 << Field.keyBase64)
const VALUES = VALUE_ONLY | (1 << Field.valueBase64) | (1 << Field.tombstone)

export class RecordEnvelope {
  readonly record = new RecordSpans()
  /** What `read` found wrong, its pointer relative to the record. */
  fault: BodyFault | null = null
  /** Whether the bytes hold line breaks at all: else nobody looks for them. Set by the caller. */
  mayHoldBreaks = true
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)
  readonly #members = new RecordMembers()
  readonly #own = new ByteWriter()
  readonly #tags = new TagTexts()

  /** `words` are those of `bytes`. Faults count bytes from `origin` on. */
  use(bytes: Uint8Array, words: Int32Array, origin = 0): void {
    this.#bytes = bytes
    this.#words = words
    this.#members.use(bytes, words, origin)
  }

  /** `at` is where the record must begin. Returns the position behind it, or -1: see `fault`. */
  read(at: number, end: number): number {
    const behind = this.#members.find(at, end)
    if (behind < 0) {
      this.fault = this.#members.fault
      return -1
    }
    this.#own.length = 0
    this.record.clear()
    const { seen } = this.#members
    if (seen === VALUE_ONLY || seen === KEY_AND_VALUE) {
      this.#takeValue()
      return seen === VALUE_ONLY || this.#takeKey() ? behind : -1
    }
    return this.#takeAll() ? behind : -1
  }

  #takeAll(): boolean {
    const seen = this.#members.seen
    if ((seen & KEYS) === KEYS) return this.#refuse('keyBase64', 'a record has key or keyBase64, not both')
    const values = seen & VALUES
    if (values === 0) {
      return this.#refuse('value', 'this is missing: a record has a value (null is one), valueBase64, or tombstone')
    }
    if ((values & (values - 1)) !== 0) {
      const last = FIELD_NAMES[31 - Math.clz32(values)]!
      return this.#refuse(last, 'a record has one of value, valueBase64 and tombstone')
    }
    if (this.#members.has(Field.key) && !this.#takeKey()) return false
    if (this.#members.has(Field.keyBase64) && !this.#takeKeyBase64()) return false
    if (this.#members.has(Field.value)) this.#takeValue()
    if (this.#members.has(Field.valueBase64) && !this.#takeValueBase64()) return false
    if (this.#members.has(Field.tombstone) && !this.#takeTombstone()) return false
    if (this.#members.has(Field.tags) && !this.#takeTags()) return false
    if (this.#members.has(Field.timestamp) && !this.#takeTimestamp()) return false
    return !this.#members.has(Field.headers) || this.#takeHeaders()
  }

  #takeValue(): void {
    const record = this.record
    const bytes = this.#bytes
    const start = this.#members.startOf(Field.value)
    const end = this.#members.endOf(Field.value)
    record.attributes = RecordAttribute.json
    record.value = bytes
    record.valueStart = start
    record.valueEnd = end
    if (this.mayHoldBreaks) withoutBreaks(record, this.#own)
  }

  #takeKey(): boolean {
    const record = this.record
    const bytes = this.#bytes
    const start = this.#members.startOf(Field.key)
    const end = this.#members.endOf(Field.key)
    if (bytes[start]! !== QUOTE) return this.#refuse('key', 'a key is a string; other bytes go into keyBase64')
    if (this.#members.isPlain(Field.key)) {
      record.key = bytes
      record.keyStart = start + 1
      record.keyEnd = end - 1
    } else {
      const key = jsonStringOf(bytes, start, end)
      if (!key.isWellFormed()) return this.#refuse('key', 'half of a surrogate pair cannot be stored as UTF-8')
      record.keyStart = this.#own.length
      this.#own.text(key)
      record.key = this.#own.bytes
      record.keyEnd = this.#own.length
    }
    return this.#checkKeyBytes('key')
  }

  #takeKeyBase64(): boolean {
    const record = this.record
    const start = this.#own.length
    if (!this.#decodeBase64(Field.keyBase64)) return false
    record.key = this.#own.bytes
    record.keyStart = start
    record.keyEnd = this.#own.length
    return this.#checkKeyBytes('keyBase64')
  }

  #checkKeyBytes(field: string): boolean {
    if (this.record.keyEnd - this.record.keyStart <= limits.KEY_BYTES_MAX) return true
    this.fault = bodyFault('too-large', `/${field}`, `a key has ${limits.KEY_BYTES_MAX} bytes at most`)
    return false
  }

  #takeValueBase64(): boolean {
    const record = this.record
    const start = this.#own.length
    if (!this.#decodeBase64(Field.valueBase64)) return false
    record.value = this.#own.bytes
    record.valueStart = start
    record.valueEnd = this.#own.length
    return true
  }

  #takeTombstone(): boolean {
    if (this.#sourceOf(Field.tombstone) !== 'true') {
      return this.#refuse('tombstone', 'this can only be true: leave it out where there is a value')
    }
    if (this.record.keyStart < 0) return this.#refuse('tombstone', 'a tombstone needs a key')
    this.record.attributes = RecordAttribute.tombstone
    return true
  }

  #takeTags(): boolean {
    const tags = this.#tags.read(this.#bytes, this.#members.startOf(Field.tags), this.#members.endOf(Field.tags))
    if (Array.isArray(tags)) {
      this.record.tags = tags
      return true
    }
    this.fault = tags as BodyFault
    return false
  }

  #takeTimestamp(): boolean {
    const ms = numberAt(this.#bytes, this.#members.startOf(Field.timestamp), this.#members.endOf(Field.timestamp))
    const fault = timestampFault(ms)
    if (fault !== null) return this.#refuse('timestamp', fault)
    this.record.timestamp = ms
    return true
  }

  #takeHeaders(): boolean {
    const start = this.#members.startOf(Field.headers)
    const end = this.#members.endOf(Field.headers)
    this.fault = readHeaders(this.#bytes, start, end, this.#words, this.record, this.#own)
    return this.fault === null
  }

  /** Standard alphabet, padded or not, nothing in between. */
  #decodeBase64(field: FieldNumber): boolean {
    const start = this.#members.startOf(field)
    const end = this.#members.endOf(field)
    if (this.#bytes[start]! === QUOTE) {
      const text = jsonStringOf(this.#bytes, start, end)
      const own = this.#own
      own.reserve(text.length)
      try {
        if (!/\s/.test(text)) {
          own.length += own.bytes.subarray(own.length).setFromBase64(text, { lastChunkHandling: 'loose' }).written
          return true
        }
      } catch {}
    }
    return this.#refuse(FIELD_NAMES[field]!, 'this is not base64 (RFC 4648, standard alphabet)')
  }

  #sourceOf(field: FieldNumber): string {
    return textOf(this.#bytes, this.#members.startOf(field), this.#members.endOf(field))
  }

  #refuse(field: string, message: string): false {
    this.fault = bodyFault('invalid', `/${field}`, message)
    return false
  }
}

/** The number that a scanned JSON value is; NaN where it is something else. */
function numberAt(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > DIGITS_MAX) return numberOf(bytes, start, end)
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return numberOf(bytes, start, end)
    value = value * 10 + digit
  }
  return value
}

function numberOf(bytes: Uint8Array, start: number, end: number): number {
  const value = jsonOf(bytes, start, end)
  // Minus zero is zero.
  return typeof value === 'number' ? value + 0 : Number.NaN
}
