// Where a replica keeps what must outlive it, as its driver sees it: the log, the vote, snapshots. `RaftStorage` is what is
// there; the calls here change it, in the order they are made, and report when that is durable. The broker fills this port
// with a `core/log`, a state file and snapshot files.
//
// A store that reports `onRefused` had no room: everything that was not yet reported stored is nowhere, and it does nothing
// more until `settled` has resolved. Then it is as after a restart.

import type { Entry } from './entry.ts'
import type { Position, RaftStorage, SnapshotHead, Vote } from './storage.ts'

export interface RaftStore extends RaftStorage {
  listen(listener: RaftStoreListener): void
  /** Resolves when both copies are synced. */
  saveVote(vote: Vote): Promise<void>
  /** First cuts off whatever the log holds at or behind the first entry. */
  append(seq: number, entries: readonly Entry[]): void
  /** Puts the received snapshot of this head in place; the log begins behind it. */
  install(seq: number, head: SnapshotHead): void
  settled(): Promise<void>
  close(): Promise<void>
  /** Of the newest snapshot, when that is the one at `place`. */
  snapshotChunk(place: Position, from: number, bytesMax: number): SnapshotChunk | null
  /** Begins to receive a snapshot; what was received before and not installed is dropped. */
  beginReceiving(head: SnapshotHead): void
  /** False: there is no room for it. */
  receive(from: number, bytes: Uint8Array): boolean
  /** Whether what was received is, whole and durable, the snapshot of this head. */
  verifyReceived(head: SnapshotHead): Promise<boolean>
}

export interface SnapshotChunk {
  readonly bytes: Uint8Array
  readonly bytesTotal: number
}

/** Called from the event loop, never from inside a call of the store. */
export interface RaftStoreListener {
  /** This write and all before it are durable. */
  onStored(seq: number): void
  /** Entries that were not at hand may be asked for again. */
  onAtHand(): void
  onRefused(): void
}
