// From a key's hash to its latest range: open addressing in 256 small tables, each grown on its own, so that no growth takes
// long however many keys there are. A slot holds the range's number (mod 2^32 − 1, plus 1; 0 is empty); the key itself is in
// the ring.

import type { RangeRing } from './range-ring.ts'

const SHARDS = 256
const SLOTS_MIN = 8
const NUMBERS = 0xffff_ffff
const NONE = -1

class Shard {
  slots = new Uint32Array(SLOTS_MIN)
  count = 0
}

export class KeyIndex {
  readonly #ring: RangeRing
  /** Made with the first key: most partitions have none. */
  #shards: (Shard | undefined)[] | null = null

  constructor(ring: RangeRing) {
    this.#ring = ring
  }

  /** The latest range of the key, or -1. */
  find(a: number, b: number, c: number, d: number): number {
    const shard = this.#shards?.[a >>> 24]
    if (shard === undefined) return NONE
    const slot = this.#slotOf(shard, a, b, c, d)
    return shard.slots[slot] === 0 ? NONE : this.#rangeAt(shard, slot)
  }

  /** Makes `range` the latest of its key. */
  set(range: number): void {
    const a = this.#ring.word(range, 0)
    this.#shards ??= new Array<Shard | undefined>(SHARDS).fill(undefined)
    const shard = (this.#shards[a >>> 24] ??= new Shard())
    if (shard.count >= shard.slots.length - (shard.slots.length >>> 2)) this.#grow(shard)
    const slot = this.#slotOfRange(shard, range, a)
    if (shard.slots[slot] === 0) shard.count++
    shard.slots[slot] = (range % NUMBERS) + 1
  }

  /** `range` is about to be forgotten: its key goes unless it has a later range. */
  forget(range: number): void {
    const a = this.#ring.word(range, 0)
    const shard = this.#shards![a >>> 24]!
    const slot = this.#slotOfRange(shard, range, a)
    if (this.#rangeAt(shard, slot) !== range) return
    shard.count--
    this.#close(shard, slot)
  }

  #slotOfRange(shard: Shard, range: number, a: number): number {
    const ring = this.#ring
    return this.#slotOf(shard, a, ring.word(range, 1), ring.word(range, 2), ring.word(range, 3))
  }

  /** Where the key is, or the empty slot where it would be. */
  #slotOf(shard: Shard, a: number, b: number, c: number, d: number): number {
    const mask = shard.slots.length - 1
    for (let slot = b & mask; ; slot = (slot + 1) & mask) {
      if (shard.slots[slot] === 0) return slot
      const range = this.#rangeAt(shard, slot)
      const ring = this.#ring
      if (ring.word(range, 1) !== b || ring.word(range, 0) !== a) continue
      if (ring.word(range, 2) === c && ring.word(range, 3) === d) return slot
    }
  }

  #rangeAt(shard: Shard, slot: number): number {
    const { first } = this.#ring
    const number = shard.slots[slot]! - 1
    return first + ((number - (first % NUMBERS) + NUMBERS) % NUMBERS)
  }

  /** Empties the slot and moves up those behind it that would not be found across a hole. */
  #close(shard: Shard, hole: number): void {
    const { slots } = shard
    const mask = slots.length - 1
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#ring.word(this.#rangeAt(shard, slot), 1) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      slots[hole] = slots[slot]!
      hole = slot
    }
    slots[hole] = 0
  }

  #grow(shard: Shard): void {
    const old = shard.slots
    shard.slots = new Uint32Array(old.length * 2)
    const mask = shard.slots.length - 1
    const { first } = this.#ring
    for (const value of old) {
      if (value === 0) continue
      const range = first + ((value - 1 - (first % NUMBERS) + NUMBERS) % NUMBERS)
      let slot = this.#ring.word(range, 1) & mask
      while (shard.slots[slot] !== 0) slot = (slot + 1) & mask
      shard.slots[slot] = value
    }
  }
}
