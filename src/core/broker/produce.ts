// One produce request: records in, batches to partitions, one outcome back.
//
// A session routes each record to the lane of its partition (by URL, key, Idempotency-Key or the sticky choice), gathers a
// batch a lane, and appends. A buffered request appends everything in `finish`, so a body that fits one batch a partition is
// kept wholly or not at all in each; a streamed one appends whenever a lane is full or `flush` is called, in order, until
// the first refusal. Offsets are known at append; the outcome waits until all of it is committed.

import { assert, limits } from '../base/index.ts'
import type { TopicImage } from '../cluster/index.ts'
import type { CommitFate } from '../partition/index.ts'
import { type BatchCompression, batchBytesOf, type BatchFields, type RecordSpans, slotOfKey } from '../record/index.ts'
import type { HeldRequest } from './idempotency.ts'
import { Lane } from './lane.ts'
import { appendPatiently } from './produce-batches.ts'
import type { AppendedBatch, ProduceHost, ProduceOutcome, ProduceRequest } from './produce-request.ts'
import { joinResults, type PartitionResult, type ProduceRefusal, produceRefusalOf } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'

/** Waits for a commit, which decides about the records from `firstRecord` on. */
interface Unsettled {
  readonly firstRecord: number
}

const SKIPPED = 1
const IDEMPOTENT_BLOCK_RECORDS = 1_000

export class ProduceSession {
  readonly topic: TopicImage
  readonly created: boolean
  refusal: ProduceRefusal | null = null
  recordCount = 0
  /** Told of each batch once it is committed, in order of append within a partition. */
  onBatch: ((batch: AppendedBatch) => void) | null = null
  /** Told once when the request is over, finished or abandoned. */
  onEnd: (() => void) | null = null
  readonly #host: ProduceHost
  readonly #request: ProduceRequest
  #route: TopicRoute
  readonly #held: HeldRequest | null
  readonly #compression: BatchCompression
  readonly #nowMs: number
  /** Of the next batch: each begins where the one before it ended. */
  #expectOffset: number | null
  readonly #lanes: Lane[] = []
  /** The same by partition number. */
  readonly #laneByPartition: (Lane | undefined)[] = []
  /** The lane of the latest record: most requests have but one. */
  #lane: Lane | null = null
  #stickyLane: Lane | null = null
  /** A long stream holds no more of them than its window. */
  readonly #unsettled = new Set<Unsettled>()
  #onSettled: (() => void) | null = null
  #backlogBytes = 0
  #keptCount = 0
  #freshCount = 0
  #firstUnaccepted = Number.POSITIVE_INFINITY
  #appended: Promise<void> = Promise.resolve()
  #isAppending = false
  #hasAppended = false
  #areBuildersGiven = false
  #isOver = false

  constructor(
    host: ProduceHost,
    request: ProduceRequest,
    route: TopicRoute,
    created: boolean,
    compression: BatchCompression,
    held: HeldRequest | null,
  ) {
    this.#host = host
    this.#request = request
    this.#route = route
    this.topic = route.topic
    this.created = created
    this.#compression = compression
    this.#held = held
    assert(request.producer === null || !request.streaming, 'batches of a stream depend on time, numbers must not')
    this.#nowMs = host.nowMs()
    this.#expectOffset = request.expectOffset
  }

  /** Appended but not yet committed: a streaming reader pauses above its bound until `drained`. */
  get backlogBytes(): number {
    return this.#backlogBytes
  }

  async drained(): Promise<void> {
    await this.#appended
    await this.#whenSettled()
  }

  /** `start` and `end` are the record's own bytes within `source`: what a repeat under the same key must equal. */
  add(record: RecordSpans, source: Uint8Array, start: number, end: number): void {
    if (this.refusal !== null) return
    const index = this.recordCount++
    const payloadBytes = record.payloadBytes
    const { recordBytesMax, cleanup } = this.#route.config
    if (payloadBytes > recordBytesMax) {
      this.#refuseRecord({ kind: 'record-too-large', bytes: payloadBytes, bytesMax: recordBytesMax, record: index })
      return
    }
    if (record.keyStart < 0 && cleanup !== 'delete') {
      this.#refuseRecord({ kind: 'key-required', topic: this.topic.name, record: index })
      return
    }
    let lane = this.#laneOf(record, index)
    if (lane === null) return
    if (this.#held !== null && this.#skipHeld(this.#held, lane, source, start, end) === SKIPPED) return
    while (!lane.builder.add(record, this.#nowMs)) lane = this.#laneAfter(lane, record, index)
    if (lane.builder.recordCount === 1) {
      lane.firstRecord = index
      lane.batchOrdinal = lane.ordinal - 1
    }
    if (this.#held !== null) lane.digest = this.#pendingDigest
    this.#freshCount++
  }

  /** Streaming: appends what the lanes hold, full or not. */
  flush(): void {
    for (const lane of this.#lanes) if (lane.builder.recordCount > 0) this.#seal(lane)
    this.#routeAnew()
  }

  /** A long stream goes by the topic as it is: it may have grown since, or a partition may be retiring. */
  #routeAnew(): void {
    if (!this.#request.streaming || this.#request.partition !== null || this.#held !== null) return
    const route = this.#host.route(this.topic.id)
    if (route === null || route === this.#route || route.active.length === 0) return
    this.#route = route
    this.#lane = null
    this.#stickyLane = null
  }

  /** Ends the request. Called once; the session is of no use afterwards. */
  async finish(): Promise<ProduceOutcome> {
    const request = this.#request
    if (this.refusal === null) this.#checkHeldToTheEnd()
    if (this.refusal === null && !request.streaming) this.#checkLanes()
    if (this.refusal === null || request.streaming) this.flush()
    this.#giveBuilders()
    if (this.refusal === null && request.producer !== null) this.#checkRepeatable()
    if (!request.streaming && this.refusal === null) this.#startAppending()
    if (this.#isAppending) await this.#appended
    if (request.acks !== '0' && this.#unsettled.size > 0) {
      if (request.timeoutMs === null) {
        await this.#whenSettled()
      } else if (await this.#host.expired(this.#whenSettled(), request.timeoutMs)) {
        const firstRecords = Array.from(this.#unsettled, ({ firstRecord }) => firstRecord)
        this.#refuse({ kind: 'ack-timeout', timeoutMs: request.timeoutMs }, Math.min(...firstRecords))
      }
    }
    this.#end()
    return this.#outcome()
  }

  /** In place of `finish`: gives up without appending what is not appended yet. */
  abandon(): void {
    this.#giveBuilders()
    this.#lanes.length = 0
    this.#end()
  }

  #giveBuilders(): void {
    if (this.#areBuildersGiven) return
    this.#areBuildersGiven = true
    for (const { builder } of this.#lanes) {
      builder.clear()
      this.#host.builders.give(builder)
    }
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.onEnd?.()
  }

  #outcome(): ProduceOutcome {
    const partitions: PartitionResult[] = []
    let count = this.#keptCount
    const held = this.#held
    for (const lane of this.#lanes) {
      const first = held?.resultOf(lane.replica) ?? null
      const result = first !== null && lane.result !== null ? joinResults(first, lane.result) : (lane.result ?? first)
      if (result !== null) partitions.push(result)
      if (first !== null) count += first.count
    }
    partitions.sort((a, b) => a.partition - b.partition)
    return {
      topic: this.topic,
      created: this.created,
      replayed: held !== null && held.isHeld && this.#freshCount === 0 && this.refusal === null,
      count,
      partitions,
      refusal: this.refusal,
      firstUnaccepted: this.refusal === null ? null : this.#firstNotKept(),
    }
  }

  /** A request that is taken wholly is refused wholly when the refusal comes before the first append. */
  #firstNotKept(): number {
    if (!this.#request.streaming && !this.#hasAppended) return 0
    return Math.min(this.#firstUnaccepted, this.recordCount)
  }

  // --- routing ---------------------------------------------------------------------------------------------------------

  #laneOf(record: RecordSpans, index: number): Lane | null {
    const route = this.#route
    if (this.#request.partition !== null) {
      return this.#lane ?? this.#openLane(route.replica(this.#request.partition), this.#request.partition)
    }
    if (route.active.length === 1)
      return this.#lane ?? this.#openLane(route.replica(route.active[0]!), route.active[0]!)
    let partition: number
    if (record.keyStart >= 0) {
      partition = route.slots.partitionOf(slotOfKey(record.key, record.keyStart, record.keyEnd))
    } else if (this.#held !== null) {
      const block = Math.floor(index / IDEMPOTENT_BLOCK_RECORDS)
      partition = route.active[(this.#held.spread + block) % route.active.length]!
    } else {
      const sticky = this.#stickyLane
      if (sticky !== null) return sticky
      partition = route.active[this.#host.nextSticky() % route.active.length]!
      this.#stickyLane = this.#laneAt(partition)
      return this.#stickyLane
    }
    return this.#laneAt(partition)
  }

  #laneAt(partition: number): Lane | null {
    if (this.#lane?.replica.partition === partition) return this.#lane
    const known = this.#laneByPartition[partition]
    if (known !== undefined) return (this.#lane = known)
    return this.#openLane(this.#route.replica(partition), partition)
  }

  #openLane(replica: Replica | null, partition: number): Lane | null {
    if (replica === null) {
      const partitionCount = this.topic.partitions.length
      this.#refuse(
        { kind: 'unknown-partition', topic: this.topic.name, partition, partitionCount },
        this.recordCount - 1,
      )
      return null
    }
    const lane = new Lane(replica, this.#host.builders.take())
    if (this.#request.idempotency !== null) lane.digest = this.#request.idempotency.bodySeed
    this.#lanes.push(lane)
    this.#laneByPartition[partition] = lane
    this.#lane = lane
    return lane
  }

  // --- repeats under an Idempotency-Key --------------------------------------------------------------------------------

  #pendingDigest = 0n

  /** Rolls the digest; true when an earlier request has already kept this record. */
  #skipHeld(held: HeldRequest, lane: Lane, source: Uint8Array, start: number, end: number): number {
    const digest = this.#host.codec.xxHash64(source.subarray(start, end), lane.digest)
    const ordinal = lane.ordinal++
    if (!held.holds(lane.replica, ordinal)) {
      // The builder may have to seal the open batch first, which ends with the digest before this record.
      this.#pendingDigest = digest
      return 0
    }
    lane.digest = digest
    const expected = held.digestAt(lane.replica, ordinal)
    if (expected !== null && expected !== digest) this.#refuse({ kind: 'key-conflict', first: held.results() }, 0)
    return SKIPPED
  }

  /** A repeat that is shorter than what is held is another body. */
  #checkHeldToTheEnd(): void {
    const held = this.#held
    if (held === null || !held.isHeld) return
    const reached = new Map<number, number>()
    for (const lane of this.#lanes) reached.set(lane.replica.partition, lane.ordinal)
    if (!held.isCoveredBy(reached)) this.#refuse({ kind: 'key-conflict', first: held.results() }, 0)
  }

  // --- appending -------------------------------------------------------------------------------------------------------

  /** Whatever would refuse an append now, before any partition has taken its share. A repeat may have nothing to append. */
  #checkLanes(): void {
    for (const lane of this.#lanes) {
      if (lane.builder.recordCount === 0 && lane.batches === null) continue
      const refusal = this.#host.appendRefusal(lane.replica)
      if (refusal !== null) {
        this.#refuse(refusal, 0)
        return
      }
    }
  }

  /** A numbered request is sent again when its answer is lost, and must then be found whole. */
  #checkRepeatable(): void {
    const batchesMax = limits.PRODUCER_BATCHES_KEPT
    for (const { batches } of this.#lanes) {
      if (batches === null || batches.length <= batchesMax) continue
      this.#refuse({ kind: 'too-many-batches', batches: batches.length, batchesMax }, 0)
    }
  }

  /** The lane is full: its batch is closed. A stream without keys then goes on elsewhere. */
  #laneAfter(full: Lane, record: RecordSpans, index: number): Lane {
    this.#seal(full)
    if (this.#stickyLane !== full || !this.#request.streaming || record.keyStart >= 0) return full
    this.#stickyLane = null
    return this.#laneOf(record, index) ?? full
  }

  #seal(lane: Lane): void {
    const { idempotency, producer } = this.#request
    const count = lane.builder.recordCount
    const fields: BatchFields = { compression: this.#compression }
    if (producer !== null) {
      fields.producerId = producer.id
      fields.producerEpoch = producer.epoch
      fields.baseSequence = producer.sequence
    }
    if (idempotency !== null) {
      const { partitionCount } = this.#held!
      const { keyHash } = idempotency
      fields.idempotency = { keyHash, firstOrdinal: lane.batchOrdinal, partitionCount, digest: lane.digest }
    }
    const batch = lane.builder.finish(fields)
    if (producer !== null) producer.sequence = (producer.sequence + count) % 0x1_0000_0000
    lane.batches ??= []
    lane.firstRecords ??= []
    lane.batches.push(batch)
    lane.firstRecords.push(lane.firstRecord)
    if (this.#request.streaming) this.#startAppending()
  }

  #startAppending(): void {
    // Synchronous unless a producer's sequence has to wait for its predecessor.
    for (const lane of this.#lanes) {
      while (lane.batches !== null && lane.batches.length > 0) {
        if (this.#isAppending) return
        const refusal = this.refusal ?? this.#host.appendRefusal(lane.replica)
        if (refusal !== null) {
          this.#refuse(refusal, lane.firstRecords![0]!)
          lane.batches.length = 0
          lane.firstRecords!.length = 0
          break
        }
        const batch = lane.batches[0]!
        const appended = lane.replica.append(batch, this.#expectOffset)
        if (appended.kind === 'sequence-gap' && appended.isAhead) {
          this.#isAppending = true
          this.#appended = this.#appendAfterGap(lane, batch).then(() => {
            this.#isAppending = false
            this.#startAppending()
            return this.#isAppending ? this.#appended : undefined
          })
          return
        }
        this.#took(lane, batch, appended)
      }
    }
  }

  async #appendAfterGap(lane: Lane, batch: Uint8Array): Promise<void> {
    this.#took(lane, batch, await appendPatiently(this.#host, lane.replica, batch, this.#expectOffset))
  }

  #took(lane: Lane, batch: Uint8Array, appended: ReturnType<Replica['append']>): void {
    const firstRecord = lane.firstRecords!.shift()!
    lane.batches!.shift()
    if (appended.kind !== 'appended' && appended.kind !== 'duplicate') {
      this.#refuse(produceRefusalOf(appended, this.topic, lane.replica.partition), firstRecord)
      // What the refusal reveals must be durable before it is told.
      const unsettled: Unsettled = { firstRecord }
      this.#unsettled.add(unsettled)
      void lane.replica.settled().then(() => this.#settled(unsettled))
      return
    }
    this.#hasAppended = true
    const { baseOffset, lastOffset, count, appendedAt } = appended
    if (this.#expectOffset !== null) this.#expectOffset = lastOffset + 1
    const result = { partition: lane.replica.partition, baseOffset, lastOffset, count, appendedAt }
    if (lane.replica.isCommitted(lastOffset)) {
      this.#keep(lane, result, firstRecord)
      return
    }
    if (this.#request.acks === '0') return
    const bytes = batchBytesOf(batch, 0)
    this.#backlogBytes += bytes
    const waiter = {
      lastOffset,
      firstRecord,
      settle: (fate: CommitFate): void => {
        this.#backlogBytes -= bytes
        if (fate === 'committed') this.#keep(lane, result, firstRecord)
        else this.#refuse(lane.replica.diskLow(), firstRecord)
        this.#settled(waiter)
      },
    }
    this.#unsettled.add(waiter)
    lane.replica.live.tellCommitted(waiter)
  }

  #settled(unsettled: Unsettled): void {
    this.#unsettled.delete(unsettled)
    if (this.#unsettled.size === 0) this.#onSettled?.()
  }

  #whenSettled(): Promise<void> {
    if (this.#unsettled.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onSettled = resolve
    })
  }

  #keep(lane: Lane, result: PartitionResult, firstRecord: number): void {
    this.#keptCount += result.count
    lane.result = lane.result === null ? result : joinResults(lane.result, result)
    // A commit that comes after `ack-timeout` has nobody to be told to.
    if (!this.#isOver) this.onBatch?.({ ...result, firstRecord })
  }

  /** A stream keeps all that came before. */
  #refuseRecord(refusal: ProduceRefusal & { record: number }): void {
    if (this.#request.streaming) this.flush()
    this.#refuse(refusal, refusal.record)
  }

  #refuse(refusal: ProduceRefusal, firstRecord: number): void {
    this.refusal ??= refusal
    this.#firstUnaccepted = Math.min(this.#firstUnaccepted, firstRecord)
  }
}
