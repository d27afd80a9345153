// Where the entries of a log begin and in which term they were made, in memory: what the state machine asks of every index
// without waiting for a disk. Sixteen bytes an entry, for the entries behind the older snapshot.

import { assert } from '../base/index.ts'

export class EntryIndex {
  #starts: number[] = []
  #terms: number[] = []
  #end: number

  constructor(first: number) {
    this.#end = first
  }

  get first(): number {
    return this.#starts[0] ?? this.#end
  }

  get last(): number {
    return this.#end - 1
  }

  add(start: number, count: number, term: number): void {
    assert(start === this.#end, 'entries follow each other without gaps')
    this.#starts.push(start)
    this.#terms.push(term)
    this.#end += count
  }

  /** Null outside. */
  term(index: number): number | null {
    return index < this.first || index > this.last ? null : this.#terms[this.#place(index)]!
  }

  startOf(index: number): number {
    assert(index >= this.first && index <= this.last, 'an entry outside the log')
    return this.#starts[this.#place(index)]!
  }

  /** What begins at `from` or later is gone. */
  truncate(from: number): void {
    if (from > this.last) return
    const kept = from <= this.first ? 0 : this.#place(from)
    this.#starts.length = kept
    this.#terms.length = kept
    this.#end = from
  }

  /** What lies below `first`, which begins an entry or is the end, is gone. */
  forgetBefore(first: number): void {
    const gone = first > this.last ? this.#starts.length : this.#place(first)
    this.#starts.splice(0, gone)
    this.#terms.splice(0, gone)
  }

  reset(first: number): void {
    this.#starts = []
    this.#terms = []
    this.#end = first
  }

  /** Of the entry that holds `index`. */
  #place(index: number): number {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#starts[middle]! <= index) low = middle
      else high = middle - 1
    }
    return low
  }
}
