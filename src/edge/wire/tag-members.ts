// The `,"tags":[…]` of records, made once for each set of tags that occurs in a batch.

import type { TagReader } from '../../core/record/index.ts'

const encoder = new TextEncoder()
const KNOWN_MAX = 1024

export class TagMembers {
  #reader: TagReader | null = null
  readonly #members = new Map<number, Uint8Array>()
  #lastBits = 0
  #last: Uint8Array | null = null

  /** Null: the record has no tags. */
  of(reader: TagReader, ordinal: number): Uint8Array | null {
    if (reader.highBits(ordinal) !== 0) return memberOf(reader, ordinal)
    const bits = reader.lowBits(ordinal)
    if (reader === this.#reader && bits === this.#lastBits) return this.#last
    if (reader !== this.#reader || this.#members.size === KNOWN_MAX) this.#members.clear()
    let member: Uint8Array | null = null
    if (bits !== 0) {
      member = this.#members.get(bits) ?? memberOf(reader, ordinal)
      this.#members.set(bits, member)
    }
    this.#reader = reader
    this.#lastBits = bits
    this.#last = member
    return member
  }
}

function memberOf(reader: TagReader, ordinal: number): Uint8Array {
  return encoder.encode(`,"tags":${JSON.stringify(reader.tagsOf(ordinal))}`)
}
