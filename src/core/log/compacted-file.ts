// What compaction leaves of some segments, written beside them. Offsets that have no record any more are stood for by empty
// batches, neighbours of one epoch as one, so that each batch begins where the one before it ends, as in every segment.

import type { Codec, Disk, DiskFile } from '../ports/index.ts'
import { appendedAtOf, batchBytesOf, baseOffsetOf, emptyBatch, lastOffsetOf, leaderEpochOf } from '../record/index.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Segment } from './segment.ts'

const BUFFER_BYTES = 256 * 1024
/** Synced piece by piece: appends elsewhere on the device wait for no long sync. */
const SYNC_EVERY_BYTES = 4 * 1024 * 1024
/** A batch says its last offset in 16 bits. */
const SPAN_MAX = 0x1_0000

interface Gap {
  readonly base: number
  last: number
  readonly epoch: number
  /** Of the last batch it stands for: what is judged by age is not judged older than it was. */
  appendedAt: number
}

export class CompactedFile {
  readonly segment: Segment
  readonly #codec: Codec
  readonly #commits: GroupCommit
  readonly #file: DiskFile
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  #held = 0
  #unsyncedBytes = 0
  #gap: Gap | null = null

  /** Makes the file of `segment`, or begins it anew. */
  constructor(segment: Segment, { disk, codec, commits }: { disk: Disk; codec: Codec; commits: GroupCommit }) {
    this.segment = segment
    this.#codec = codec
    this.#commits = commits
    this.#file = disk.open(segment.path, 'create')
    this.#file.truncate(0)
  }

  /** The batch at `at` as it is. Throws `DiskError('no-space')`. */
  put(bytes: Uint8Array, at: number): void {
    this.#closeGap()
    this.#take(bytes, at)
  }

  /** Nothing of the batch at `at` but that its offsets were used. */
  leaveOut(bytes: Uint8Array, at: number): void {
    const gap = this.#gap
    const last = lastOffsetOf(bytes, at)
    const epoch = leaderEpochOf(bytes, at)
    if (gap !== null && gap.epoch === epoch && last - gap.base < SPAN_MAX) {
      gap.last = last
      gap.appendedAt = appendedAtOf(bytes, at)
      return
    }
    this.#closeGap()
    this.#gap = { base: baseOffsetOf(bytes, at), last, epoch, appendedAt: appendedAtOf(bytes, at) }
  }

  /** Now and then: lets the device have what was written. */
  async settle(): Promise<void> {
    if (this.#unsyncedBytes < SYNC_EVERY_BYTES) return
    this.#unsyncedBytes = 0
    await this.#commits.syncNow([this.#file], [])
  }

  /** Whole and synced when resolved. */
  async finish(): Promise<void> {
    this.#closeGap()
    this.#flush()
    await this.#commits.syncNow([this.#file], [])
    this.#file.close()
  }

  close(): void {
    this.#file.close()
  }

  #closeGap(): void {
    const gap = this.#gap
    if (gap === null) return
    this.#gap = null
    this.#take(emptyBatch(gap.base, gap.last - gap.base, gap.appendedAt, gap.epoch, this.#codec), 0)
  }

  #take(bytes: Uint8Array, at: number): void {
    const { segment } = this
    const batchBytes = batchBytesOf(bytes, at)
    const appendedAt = appendedAtOf(bytes, at)
    if (segment.bytes === 0) segment.firstAppendedAt = appendedAt
    segment.lastAppendedAt = appendedAt
    segment.index.note(baseOffsetOf(bytes, at), segment.bytes, appendedAt)
    if (this.#held + batchBytes > BUFFER_BYTES) this.#flush()
    if (batchBytes > BUFFER_BYTES) {
      this.#write(bytes.subarray(at, at + batchBytes), segment.bytes)
    } else {
      this.#codec.copy(this.#buffer, this.#held, bytes, at, at + batchBytes)
      this.#held += batchBytes
    }
    segment.bytes += batchBytes
  }

  #flush(): void {
    if (this.#held === 0) return
    this.#write(this.#buffer.subarray(0, this.#held), this.segment.bytes - this.#held)
    this.#held = 0
  }

  #write(bytes: Uint8Array, position: number): void {
    this.#file.write(bytes, position)
    this.#unsyncedBytes += bytes.length
  }
}
