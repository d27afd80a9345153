// Where a machine's records are kept, in order, and what becomes of them. One port, two ways to fill it: a log of this
// broker alone, or a log that a quorum agrees on. Either way a batch is first appended, then committed, or lost.
//
// A record is a key and a value, either of which may be missing; what a key means is the machine's and the log's affair.
// The listener is called from the event loop, never from inside `append`.

import type { StoredRecord } from './machine.ts'

export interface Journal {
  /** The offset the next record gets. */
  readonly endOffset: number
  /** Everything below is committed. Never falls. */
  readonly committedEnd: number
  /** Whether this broker decides. Another's appends are committed here without having been appended here first. */
  readonly isLeading: boolean
  listen(listener: JournalListener): void
  /** Whether nobody else led when this was asked; null: that is sure at once. What wrote nothing is answered only then. */
  confirm(): Promise<boolean> | null
  /** Appends the records as one batch, or not at all. */
  append(records: readonly StoredRecord[]): JournalAppended | JournalRefusal
  /** Visits the records of the newest snapshot; resolves to the offset it stands for, 0 when there is none. */
  readSnapshot(visit: (record: StoredRecord) => void): Promise<number>
  /** Visits records in order, from `from` up to but not `upTo`, committed or not. Rejects when some of them are gone. */
  read(from: number, upTo: number, visit: (record: StoredRecord, offset: number) => void): Promise<void>
  /**
   * Keeps a snapshot of everything below `nextOffset`, which is committed; once it is durable, older snapshots and the log
   * below may go. The records are drawn over many turns. 'disk-full': nothing changed.
   */
  saveSnapshot(nextOffset: number, records: Iterable<StoredRecord>): Promise<'saved' | 'disk-full'>
}

export interface JournalAppended {
  kind: 'appended'
  baseOffset: number
}

/** Nothing was appended. */
export interface JournalRefusal {
  kind: 'disk-full' | 'not-leading' | 'overloaded'
}

export interface JournalListener {
  /** `isLeading` from now on. It ends with `onLost`. */
  onLeading(): void
  /** A snapshot has taken the place of the log: everything below `end` is committed, and read from there. */
  onRestored(end: number): void
  onCommitted(end: number): void
  /**
   * What was appended at `from` and above is not in the log any more: the disk had no room for it ('none': it is nowhere),
   * or another leader's log took its place ('unknown': it may yet have been committed there). `endOffset` is lowered.
   */
  onLost(from: number, outcome: 'none' | 'unknown'): void
}
