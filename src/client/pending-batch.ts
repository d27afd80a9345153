// A batch on its way: gathered, finished, sent, and settled once, with its first offset or with why it was not kept.

import type { NaruError } from './naru-error.ts'

export interface Kept {
  /** -1: not known. */
  readonly baseOffset: number
  readonly appendedAt: number
}

export class PendingBatch {
  readonly topic: string
  readonly partition: number
  /** When to give up. */
  readonly deadlineMs: number
  /** Others before it have yet to be sent. */
  readonly isBehind: boolean
  recordCount = 0
  /** What it counts for in the buffer. */
  costBytes = 0
  /** Empty while it gathers. */
  bytes: Uint8Array = new Uint8Array(0)
  sequence = 0
  /** Place among those sent in its lane. */
  ordinal = 0
  isCompressed = false
  /** An attempt may have been appended, and its answer lost. */
  isUncertain = false
  /** Somebody added to it who learns of a failure by flush. */
  hasUnwatched = false
  /** Rejects with a `NaruError`. */
  readonly kept: Promise<Kept>
  /** Resolves when it is settled, either way. */
  readonly settled: Promise<void>
  #keep!: (kept: Kept) => void
  #fail!: (error: NaruError) => void

  constructor(topic: string, partition: number, deadlineMs: number, isBehind: boolean) {
    this.topic = topic
    this.partition = partition
    this.deadlineMs = deadlineMs
    this.isBehind = isBehind
    this.kept = new Promise<Kept>((resolve, reject) => {
      this.#keep = resolve
      this.#fail = reject
    })
    this.settled = this.kept.then(
      () => {},
      () => {},
    )
  }

  succeed(kept: Kept): void {
    this.#keep(kept)
  }

  fail(error: NaruError): void {
    this.#fail(error)
  }
}
