// Sends records in batches: gathered per partition for a few milliseconds, sent as the broker stores them, acknowledged when they
// are safe there. By default each record is kept once and in the order of its key, through lost answers and broker restarts.
//
//   await producer.send('orders', { key: 'ann', value: { item: 'tea' } })      its place, when it is kept
//   await producer.add('orders', record)                                       taken; waits only while the buffer is full
//   await producer.flush()                                                     all that was added is kept, or throws

import { createProducer } from '../../openapi/client/index.ts'
import { limits } from '../core/base/index.ts'
import { Backoff, sleep } from './backoff.ts'
import { answerOf, Brokers } from './brokers.ts'
import { Budget } from './budget.ts'
import { canCompress, clientCodec } from './codec.ts'
import type { Identity, LaneSettings } from './lane.ts'
import { NaruError } from './naru-error.ts'
import type { PendingBatch } from './pending-batch.ts'
import { type ProducerRecord, RecordEncoder } from './record-encoder.ts'
import { TopicLanes, type TopicWorld, Waiting } from './topic-lanes.ts'
import { turn } from './turn.ts'
import { withinMs } from './within.ts'

export interface ProducerOptions {
  /** One URL or several: any broker takes any record. */
  brokers: string | readonly string[]
  /** How long a record waits for others to go with it. Default 5. */
  lingerMs?: number
  /** A batch that has so much goes at once. Default 256 KiB, at most 2 MiB. */
  batchBytes?: number
  /** Taken and not yet acknowledged; beyond, `send` and `add` wait. Default 32 MiB. */
  bufferBytes?: number
  /** gzip where the runtime has CompressionStream. Default none. */
  compression?: 'none' | 'gzip'
  /** Whether repeats are recognised by the broker. Without, what may have been kept is not sent again. Default true. */
  idempotence?: boolean
  /** Batches under way for one partition, 1 to 5. Default 5; without idempotence always 1, which keeps the order. */
  inFlightMax?: number
  /** all (default): every in-sync replica has it; 1: the leader has; 0: it was sent, once, and may be lost. */
  acks?: 'all' | '1' | '0'
  /** When to give up on a record. Default two minutes. */
  deliveryTimeoutMs?: number
  /** When to give up on one request, and try again. Default 30 s. */
  requestTimeoutMs?: number
  /** How long the partitions of a topic are believed. Default one minute. */
  metadataMs?: number
  /** Whether a topic that is not there is created, where the broker lets producers do so. Default true. */
  createTopics?: boolean
  /** Told of each batch that was not kept. */
  onError?: (error: NaruError, lost: { topic: string; partition: number; recordCount: number }) => void
}

/** Where a record is kept. */
export interface Sent {
  readonly topic: string
  readonly partition: number
  /** With acks 0 nobody knows: -1. */
  readonly offset: number
  /** The broker's clock, milliseconds; -1 with acks 0. */
  readonly appendedAt: number
}

export interface ProducerMetrics {
  readonly recordsTaken: number
  readonly recordsKept: number
  readonly recordsFailed: number
  /** Of batches kept, as they were sent. */
  readonly bytesKept: number
  readonly batchesKept: number
  readonly requests: number
  readonly repeats: number
  /** Taken and not settled. */
  readonly bufferedBytes: number
}

const KIB = 1024
/** Records that wait for room or for a topic's partitions; who does not wait for `send` gets no further. */
const WAITING_MAX = 10_000

export class Producer {
  readonly #options: ProducerOptions
  readonly #world: TopicWorld
  readonly #topics = new Map<string, TopicLanes>()
  readonly #stopping = new AbortController()
  readonly #budget: Budget
  #firstIdentity: Promise<Identity | null> | null = null
  /** The one latest asked for. */
  #latestTopic: TopicLanes | null = null
  /** Of records added, since the latest flush. */
  #failure: NaruError | null = null
  #isClosed = false
  #recordsTaken = 0
  #recordsKept = 0
  #recordsFailed = 0
  #bytesKept = 0
  #batchesKept = 0
  #requests = 0
  #repeats = 0

  constructor(options: ProducerOptions) {
    this.#options = options
    this.#budget = new Budget(options.bufferBytes ?? 32 * 1024 * KIB)
    const settings = settingsOf(options)
    this.#world = {
      settings,
      codec: clientCodec(),
      brokers: new Brokers(options.brokers),
      encoder: new RecordEncoder(),
      stopping: this.#stopping.signal,
      createsTopics: options.createTopics ?? true,
      metadataMs: options.metadataMs ?? 60_000,
      budget: this.#budget,
      identity: () => this.#identity(),
      freshIdentity: () => this.#freshIdentity(),
      sent: (_, isRepeat) => this.#counted(isRepeat),
      settled: (batch, error) => this.#settled(batch, error),
    }
  }

  /** Resolves when the record is kept. Rejects with a `NaruError` that tells what happened to it. */
  async send(topic: string, record: ProducerRecord): Promise<Sent> {
    this.#checkOpen()
    const taken = this.#topic(topic).take(record)
    const { batch, ordinal } = taken === null ? await this.#wait(topic, record) : this.#placeOf(taken)
    const { baseOffset, appendedAt } = await batch.kept
    return { topic, partition: batch.partition, offset: baseOffset < 0 ? -1 : baseOffset + ordinal, appendedAt }
  }

  /**
   * Takes a record and returns nothing, or a promise to wait for before the next one: of room, when the buffer is full; of a turn
   * for the answers to come in, when a batch begins and others have yet to be sent. Failures are told to `onError` and by the
   * next `flush`. The cheapest way to send many.
   */
  add(topic: string, record: ProducerRecord): Promise<void> | undefined {
    this.#checkOpen()
    const batch = this.#topic(topic).take(record)
    if (batch === null) {
      return this.#wait(topic, record).then(
        (place) => void (place.batch.hasUnwatched = true),
        (error: unknown) => {
          if (error instanceof NaruError && error.code !== 'invalid-record') this.#failure ??= error
          throw error
        },
      )
    }
    this.#recordsTaken++
    batch.hasUnwatched = true
    return batch.isBehind && batch.recordCount === 1 ? turn() : undefined
  }

  /** Sends what is gathered, and resolves when all that was taken before is kept. Throws when some that was added is not. */
  async flush(): Promise<void> {
    const topics = [...this.#topics.values()]
    for (const waiting of topics.map(({ lastWaiting }) => lastWaiting)) await waiting?.settled
    for (const topic of topics) topic.finish()
    const batches = topics.flatMap((topic) => topic.batches)
    await Promise.all(batches.map(({ settled }) => settled))
    const failure = this.#failure
    this.#failure = null
    if (failure !== null) throw failure
  }

  /** Takes no more, and flushes; what is not kept within `timeoutMs` (30 s) fails. */
  async close({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<void> {
    this.#isClosed = true
    const timer = setTimeout(() => this.#stop(), timeoutMs)
    try {
      await this.flush()
    } finally {
      clearTimeout(timer)
      this.#stop()
    }
  }

  get metrics(): ProducerMetrics {
    return {
      recordsTaken: this.#recordsTaken,
      recordsKept: this.#recordsKept,
      recordsFailed: this.#recordsFailed,
      bytesKept: this.#bytesKept,
      batchesKept: this.#batchesKept,
      requests: this.#requests,
      repeats: this.#repeats,
      bufferedBytes: this.#budget.usedBytes,
    }
  }

  #stop(): void {
    this.#stopping.abort(new Error('the producer is closed'))
    for (const topic of this.#topics.values()) topic.refuseAll(closed())
  }

  #checkOpen(): void {
    if (this.#isClosed) throw closed()
  }

  #topic(name: string): TopicLanes {
    if (this.#latestTopic !== null && this.#latestTopic.name === name) return this.#latestTopic
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = new TopicLanes(name, this.#world)
      this.#topics.set(name, topic)
    }
    this.#latestTopic = topic
    return topic
  }

  #placeOf(batch: PendingBatch): Place {
    this.#recordsTaken++
    return { batch, ordinal: batch.recordCount - 1 }
  }

  #wait(topicName: string, record: ProducerRecord): Promise<Place> {
    const topic = this.#topic(topicName)
    if (topic.waitingCount >= WAITING_MAX) {
      const message = `${WAITING_MAX} records wait already: await what send and add return before going on`
      throw new NaruError('buffer-full', `The record was not taken: ${message}`, { outcome: 'none', retryable: true })
    }
    const deadlineMs = Date.now() + this.#world.settings.deliveryTimeoutMs
    return new Promise<Place>((resolve, reject) => {
      const waiting = new Waiting(record, deadlineMs, (batch) => resolve(this.#placeOf(batch)), reject)
      topic.wait(waiting)
    })
  }

  #counted(isRepeat: boolean): void {
    this.#requests++
    if (isRepeat) this.#repeats++
  }

  #settled(batch: PendingBatch, error: NaruError | null): void {
    this.#budget.usedBytes -= batch.costBytes
    if (error === null) {
      this.#recordsKept += batch.recordCount
      this.#bytesKept += batch.bytes.length
      this.#batchesKept++
    } else {
      this.#recordsFailed += batch.recordCount
      this.#failed(batch, error)
    }
    if (this.#budget.hasRoom) for (const topic of this.#topics.values()) topic.resume()
  }

  #failed({ topic, partition, recordCount, hasUnwatched }: PendingBatch, error: NaruError): void {
    if (hasUnwatched) this.#failure ??= error
    if (error.code === 'unknown-topic') this.#topics.get(topic)?.forget()
    if (error.code === 'unknown-partition' || error.code === 'partition-retiring') this.#topics.get(topic)?.lookAgain()
    this.#options.onError?.(error, { topic, partition, recordCount })
  }

  /** Asked for once; a failure is not remembered. */
  #identity(): Promise<Identity | null> {
    this.#firstIdentity ??= this.#freshIdentity()
    this.#firstIdentity.catch(() => (this.#firstIdentity = null))
    return this.#firstIdentity
  }

  async #freshIdentity(): Promise<Identity | null> {
    if (this.#options.idempotence === false || this.#options.acks === '0') return null
    const { brokers, settings, stopping } = this.#world
    const deadlineMs = Date.now() + settings.deliveryTimeoutMs
    const backoff = new Backoff(50, 2_000)
    for (;;) {
      const { url } = brokers
      const answer = await withinMs(settings.requestTimeoutMs, stopping, (signal) =>
        answerOf(createProducer({ client: brokers.client(url), signal })),
      )
      if (answer.kind === 'done') return answer.data
      if (answer.kind === 'lost') brokers.failed(url)
      const waitMs = backoff.next(answer.kind === 'refused' ? answer.retryAfterMs : 0)
      const isFinal = answer.kind === 'refused' && !answer.problem.retryable
      if (isFinal || stopping.aborted || Date.now() + waitMs > deadlineMs) {
        throw answer.kind === 'lost' ? brokers.lost(answer.error) : NaruError.of(answer.problem)
      }
      await sleep(waitMs, stopping)
    }
  }
}

interface Place {
  readonly batch: PendingBatch
  /** Of the record in its batch. */
  readonly ordinal: number
}

function settingsOf(options: ProducerOptions): LaneSettings {
  const batchBytes = options.batchBytes ?? 256 * KIB
  const lingerMs = options.lingerMs ?? 5
  const inFlightMax = options.inFlightMax ?? limits.PRODUCER_BATCHES_KEPT
  const { compression = 'none' } = options
  if (batchBytes > limits.BATCH_BYTES_MAX || !(batchBytes > 0)) {
    throw new TypeError(`batchBytes: 1 to ${limits.BATCH_BYTES_MAX}`)
  }
  if (!(lingerMs >= 0)) throw new TypeError('lingerMs: 0 or more')
  if (!(inFlightMax >= 1 && inFlightMax <= limits.PRODUCER_BATCHES_KEPT)) {
    throw new TypeError(`inFlightMax: 1 to ${limits.PRODUCER_BATCHES_KEPT}`)
  }
  if (options.acks === '0' && options.idempotence === true) {
    throw new TypeError('idempotence: with acks 0 nothing is sent again, so that nothing is to be recognised')
  }
  if (compression === 'gzip' && !canCompress()) {
    throw new TypeError('compression: this runtime has no CompressionStream; leave it out')
  }
  return {
    lingerMs,
    batchBytes,
    inFlightMax,
    isCompressed: compression === 'gzip',
    acks: options.acks ?? 'all',
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
  }
}

function closed(): NaruError {
  return new NaruError('closed', 'The producer is closed: make another one', { outcome: 'none', retryable: false })
}
