// The batches kept under Idempotency-Keys, oldest first, as plain words: no object each, for there may be a million. A range
// is named by its number, which counts up for ever; its words never change once written, so whoever holds the pages can
// read what was there while the ring moves on.
//
//   0–3 key hash · 4,5 base offset · 6,7 appendedAt · 8,9 digest · 10 first ordinal · 11 count, partition count (16 bits each)
//   12 how many numbers before this the same key's previous range is, 0 none

import { assert, Deque } from '../base/index.ts'

const RANGE_WORDS = 13
/** Words that are stored; the last is worked out anew. */
export const STORED_WORDS = 12
const RANGES_PER_PAGE = 256
const TWO_32 = 0x1_0000_0000

export class RangeRing {
  readonly #pages = new Deque<Uint32Array>()
  /** Numbers of the oldest range and of the one to come. */
  first = 0
  next = 0

  get count(): number {
    return this.next - this.first
  }

  /** Returns the new range's number; its words are the caller's to set. */
  push(): number {
    if (this.next % RANGES_PER_PAGE === 0) this.#pages.push(new Uint32Array(RANGES_PER_PAGE * RANGE_WORDS))
    return this.next++
  }

  /** Forgets the oldest. */
  shift(): void {
    assert(this.count > 0, 'a range to forget')
    this.first++
    if (this.first % RANGES_PER_PAGE === 0) this.#pages.shift()
  }

  word(range: number, word: number): number {
    return this.#pageOf(range)[(range % RANGES_PER_PAGE) * RANGE_WORDS + word]!
  }

  set(range: number, word: number, value: number): void {
    this.#pageOf(range)[(range % RANGES_PER_PAGE) * RANGE_WORDS + word] = value
  }

  /** Two words as one number: unsigned below 2^53, or a negative time. */
  number(range: number, word: number): number {
    return this.word(range, word) + (this.word(range, word + 1) | 0) * TWO_32
  }

  setNumber(range: number, word: number, value: number): void {
    const low = ((value % TWO_32) + TWO_32) % TWO_32
    this.set(range, word, low)
    this.set(range, word + 1, (value - low) / TWO_32)
  }

  /** The ranges of this moment, readable however the ring goes on. */
  capture(): RangeCapture {
    const pages: Uint32Array[] = []
    for (let i = 0; i < this.#pages.count; i++) pages.push(this.#pages.at(i))
    return { pages, firstAt: this.first % RANGES_PER_PAGE, count: this.count }
  }

  #pageOf(range: number): Uint32Array {
    return this.#pages.at(Math.floor(range / RANGES_PER_PAGE) - Math.floor(this.first / RANGES_PER_PAGE))
  }
}

export interface RangeCapture {
  pages: readonly Uint32Array[]
  /** Place of the first range in the first page. */
  firstAt: number
  count: number
}

/** The page and position of the `index`th captured range. */
export function capturedRange(capture: RangeCapture, index: number): { page: Uint32Array; at: number } {
  const from = capture.firstAt + index
  return { page: capture.pages[Math.floor(from / RANGES_PER_PAGE)]!, at: (from % RANGES_PER_PAGE) * RANGE_WORDS }
}
