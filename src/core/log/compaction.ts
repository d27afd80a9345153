// One compaction of a log: of each key below `upTo` the latest record stays, whatever else has the key goes.
//
//   ─ below `from` no key is twice ─┼─ dirty ──────────────┼─ … ─┼─ the segment that grows ─
//                                    1 which key is latest where
//   ─ 2 rewritten, from the start on ──────────────────────┤ `to`: as far as the table of keys had room; then the next pass
//
// What is left out was superseded by a record at a higher offset that is below `upTo`, hence durable and never cut; so each
// segment that is swapped leaves a log that is as good as before, wherever a crash ends the rest. Segments go from the lowest
// on: when a tombstone is marked with its horizon, what it deletes is durably gone, and from the horizon on it may go too.
//
// A batch of which nothing is left keeps its header while its producer or its Idempotency-Key may still be asked for. Records
// without a key and control batches stay.

import { assert, limits } from '../base/index.ts'
import { type Clock, DiskError } from '../ports/index.ts'
import {
  appendedAtOf,
  baseOffsetOf,
  batchBytesOf,
  BATCH_HEADER_BYTES,
  BatchCodec,
  BatchSieve,
  codecOf,
  findMeta,
  inflateRecordsLater,
  isControl,
  lastOffsetOf,
  metaBytesOf,
  MetaType,
  NO_PRODUCER,
  producerIdOf,
  RecordAttribute,
  type RecordSpans,
  recordCountOf,
  recordsBytesOf,
  sealBatch,
  withCompressedRecords,
} from '../record/index.ts'
import { BatchWindows } from './batch-windows.ts'
import { CompactedFile } from './compacted-file.ts'
import { type CompactionFields, NO_HORIZON } from './compaction-mark.ts'
import { LatestOffsets } from './latest-offsets.ts'
import type { LogWorld } from './log-world.ts'
import { Segment } from './segment.ts'
import type { SealedSegment } from './segment-set.ts'
import { compactingPath } from './segment-swap.ts'

/** The log as its compaction sees it. */
export interface CompactedLog {
  readonly folder: string
  /** All but the last, in order, up to the one that ends at `end`. */
  sealedBelow(end: number): readonly SealedSegment[]
  /** Segments that lie side by side and may become one. */
  groups(sealed: readonly SealedSegment[]): Promise<readonly (readonly SealedSegment[])[]>
  /** False: they are not the log's any more. */
  replace(group: readonly SealedSegment[], fresh: Segment): Promise<boolean>
  compacted(fields: CompactionFields): void
  /** What is there at `offset` cannot be read. */
  noteUnreadable(offset: number): Promise<void>
}

export interface CompactionPlan {
  /** Below it no key is there twice. */
  readonly from: number
  /** The end of a sealed segment; all below is durable and stays. */
  readonly upTo: number
  readonly nowMs: number
  readonly deleteRetentionMs: number
  /** Batches appended before may lose what names their producer and key. */
  readonly identityFromMs: number
  /** For tests: how many keys one pass has room for. */
  readonly slotsMax?: number
}

/** `too-large`: a batch would not fit its limit with some of its records gone. */
export type CompactionEnd = 'done' | 'stopped' | 'no-space' | 'unreadable' | 'too-large'

/** Work between two rests of the event loop's, and how long these are. */
const SLICE_MS = 2
const REST_MS = 2
const LOOK_EVERY_RECORDS = 128
/** Beyond, (de)compressing is done off the loop. */
const INLINE_BYTES = 128 * 1024

type Fate = 'as-is' | 'changed' | 'empty'

class Ended extends Error {
  constructor(readonly end: CompactionEnd) {
    super(end)
  }
}

export class Compaction {
  readonly #log: CompactedLog
  readonly #world: LogWorld
  readonly #plan: CompactionPlan
  readonly #windows: BatchWindows
  readonly #sieve = new BatchSieve()
  readonly #slices: Slices
  #latest: LatestOffsets
  /** Of the pass under way: below it every key is in `#latest` or there once. */
  #to: number
  #nextHorizon = NO_HORIZON
  /** Of the batch in the sieve: its tombstones are passed for the first time. */
  #horizonToSet: number | null = null
  #untilLook = LOOK_EVERY_RECORDS
  #isStopped = false

  constructor(log: CompactedLog, world: LogWorld, plan: CompactionPlan) {
    this.#log = log
    this.#world = world
    this.#plan = plan
    this.#windows = new BatchWindows(world.codec)
    this.#slices = new Slices(world.clock)
    this.#to = plan.from
    this.#latest = this.#newTable(0)
  }

  /** It ends at its next step. */
  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<CompactionEnd> {
    try {
      do {
        await this.#pass()
      } while (this.#to < this.#plan.upTo)
      return 'done'
    } catch (error) {
      if (error instanceof Ended) return error.end
      if (!(error instanceof DiskError)) throw error
      // trimmed or reset meanwhile
      if (error.code === 'not-found') return 'stopped'
      return error.code === 'no-space' ? 'no-space' : 'unreadable'
    }
  }

  async #pass(): Promise<void> {
    const { upTo } = this.#plan
    const from = this.#to
    this.#latest = this.#newTable(upTo - from)
    if (from < upTo) await this.#fill(from)
    assert(from === upTo || this.#to > from, 'a pass takes a batch at least')
    this.#nextHorizon = NO_HORIZON
    for (const group of await this.#groups()) {
      if (group.length > 1 || (await this.#hasChanges(group[0]!.segment))) await this.#rewrite(group)
    }
    // what was a segment each may now be one together
    for (const group of await this.#groups()) if (group.length > 1) await this.#rewrite(group)
    // the log may be about to be cut: then nothing is to be said of it any more
    this.#throwIfStopped()
    this.#log.compacted({ end: this.#to, nextHorizon: this.#nextHorizon })
  }

  #groups(): Promise<readonly (readonly SealedSegment[])[]> {
    return this.#log.groups(this.#log.sealedBelow(this.#plan.upTo).filter(({ segment }) => segment.base < this.#to))
  }

  #newTable(keys: number): LatestOffsets {
    const { clock, codec } = this.#world
    return new LatestOffsets(keys, Math.floor(clock.monotonic() * 1000) | 0, codec, this.#plan.slotsMax)
  }

  // --- 1 which key is latest where -------------------------------------------------------------------------------------

  async #fill(from: number): Promise<void> {
    const { upTo } = this.#plan
    for (const { segment, end } of this.#log.sealedBelow(upTo)) {
      if (end <= from) continue
      for (this.#windows.open(segment); await this.#nextWindow();) {
        for (let at = 0; at < this.#windows.end; at += batchBytesOf(this.#windows.bytes, at)) {
          const { bytes } = this.#windows
          if (lastOffsetOf(bytes, at) < from) continue
          if (!(await this.#takeKeys(bytes, at))) return
          this.#to = lastOffsetOf(bytes, at) + 1
        }
      }
    }
    this.#to = upTo
  }

  /** False: the table is full, and the batch left to the next pass. Keys of it that are in do no harm. */
  async #takeKeys(bytes: Uint8Array, at: number): Promise<boolean> {
    if (isControl(bytes, at) || recordCountOf(bytes, at) === 0) return true
    await this.#open(bytes, at)
    for (let record = this.#sieve.next(); record !== null; record = this.#sieve.next()) {
      if (record.keyStart >= 0) {
        if (!this.#latest.hasRoom) return false
        this.#latest.put(record.key, record.keyStart, record.keyEnd, record.offset)
      }
      if (this.#isRestDue()) await this.#rest()
    }
    this.#checkThrough()
    return true
  }

  // --- 2 rewriting -----------------------------------------------------------------------------------------------------

  async #hasChanges(segment: Segment): Promise<boolean> {
    for (this.#windows.open(segment); await this.#nextWindow();) {
      for (let at = 0; at < this.#windows.end; at += batchBytesOf(this.#windows.bytes, at)) {
        const { bytes } = this.#windows
        const fate = await this.#sift(bytes, at)
        if (fate === 'changed') return true
        // what is empty already may stay so, unless it keeps a header that nobody asks for any more
        if (fate === 'empty' && (recordCountOf(bytes, at) > 0 || this.#isOutdated(bytes, at))) return true
      }
    }
    return false
  }

  async #rewrite(group: readonly SealedSegment[]): Promise<void> {
    const { disk, codec } = this.#world
    const { folder } = this.#log
    const first = group[0]!.segment
    const oldBytes = group.reduce((bytes, { segment }) => bytes + segment.bytes, 0)
    // as much again must be left for those who append
    if (disk.space().freeBytes < oldBytes * 2) throw new Ended('no-space')
    const fresh = new Segment(disk, codec, folder, first.base, 0)
    fresh.namedAs(compactingPath(folder, first.base))
    const file = new CompactedFile(fresh, this.#world)
    let isInPlace = false
    try {
      for (const { segment } of group) await this.#copy(segment, file)
      await file.finish()
      isInPlace = await this.#log.replace(group, fresh)
    } finally {
      file.close()
      if (!isInPlace) disk.remove(compactingPath(folder, first.base))
    }
    if (!isInPlace) throw new Ended('stopped')
  }

  async #copy(segment: Segment, file: CompactedFile): Promise<void> {
    for (this.#windows.open(segment); await this.#nextWindow();) {
      for (let at = 0; at < this.#windows.end; at += batchBytesOf(this.#windows.bytes, at)) {
        const { bytes } = this.#windows
        const fate = await this.#sift(bytes, at)
        if (fate === 'as-is') file.put(bytes, at)
        else if (fate === 'changed') file.put(await this.#changed(bytes, at), 0)
        else if (!isIdentified(bytes, at) || this.#isOutdated(bytes, at)) file.leaveOut(bytes, at)
        else if (recordCountOf(bytes, at) === 0) file.put(bytes, at)
        else file.put(await this.#changed(bytes, at), 0)
      }
      await file.settle()
    }
  }

  /** What becomes of a batch; the sieve holds what is left of one that changes. */
  async #sift(bytes: Uint8Array, at: number): Promise<Fate> {
    if (isControl(bytes, at)) return 'as-is'
    if (recordCountOf(bytes, at) === 0) return 'empty'
    await this.#open(bytes, at)
    const sieve = this.#sieve
    let tombstones = 0
    for (let record = sieve.next(); record !== null; record = sieve.next()) {
      if (this.#isSuperseded(record) || this.#isOverdue(record)) sieve.drop()
      else if ((record.attributes & RecordAttribute.tombstone) !== 0) tombstones++
      if (this.#isRestDue()) await this.#rest()
    }
    this.#checkThrough()
    this.#horizonToSet = null
    if (sieve.keptCount === 0) return 'empty'
    if (tombstones > 0 && baseOffsetOf(bytes, at) < this.#to) {
      const newHorizon = this.#plan.nowMs + this.#plan.deleteRetentionMs
      if (sieve.deleteHorizon === null) this.#horizonToSet = newHorizon
      this.#nextHorizon = Math.min(this.#nextHorizon, sieve.deleteHorizon ?? newHorizon)
    }
    return sieve.droppedCount > 0 || this.#horizonToSet !== null ? 'changed' : 'as-is'
  }

  #isSuperseded(record: RecordSpans): boolean {
    if (record.keyStart < 0) return false
    return this.#latest.offsetOf(record.key, record.keyStart, record.keyEnd) > record.offset
  }

  /** A tombstone whose horizon has passed. */
  #isOverdue(record: RecordSpans): boolean {
    const horizon = this.#sieve.deleteHorizon
    return horizon !== null && horizon <= this.#plan.nowMs && (record.attributes & RecordAttribute.tombstone) !== 0
  }

  /** Names a producer or a key that has been forgotten by now. */
  #isOutdated(bytes: Uint8Array, at: number): boolean {
    return isIdentified(bytes, at) && appendedAtOf(bytes, at) < this.#plan.identityFromMs
  }

  /** What the sieve has kept, as it is stored. */
  async #changed(bytes: Uint8Array, at: number): Promise<Uint8Array> {
    const { codec } = this.#world
    const sieve = this.#sieve
    const plain = sieve.finish(this.#horizonToSet)
    const codecId = codecOf(bytes, at)
    let batch = plain
    if (codecId !== BatchCodec.none && sieve.keptCount > 0) {
      batch = await this.#compressed(plain, codecId === BatchCodec.gzip ? 'gzip' : 'zstd')
    }
    if (batch.length > limits.BATCH_BYTES_MAX) batch = await this.#compressed(plain, 'zstd')
    if (batch.length > limits.BATCH_BYTES_MAX) throw new Ended('too-large')
    sealBatch(batch, codec)
    return batch
  }

  async #compressed(plain: Uint8Array, compression: 'gzip' | 'zstd'): Promise<Uint8Array> {
    const { codec } = this.#world
    const records = plain.subarray(BATCH_HEADER_BYTES + metaBytesOf(plain, 0))
    const isSmall = records.length <= INLINE_BYTES
    const stored = isSmall ? codec.compress(compression, records) : await codec.compressLater(compression, records)
    return withCompressedRecords(plain, stored, codec, compression)
  }

  // --- reading, in slices ----------------------------------------------------------------------------------------------

  async #nextWindow(): Promise<boolean> {
    this.#throwIfStopped()
    if (this.#slices.isOver) await this.#rest()
    const windows = this.#windows
    if (await windows.next()) return true
    if (windows.fault === null) return false
    await this.#log.noteUnreadable(windows.offset)
    throw new Ended('unreadable')
  }

  async #open(bytes: Uint8Array, at: number): Promise<void> {
    const { codec } = this.#world
    let records: Uint8Array | null = null
    if (codecOf(bytes, at) !== BatchCodec.none && recordsBytesOf(bytes, at) > INLINE_BYTES) {
      const inflated = await inflateRecordsLater(bytes, at, codec)
      if (!(inflated instanceof Uint8Array)) throw new Ended('unreadable')
      records = inflated
    }
    if (!this.#sieve.open(bytes, at, codec, records)) throw new Ended('unreadable')
  }

  /** A batch with fewer records than it says would lose the rest. */
  #checkThrough(): void {
    if (!this.#sieve.isThrough) throw new Ended('unreadable')
  }

  #isRestDue(): boolean {
    if (--this.#untilLook > 0) return false
    this.#untilLook = LOOK_EVERY_RECORDS
    return this.#slices.isOver
  }

  async #rest(): Promise<void> {
    await this.#slices.rest()
    this.#throwIfStopped()
  }

  #throwIfStopped(): void {
    if (this.#isStopped) throw new Ended('stopped')
  }
}

/** Names a producer or an Idempotency-Key. */
function isIdentified(bytes: Uint8Array, at: number): boolean {
  const metaAt = at + BATCH_HEADER_BYTES
  const hasKey = findMeta(bytes, metaAt, metaAt + metaBytesOf(bytes, at), MetaType.idempotency) >= 0
  return hasKey || producerIdOf(bytes, at) !== NO_PRODUCER
}

/** Half of the event loop at most, a little at a time: what others wait for comes between. */
class Slices {
  readonly #clock: Clock
  #endMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#endMs = clock.monotonic() + SLICE_MS
  }

  get isOver(): boolean {
    return this.#clock.monotonic() >= this.#endMs
  }

  async rest(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.wakeAt(this.#clock.monotonic() + REST_MS, resolve))
    this.#endMs = this.#clock.monotonic() + SLICE_MS
  }
}
