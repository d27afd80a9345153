// One append-only log in a folder: the offsets of its ends, and the three places a batch passes through.
//
//   append → pending (memory) → write, once a turn → page cache → sync, in a round with other logs → acknowledged
//              endOffset                            writtenEnd                                       durableEnd
//
// A batch is acknowledged (`onDurable`) when it and every name on the way to it are synced; with flush `os` when written. When the
// disk has no space the file is cut back to its last whole batch, and once that cut is durable everything not written is refused
// (`onRefused`): a refused batch does not come back after a crash. Truncation and reset are written into the durable mark
// first, so a crash leaves them wholly done or not begun. Recovery is in recovery.ts, reading in log-reader.ts.

import { assert } from '../base/index.ts'
import { type Clock, type Codec, type Disk, DiskError, type Events } from '../ports/index.ts'
import { appendedAtOf, baseOffsetOf, lastOffsetOf, leaderEpochOf } from '../record/index.ts'
import { finishCut } from './cut.ts'
import type { Damage } from './damage.ts'
import type { DiskSpace } from './disk-space.ts'
import type { DurableMark, MarkFields } from './durable-mark.ts'
import type { Epochs } from './epochs.ts'
import type { CommitMember, GroupCommit, SyncRound } from './group-commit.ts'
import type { LogConfig } from './log-config.ts'
import { beginAnew, type LogPoint, marked } from './log-point.ts'
import { type LogRead, LogReader } from './log-reader.ts'
import { recover, type Recovered } from './recovery.ts'
import { pointBelow } from './point-below.ts'
import { retentionStart } from './retention.ts'
import type { SegmentSet } from './segment-set.ts'
import { SegmentWriter } from './segment-writer.ts'

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

export class Log implements CommitMember {
  readonly folder: string
  readonly #world: LogWorld
  readonly #listener: LogListener
  readonly #mark: DurableMark
  readonly #epochs: Epochs
  readonly #reader: LogReader
  readonly #damages: Damage[]
  #config: LogConfig
  readonly #writer: SegmentWriter
  #startOffset: number

  #pending: Uint8Array[] = []
  #endOffset: number
  #appendedAtMax: number
  readonly #syncing: LogPoint
  readonly #synced: LogPoint
  #durableEnd: number
  /** A refusal waits until the cut-back file is synced: `cut`, then `syncing`. */
  #refusal: 'none' | 'cut' | 'syncing' = 'none'

  #isMarkDue = false
  /** A higher start is in the mark and not known to be synced. */
  #isRaising = false
  #waiting: { end: number; resolve: () => void; reject: (error: unknown) => void }[] = []
  /** Truncation, reset, trim, retention and closing happen one after the other. */
  #exclusive: Promise<void> = Promise.resolve()
  #isCutting = false
  #isClosed = false

  static async open(folder: string, config: LogConfig, world: LogWorld, listener: LogListener): Promise<Log> {
    const recovered = await recover(folder, world)
    const log = new Log(folder, config, world, listener, recovered)
    if (recovered.isCountWrong) await log.#findGaps()
    return log
  }

  private constructor(folder: string, config: LogConfig, world: LogWorld, listener: LogListener, recovered: Recovered) {
    this.folder = folder
    this.#config = config
    this.#world = world
    this.#listener = listener
    this.#mark = recovered.mark
    this.#epochs = recovered.epochs
    this.#startOffset = recovered.startOffset
    this.#damages = recovered.damages
    const { end } = recovered
    this.#syncing = { ...end }
    this.#synced = { ...end }
    this.#endOffset = end.end
    this.#durableEnd = end.end
    this.#appendedAtMax = end.appendedAtMax
    this.#reader = new LogReader(this, { codec: world.codec, clock: world.clock, readBuffer: world.commits.readBuffer })
    this.#writer = new SegmentWriter(folder, world, recovered, this.#reader, (sealedEnd) =>
      listener.onRoll?.(sealedEnd),
    )
  }

  get segments(): SegmentSet {
    return this.#writer.segments
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  get writtenEnd(): number {
    return this.#writer.written.end
  }

  get durableEnd(): number {
    return this.#durableEnd
  }

  /** -1: none yet. */
  get latestEpoch(): number {
    return this.#epochs.latest
  }

  get appendedAtMax(): number {
    return this.#appendedAtMax
  }

  get bytes(): number {
    return this.segments.bytes
  }

  get segmentCount(): number {
    return this.segments.list.length
  }

  /** The first damage known, by offset. */
  get damage(): Damage | null {
    return this.#damages[0] ?? null
  }

  configure(config: LogConfig): void {
    this.#config = config
  }

  append(batch: Uint8Array): void {
    assert(!this.#isClosed && !this.#isCutting, 'append to a log that is being closed or cut')
    assert(this.#damages.length === 0, 'append to a damaged log')
    assert(baseOffsetOf(batch, 0) === this.#endOffset, 'a batch that does not begin at the end of the log')
    const epoch = leaderEpochOf(batch, 0)
    if (epoch !== this.#epochs.latest) this.#epochs.note(epoch, this.#endOffset)
    this.#endOffset = lastOffsetOf(batch, 0) + 1
    this.#appendedAtMax = Math.max(this.#appendedAtMax, appendedAtOf(batch, 0))
    if (this.#pending.push(batch) === 1) this.#world.commits.add(this)
  }

  read(from: number, upTo: number, bytesMax: number): LogRead | Promise<LogRead> {
    this.#flushBelow(upTo)
    return this.#reader.read(from, upTo, bytesMax)
  }

  scan(from: number, upTo: number, visit: (bytes: Uint8Array, at: number) => void): Promise<void> {
    this.#flushBelow(upTo)
    return this.#reader.scan(from, upTo, visit)
  }

  offsetAtTime(ms: number): Promise<number> {
    this.#flushBelow(this.#endOffset)
    return this.#reader.offsetAtTime(ms)
  }

  /** The greatest epoch known here that is not above `epoch`, and where it ends; null when `epoch` is above the latest. */
  endOffsetOfEpoch(epoch: number): { epoch: number; endOffset: number } | null {
    return this.#epochs.endOf(epoch, this.#endOffset)
  }

  /** -1 below the first. */
  epochAt(offset: number): number {
    return this.#epochs.at(offset)
  }

  noteDamage(damage: Damage): void {
    if (this.#damages.some((known) => known.offset === damage.offset)) return
    this.#world.events.error('log-damaged', { ...damage })
    this.#damages.push(damage)
    this.#damages.sort((a, b) => a.offset - b.offset)
  }

  // ── group commit ──────────────────────────────────────────────────────────────────────────────────────────────────

  write(gather: Uint8Array): void {
    if (this.#pending.length === 0 || this.#refusal !== 'none') return
    const batches = this.#pending
    this.#pending = []
    try {
      this.#writer.write(batches, gather, this.#config)
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'no-space')) throw error
      this.#cutBack()
    }
    if (this.#config.flush === 'os') this.#acknowledge(this.writtenEnd)
  }

  beginSync(round: SyncRound): boolean {
    const isCut = this.#refusal === 'cut'
    const isLazy = this.#config.flush === 'os' && !isCut && this.#waiting.length === 0
    if (isLazy && !this.#writer.hasUnsyncedSealed) return false
    if (this.#writer.isClean && !isCut) return false
    this.#writer.addUnsynced(round)
    if (isCut) this.#refusal = 'syncing'
    Object.assign(this.#syncing, this.#writer.written)
    return true
  }

  synced(): void {
    Object.assign(this.#synced, this.#syncing)
    this.#isMarkDue = true
    this.#acknowledge(this.#synced.end)
    if (this.#refusal === 'syncing') this.#refuse()
  }

  settle(): void {
    if (this.#isMarkDue) this.#writeMark()
    if (this.#waiting.length === 0) return
    const isSettled = this.#isSettled
    for (const waiter of this.#waiting.splice(0)) {
      if (isSettled || this.#synced.end >= waiter.end) waiter.resolve()
      else this.#waiting.push(waiter)
    }
    if (this.#waiting.length > 0) this.#world.commits.add(this)
  }

  abandon(error: unknown): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error)
  }

  // ── cutting, trimming, keeping house ──────────────────────────────────────────────────────────────────────────────

  /** The log ends at `offset`, or at the base of the batch that contains it. Durable when resolved. */
  truncateTo(offset: number): Promise<void> {
    return this.#alone(async () => {
      assert(offset >= this.#startOffset && offset <= this.#endOffset, 'truncation outside the log')
      await this.#settled()
      // what was pending may have been refused meanwhile
      offset = Math.min(offset, this.#endOffset)
      if (offset === this.#endOffset && this.#damages.every((damage) => damage.offset < offset)) return
      await this.#cut(await pointBelow(offset, this, this.#reader, this.#epochs), this.#startOffset)
    })
  }

  /** The log is empty and begins at `offset`. Durable when resolved. */
  resetTo(offset: number): Promise<void> {
    return this.#alone(async () => {
      await this.#settled()
      await this.#cut({ end: offset, segmentBase: offset, segmentBytes: 0, appendedAtMax: 0, epoch: -1 }, offset)
    })
  }

  /** Offsets below `beforeOffset` are gone. Durable when resolved. */
  trim(beforeOffset: number): Promise<void> {
    return this.#alone(async () => {
      assert(beforeOffset <= this.#durableEnd, 'trim of what is not durable yet')
      await this.#raiseStart(beforeOffset)
    })
  }

  /** Seals by age, removes what retention no longer keeps, gives back files and memory that were not used. */
  maintain(): Promise<void> {
    return this.#alone(async () => {
      if (this.#isClosed) return
      const now = this.#world.clock.now()
      this.#writer.sealAged(now, this.#config)
      await this.#raiseStart(await this.#retentionStart(now))
      const isBusy = this.#pending.length > 0 || this.#syncing.end !== this.#synced.end
      this.#writer.rest(isBusy)
      if (isBusy || !this.#writer.isClean) return
      this.#mark.closeFile()
      this.#epochs.closeFile()
    })
  }

  /** Writes and syncs everything and closes the files. After that a start has nothing to check. */
  close(): Promise<void> {
    return this.#alone(async () => {
      if (this.#isClosed) return
      this.#isClosed = true
      await this.#settled()
      for (const segment of this.segments.list) segment.index.persist()
      await this.#world.commits.syncNow([this.#mark.writeTwice({ ...this.#fields(), state: 'closed' })], [])
      this.#mark.closeFile()
      this.#epochs.closeFile()
      for (const segment of this.segments.list) segment.closeFile()
    })
  }

  // ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** No space: only whole batches stay in the file, and nothing more is written until that is durable. */
  #cutBack(): void {
    this.#world.events.warn('log-no-space', { folder: this.folder, endOffset: this.writtenEnd })
    this.#world.space?.noteNoSpace()
    this.#refusal = 'cut'
    // a mark that says `closed` would be believed although something was written and cut since
    this.#writeMark()
    this.#writer.cutBack()
  }

  #refuse(): void {
    const from = this.writtenEnd
    this.#refusal = 'none'
    this.#pending = []
    this.#endOffset = from
    this.#appendedAtMax = this.#writer.written.appendedAtMax
    this.#epochs.cutFrom(from)
    this.#listener.onRefused(from)
  }

  #acknowledge(end: number): void {
    if (end <= this.#durableEnd) return
    this.#durableEnd = end
    this.#listener.onDurable(end)
  }

  /** Readers of what is not in a file yet put it there first. */
  #flushBelow(upTo: number): void {
    if (upTo > this.writtenEnd && this.#pending.length > 0) this.#world.commits.writeNow(this)
  }

  // ── the mark ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #fields(): MarkFields {
    const { end } = this.#synced
    const fields = marked(this.#startOffset, this.#synced, this.segments.countWithin(this.#startOffset, end))
    if (this.#isRaising) fields.state = 'unsettled'
    return fields
  }

  /** Not synced, and may as well be left out: the one before it is only more careful. */
  #writeMark(): void {
    this.#isMarkDue = false
    try {
      this.#mark.write(this.#fields())
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'no-space')) throw error
    }
  }

  get #isSettled(): boolean {
    if (this.#pending.length > 0 || this.#refusal !== 'none' || !this.#writer.isClean) return false
    return this.#synced.end === this.writtenEnd
  }

  /** Resolves when nothing that was appended waits for its sync, or when all below `end` is synced. */
  async #settled(end = Number.POSITIVE_INFINITY): Promise<void> {
    const { commits } = this.#world
    if (commits.failure !== null) throw commits.failure.error
    if (this.#isSettled || this.#synced.end >= end) return
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ end, resolve, reject })
      commits.add(this)
    })
  }

  #alone(job: () => Promise<void>): Promise<void> {
    const run = this.#exclusive.then(job)
    this.#exclusive = run.catch(() => {})
    return run
  }

  // ── cutting ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #cut(point: LogPoint, startOffset: number): Promise<void> {
    const { commits } = this.#world
    this.#isCutting = true
    const segmentCount = this.segments.countWithin(startOffset, point.end)
    const fields: MarkFields = { ...marked(startOffset, point, segmentCount), state: 'cutting' }
    const rest = await finishCut(this.segments, this.#mark, fields, this.#epochs, this.folder, commits)
    beginAnew(point, point.end)
    this.#writer.restart(rest, point)
    for (const known of [this.#syncing, this.#synced]) Object.assign(known, point)
    this.#reader.forgetPlaces()
    this.#startOffset = startOffset
    this.#endOffset = point.end
    this.#durableEnd = point.end
    this.#appendedAtMax = point.appendedAtMax
    const left = this.#damages.filter((damage) => damage.offset < point.end && damage.offset >= startOffset)
    this.#damages.length = 0
    this.#damages.push(...left)
    this.#isCutting = false
  }

  async #raiseStart(offset: number): Promise<void> {
    if (offset <= this.#startOffset) return
    // with flush os the start could otherwise pass what is synced, and the mark would contradict itself
    await this.#settled(offset)
    const isWhole = offset === this.#endOffset && this.#isSettled
    this.#startOffset = offset
    const gone = this.segments.below(offset, isWhole ? offset : Number.POSITIVE_INFINITY)
    if (isWhole) {
      this.#writer.seal()
      for (const point of [this.#writer.written, this.#syncing, this.#synced]) beginAnew(point, offset)
    }
    // first the mark, then the files: a missing file that the mark still counts would be damage
    this.#isRaising = true
    await this.#world.commits.syncNow([this.#mark.writeTwice(this.#fields())], [])
    this.#isRaising = false
    this.#writer.forget(gone)
    this.#reader.forgetPlaces()
    const left = this.#damages.filter((damage) => damage.nextReadableOffset > offset)
    this.#damages.length = 0
    this.#damages.push(...left)
    for (const segment of gone) {
      segment.remove()
      if (gone.length > 1) await new Promise<void>((resolve) => this.#world.clock.nextTurn(resolve))
    }
  }

  #retentionStart(now: number): Promise<number> {
    const sealed = this.segments.sealed(this.#writer.active, this.writtenEnd)
    return retentionStart(sealed, this.#startOffset, this.bytes, this.#synced.end, this.#config, now, (segment) =>
      this.#reader.lastAppendedAt(segment),
    )
  }

  /** The mark counts other segments than there are: those whose ends no longer meet have lost something. */
  async #findGaps(): Promise<void> {
    const { list } = this.segments
    for (let i = 0; i + 1 < list.length; i++) {
      const next = list[i + 1]!
      const end = await this.#reader.walkEnd(list[i]!)
      if (end.offset >= next.base) continue
      const detail = 'the segments do not meet'
      this.noteDamage({ offset: end.offset, nextReadableOffset: next.base, path: next.path, detail })
    }
    for (const segment of list) segment.closeFile()
  }
}
