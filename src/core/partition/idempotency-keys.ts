// What a partition holds of each Idempotency-Key: which of the request's records it has, and where. A function of the batches
// appended. A key is forgotten `idempotencyMs` after its last batch, by appendedAt; earlier, oldest first, when there are
// more than the bounds allow. A forgotten key that comes again is taken for new.

import { limits, readU32 } from '../base/index.ts'
import type { IdempotencyEntry } from '../record/index.ts'
import { KeyIndex } from './key-index.ts'
import { type RangeCapture, RangeRing, STORED_WORDS } from './range-ring.ts'

export interface HeldRange {
  firstOrdinal: number
  count: number
  baseOffset: number
  lastOffset: number
  appendedAt: number
  /** Over the request's records here up to and including this range's last. */
  digest: bigint
}

export interface HeldKey {
  /** Of the topic when the key was first seen. */
  partitionCount: number
  nextOrdinal: number
  /** In order and without a hole; the earliest may be forgotten already. */
  ranges: readonly HeldRange[]
}

export type KeyVerdict =
  { kind: 'next' } | { kind: 'duplicate'; range: HeldRange } | { kind: 'key-conflict'; nextOrdinal: number }

/** Shared by the partitions of a broker: who appends while there are too many forgets oldest ones of its own. */
export class KeyBudget {
  ranges = 0

  constructor(readonly rangesMax: number = limits.IDEMPOTENCY_RANGES_MAX) {}
}

/** What a partition keeps however full the budget is. */
const RANGES_KEPT = 1_000
const NEXT: KeyVerdict = { kind: 'next' }

export class IdempotencyKeys {
  readonly #ring = new RangeRing()
  readonly #index = new KeyIndex(this.#ring)
  readonly #budget: KeyBudget
  readonly #rangesMax: number
  /** Ranges forgotten before their time, since the start. */
  forgottenEarly = 0

  constructor(budget = new KeyBudget(), rangesMax: number = limits.IDEMPOTENCY_RANGES_PER_PARTITION_MAX) {
    this.#budget = budget
    this.#rangesMax = rangesMax
  }

  get count(): number {
    return this.#ring.count
  }

  /** Judges a batch; changes nothing. */
  check(entry: IdempotencyEntry, count: number): KeyVerdict {
    const latest = this.#find(entry.keyHash)
    // A long upload whose beginning is forgotten goes on where it is.
    if (latest < 0) return NEXT
    const ring = this.#ring
    const nextOrdinal = ring.word(latest, 10) + (ring.word(latest, 11) & 0xffff)
    if (ring.word(latest, 11) >>> 16 === entry.partitionCount) {
      if (nextOrdinal === entry.firstOrdinal) return NEXT
      for (let range = latest; range >= 0; range = this.#before(range)) {
        if (ring.word(range, 10) !== entry.firstOrdinal) continue
        const held = this.#rangeOf(range)
        if (held.count === count && held.digest === entry.digest) return { kind: 'duplicate', range: held }
      }
    }
    return { kind: 'key-conflict', nextOrdinal }
  }

  /** The batch is in the log. */
  apply(entry: IdempotencyEntry, count: number, baseOffset: number, appendedAt: number, expiryMs: number): void {
    this.expire(appendedAt - expiryMs)
    const ring = this.#ring
    const range = ring.push()
    for (let i = 0; i < 4; i++) ring.set(range, i, readU32(entry.keyHash, i * 4))
    ring.setNumber(range, 4, baseOffset)
    ring.setNumber(range, 6, appendedAt)
    ring.set(range, 8, Number(entry.digest & 0xffff_ffffn))
    ring.set(range, 9, Number(entry.digest >> 32n))
    ring.set(range, 10, entry.firstOrdinal)
    ring.set(range, 11, count | (entry.partitionCount << 16))
    this.#link(range)
    this.#forgetBeyondBounds()
  }

  held(keyHash: Uint8Array): HeldKey | null {
    const latest = this.#find(keyHash)
    if (latest < 0) return null
    const ranges: HeldRange[] = []
    for (let range = latest; range >= 0; range = this.#before(range)) ranges.push(this.#rangeOf(range))
    ranges.reverse()
    const last = ranges.at(-1)!
    return { partitionCount: this.#ring.word(latest, 11) >>> 16, nextOrdinal: last.firstOrdinal + last.count, ranges }
  }

  /** Forgets what was appended before this. */
  expire(beforeMs: number): void {
    while (this.#ring.count > 0 && this.#ring.number(this.#ring.first, 6) < beforeMs) this.#forgetFirst()
  }

  /** Gives its share of the budget back; of no use afterwards. */
  close(): void {
    this.#budget.ranges -= this.#ring.count
  }

  capture(): RangeCapture {
    return this.#ring.capture()
  }

  /** One stored range, in the order of `capture`. */
  restore(words: ArrayLike<number>): void {
    const range = this.#ring.push()
    for (let i = 0; i < STORED_WORDS; i++) this.#ring.set(range, i, words[i]!)
    this.#link(range)
    this.#forgetBeyondBounds()
  }

  #find(keyHash: Uint8Array): number {
    return this.#index.find(readU32(keyHash, 0), readU32(keyHash, 4), readU32(keyHash, 8), readU32(keyHash, 12))
  }

  /** The same key's range before this one, or -1. */
  #before(range: number): number {
    const distance = this.#ring.word(range, 12)
    return distance === 0 || range - distance < this.#ring.first ? -1 : range - distance
  }

  /** Enters a range whose words are set. */
  #link(range: number): void {
    const ring = this.#ring
    const before = this.#index.find(ring.word(range, 0), ring.word(range, 1), ring.word(range, 2), ring.word(range, 3))
    ring.set(range, STORED_WORDS, before < 0 ? 0 : range - before)
    this.#index.set(range)
    this.#budget.ranges++
  }

  #forgetBeyondBounds(): void {
    const { rangesMax } = this.#budget
    while (
      this.#ring.count > this.#rangesMax ||
      (this.#budget.ranges > rangesMax && this.#ring.count > Math.min(RANGES_KEPT, this.#rangesMax))
    ) {
      this.#forgetFirst()
      this.forgottenEarly++
    }
  }

  #forgetFirst(): void {
    this.#index.forget(this.#ring.first)
    this.#ring.shift()
    this.#budget.ranges--
  }

  #rangeOf(range: number): HeldRange {
    const ring = this.#ring
    const baseOffset = ring.number(range, 4)
    const count = ring.word(range, 11) & 0xffff
    return {
      firstOrdinal: ring.word(range, 10),
      count,
      baseOffset,
      lastOffset: baseOffset + count - 1,
      appendedAt: ring.number(range, 6),
      digest: BigInt(ring.word(range, 8)) | (BigInt(ring.word(range, 9)) << 32n),
    }
  }
}
