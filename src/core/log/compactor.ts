// When a log is compacted, and what of it: the sealed segments that the durable mark no longer speaks of. One compaction of a log
// runs at a time, beside appends, reads, trimming and retention; it takes the log for itself only to swap segments.
//
// It is due when what came since the last one is at least as large as what that one left, or when tombstones may go. One that could
// not be done is tried again after a while, and after a longer one each time.

import { assert } from '../base/index.ts'
import { Compaction, type CompactedLog, type CompactionEnd } from './compaction.ts'
import { type CompactionFields, CompactionMark } from './compaction-mark.ts'
import type { Damage } from './damage.ts'
import type { LogConfig } from './log-config.ts'
import type { LogReader } from './log-reader.ts'
import type { LogWorld } from './log-world.ts'
import type { Segment } from './segment.ts'
import type { SealedSegment, SegmentSet } from './segment-set.ts'

const RETRY_MS_MIN = 60_000
const RETRY_MS_MAX = 60 * 60_000

export interface CompactableLog {
  readonly folder: string
  readonly config: LogConfig
  readonly segments: SegmentSet
  readonly startOffset: number
  readonly endOffset: number
  readonly appendedAtMax: number
  readonly damage: Damage | null
  /** Segments that end at or below may be swapped: no mark speaks of a place inside them. */
  readonly swappableEnd: number
  /** False: the segments are not the log's any more. */
  swap(group: readonly Segment[], end: number, fresh: Segment): Promise<boolean>
}

export interface CompactionOptions {
  /** All below is committed: it is never cut. */
  readonly upTo: number
  /** How long a producer and an Idempotency-Key are remembered. */
  readonly identityMs: number
  /** Of the table of keys; for tests. */
  readonly slotsMax?: number
}

export class Compactor implements CompactedLog {
  readonly #log: CompactableLog
  readonly #world: LogWorld
  readonly #reader: LogReader
  readonly #mark: CompactionMark
  #running: { compaction: Compaction; end: Promise<CompactionEnd> } | null = null
  #isStopped = false
  #retryMs = RETRY_MS_MIN
  #notBeforeMs = Number.NEGATIVE_INFINITY

  constructor(log: CompactableLog, world: LogWorld, reader: LogReader) {
    this.#log = log
    this.#world = world
    this.#reader = reader
    this.#mark = new CompactionMark(world, log.folder)
  }

  get folder(): string {
    return this.#log.folder
  }

  /** Whether so much has gathered below `upTo`, all of it committed, that it pays, or tombstones may go. */
  isDue(upTo: number): boolean {
    const { config, damage } = this.#log
    if (config.cleanup === 'delete' || damage !== null || this.#running !== null || this.#isStopped) return false
    if (this.#world.clock.monotonic() < this.#notBeforeMs) return false
    const { end, nextHorizon } = this.#mark.fields
    let clean = 0
    let dirty = 0
    for (const { segment, end: segmentEnd } of this.sealedBelow(upTo)) {
      if (segmentEnd <= end) clean += segment.bytes
      else dirty += segment.bytes
    }
    return (dirty > 0 && dirty >= clean) || (clean > 0 && nextHorizon <= this.#nowMs)
  }

  /** Leaves the latest record of each key, and every offset what it is. Null: there is nothing to do, or no longer. */
  async run({ upTo, identityMs, slotsMax }: CompactionOptions): Promise<CompactionEnd | null> {
    assert(this.#running === null, 'one compaction of a log at a time')
    const end = this.sealedBelow(upTo).at(-1)?.end
    if (this.#isStopped || end === undefined || this.#log.damage !== null) return null
    const { clock, events } = this.#world
    const startedMs = clock.monotonic()
    const before = this.#log.segments
    const compaction = new Compaction(this, this.#world, {
      from: Math.min(Math.max(this.#mark.fields.end, this.#log.startOffset), end),
      upTo: end,
      nowMs: this.#nowMs,
      deleteRetentionMs: this.#log.config.deleteRetentionMs,
      identityFromMs: this.#log.appendedAtMax - identityMs,
      ...(slotsMax === undefined ? null : { slotsMax }),
    })
    const running = { compaction, end: compaction.run() }
    this.#running = running
    try {
      const how = await running.end
      this.#noteEnd(how)
      const fields = {
        folder: this.folder,
        end: how,
        upTo: end,
        bytesBefore: before.bytes,
        bytesAfter: this.#log.segments.bytes,
        ms: Math.round(clock.monotonic() - startedMs),
      }
      if (how === 'done' || how === 'stopped') events.info('log-compacted', fields)
      else events.warn('log-not-compacted', fields)
      return how
    } finally {
      this.#running = null
    }
  }

  #noteEnd(how: CompactionEnd): void {
    if (how === 'done') this.#retryMs = RETRY_MS_MIN
    if (how === 'done' || how === 'stopped') return
    this.#notBeforeMs = this.#world.clock.monotonic() + this.#retryMs
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
  }

  /** None is begun any more; resolves when the one under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#running?.compaction.stop()
    await this.#running?.end.catch(() => {})
  }

  /** Before the log is cut. Durable when resolved. */
  async forget(): Promise<void> {
    this.#running?.compaction.stop()
    await this.#mark.forget(this.#world.commits)
  }

  // --- the log as a compaction sees it ---------------------------------------------------------------------------------

  sealedBelow(upTo: number): SealedSegment[] {
    const limit = Math.min(upTo, this.#log.swappableEnd)
    return this.#log.segments.sealed(null, this.#log.endOffset).filter(({ end }) => end <= limit)
  }

  /** Neighbours that fit one segment; where age removes them, those that would have been one segment by age too. */
  async groups(sealed: readonly SealedSegment[]): Promise<SealedSegment[][]> {
    const { config } = this.#log
    const isByAge = config.cleanup === 'both' && config.retentionMs >= 0 && config.segmentMs >= 0
    const groups: SealedSegment[][] = []
    let bytes = 0
    let firstAppendedAt = 0
    for (const one of sealed) {
      bytes += one.segment.bytes
      const isYoung = !isByAge || (await this.#reader.lastAppendedAt(one.segment)) - firstAppendedAt <= config.segmentMs
      if (groups.length > 0 && bytes <= config.segmentBytes && isYoung) {
        groups.at(-1)!.push(one)
        continue
      }
      groups.push([one])
      bytes = one.segment.bytes
      if (isByAge) firstAppendedAt = this.#reader.firstAppendedAt(one.segment)
    }
    return groups
  }

  replace(group: readonly SealedSegment[], fresh: Segment): Promise<boolean> {
    const segments = group.map(({ segment }) => segment)
    return this.#log.swap(segments, group.at(-1)!.end, fresh)
  }

  compacted(fields: CompactionFields): void {
    this.#mark.write(fields)
  }

  /** The reader finds out what is wrong there, and says so. */
  async noteUnreadable(offset: number): Promise<void> {
    await this.#reader.read(offset, offset + 1, 1)
  }

  get #nowMs(): number {
    return Math.max(this.#world.clock.now(), this.#log.appendedAtMax)
  }
}
