// A topic as a producer sees it: which partitions take records, and a lane for each. Records that come before that is known, or
// while the buffer is full, wait here in the order they came.

import { getTopic, produce, type Topic } from '../../openapi/client/index.ts'
import { Deque } from '../core/base/index.ts'
import { slotOfKey, SlotTable } from '../core/record/index.ts'
import { Backoff, sleep } from './backoff.ts'
import { type Answer, answerOf } from './brokers.ts'
import type { Budget } from './budget.ts'
import { type Identity, Lane, type LaneWorld } from './lane.ts'
import { NaruError } from './naru-error.ts'
import type { PendingBatch } from './pending-batch.ts'
import type { ProducerRecord, RecordEncoder } from './record-encoder.ts'
import { withinMs } from './within.ts'

export interface TopicWorld extends LaneWorld {
  readonly encoder: RecordEncoder
  readonly budget: Budget
  readonly createsTopics: boolean
  /** How long the partitions of a topic are believed. */
  readonly metadataMs: number
  identity(): Promise<Identity | null>
}

/** A record that waits for its turn. */
export class Waiting {
  readonly record: ProducerRecord
  readonly deadlineMs: number
  /** Resolves when it is placed or refused. */
  readonly settled: Promise<void>
  readonly #placed: (batch: PendingBatch) => void
  readonly #refused: (error: NaruError) => void
  #settle!: () => void

  constructor(
    record: ProducerRecord,
    deadlineMs: number,
    placed: (batch: PendingBatch) => void,
    refused: (error: NaruError) => void,
  ) {
    this.record = record
    this.deadlineMs = deadlineMs
    this.#placed = placed
    this.#refused = refused
    this.settled = new Promise((resolve) => (this.#settle = resolve))
  }

  placed(batch: PendingBatch): void {
    this.#placed(batch)
    this.#settle()
  }

  refuse(error: NaruError): void {
    this.#refused(error)
    this.#settle()
  }
}

/** What a record costs in the buffer besides its bytes. */
const RECORD_COST_BYTES = 48

interface Route {
  readonly partitions: readonly number[]
  readonly slots: SlotTable
  readonly identity: Identity | null
  readonly loadedAtMs: number
}

export class TopicLanes {
  readonly name: string
  readonly #world: TopicWorld
  readonly #budget: Budget
  readonly #encoder: RecordEncoder
  readonly #lanes = new Map<number, Lane>()
  /** Of a topic that was, with batches to be settled. */
  #forgotten: readonly Lane[] = []
  readonly #waiting = new Deque<Waiting>()
  #expiry: ReturnType<typeof setTimeout> | null = null
  #route: Route | null = null
  #isLoading = false
  #isAnother = false
  /** Where records without a key go, until the batch there is finished. */
  #sticky: Lane | null = null

  constructor(name: string, world: TopicWorld) {
    this.name = name
    this.#world = world
    this.#budget = world.budget
    this.#encoder = world.encoder
  }

  get batches(): readonly PendingBatch[] {
    return [...this.#lanes.values(), ...this.#forgotten].flatMap((lane) => lane.batches)
  }

  get waitingCount(): number {
    return this.#waiting.count
  }

  /** The latest that waits. */
  get lastWaiting(): Waiting | undefined {
    return this.#waiting.last()
  }

  /** Null: it would have to wait. Throws where the record is not valid. */
  take(record: ProducerRecord): PendingBatch | null {
    if (this.#route === null || this.#waiting.count > 0 || !this.#budget.hasRoom) return null
    return this.#place(record, this.#route)
  }

  wait(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#expiry ??= setTimeout(() => this.#expire(), Math.max(waiting.deadlineMs - Date.now(), 0))
    if (this.#route === null) void this.#load()
  }

  /** There may be room. */
  resume(): void {
    while (this.#route !== null && this.#waiting.count > 0 && this.#budget.hasRoom) {
      const waiting = this.#waiting.shift()!
      try {
        waiting.placed(this.#place(waiting.record, this.#route))
      } catch (error) {
        if (!(error instanceof NaruError)) throw error
        waiting.refuse(error)
      }
    }
    if (this.#waiting.count === 0 && this.#expiry !== null) {
      clearTimeout(this.#expiry)
      this.#expiry = null
    }
  }

  finish(): void {
    for (const lane of this.#lanes.values()) lane.finish()
  }

  /** Its partitions are not what they were: asked for before the next record. */
  lookAgain(): void {
    this.#route = null
  }

  /** The topic is gone; one of the same name would be another. */
  forget(): void {
    this.finish()
    this.#route = null
    this.#isAnother = true
    this.#forgotten = [...this.#lanes.values(), ...this.#forgotten].filter((lane) => lane.batches.length > 0)
    this.#lanes.clear()
    this.#sticky = null
  }

  refuseAll(error: NaruError): void {
    for (let waiting = this.#waiting.shift(); waiting !== undefined; waiting = this.#waiting.shift())
      waiting.refuse(error)
    this.resume()
  }

  #place(record: ProducerRecord, route: Route): PendingBatch {
    const spans = this.#encoder.encode(record)
    const nowMs = Date.now()
    const { partition } = record
    let lane: Lane
    if (partition !== undefined) {
      if (!route.partitions.includes(partition)) throw noPartition(this.name, partition, route)
      lane = this.#lane(partition, route)
    } else if (spans.keyStart >= 0) {
      lane = this.#lane(route.slots.partitionOf(slotOfKey(spans.key, spans.keyStart, spans.keyEnd)), route)
    } else {
      lane = this.#stickyLane(route)
    }
    const costBytes = spans.payloadBytes + RECORD_COST_BYTES
    const batch = lane.add(spans, nowMs)
    batch.costBytes += costBytes
    this.#budget.usedBytes += costBytes
    if (nowMs - route.loadedAtMs > this.#world.metadataMs && !this.#isLoading) void this.#load()
    return batch
  }

  #lane(partition: number, { identity }: Route): Lane {
    let lane = this.#lanes.get(partition)
    if (lane === undefined) {
      lane = new Lane(this.#world, this.name, partition, identity)
      this.#lanes.set(partition, lane)
    }
    return lane
  }

  #stickyLane(route: Route): Lane {
    const { partitions } = route
    const isThere = this.#sticky !== null && partitions.includes(this.#sticky.partition)
    if (this.#sticky !== null && isThere && this.#sticky.isGathering) return this.#sticky
    const at =
      this.#sticky === null
        ? Math.floor(Math.random() * partitions.length)
        : partitions.indexOf(this.#sticky.partition) + 1
    this.#sticky = this.#lane(partitions[at % partitions.length]!, route)
    return this.#sticky
  }

  async #load(): Promise<void> {
    if (this.#isLoading) return
    this.#isLoading = true
    try {
      const topic = await this.#topic()
      const identity =
        this.#route?.identity ?? (await (this.#isAnother ? this.#world.freshIdentity() : this.#world.identity()))
      const partitions = topic.partitions.filter(({ state }) => state === 'active').map(({ partition }) => partition)
      this.#route = { partitions, slots: new SlotTable(partitions), identity, loadedAtMs: Date.now() }
    } catch (error) {
      if (!(error instanceof NaruError)) throw error
      // What is known goes on; who waits is told.
      if (this.#route === null) this.refuseAll(error)
      else this.#route = { ...this.#route, loadedAtMs: Date.now() }
    } finally {
      this.#isLoading = false
    }
    this.resume()
  }

  async #topic(): Promise<Topic> {
    const { brokers, settings, stopping } = this.#world
    const backoff = new Backoff(50, 2_000)
    for (;;) {
      const url = brokers.url
      const answer = await withinMs(settings.requestTimeoutMs, stopping, (signal) => this.#ask(url, signal))
      if (answer.kind === 'done') return answer.data
      if (answer.kind === 'lost') brokers.failed(url)
      if (answer.kind === 'refused' && !answer.problem.retryable) throw NaruError.of(answer.problem)
      await sleep(backoff.next(answer.kind === 'refused' ? answer.retryAfterMs : 0), stopping)
      // Who waits has a deadline each; when none does any more, nobody asks.
      if (stopping.aborted || (this.#waiting.count === 0 && this.#route === null)) {
        throw answer.kind === 'lost' ? brokers.lost(answer.error) : NaruError.of(answer.problem)
      }
    }
  }

  async #ask(url: string, signal: AbortSignal): Promise<Answer<Topic>> {
    const asked = { client: this.#world.brokers.client(url), path: { topic: this.name }, signal }
    const answer = await answerOf<Topic>(getTopic(asked))
    const isMissing = answer.kind === 'refused' && answer.problem.code === 'unknown-topic'
    if (!isMissing || !this.#world.createsTopics) return answer
    // Whether producing creates a topic, and what it is like then, is the broker's to say.
    const created = await answerOf(produce({ ...asked, body: { records: [] } }))
    return created.kind === 'done' ? answerOf<Topic>(getTopic(asked)) : created
  }

  #expire(): void {
    this.#expiry = null
    const nowMs = Date.now()
    for (let first = this.#waiting.first(); first !== undefined; first = this.#waiting.first()) {
      if (first.deadlineMs > nowMs) {
        this.#expiry = setTimeout(() => this.#expire(), first.deadlineMs - nowMs)
        return
      }
      this.#waiting.shift()
      first.refuse(tooLate(this.name, this.#route === null))
    }
  }
}

function tooLate(topic: string, isUnknown: boolean): NaruError {
  const why = isUnknown
    ? `no broker told the partitions of ${topic}: is one running, and its URL right?`
    : 'the buffer stayed full: the broker takes less than is sent, so send slower or raise bufferBytes'
  return new NaruError(isUnknown ? 'unreachable' : 'buffer-full', `The record was not sent: ${why}`, {
    outcome: 'none',
    retryable: true,
  })
}

function noPartition(topic: string, partition: number, { partitions }: Route): NaruError {
  const message = `The record was not taken: ${topic} has no active partition ${partition}, but ${partitions.join(', ')}`
  return new NaruError('invalid-record', message, { outcome: 'none', retryable: false })
}
