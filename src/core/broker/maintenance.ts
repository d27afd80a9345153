// Housekeeping on the timing wheel: free space every second, then segment age and retention, a few replicas a tick so that
// thousands of partitions never hold the loop. One round over all replicas takes at least `ROUND_MS`. A log that is found due is
// compacted beside all that, one at a time in the broker: its table of keys is the memory that compaction takes.

import type { DiskSpace } from '../log/index.ts'
import type { Replica, Replicas } from './replicas.ts'
import type { Timed, Timers } from './timers.ts'

const TICK_MS = 1_000
const ROUND_MS = 10_000

export class Maintenance implements Timed {
  readonly #timers: Timers
  readonly #space: DiskSpace
  readonly #replicas: Replicas
  readonly #halt: (why: string, error: unknown) => void
  #round: Replica[] = []
  #perTick = 0
  #running: Promise<void> = Promise.resolve()
  /** Logs to compact, in the order they were found. */
  readonly #due = new Set<Replica>()
  #isCompacting = false
  #closed = false

  constructor(timers: Timers, space: DiskSpace, replicas: Replicas, halt: (why: string, error: unknown) => void) {
    this.#timers = timers
    this.#space = space
    this.#replicas = replicas
    this.#halt = halt
  }

  start(): void {
    this.#space.refresh()
    this.#timers.at(this.#timers.nowMs() + TICK_MS, this)
  }

  expire(): void {
    if (this.#closed) return
    this.#running = this.#tick()
      .catch((error: unknown) => this.#halt('housekeeping failed', error))
      .finally(() => {
        if (!this.#closed) this.#timers.at(this.#timers.nowMs() + TICK_MS, this)
      })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #tick(): Promise<void> {
    this.#space.refresh()
    await this.#replicas.openRest()
    if (this.#round.length === 0) {
      this.#round = [...this.#replicas.all()]
      this.#perTick = Math.ceil((this.#round.length * TICK_MS) / ROUND_MS)
    }
    // Under pressure for space the whole round is done at once: retention is what frees it.
    const count = this.#space.isSoftLow ? this.#round.length : this.#perTick
    for (const replica of this.#round.splice(0, count)) {
      if (this.#closed) return
      if (this.#replicas.route(replica.topicId) === null) continue
      await replica.live.maintain()
      if (replica.live.isCompactionDue) this.#due.add(replica)
    }
    this.#compactNext()
  }

  /** Not waited for at a close: closing the partition ends it. */
  #compactNext(): void {
    const [replica] = this.#due
    if (replica === undefined || this.#isCompacting || this.#closed) return
    this.#due.delete(replica)
    this.#isCompacting = true
    replica.live
      .compact()
      .catch((error: unknown) => this.#halt('compaction failed', error))
      .finally(() => {
        this.#isCompacting = false
        this.#compactNext()
      })
  }
}
