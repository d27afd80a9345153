// What a client's record says of itself, compared with what it is: that its value is JSON, that it is a tombstone, how many
// headers it has. The record has been read, so its parts lie where it says.

import { limits, readVarint, varintEnd } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { isJson, jsonWords } from './json.ts'
import { RecordAttribute, type RecordSpans } from './record.ts'

const LINE_BREAK = 1
const NOT_ASCII = 2
const HIGH_BITS = 0x8080_8080
const TRAITS = new Uint8Array(256).fill(NOT_ASCII, 0x80)
TRAITS[0x0a] = LINE_BREAK
TRAITS[0x0d] = LINE_BREAK

export class RecordClaims {
  readonly #words: Int32Array
  readonly #codec: Codec
  readonly #recordBytesMax: number

  /** For records that all lie in `records`. */
  constructor(records: Uint8Array, codec: Codec, recordBytesMax: number) {
    this.#words = jsonWords(records)
    this.#codec = codec
    this.#recordBytesMax = recordBytesMax
  }

  /** What is not so, said of the record; null: all is. */
  faultOf(record: RecordSpans): string | null {
    if (!(record.timestamp >= limits.TIMESTAMP_MS_MIN && record.timestamp <= limits.TIMESTAMP_MS_MAX)) {
      return 'has a timestamp outside the years 0000 to 9999'
    }
    const bytes = record.payloadBytes
    if (bytes > this.#recordBytesMax) return `has ${bytes} bytes, the limit is ${this.#recordBytesMax}`
    if (record.keyEnd - record.keyStart > limits.KEY_BYTES_MAX) return 'has a key that is too long'
    if (record.headersEnd !== record.headersStart || record.headerCount !== 0) {
      const fault = this.#headersFault(record)
      if (fault !== null) return fault
    }
    if (record.attributes === 0) return null
    if ((record.attributes & RecordAttribute.tombstone) !== 0) return tombstoneFault(record)
    return this.#jsonFault(record)
  }

  /** JSON is spliced into lines as it is: line breaks between tokens would cut them. */
  #jsonFault(record: RecordSpans): string | null {
    const { value, valueStart, valueEnd } = record
    const traits = traitsOf(value, valueStart, valueEnd, this.#words)
    if ((traits & LINE_BREAK) !== 0) return 'has line breaks in a value said to be JSON'
    if ((traits & NOT_ASCII) !== 0 && !this.#codec.isUtf8(value.subarray(valueStart, valueEnd))) {
      return 'has JSON that is not UTF-8'
    }
    return isJson(value, valueStart, valueEnd, this.#words) ? null : 'has a value said to be JSON that is not'
  }

  /** Pairs of name and value, all UTF-8, filling their place exactly. */
  #headersFault(record: RecordSpans): string | null {
    const { headers, headersStart, headersEnd } = record
    if (record.headerCount > limits.RECORD_HEADERS_MAX) return 'has too many headers'
    if (headersEnd - headersStart > limits.RECORD_HEADERS_BYTES_MAX) return 'has headers that are too long'
    const isAscii = (traitsOf(headers, headersStart, headersEnd, this.#words) & NOT_ASCII) === 0
    let at = headersStart
    for (let part = 0; part < record.headerCount * 2; part++) {
      const partBytes = readVarint(headers, at, headersEnd)
      if (partBytes < 0 || partBytes > headersEnd - varintEnd) return 'has a header that is cut off'
      const start = varintEnd
      at = start + partBytes
      if (!isAscii && !this.#codec.isUtf8(headers.subarray(start, at))) return 'has a header that is not UTF-8'
    }
    return at === headersEnd ? null : 'has bytes behind its headers'
  }
}

function tombstoneFault(record: RecordSpans): string | null {
  if (record.keyStart < 0) return 'is a tombstone without a key'
  const hasValue = record.valueEnd > record.valueStart || record.attributes !== RecordAttribute.tombstone
  return hasValue ? 'is a tombstone with a value' : null
}

/** Four bytes a step where `words` are there: a byte of a word is zero if taking one off it borrows. */
function traitsOf(bytes: Uint8Array, at: number, end: number, words: Int32Array): number {
  let traits = 0
  for (; at < end && (at & 3) !== 0; at++) traits |= TRAITS[bytes[at]!]!
  let high = 0
  let breaks = 0
  const wordEnd = Math.min(end >> 2, words.length)
  for (let word = at >> 2; word < wordEnd; word++, at += 4) {
    const four = words[word]!
    const feeds = four ^ 0x0a0a_0a0a
    const returns = four ^ 0x0d0d_0d0d
    high |= four
    breaks |= ((feeds - 0x0101_0101) & ~feeds) | ((returns - 0x0101_0101) & ~returns)
  }
  if ((high & HIGH_BITS) !== 0) traits |= NOT_ASCII
  if ((breaks & HIGH_BITS) !== 0) traits |= LINE_BREAK
  for (; at < end; at++) traits |= TRAITS[bytes[at]!]!
  return traits
}
