// One replica of one partition, as its leader: a log, the state of its producers and keys, and the high watermark.
//
//   append: judge (repeat? next in sequence? expected offset?) → stamp → log → state
//   synced: high watermark → whoever waits for it
//   no space: the log ends before the batch again; whoever waits is told, the state is read anew from snapshot and log
//
// Offsets are given at once, acknowledgements when committed. With one replica the high watermark is the log's synced end.

import { assert } from '../base/index.ts'
import { type Damage, Log, type LogConfig, type LogListener, type LogRead, type LogWorld } from '../log/index.ts'
import { batchBytesOf, lastOffsetDeltaOf, recordCountOf, stampBatch } from '../record/index.ts'
import type { Appended, AppendRefusal } from './append-outcome.ts'
import { type CommitFate, type CommitWaiter, HighWatermark } from './high-watermark.ts'
import { type HeldKey, KeyBudget } from './idempotency-keys.ts'
import { offsetOfLast } from './last-records.ts'
import { judge } from './leader.ts'
import { captureState, encodeSnapshot, type StateCapture } from './producer-snapshot.ts'
import type { ProducerState } from './producer-state.ts'
import { SnapshotStore } from './snapshot-store.ts'

export interface PartitionConfig extends LogConfig {
  idempotencyMs: number
}

export interface PartitionOptions {
  folder: string
  config: PartitionConfig
  world: LogWorld
  /** This leader's, later than every earlier one's; durable before it is used. */
  leaderEpoch: number
  /** The high watermark has risen, or appended batches were refused. */
  onAdvance: (partition: Partition) => void
  /** Shared by all partitions of a broker. */
  keyBudget?: KeyBudget
}

export interface PartitionOffer {
  now: number
  expectOffset?: number
  /** Nothing new is taken. */
  isRetiring?: boolean
}

const NO_BYTES = new Uint8Array(0)
/** The log looks at the clock a little later than we do. */
const RETENTION_MARGIN_MS = 60_000

export class Partition implements LogListener {
  readonly leaderEpoch: number
  readonly #world: LogWorld
  readonly #onAdvance: (partition: Partition) => void
  readonly #keyBudget: KeyBudget
  readonly #snapshots: SnapshotStore
  #config: PartitionConfig
  #log!: Log
  #highWatermark = new HighWatermark(0)
  /** Null while it is read again. */
  #state: ProducerState | null = null
  #loading: Promise<void> = Promise.resolve()
  /** Taken at a roll, saved once what it stands for is durable. */
  #capture: StateCapture | null = null
  #saving: Promise<unknown> = Promise.resolve()
  #sealedEnd = 0
  #bytesAtSnapshot = 0
  #appendedBytes = 0
  /** Trimming, housekeeping and closing happen one after the other. */
  #exclusive: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(options: PartitionOptions) {
    this.leaderEpoch = options.leaderEpoch
    this.#config = options.config
    this.#world = options.world
    this.#onAdvance = options.onAdvance
    this.#keyBudget = options.keyBudget ?? new KeyBudget()
    this.#snapshots = new SnapshotStore(options.world, options.folder)
  }

  static async open(options: PartitionOptions): Promise<Partition> {
    const partition = new Partition(options)
    await partition.#open(options)
    return partition
  }

  async #open({ folder, config, world, leaderEpoch }: PartitionOptions): Promise<void> {
    this.#log = await Log.open(folder, config, world, this)
    assert(leaderEpoch >= this.#log.latestEpoch, 'a leader epoch is later than every earlier one')
    this.#highWatermark = new HighWatermark(this.#log.durableEnd)
    if (this.#log.segmentCount > 1) this.#sealedEnd = this.#log.endOffset
    this.#state = await this.#snapshots.load(this.#log, this.#keyBudget, config.idempotencyMs)
  }

  get startOffset(): number {
    return this.#log.startOffset
  }

  get endOffset(): number {
    return this.#log.endOffset
  }

  get highWatermark(): number {
    return this.#highWatermark.value
  }

  get damage(): Damage | null {
    return this.#log.damage
  }

  /** Bytes of the log on disk. */
  get bytes(): number {
    return this.#log.bytes
  }

  get segmentCount(): number {
    return this.#log.segmentCount
  }

  /** The state of producers and keys is being read again: what is held under a key is not known. */
  get isLoading(): boolean {
    return this.#state === null
  }

  get producerCount(): number {
    return this.#state?.producers.count ?? 0
  }

  get keyRangeCount(): number {
    return this.#state?.keys.count ?? 0
  }

  /** Batches under Idempotency-Keys forgotten before their time, since the start. */
  get keyRangesForgottenEarly(): number {
    return this.#state?.keys.forgottenEarly ?? 0
  }

  /** Checksum of what is known of producers and keys: equal wherever the same batches are. Null while it is read again. */
  stateSum(): number | null {
    if (this.#state === null) return null
    let sum = 0
    for (const chunk of encodeSnapshot(captureState(this.#state, this.#log.latestEpoch), this.#world.codec)) {
      sum = this.#world.codec.crc32(chunk, sum)
    }
    return sum
  }

  configure(config: PartitionConfig): void {
    this.#config = config
    this.#log.configure(config)
  }

  /** Takes one whole batch, admitted and not stamped yet; its bytes are the log's from here on unless it is refused. */
  append(batch: Uint8Array, offer: PartitionOffer): Appended | AppendRefusal {
    assert(!this.#isClosed && batch.length === batchBytesOf(batch, 0), 'one whole batch for an open partition')
    const log = this.#log
    if (log.damage !== null) {
      return { kind: 'damaged', offset: log.damage.offset, nextReadableOffset: log.damage.nextReadableOffset }
    }
    const state = this.#state
    if (state === null) return { kind: 'loading' }
    const baseOffset = log.endOffset
    const appendedAt = Math.max(offer.now, log.appendedAtMax)
    const expiryMs = this.#config.idempotencyMs
    const verdict = judge(state, batch, { baseOffset, appendedAt, expectOffset: offer.expectOffset ?? null, expiryMs })
    if (verdict !== null) return verdict
    if (offer.isRetiring === true) return { kind: 'retiring' }
    stampBatch(batch, 0, baseOffset, appendedAt, this.leaderEpoch, this.#world.codec)
    log.append(batch)
    state.apply(batch, 0, expiryMs)
    this.#appendedBytes += batch.length
    const lastOffset = baseOffset + lastOffsetDeltaOf(batch, 0)
    return { kind: 'appended', baseOffset, lastOffset, count: recordCountOf(batch, 0), appendedAt }
  }

  /** 'disk-full': the batch was not kept. */
  whenCommitted(lastOffset: number): 'committed' | Promise<CommitFate> {
    return this.#highWatermark.wait(lastOffset)
  }

  /** Tells `waiter`, of a batch above the high watermark, what became of it: a promise a batch would cost more than its append. */
  tellCommitted(waiter: CommitWaiter): void {
    this.#highWatermark.add(waiter)
  }

  /** Batches from the one that holds `from`, all below the high watermark. */
  read(from: number, bytesMax: number): LogRead | Promise<LogRead> {
    const end = this.#highWatermark.value
    if (from > end) return { kind: 'beyond-end', endOffset: end }
    if (from === end && from >= this.#log.startOffset) return { kind: 'batches', bytes: NO_BYTES, nextOffset: from }
    return this.#log.read(from, end, bytesMax)
  }

  /** Visits every batch, also those not committed yet, in slices. */
  scan(from: number, upTo: number, visit: (bytes: Uint8Array, at: number) => void): Promise<void> {
    return this.#log.scan(from, upTo, visit)
  }

  /** What is held under a key; some of it may not be committed yet. */
  keyHeld(keyHash: Uint8Array): HeldKey | null {
    return this.#state?.keys.held(keyHash) ?? null
  }

  /** Where the last `count` records begin. */
  offsetOfLast(count: number): number | Promise<number> {
    const end = this.highWatermark
    if (this.#config.cleanup === 'delete') return Math.max(this.startOffset, end - count)
    return offsetOfLast(this.#log, end, count, this.#world.codec)
  }

  /** Of the first batch appended at this time or later. */
  offsetAtTime(ms: number): number | Promise<number> {
    return this.#log.offsetAtTime(ms)
  }

  endOffsetOfEpoch(epoch: number): { epoch: number; endOffset: number } | null {
    return this.#log.endOffsetOfEpoch(epoch)
  }

  /** Of the leader that appended this offset; of the present one from the end on. */
  epochAt(offset: number): number {
    return offset >= this.#log.endOffset ? this.leaderEpoch : this.#log.epochAt(offset)
  }

  /** Stored bytes between two offsets, roughly: by the average record. */
  bytesBetween(from: number, to: number): number {
    return this.#log.segments.bytesBetween(from, to, this.#log.writtenEnd)
  }

  /** Segment age, retention, expiry. What producers are owed outlives the records: it is saved before they go. */
  async maintain(): Promise<void> {
    await this.#alone(async () => {
      const nowMs = Math.max(this.#world.clock.now(), this.#log.appendedAtMax)
      if (this.#snapshots.durableOffset < this.#mayGoBelow(nowMs)) await this.#saveNow()
      await this.#log.maintain()
      this.#state?.expire(nowMs - this.#config.idempotencyMs)
      if (this.#log.startOffset > this.#snapshots.durableOffset) await this.#saveNow()
    })
  }

  get isCompactionDue(): boolean {
    return !this.#isClosed && this.#log.compactor.isDue(this.highWatermark)
  }

  /** Beside all else; a close ends it. */
  async compact(): Promise<void> {
    const { highWatermark: upTo } = this
    if (this.isCompactionDue) await this.#log.compactor.run({ upTo, identityMs: this.#config.idempotencyMs })
  }

  /** Durable when resolved, unless the partition has been closed. The caller has checked that it is not above the high watermark. */
  async trim(beforeOffset: number): Promise<'trimmed' | 'closed'> {
    assert(beforeOffset <= this.highWatermark, 'only what is committed is trimmed')
    const isDone = await this.#alone(async () => {
      if (beforeOffset <= this.#log.startOffset) return
      if (beforeOffset > this.#snapshots.durableOffset) await this.#saveNow()
      await this.#log.trim(beforeOffset)
      // There may have been no room before.
      if (this.#log.startOffset > this.#snapshots.durableOffset) await this.#saveNow()
    })
    return isDone ? 'trimmed' : 'closed'
  }

  /**
   * Writes and syncs what was appended, and a snapshot, so that the next start reads little. Housekeeping under way is
   * finished first and none begins any more: the folder may be gone once this resolves.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return this.#exclusive
    const closed = this.#exclusive.then(() => this.#close())
    this.#isClosed = true
    this.#exclusive = closed
    await closed
  }

  async #close(): Promise<void> {
    await this.#loading
    await this.#log.close()
    await this.#saving
    const state = this.#state
    if (state !== null && state.nextOffset === this.#log.endOffset && this.#log.damage === null) {
      if (state.nextOffset > this.#snapshots.newestOffset) {
        await this.#snapshots.save(captureState(state, this.#log.latestEpoch), this.#log, false)
      }
    }
    state?.keys.close()
  }

  /** Resolves to whether it was done: not when the partition was closed before its turn came. */
  #alone(job: () => Promise<void>): Promise<boolean> {
    const run = this.#exclusive.then(async () => {
      if (this.#isClosed) return false
      await job()
      return true
    })
    this.#exclusive = run.then(
      () => {},
      () => {},
    )
    return run
  }

  // --- what the log tells ----------------------------------------------------------------------------------------------

  onDurable(end: number): void {
    if (end <= this.#highWatermark.value) return
    this.#highWatermark.advance(end)
    this.#saveCapture()
    this.#onAdvance(this)
  }

  onRefused(from: number): void {
    this.#highWatermark.refuse(from)
    if (this.#capture !== null && this.#capture.nextOffset > from) this.#capture = null
    this.#state?.keys.close()
    this.#state = null
    if (!this.#isClosed) this.#loading = this.#loading.then(() => this.#reload())
    this.#onAdvance(this)
  }

  /** A segment is sealed. A snapshot, but not every time: no more is written in snapshots than in batches. */
  onRoll(end: number): void {
    this.#sealedEnd = end
    const state = this.#state
    if (state === null || this.#appendedBytes - this.#bytesAtSnapshot < this.#snapshots.newestBytes) return
    this.#bytesAtSnapshot = this.#appendedBytes
    this.#capture = captureState(state, this.#log.latestEpoch)
    this.#saveCapture()
  }

  // --- producer state --------------------------------------------------------------------------------------------------

  async #reload(): Promise<void> {
    await this.#saving
    const { endOffset } = this.#log
    const state = await this.#snapshots.load(this.#log, this.#keyBudget, this.#config.idempotencyMs)
    assert(endOffset === this.#log.endOffset, 'nothing is appended while the state is read')
    this.#state = state
  }

  #saveCapture(): void {
    const capture = this.#capture
    if (capture === null || capture.nextOffset > this.#highWatermark.value) return
    this.#capture = null
    this.#saving = this.#saving.then(() => this.#snapshots.save(capture, this.#log, false))
  }

  /** How far retention may cut: sealed segments, or all when the last record has nearly expired. */
  #mayGoBelow(nowMs: number): number {
    const { cleanup, retentionMs, retentionBytes } = this.#config
    if (cleanup === 'compact') return 0
    if (retentionMs >= 0 && nowMs - this.#log.appendedAtMax >= retentionMs - RETENTION_MARGIN_MS)
      return this.highWatermark
    return retentionMs >= 0 || retentionBytes >= 0 ? this.#sealedEnd : 0
  }

  /** A durable snapshot of everything committed, before log below it goes. */
  async #saveNow(): Promise<void> {
    await this.#loading
    const state = this.#state
    if (state === null || (state.producers.count === 0 && state.keys.count === 0)) return
    const capture = captureState(state, this.#log.latestEpoch)
    if ((await this.whenCommitted(capture.nextOffset - 1)) !== 'committed') return
    this.#saving = this.#saving.then(() => this.#snapshots.save(capture, this.#log, true))
    await this.#saving
  }
}
