// A journal in virtual time. Appends are committed a while later, or lost, alone or with what came before; the disk may be
// full; the log outlives the process, and compaction leaves the latest of each key.

import type {
  Journal,
  JournalAppended,
  JournalListener,
  JournalRefusal,
  StoredRecord,
} from '../../../src/core/machine/index.ts'
import type { SimClock } from '../clock.ts'
import type { SimRandom } from '../random.ts'

interface Entry {
  readonly offset: number
  /** Where its batch ends: it is kept or lost as a whole. */
  readonly batchEnd: number
  readonly stored: StoredRecord
}

/** What the disk holds, whoever has it open. */
export class SimLog {
  entries: Entry[] = []
  endOffset = 0
  committedEnd = 0

  /** Everything at `from` and above is gone; `from` is where a batch begins. */
  cut(from: number): Entry[] {
    const at = this.entries.findIndex(({ offset }) => offset >= from)
    this.endOffset = from
    return at < 0 ? [] : this.entries.splice(at)
  }

  /** Below the committed end the latest of each key stays; a removal goes once nothing before it is left to remove. */
  compact(): void {
    const text = ({ stored }: Entry): string => String(stored.key)
    const latest = new Map<string, number>()
    for (const entry of this.entries) if (entry.offset < this.committedEnd) latest.set(text(entry), entry.offset)
    this.entries = this.entries.filter(
      (entry) =>
        entry.offset >= this.committedEnd || (latest.get(text(entry)) === entry.offset && entry.stored.value !== null),
    )
  }
}

export class SimJournal implements Journal {
  readonly isLeading = true
  isFull = false
  readonly #log: SimLog
  readonly #clock: SimClock
  readonly #random: SimRandom
  readonly #times: { readonly commitMs: number }
  #listener!: JournalListener
  /** A loss overtakes the commits that were under way. */
  #round = 0

  constructor(log: SimLog, clock: SimClock, random: SimRandom, times: { readonly commitMs: number }) {
    this.#log = log
    this.#clock = clock
    this.#random = random
    this.#times = times
    // What survived is committed by being found: one log, no rival.
    log.committedEnd = log.endOffset
  }

  get endOffset(): number {
    return this.#log.endOffset
  }

  get committedEnd(): number {
    return this.#log.committedEnd
  }

  listen(listener: JournalListener): void {
    this.#listener = listener
  }

  confirm(): null {
    return null
  }

  append(records: readonly StoredRecord[]): JournalAppended | JournalRefusal {
    if (this.isFull) return { kind: 'disk-full' }
    const baseOffset = this.#log.endOffset
    const batchEnd = baseOffset + records.length
    records.forEach((stored, i) => this.#log.entries.push({ offset: baseOffset + i, batchEnd, stored }))
    this.#log.endOffset = batchEnd
    const round = this.#round
    this.#clock.after(this.#random.exponential(this.#times.commitMs), () => {
      if (round !== this.#round || batchEnd <= this.#log.committedEnd) return
      this.#log.committedEnd = batchEnd
      this.#listener.onCommitted(batchEnd)
    })
    return { kind: 'appended', baseOffset }
  }

  readSnapshot(): Promise<number> {
    return Promise.resolve(0)
  }

  async read(from: number, upTo: number, visit: (record: StoredRecord, offset: number) => void): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(this.#random.exponential(20), resolve))
    for (const { offset, stored } of this.#log.entries) if (offset >= from && offset < upTo) visit(stored, offset)
  }

  saveSnapshot(): Promise<never> {
    throw new Error('a compacted log needs no snapshot')
  }

  /** Some of what is not committed is lost; false: there is nothing to lose. What is called unknown may be there after all. */
  lose(): boolean {
    const pending = this.#log.entries.filter(({ offset }) => offset >= this.#log.committedEnd)
    if (pending.length === 0) return false
    const begins = [this.#log.committedEnd, ...new Set(pending.map(({ batchEnd }) => batchEnd))].slice(0, -1)
    const from = this.#random.pick(begins)
    const outcome = this.#random.pick(['none', 'unknown'] as const)
    this.#round++
    const lost = this.#log.cut(from)
    // What was below it is committed all the same, by whoever keeps the log now.
    if (from > this.#log.committedEnd) {
      this.#log.committedEnd = from
      this.#listener.onCommitted(from)
    }
    this.#listener.onLost(from, outcome)
    if (outcome === 'unknown' && this.#random.chance(0.5)) {
      const end = this.#random.pick(lost).batchEnd
      this.#log.entries.push(...lost.filter(({ offset }) => offset < end))
      this.#log.endOffset = end
      this.#log.committedEnd = end
    }
    return true
  }

  /** The process ends: of what was not committed, some batches are found again. */
  crash(): void {
    this.#round++
    const pending = this.#log.entries.filter(({ offset }) => offset >= this.#log.committedEnd)
    const ends = [this.#log.committedEnd, ...pending.map(({ batchEnd }) => batchEnd)]
    this.#log.cut(this.#random.pick(ends))
  }
}
