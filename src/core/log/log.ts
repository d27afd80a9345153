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
import { DiskError } from '../ports/index.ts'
import { appendedAtOf, baseOffsetOf, lastOffsetOf, leaderEpochOf } from '../record/index.ts'
import { type CompactableLog, Compactor } from './compactor.ts'
import { finishCut } from './cut.ts'
import { type Damage, Damages } from './damage.ts'
import type { DurableMark, MarkFields } from './durable-mark.ts'
import type { Epochs } from './epochs.ts'
import type { CommitMember, SyncRound } from './group-commit.ts'
import type { LogConfig } from './log-config.ts'
import { findGaps } from './gaps.ts'
import { beginAnew, type LogPoint, marked } from './log-point.ts'
import { type LogRead, LogReader } from './log-reader.ts'
import type { LogListener, LogWorld } from './log-world.ts'
import { recover, type Recovered } from './recovery.ts'
import { pointBelow } from './point-below.ts'
import { retentionStart } from './retention.ts'
import type { Segment } from './segment.ts'
import type { SegmentSet } from './segment-set.ts'
import { swapSegments } from './segment-swap.ts'
import { SegmentWriter } from './segment-writer.ts'
import { SyncWaiters } from './sync-waiters.ts'

export class Log implements CommitMember, CompactableLog {
  readonly folder: string
  #config: LogConfig
  readonly compactor: Compactor
  readonly #world: LogWorld
  readonly #listener: LogListener
  readonly #mark: DurableMark
  readonly #epochs: Epochs
  readonly #reader: LogReader
  readonly #damages: Damages
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
  readonly #waiters = new SyncWaiters()
  /** Truncation, reset, trim, retention and closing happen one after the other. */
  #exclusive: Promise<void> = Promise.resolve()
  #isCutting = false
  #isClosed = false

  static async open(folder: string, config: LogConfig, world: LogWorld, listener: LogListener): Promise<Log> {
    const recovered = await recover(folder, world)
    const log = new Log(folder, config, world, listener, recovered)
    if (recovered.isCountWrong) await findGaps(log.segments, log.#reader, (gap) => log.noteDamage(gap))
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
    this.#damages = new Damages(recovered.damages, world.events)
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
    this.compactor = new Compactor(this, world, this.#reader)
  }

  get config(): LogConfig {
    return this.#config
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
    return this.#damages.first
  }

  configure(config: LogConfig): void {
    this.#config = config
  }

  append(batch: Uint8Array): void {
    assert(!this.#isClosed && !this.#isCutting, 'append to a log that is being closed or cut')
    assert(this.damage === null, 'append to a damaged log')
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
    this.#damages.note(damage)
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
    const isLazy = this.#config.flush === 'os' && !isCut && this.#waiters.isEmpty
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
    if (this.#waiters.isEmpty) return
    this.#waiters.settle(this.#isSettled ? Number.POSITIVE_INFINITY : this.#synced.end)
    if (!this.#waiters.isEmpty) this.#world.commits.add(this)
  }

  abandon(error: unknown): void {
    this.#waiters.abandon(error)
  }

  // ── cutting, trimming, keeping house ──────────────────────────────────────────────────────────────────────────────

  /** The log ends at `offset`, or at the base of the batch that contains it. Durable when resolved. */
  truncateTo(offset: number): Promise<void> {
    return this.#alone(async () => {
      assert(offset >= this.#startOffset && offset <= this.#endOffset, 'truncation outside the log')
      await this.#settled()
      // what was pending may have been refused meanwhile
      offset = Math.min(offset, this.#endOffset)
      if (offset === this.#endOffset && !this.#damages.isAnyFrom(offset)) return
      await this.compactor.forget()
      await this.#cut(await pointBelow(offset, this, this.#reader, this.#epochs), this.#startOffset)
    })
  }

  /** The log is empty and begins at `offset`. Durable when resolved. */
  resetTo(offset: number): Promise<void> {
    return this.#alone(async () => {
      await this.#settled()
      await this.compactor.forget()
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
      if (this.#config.cleanup !== 'compact') await this.#raiseStart(await this.#retentionStart(now))
      // so that the last segment, once sealed, may be compacted too
      if (this.#config.cleanup !== 'delete' && this.#isSettled && this.#writer.active === null) this.#beginAnew()
      const isBusy = this.#pending.length > 0 || this.#syncing.end !== this.#synced.end
      this.#writer.rest(isBusy)
      if (isBusy || !this.#writer.isClean) return
      this.#mark.closeFile()
      this.#epochs.closeFile()
    })
  }

  /** For the compactor. */
  get swappableEnd(): number {
    return Math.min(this.#synced.segmentBase, this.#durableEnd)
  }

  /** For the compactor: `fresh`, written and synced, takes the place of neighbours that end before `end`. */
  swap(group: readonly Segment[], end: number, fresh: Segment): Promise<boolean> {
    return this.#alone(async () => {
      const isOurs = group.every((segment) => this.segments.list.includes(segment)) && end <= this.swappableEnd
      if (this.#isClosed || !isOurs) return false
      const { commits } = this.#world
      // an older mark, were it to come back in a crash, would speak of a place that the new segment has not
      await commits.syncNow([this.#mark.writeTwice(this.#fields())], [])
      await swapSegments(this.folder, group, end, fresh, this.#world, () => {
        this.#writer.replace(group, fresh)
        this.#reader.forgetPlaces()
      })
      this.#writeMark()
      return true
    })
  }

  /** Writes and syncs everything and closes the files. After that a start has nothing to check. */
  async close(): Promise<void> {
    await this.compactor.stop()
    await this.#alone(async () => {
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
    const settled = this.#waiters.wait(end)
    commits.add(this)
    await settled
  }

  #alone<T>(job: () => Promise<T>): Promise<T> {
    const run = this.#exclusive.then(job)
    this.#exclusive = run.then(
      () => {},
      () => {},
    )
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
    this.#damages.keep((damage) => damage.offset < point.end && damage.offset >= startOffset)
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
      this.#beginAnew()
    }
    // first the mark, then the files: a missing file that the mark still counts would be damage
    this.#isRaising = true
    await this.#world.commits.syncNow([this.#mark.writeTwice(this.#fields())], [])
    this.#isRaising = false
    this.#writer.forget(gone)
    this.#reader.forgetPlaces()
    this.#damages.keep((damage) => damage.nextReadableOffset > offset)
    for (const segment of gone) {
      segment.remove()
      if (gone.length > 1) await new Promise<void>((resolve) => this.#world.clock.nextTurn(resolve))
    }
  }

  /** All is synced and sealed: what comes next goes into a new segment. */
  #beginAnew(): void {
    for (const point of [this.#writer.written, this.#syncing, this.#synced]) beginAnew(point, this.#endOffset)
  }

  #retentionStart(now: number): Promise<number> {
    const sealed = this.segments.sealed(this.#writer.active, this.writtenEnd)
    return retentionStart(sealed, this.#startOffset, this.bytes, this.#synced.end, this.#config, now, (segment) =>
      this.#reader.lastAppendedAt(segment),
    )
  }
}
