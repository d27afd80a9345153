// One record as JSON, `{key | keyBase64, value | valueBase64 | tombstone, headers, tags, timestamp}`, read where it lies.
//
// First the members are found and proved to be JSON, then those that are there are taken for what they mean; so a name that
// comes twice means its last value, as to JSON.parse, and one written with escapes means the same as without. The value is
// the bytes sent; only line breaks between tokens are taken out of it, which is the one thing that would not fit a line.
//
// `read` fills `record`, whose spans lie in the bytes given or in memory of the reader's own: good until the next `read`.

import { limits } from '../../core/base/index.ts'
import {
  RecordAttribute,
  RecordSpans,
  skipJsonName,
  skipJsonSpace,
  skipJsonString,
  skipJsonValue,
  skipPlainText,
} from '../../core/record/index.ts'
import { bodyFault, type BodyFault, jsonFault } from './body-fault.ts'
import { ByteWriter } from './byte-writer.ts'
import { jsonOf, jsonStringOf, textOf } from './json-text.ts'
import { Field, FIELD_NAMES, fieldNamed, type FieldNumber, unknownFieldFault } from './record-fields.ts'
import { readHeaders } from './record-headers.ts'
import { TagTexts } from './tag-texts.ts'
import { timestampFault } from './timestamp.ts'

const COMMA = 0x2c
const ZERO = 0x30
const COLON = 0x3a
const QUOTE = 0x22
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SPACE_MAX = 0x20
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** As many digits are exact as a number. */
const DIGITS_MAX = 15

const VALUE_ONLY = 1 << Field.value
const KEY_AND_VALUE = VALUE_ONLY | (1 << Field.key)
const KEYS = (1 << Field.key) | (1 << Field.keyBase64)
const VALUES = VALUE_ONLY | (1 << Field.valueBase64) | (1 << Field.tombstone)
/** Each field's name in its quotes, and how long that is. */
const NAME_ROOM = 16
const NAMES = new Uint8Array(FIELD_NAMES.length * NAME_ROOM)
const NAME_BYTES = new Int32Array(FIELD_NAMES.length)
for (const [field, name] of FIELD_NAMES.entries()) {
  NAME_BYTES[field] = new TextEncoder().encodeInto(`"${name}"`, NAMES.subarray(field * NAME_ROOM)).written
}

export class RecordEnvelope {
  readonly record = new RecordSpans()
  /** What `read` found wrong, its pointer relative to the record. */
  fault: BodyFault | null = null
  /** Whether the bytes hold line breaks at all: else nobody looks for them. Set by the caller. */
  mayHoldBreaks = true
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)
  #origin = 0
  /** A bit for each field found; where each begins and ends. */
  #seen = 0
  /** A bit for each field that is a string without escapes. */
  #plain = 0
  readonly #places = new Int32Array(FIELD_NAMES.length * 2)
  readonly #own = new ByteWriter()
  readonly #tags = new TagTexts()

  /** `words` are those of `bytes`. Faults count bytes from `origin` on. */
  use(bytes: Uint8Array, words: Int32Array, origin = 0): void {
    this.#bytes = bytes
    this.#words = words
    this.#origin = origin
  }

  /** `at` is where the record must begin. Returns the position behind it, or -1: see `fault`. */
  read(at: number, end: number): number {
    this.#own.length = 0
    const behind = this.#findMembers(at, end)
    if (behind < 0) return -1
    const record = this.record
    const seen = this.#seen
    record.clear()
    if (seen === VALUE_ONLY || seen === KEY_AND_VALUE) {
      this.#takeValue()
      return seen === VALUE_ONLY || this.#takeKey() ? behind : -1
    }
    return this.#takeAll() ? behind : -1
  }

  // --- finding ---------------------------------------------------------------------------------------------------------

  #findMembers(start: number, end: number): number {
    this.#plain = 0
    this.#seen = 0
    if (start >= end || this.#bytes[start]! !== OPEN_OBJECT) return this.#refuseKind(start, end)
    const at = this.#findUsual(start, end)
    if (at < 0) return -1
    if (this.#seen === 0) {
      const inner = skipJsonSpace(this.#bytes, at + 1, end)
      if (inner < end && this.#bytes[inner]! === CLOSE_OBJECT) return inner + 1
      return this.#findMore(inner, end)
    }
    return at < end && this.#bytes[at]! === CLOSE_OBJECT ? at + 1 : this.#findNext(at, end)
  }

  /** `{"key":"…","value":…` or either, as most records begin: the position behind, `at` itself if it is neither, or -1. */
  #findUsual(at: number, end: number): number {
    const bytes = this.#bytes
    const places = this.#places
    if (at + 16 > end) return at
    let seen = 0
    if (
      bytes[at + 1]! === QUOTE &&
      bytes[at + 2]! === 0x6b &&
      bytes[at + 3]! === 0x65 &&
      bytes[at + 4]! === 0x79 &&
      bytes[at + 5]! === QUOTE &&
      bytes[at + 6]! === COLON &&
      bytes[at + 7]! === QUOTE
    ) {
      const stop = skipPlainText(bytes, at + 8, end, this.#words)
      if (stop === end || bytes[stop]! !== QUOTE) return at
      places[Field.key * 2] = at + 7
      places[Field.key * 2 + 1] = stop + 1
      seen = 1 << Field.key
      this.#plain = seen
      at = stop + 1
      if (at + 10 > end || bytes[at]! !== COMMA) {
        this.#seen = seen
        return at
      }
    }
    if (
      bytes[at + 1]! === QUOTE &&
      bytes[at + 2]! === 0x76 &&
      bytes[at + 3]! === 0x61 &&
      bytes[at + 4]! === 0x6c &&
      bytes[at + 5]! === 0x75 &&
      bytes[at + 6]! === 0x65 &&
      bytes[at + 7]! === QUOTE &&
      bytes[at + 8]! === COLON &&
      bytes[at + 9]! > SPACE_MAX
    ) {
      const behind = skipJsonValue(bytes, at + 9, end, this.#words)
      if (behind < 0) return this.#refuseJson(end, -1 - behind)
      places[Field.value * 2] = at + 9
      places[Field.value * 2 + 1] = behind
      seen |= VALUE_ONLY
      at = behind
    }
    this.#seen = seen
    return at
  }

  /** `at` is behind a member. */
  #findNext(at: number, end: number): number {
    const bytes = this.#bytes
    at = skipJsonSpace(bytes, at, end)
    if (at < end && bytes[at]! === CLOSE_OBJECT) return at + 1
    if (at >= end || bytes[at]! !== COMMA) return this.#refuseJson(end, at)
    return this.#findMore(skipJsonSpace(bytes, at + 1, end), end)
  }

  /** `at` is where a member must begin. */
  #findMore(at: number, end: number): number {
    const bytes = this.#bytes
    const places = this.#places
    let seen = this.#seen
    let plain = this.#plain
    for (;;) {
      let field = at + 16 <= end ? fieldAt(bytes, at) : -1
      if (field >= 0 && bytes[at + NAME_BYTES[field]!]! === COLON) {
        at += NAME_BYTES[field]! + 1
      } else {
        const name = at
        at = skipJsonName(bytes, at, end, this.#words)
        if (at < 0) return this.#refuseJson(end, -1 - at)
        field = this.#fieldOf(name, at)
        if (field < 0) return -1
      }
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
      const valueStart = at
      places[field * 2] = at
      plain &= ~(1 << field)
      if (at < end && bytes[at]! === QUOTE) {
        at = skipPlainText(bytes, at + 1, end, this.#words)
        if (at < end && bytes[at]! === QUOTE) {
          at++
          plain |= 1 << field
        } else {
          at = skipJsonString(bytes, valueStart, end, this.#words)
        }
      } else {
        at = skipJsonValue(bytes, at, end, this.#words)
      }
      if (at < 0) return this.#refuseJson(end, -1 - at)
      places[field * 2 + 1] = at
      seen |= 1 << field
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
      if (at < end && bytes[at]! === CLOSE_OBJECT) {
        this.#seen = seen
        this.#plain = plain
        return at + 1
      }
      if (at >= end || bytes[at]! !== COMMA) return this.#refuseJson(end, at)
      at++
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
    }
  }

  /** A name that is not in its usual form: with escapes, white space behind it, near the end, or unknown. */
  #fieldOf(start: number, behindColon: number): number {
    const end = skipJsonString(this.#bytes, start, behindColon, this.#words)
    const name = jsonStringOf(this.#bytes, start, end)
    const field = fieldNamed(name)
    if (field < 0) this.fault = unknownFieldFault(name)
    return field
  }

  // --- taking ----------------------------------------------------------------------------------------------------------

  #takeAll(): boolean {
    const seen = this.#seen
    if ((seen & KEYS) === KEYS) return this.#refuse('keyBase64', 'a record has key or keyBase64, not both')
    const values = seen & VALUES
    if (values === 0) {
      return this.#refuse('value', 'this is missing: a record has a value (null is one), valueBase64, or tombstone')
    }
    if ((values & (values - 1)) !== 0) {
      const last = FIELD_NAMES[31 - Math.clz32(values)]!
      return this.#refuse(last, 'a record has one of value, valueBase64 and tombstone')
    }
    if (this.#has(Field.key) && !this.#takeKey()) return false
    if (this.#has(Field.keyBase64) && !this.#takeKeyBase64()) return false
    if (this.#has(Field.value)) this.#takeValue()
    if (this.#has(Field.valueBase64) && !this.#takeValueBase64()) return false
    if (this.#has(Field.tombstone) && !this.#takeTombstone()) return false
    if (this.#has(Field.tags) && !this.#takeTags()) return false
    if (this.#has(Field.timestamp) && !this.#takeTimestamp()) return false
    return !this.#has(Field.headers) || this.#takeHeaders()
  }

  #takeValue(): void {
    const record = this.record
    const bytes = this.#bytes
    const start = this.#places[Field.value * 2]!
    const end = this.#places[Field.value * 2 + 1]!
    record.attributes = RecordAttribute.json
    record.value = bytes
    record.valueStart = start
    record.valueEnd = end
    if (this.mayHoldBreaks) withoutBreaks(record, this.#own)
  }

  #takeKey(): boolean {
    const record = this.record
    const bytes = this.#bytes
    const start = this.#places[Field.key * 2]!
    const end = this.#places[Field.key * 2 + 1]!
    if (bytes[start]! !== QUOTE) return this.#refuse('key', 'a key is a string; other bytes go into keyBase64')
    if ((this.#plain & (1 << Field.key)) !== 0) {
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
    const places = this.#places
    const tags = this.#tags.read(this.#bytes, places[Field.tags * 2]!, places[Field.tags * 2 + 1]!)
    if (Array.isArray(tags)) {
      this.record.tags = tags
      return true
    }
    this.fault = tags as BodyFault
    return false
  }

  #takeTimestamp(): boolean {
    const places = this.#places
    const ms = numberAt(this.#bytes, places[Field.timestamp * 2]!, places[Field.timestamp * 2 + 1]!)
    const fault = timestampFault(ms)
    if (fault !== null) return this.#refuse('timestamp', fault)
    this.record.timestamp = ms
    return true
  }

  #takeHeaders(): boolean {
    const places = this.#places
    const start = places[Field.headers * 2]!
    const end = places[Field.headers * 2 + 1]!
    this.fault = readHeaders(this.#bytes, start, end, this.#words, this.record, this.#own)
    return this.fault === null
  }

  /** Standard alphabet, padded or not, nothing in between. */
  #decodeBase64(field: FieldNumber): boolean {
    const start = this.#places[field * 2]!
    const end = this.#places[field * 2 + 1]!
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

  #has(field: FieldNumber): boolean {
    return (this.#seen & (1 << field)) !== 0
  }

  #sourceOf(field: FieldNumber): string {
    return textOf(this.#bytes, this.#places[field * 2]!, this.#places[field * 2 + 1]!)
  }

  // --- refusing --------------------------------------------------------------------------------------------------------

  #refuse(field: string, message: string): false {
    this.fault = bodyFault('invalid', `/${field}`, message)
    return false
  }

  #refuseJson(end: number, position: number): -1 {
    this.fault = jsonFault(this.#bytes, this.#origin, end, position)
    return -1
  }

  /** What stands where a record should is not an object. */
  #refuseKind(start: number, end: number): -1 {
    const behind = skipJsonValue(this.#bytes, start, end, this.#words)
    if (behind < 0) return this.#refuseJson(end, -1 - behind)
    this.fault = bodyFault('invalid', '', 'a record is an object, such as {"value": 1}')
    return -1
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

/** The field whose name, quotes included, stands at `at`, or -1. Sixteen bytes can be read there. */
function fieldAt(bytes: Uint8Array, at: number): number {
  switch (bytes[at + 1]!) {
    case 0x6b:
      return nameAt(bytes, at, bytes[at + 4]! === QUOTE ? Field.key : Field.keyBase64)
    case 0x76:
      return nameAt(bytes, at, bytes[at + 6]! === QUOTE ? Field.value : Field.valueBase64)
    case 0x74:
      if (bytes[at + 2]! === 0x61) return nameAt(bytes, at, Field.tags)
      return nameAt(bytes, at, bytes[at + 2]! === 0x69 ? Field.timestamp : Field.tombstone)
    case 0x68:
      return nameAt(bytes, at, Field.headers)
    default:
      return -1
  }
}

/** `field` if its name is what stands there, else -1. */
function nameAt(bytes: Uint8Array, at: number, field: FieldNumber): number {
  const from = field * NAME_ROOM
  const nameBytes = NAME_BYTES[field]!
  for (let i = 0; i < nameBytes; i++) if (bytes[at + i]! !== NAMES[from + i]!) return -1
  return field
}

/** Takes the line breaks out of a JSON value: they can only lie between tokens, and only part what is parted anyway. */
export function withoutBreaks(record: RecordSpans, own: ByteWriter): void {
  const { value, valueStart, valueEnd } = record
  let at = valueStart
  while (at < valueEnd && value[at]! !== LINE_FEED && value[at]! !== CARRIAGE_RETURN) at++
  if (at === valueEnd) return
  own.reserve(valueEnd - valueStart)
  const start = own.length
  own.copy(value, valueStart, at)
  let to = own.length
  for (; at < valueEnd; at++) {
    const byte = value[at]!
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) own.bytes[to++] = byte
  }
  own.length = to
  record.value = own.bytes
  record.valueStart = start
  record.valueEnd = to
}
