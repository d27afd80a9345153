// One replica's data folder. What is written lies in the page cache, in order, until a sync makes it durable. A killed
// process loses nothing of it; a power loss, or a failed sync, keeps only a beginning of what was not synced. The vote is
// kept by the real state file, whose copy under way may come out old, new or torn.

import { assert } from '../../../src/core/base/index.ts'
import {
  COPY_BYTES,
  COPY_POSITIONS,
  decodeStateFile,
  encodeState,
  type Position,
  type RaftStorage,
  type ReplicaId,
  STATE_FILE_BYTES,
  type Vote,
} from '../../../src/core/raft/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import type { SimRandom } from '../random.ts'
import { LogImage, type Snapshot } from './log-image.ts'

type Operation = (image: LogImage) => void

export class RaftDisk {
  readonly replica: ReplicaId
  /** What a running process reads. */
  written = new LogImage()
  durable = new LogImage()
  /** Where the log ended when entries of it were lost; kept until the replica holds them again. */
  abstainUntil: Position | null = null
  vote: Vote = { term: 0, votedFor: null }
  #unsynced: Operation[] = []
  #stateFile = new Uint8Array(STATE_FILE_BYTES)
  #sequence = 0
  /** A copy of the state file that is written and not synced. */
  #copyUnderWay: { which: 0 | 1; bytes: Uint8Array } | null = null

  constructor(replica: ReplicaId) {
    this.replica = replica
    for (const which of [0, 1] as const) this.#writeCopy(which, this.#encode(this.vote))
  }

  get unsynced(): number {
    return this.#unsynced.length
  }

  write(operation: Operation): void {
    operation(this.written)
    this.#unsynced.push(operation)
  }

  /** The first `count` operations reached the device. */
  synced(count: number): void {
    for (const operation of this.#unsynced.splice(0, count)) operation(this.durable)
  }

  /** A snapshot is made beside the log and then moved into place: durable as a whole, in order with what comes after. */
  compact(snapshot: Snapshot, firstIndex: number): void {
    this.write((image) => image.compact(snapshot, firstIndex))
  }

  beginCopy(which: 0 | 1, vote: Vote): void {
    if (which === 0) this.#sequence++
    this.#copyUnderWay = { which, bytes: this.#encode(vote) }
  }

  copySynced(): void {
    const copy = this.#copyUnderWay
    assert(copy !== null, 'no copy is being written')
    this.#writeCopy(copy.which, copy.bytes)
    this.#copyUnderWay = null
  }

  /** Only a beginning of what was not synced survives. */
  losePower(random: SimRandom): void {
    this.synced(random.int(0, this.#unsynced.length))
    this.#unsynced = []
    this.written = this.durable.copy()
    const copy = this.#copyUnderWay
    this.#copyUnderWay = null
    if (copy === null) return
    // old, new, or torn somewhere
    const kept = random.pick([0, COPY_BYTES, random.int(1, COPY_BYTES - 1)])
    this.#stateFile.set(copy.bytes.subarray(0, kept), COPY_POSITIONS[copy.which])
  }

  /** What a start does before it believes its folder: sync what the page cache holds, mend the state file. */
  recover(): void {
    this.synced(this.#unsynced.length)
    if (this.#copyUnderWay !== null) this.copySynced()
    const found = decodeStateFile(this.#stateFile, hostCodec)
    assert(found.kind === 'found', 'the state file cannot be read')
    this.#sequence = found.state.sequence
    this.vote = found.state.vote
    for (const which of found.mend) this.#writeCopy(which, this.#encode(this.vote))
  }

  /** One copy of the state file rots; returns false when the other is not good, so that it must not. */
  rotStateFile(random: SimRandom): boolean {
    const found = decodeStateFile(this.#stateFile, hostCodec)
    if (this.#copyUnderWay !== null || found.kind !== 'found' || found.mend.length > 0) return false
    this.#stateFile[COPY_POSITIONS[random.int(0, 1)]! + random.int(0, COPY_BYTES - 1)]! ^= 1 << random.int(0, 7)
    return true
  }

  /** Durable entries from `index` on are found damaged. */
  damage(index: number): void {
    const end = { index: this.durable.lastIndex, term: this.durable.lastTerm }
    const before = this.abstainUntil ?? end
    this.abstainUntil = end.term > before.term || (end.term === before.term && end.index > before.index) ? end : before
    this.durable.lose(index)
    this.written = this.durable.copy()
  }

  storage(): RaftStorage {
    const log = this.written
    return {
      vote: () => this.vote,
      snapshot: () => log.snapshot?.head ?? null,
      firstIndex: () => log.firstIndex,
      lastIndex: () => log.lastIndex,
      term: (index) => log.term(index),
      memberships: () => log.memberships(),
      startOf: (index) => log.startOf(index),
      entries: (from, upTo, bytesMax) => log.entries(from, upTo, bytesMax),
    }
  }

  #encode(vote: Vote): Uint8Array {
    return encodeState({ replica: this.replica, sequence: this.#sequence, vote }, hostCodec)
  }

  #writeCopy(which: 0 | 1, bytes: Uint8Array): void {
    this.#stateFile.set(bytes, COPY_POSITIONS[which])
  }
}
