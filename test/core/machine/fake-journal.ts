// A journal in memory whose commits, losses and refusals are the test's to make.

import type {
  Journal,
  JournalAppended,
  JournalListener,
  JournalRefusal,
  StoredRecord,
} from '../../../src/core/machine/index.ts'

export class FakeJournal implements Journal {
  readonly log: StoredRecord[] = []
  committedEnd = 0
  isLeading = true
  /** What `confirm` answers. */
  confirmation: Promise<boolean> | null = null
  refuseWith: JournalRefusal['kind'] | null = null
  snapshot: { nextOffset: number; records: StoredRecord[] } | null = null
  snapshotsSaved = 0
  /** Reads wait while this is set. */
  gate: Promise<void> = Promise.resolve()
  #trimmed = 0
  #listener!: JournalListener

  get endOffset(): number {
    return this.#trimmed + this.log.length
  }

  confirm(): Promise<boolean> | null {
    return this.confirmation
  }

  listen(listener: JournalListener): void {
    this.#listener = listener
  }

  append(records: readonly StoredRecord[]): JournalAppended | JournalRefusal {
    if (this.refuseWith !== null) return { kind: this.refuseWith }
    const baseOffset = this.endOffset
    this.log.push(...records)
    return { kind: 'appended', baseOffset }
  }

  async readSnapshot(visit: (record: StoredRecord) => void): Promise<number> {
    await this.gate
    for (const record of this.snapshot?.records ?? []) visit(record)
    return this.snapshot?.nextOffset ?? 0
  }

  async read(from: number, upTo: number, visit: (record: StoredRecord, offset: number) => void): Promise<void> {
    await this.gate
    for (let offset = from; offset < upTo; offset++) visit(this.log[offset - this.#trimmed]!, offset)
  }

  saveSnapshot(nextOffset: number, records: Iterable<StoredRecord>): Promise<'saved'> {
    this.snapshot = { nextOffset, records: [...records] }
    this.snapshotsSaved++
    this.log.splice(0, nextOffset - this.#trimmed)
    this.#trimmed = nextOffset
    return Promise.resolve('saved')
  }

  commit(end: number = this.endOffset): void {
    this.committedEnd = end
    this.#listener.onCommitted(end)
  }

  lose(from: number, outcome: 'none' | 'unknown'): void {
    this.log.length = from - this.#trimmed
    this.#listener.onLost(from, outcome)
  }

  /** Another broker's records arrive, and are committed. */
  arrive(records: readonly StoredRecord[]): void {
    this.log.push(...records)
    this.commit()
  }

  lead(): void {
    this.isLeading = true
    this.#listener.onLeading()
  }

  /** Another leads: what was not committed is cut off. */
  follow(): void {
    this.isLeading = false
    this.lose(this.committedEnd, 'unknown')
  }

  /** Another broker's snapshot takes the place of the log. */
  restore(nextOffset: number, records: StoredRecord[]): void {
    this.snapshot = { nextOffset, records }
    this.log.length = 0
    this.#trimmed = this.committedEnd = nextOffset
    this.#listener.onRestored(nextOffset)
  }
}
