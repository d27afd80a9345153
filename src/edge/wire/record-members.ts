// The members of one record as JSON, found where they lie and proved to be JSON on the way: which fields there are, and where
// the value of each begins and ends. What comes twice counts where it comes last; a name means the same with escapes as
// without. What the values mean is for others to say.

import { skipJsonName, skipJsonSpace, skipJsonString, skipJsonValue, skipPlainText } from '../../core/record/index.ts'
import { bodyFault, type BodyFault, jsonFault } from './body-fault.ts'
import { jsonStringOf } from './json-text.ts'
import { Field, FIELD_NAMES, fieldNamed, type FieldNumber, unknownFieldFault } from './record-fields.ts'

const SPACE_MAX = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
/** Each field's name in its quotes, and how long that is. */
const NAME_ROOM = 16
const NAMES = new Uint8Array(FIELD_NAMES.length * NAME_ROOM)
const NAME_BYTES = new Int32Array(FIELD_NAMES.length)
for (const [field, name] of FIELD_NAMES.entries()) {
  NAME_BYTES[field] = new TextEncoder().encodeInto(`"${name}"`, NAMES.subarray(field * NAME_ROOM)).written
}

export class RecordMembers {
  /** A bit for each field found. */
  seen = 0
  /** A bit for each field that is a string without escapes. */
  plain = 0
  /** What `find` found wrong, its pointer relative to the record. */
  fault: BodyFault | null = null
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)
  #origin = 0
  readonly #places = new Int32Array(FIELD_NAMES.length * 2)

  /** `words` are those of `bytes`. Faults count bytes from `origin` on. */
  use(bytes: Uint8Array, words: Int32Array, origin: number): void {
    this.#bytes = bytes
    this.#words = words
    this.#origin = origin
  }

  has(field: FieldNumber): boolean {
    return (this.seen & (1 << field)) !== 0
  }

  isPlain(field: FieldNumber): boolean {
    return (this.plain & (1 << field)) !== 0
  }

  /** Of a field that was found: its value's first byte. */
  startOf(field: FieldNumber): number {
    return this.#places[field * 2]!
  }

  endOf(field: FieldNumber): number {
    return this.#places[field * 2 + 1]!
  }

  /** `start` is where the record must begin. Returns the position behind it, or -1: see `fault`. */
  find(start: number, end: number): number {
    this.plain = 0
    this.seen = 0
    if (start >= end || this.#bytes[start]! !== OPEN_OBJECT) return this.#refuseKind(start, end)
    const at = this.#findUsual(start, end)
    if (at < 0) return -1
    if (this.seen === 0) {
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
      this.plain = seen
      at = stop + 1
      if (at + 10 > end || bytes[at]! !== COMMA) {
        this.seen = seen
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
      seen |= 1 << Field.value
      at = behind
    }
    this.seen = seen
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
    let seen = this.seen
    let plain = this.plain
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
        this.seen = seen
        this.plain = plain
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
