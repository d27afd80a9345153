// What the state machine reads of its log. All answers are synchronous and about durable state: whatever a `Write` asked
// for must be visible here once `stored` was called for it, and what was never reported stored is not asked for.

import type { Entry } from './entry.ts'
import type { Membership } from './membership.ts'
import type { ReplicaId } from './replica-id.ts'

/** A place in the log; places compare by term first. */
export interface Position {
  readonly index: number
  readonly term: number
}

/** `index` and `term` are of the last entry whose effect it holds. */
export interface SnapshotHead extends Position {
  readonly voters: readonly ReplicaId[]
}

export interface Vote {
  readonly term: number
  readonly votedFor: ReplicaId | null
}

export interface RaftStorage {
  /** As last saved; term 0 and no vote on a fresh folder. */
  vote(): Vote
  /** The newest good snapshot. The log begins at or below the index behind it. */
  snapshot(): SnapshotHead | null
  /** The first index still in the log; `lastIndex() + 1` when there is none. */
  firstIndex(): number
  /** The last index of the log, or of the snapshot when the log holds nothing behind it; 0 when fresh. */
  lastIndex(): number
  /** Null when `index` is outside the log and is not the snapshot's. */
  term(index: number): number | null
  /** The voter sets in the log behind the snapshot, in order. */
  memberships(): readonly Membership[]
  /** The first index of the entry that holds `index`, which lies in the log. */
  startOf(index: number): number
  /**
   * Whole entries from the one that starts at `from` through at most `upTo`, no more than `bytesMax` but at least one.
   * Null when they are not at hand right now: asked again later.
   */
  entries(from: number, upTo: number, bytesMax: number): readonly Entry[] | null
}
