// Below the high watermark every replica that must have a record has it durably: it is what consumers see and what
// acknowledgements wait for. It never falls. With one replica it is the synced end of the log.

import { assert, Deque } from '../base/index.ts'

/** 'disk-full': the batch was not kept, the log ends before it. */
export type CommitFate = 'committed' | 'disk-full'

export interface CommitWaiter {
  readonly lastOffset: number
  settle(fate: CommitFate): void
}

export class HighWatermark {
  #value: number
  /** In the order of their offsets, but for repeats of earlier batches. */
  readonly #waiters = new Deque<CommitWaiter>()
  readonly #repeats: CommitWaiter[] = []

  constructor(value: number) {
    this.#value = value
  }

  get value(): number {
    return this.#value
  }

  get waiterCount(): number {
    return this.#waiters.count + this.#repeats.length
  }

  /** Whether the batch that ends with this offset is committed, now or in time. */
  wait(lastOffset: number): 'committed' | Promise<CommitFate> {
    if (lastOffset < this.#value) return 'committed'
    return new Promise((resolve) => this.add({ lastOffset, settle: resolve }))
  }

  /** As `wait`, for a batch that is not committed yet, and without a promise. `settle` is called within `advance` or `refuse`. */
  add(waiter: CommitWaiter): void {
    assert(waiter.lastOffset >= this.#value, 'who waits is not committed yet')
    if (waiter.lastOffset >= (this.#waiters.last()?.lastOffset ?? 0)) this.#waiters.push(waiter)
    else this.#repeats.push(waiter)
  }

  advance(end: number): void {
    assert(end >= this.#value, 'the high watermark never falls')
    this.#value = end
    for (let waiter = this.#waiters.first(); waiter !== undefined && waiter.lastOffset < end;) {
      this.#waiters.shift()
      waiter.settle('committed')
      waiter = this.#waiters.first()
    }
    this.#settleRepeats((lastOffset) => lastOffset < end, 'committed')
  }

  /** What was appended at `from` and above was not kept. */
  refuse(from: number): void {
    assert(from >= this.#value, 'what is committed stays')
    const refused: CommitWaiter[] = []
    for (let waiter = this.#waiters.last(); waiter !== undefined && waiter.lastOffset >= from;) {
      this.#waiters.pop()
      refused.push(waiter)
      waiter = this.#waiters.last()
    }
    for (const waiter of refused.reverse()) waiter.settle('disk-full')
    this.#settleRepeats((lastOffset) => lastOffset >= from, 'disk-full')
  }

  #settleRepeats(isSettled: (lastOffset: number) => boolean, fate: CommitFate): void {
    if (this.#repeats.length === 0) return
    const repeats = this.#repeats.splice(0)
    for (const waiter of repeats) {
      if (isSettled(waiter.lastOffset)) waiter.settle(fate)
      else this.#repeats.push(waiter)
    }
  }
}
