// Puts batches into segment files, in order: joins small ones, rolls by size and age, and remembers what the next sync must
// cover. It owns the log's picture of its segments; `active` is the one that grows.

import type { Codec, Disk } from '../ports/index.ts'
import { appendedAtOf, baseOffsetOf, lastOffsetOf, leaderEpochOf } from '../record/index.ts'
import type { Epochs } from './epochs.ts'
import type { SyncRound } from './group-commit.ts'
import type { LogConfig } from './log-config.ts'
import { beginAnew, type LogPoint } from './log-point.ts'
import type { LogReader } from './log-reader.ts'
import { Segment } from './segment.ts'
import type { SegmentSet } from './segment-set.ts'

/** Batches from this size on are written as they are, smaller ones are joined first. */
const DIRECT_BYTES = 64 * 1024
/** Positions in the sparse index are 32 bits. */
const SEGMENT_BYTES_MAX = 0xffff_ffff

export class SegmentWriter {
  /** Behind the last batch that is in a file. */
  readonly written: LogPoint
  readonly #folder: string
  readonly #disk: Disk
  readonly #codec: Codec
  readonly #epochs: Epochs
  readonly #reader: LogReader
  readonly #onRoll: (sealedEnd: number) => void
  #segments: SegmentSet
  /** Null: the next write makes one. */
  #active: Segment | null
  /** Not synced yet, nor taken by a round that syncs. */
  readonly #unsynced = new Set<Segment>()
  #hasNewName = false
  #isEpochsUnsynced = false

  constructor(
    folder: string,
    { disk, codec }: { disk: Disk; codec: Codec },
    { segments, epochs, end }: { segments: SegmentSet; epochs: Epochs; end: LogPoint },
    reader: LogReader,
    onRoll: (sealedEnd: number) => void,
  ) {
    this.#folder = folder
    this.#disk = disk
    this.#codec = codec
    this.#epochs = epochs
    this.#reader = reader
    this.#onRoll = onRoll
    this.#segments = segments
    this.#active = segments.last?.base === end.segmentBase ? segments.last : null
    this.written = { ...end }
  }

  get segments(): SegmentSet {
    return this.#segments
  }

  get active(): Segment | null {
    return this.#active
  }

  /** Nothing waits for a round to take it. */
  get isClean(): boolean {
    return this.#unsynced.size === 0 && !this.#hasNewName && !this.#isEpochsUnsynced
  }

  get hasUnsyncedSealed(): boolean {
    for (const segment of this.#unsynced) if (segment !== this.#active) return true
    return false
  }

  /** Throws `DiskError('no-space')` having written the first of `batches`, or none: then `cutBack`. */
  write(batches: readonly Uint8Array[], gather: Uint8Array, config: LogConfig): void {
    // an epoch must be synced no later than its first batch
    if (this.#epochs.isDirty) {
      this.#epochs.write()
      this.#isEpochsUnsynced = true
    }
    let held = 0
    for (let i = 0; i < batches.length; i++) {
      const batch = batches[i]!
      const isDirect = batch.length >= DIRECT_BYTES
      const isFull = !this.#fits(batch, held, config)
      if (held > 0 && (isFull || isDirect || held + batch.length > gather.length)) {
        this.#put(gather.subarray(0, held), batches[i - 1]!)
        held = 0
      }
      if (isFull) this.#roll(baseOffsetOf(batch, 0))
      const segment = this.#active!
      segment.index.note(baseOffsetOf(batch, 0), segment.bytes + held, appendedAtOf(batch, 0))
      if (isDirect) {
        this.#put(batch, batch)
      } else {
        gather.set(batch, held)
        held += batch.length
      }
    }
    if (held > 0) this.#put(gather.subarray(0, held), batches.at(-1)!)
  }

  /** Only whole batches stay in the files. Durable with the next round. */
  cutBack(): void {
    const active = this.#active
    if (active === null) return
    this.#active = null
    if (active.bytes === 0) {
      this.forget([active])
      active.remove()
      this.#hasNewName = true
      return
    }
    active.file().truncate(active.bytes)
    active.index.cutTo(active.bytes)
    active.index.persist()
    this.#unsynced.add(active)
    beginAnew(this.written, this.written.end)
  }

  seal(): void {
    if (this.#active === null) return
    this.#active.index.persist()
    this.#active = null
    this.#onRoll(this.written.end)
  }

  sealAged(now: number, config: LogConfig): void {
    if (this.#active !== null && this.#isAged(this.#active, now, config)) this.seal()
  }

  /** Hands everything unsynced to a round. */
  addUnsynced(round: SyncRound): void {
    for (const segment of this.#unsynced) round.files.push(segment.file())
    if (this.#isEpochsUnsynced) round.files.push(this.#epochs.file())
    if (this.#hasNewName) round.folders.add(this.#folder)
    this.#unsynced.clear()
    this.#isEpochsUnsynced = false
    this.#hasNewName = false
  }

  /** These are no longer part of the log: with flush os they may not be synced yet, and need not be any more. */
  forget(gone: readonly Segment[]): void {
    this.#segments = this.#segments.without(new Set(gone))
    for (const segment of gone) this.#unsynced.delete(segment)
  }

  /** `fresh`, synced, stands for `group` from here on. */
  replace(group: readonly Segment[], fresh: Segment): void {
    this.#segments = this.#segments.replaced(group, fresh)
    for (const segment of group) this.#unsynced.delete(segment)
  }

  /** After a cut: what comes next goes into a new segment. */
  restart(segments: SegmentSet, point: LogPoint): void {
    this.#segments = segments
    this.#active = null
    Object.assign(this.written, point)
  }

  /** Gives back what was not used lately. */
  rest(isBusy: boolean): void {
    for (const segment of this.#segments.list) segment.rest(isBusy || this.#unsynced.has(segment))
  }

  #fits(batch: Uint8Array, held: number, config: LogConfig): boolean {
    const segment = this.#active
    if (segment === null) return false
    const bytes = segment.bytes + held
    if (bytes === 0) return true
    if (bytes + batch.length > Math.min(config.segmentBytes, SEGMENT_BYTES_MAX)) return false
    return !this.#isAged(segment, appendedAtOf(batch, 0), config)
  }

  #isAged(segment: Segment, now: number, { segmentMs }: LogConfig): boolean {
    return segmentMs >= 0 && segment.bytes > 0 && now - this.#reader.firstAppendedAt(segment) >= segmentMs
  }

  /** Whole batches, `last` the last of them. */
  #put(bytes: Uint8Array, last: Uint8Array): void {
    const segment = this.#active!
    segment.file().write(bytes, segment.bytes)
    this.#unsynced.add(segment)
    segment.warm(segment.bytes, segment.bytes + bytes.length)
    segment.bytes += bytes.length
    segment.lastAppendedAt = appendedAtOf(last, 0)
    if (segment.index.isBlockFull) segment.index.persist()
    const { written } = this
    written.end = lastOffsetOf(last, 0) + 1
    written.segmentBase = segment.base
    written.segmentBytes = segment.bytes
    written.appendedAtMax = Math.max(written.appendedAtMax, segment.lastAppendedAt)
    written.epoch = leaderEpochOf(last, 0)
  }

  #roll(base: number): void {
    this.seal()
    const segment = new Segment(this.#disk, this.#codec, this.#folder, base, 0)
    segment.create()
    // the name must be durable before what lies under it is acknowledged
    this.#hasNewName = true
    this.#segments = this.#segments.with(segment)
    this.#active = segment
  }
}
