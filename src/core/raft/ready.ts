// What the state machine wants done. The driver takes a `Ready`, does its parts in the order of the fields, and reports
// back: `voteSaved`, `stored`, `applied`. It need not wait for one report before it asks for the next `Ready`.
//
// What must be durable before what is decided here, not in the driver: while a vote is being saved no message and no
// write is handed out; an acknowledgement of entries is handed out only after `stored` reported them; the leader counts
// its own copy and its own vote only when reported. So every message in a `Ready` may go at once.

import type { Entry } from './entry.ts'
import type { Message } from './message.ts'
import type { ReplicaId } from './replica-id.ts'
import type { SnapshotHead, Vote } from './storage.ts'

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

export interface Standing {
  readonly role: Role
  readonly term: number
  readonly leader: ReplicaId | null
}

export type Write =
  /** Whatever the log holds at or behind the first entry's index is cut off first. */
  | { readonly kind: 'append'; readonly seq: number; readonly entries: readonly Entry[] }
  /** Keep the snapshot whose payload came with this head, and begin the log behind it. */
  | { readonly kind: 'install'; readonly seq: number; readonly head: SnapshotHead }

export interface Ready {
  /** Set when role, term or leader changed: proposals of an ended leadership have an unknown outcome. */
  readonly standing: Standing | null
  /** Save to the state file, both copies, synced; then `voteSaved`. */
  readonly vote: Vote | null
  /** Do in order; `stored(seq)` says that this and all earlier ones are synced. */
  readonly writes: readonly Write[]
  readonly messages: readonly Message[]
  /** Replace the state by this installed snapshot, then `applied(head.index)`. */
  readonly restore: SnapshotHead | null
  /** Apply in order, then `applied(last index)`. Committed, and durable here. */
  readonly committed: readonly Entry[]
  /** Reads that may be answered from the state as it is once `committed` has been applied. */
  readonly reads: readonly number[]
  /** Reads that never will be: leadership ended. A retry is a new read. */
  readonly droppedReads: readonly number[]
}
