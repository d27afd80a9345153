// The latest offset of each key of a stretch of log, in a table of fixed size: what compaction goes by. When it is full the
// stretch ends there, and another pass takes the next one.
//
// A key of up to 15 bytes stands for itself, a longer one for 127 bits of its SHA-256: two keys are never taken for one. Open
// addressing over four words a key; the seed keeps clients from choosing keys that all fall on one place.

import { assert } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'

/** Of a slot: the key's four, and the offset and one, 0 for an empty slot. What belongs together lies together. */
const WORDS = 6
const TWO_32 = 0x1_0000_0000
const SHORT_KEY_BYTES_MAX = 15
const HASHED = 0x8000_0000
const SLOTS_MIN = 64
/** 24 MiB. */
const SLOTS_MAX = 1 << 20

export class LatestOffsets {
  readonly #codec: Codec
  readonly #seed: number
  readonly #mask: number
  readonly #slots: Uint32Array
  #count = 0
  /** The key looked for: its words. */
  #a = 0
  #b = 0
  #c = 0
  #d = 0

  /** Has room for `keys`, or as many as there may be. */
  constructor(keys: number, seed: number, codec: Codec, slotsMax: number = SLOTS_MAX) {
    let slots = SLOTS_MIN
    while (slots < slotsMax && slots - (slots >>> 2) < keys) slots *= 2
    this.#codec = codec
    this.#seed = seed
    this.#mask = slots - 1
    this.#slots = new Uint32Array(slots * WORDS)
  }

  get count(): number {
    return this.#count
  }

  get hasRoom(): boolean {
    return this.#count <= this.#mask - (this.#mask >>> 2)
  }

  /** Offsets come in rising order. There must be room. */
  put(key: Uint8Array, start: number, end: number, offset: number): void {
    this.#take(key, start, end)
    const at = this.#find()
    const slots = this.#slots
    if (isEmpty(slots, at)) {
      assert(this.hasRoom, 'a table of keys is not filled up')
      this.#count++
      slots[at] = this.#a
      slots[at + 1] = this.#b
      slots[at + 2] = this.#c
      slots[at + 3] = this.#d
    }
    slots[at + 4] = offset + 1
    slots[at + 5] = (offset + 1) / TWO_32
  }

  /** -1: the key is not there. */
  offsetOf(key: Uint8Array, start: number, end: number): number {
    this.#take(key, start, end)
    const at = this.#find()
    return this.#slots[at + 4]! + this.#slots[at + 5]! * TWO_32 - 1
  }

  /** Where the key is, or would be. */
  #find(): number {
    const slots = this.#slots
    const mask = this.#mask
    const a = this.#a
    const b = this.#b
    const c = this.#c
    const d = this.#d
    for (let slot = this.#hash() & mask; ; slot = (slot + 1) & mask) {
      const at = slot * WORDS
      const isSame = slots[at] === a && slots[at + 1] === b && slots[at + 2] === c && slots[at + 3] === d
      if (isSame || isEmpty(slots, at)) return at
    }
  }

  #take(key: Uint8Array, start: number, end: number): void {
    const bytes = end - start
    if (bytes <= SHORT_KEY_BYTES_MAX) {
      this.#a = word(key, start, end)
      this.#b = word(key, start + 4, end)
      this.#c = word(key, start + 8, end)
      this.#d = (word(key, start + 12, end) | (bytes << 24)) >>> 0
      return
    }
    const digest = this.#codec.sha256(key.subarray(start, end))
    this.#a = word(digest, 0, 16)
    this.#b = word(digest, 4, 16)
    this.#c = word(digest, 8, 16)
    this.#d = (word(digest, 12, 16) | HASHED) >>> 0
  }

  #hash(): number {
    let hash = mixed(this.#seed ^ this.#a)
    hash = mixed(hash ^ this.#b)
    hash = mixed(hash ^ this.#c)
    return mixed(hash ^ this.#d)
  }
}

function isEmpty(slots: Uint32Array, at: number): boolean {
  return slots[at + 4] === 0 && slots[at + 5] === 0
}

/** Up to four bytes; nothing behind `end`. */
function word(bytes: Uint8Array, at: number, end: number): number {
  let value = 0
  if (at < end) value = bytes[at]!
  if (at + 1 < end) value |= bytes[at + 1]! << 8
  if (at + 2 < end) value |= bytes[at + 2]! << 16
  if (at + 3 < end) value |= bytes[at + 3]! << 24
  return value >>> 0
}

function mixed(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35)
  return (value ^ (value >>> 16)) >>> 0
}
