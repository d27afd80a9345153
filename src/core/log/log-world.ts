// What a log stands on, and whom it tells.

import type { Clock, Codec, Disk, Events } from '../ports/index.ts'
import type { DiskSpace } from './disk-space.ts'
import type { GroupCommit } from './group-commit.ts'

export interface LogWorld {
  readonly disk: Disk
  readonly codec: Codec
  readonly clock: Clock
  readonly events: Events
  readonly commits: GroupCommit
  /** Told when a write finds no space. */
  readonly space?: DiskSpace
}

export interface LogListener {
  /** All offsets below `end` are on disk (flush `os`: written); at most once a round. */
  onDurable(end: number): void
  /** Batches from `from` on were not kept, for want of space: the log ends at `from` again. */
  onRefused(from: number): void
  /** A segment was sealed; all below `end` is written. */
  onRoll?(end: number): void
}
