// The batches of one partition, in order. Up to `inFlightMax` are under way at once; the broker keeps their order by their
// sequence, and tells a repeat from a new batch. So a batch whose answer is lost is sent again until it is known what became of it.
//
// When a batch is given up, those behind it cannot be appended under the same identity: their sequence would leave a gap. The lane
// then waits until the fate of each is known, takes a new identity, and numbers what is left anew.

import { produceBatches } from '../../openapi/client/index.ts'
import type { Problem } from '../../openapi/client/index.ts'
import { BatchBuilder, type BatchWriterCodec, identifyBatch, type RecordSpans } from '../core/record/index.ts'
import { Backoff, sleep } from './backoff.ts'
import { type Answer, answerOf, type Brokers, textOf } from './brokers.ts'
import { gzipped } from './codec.ts'
import { NaruError } from './naru-error.ts'
import { PendingBatch } from './pending-batch.ts'
import { withinMs } from './within.ts'

export interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

export interface LaneSettings {
  readonly lingerMs: number
  readonly batchBytes: number
  readonly isCompressed: boolean
  readonly inFlightMax: number
  readonly deliveryTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly acks: 'all' | '1' | '0'
}

/** What lanes share: their producer. */
export interface LaneWorld {
  readonly settings: LaneSettings
  readonly codec: BatchWriterCodec
  readonly brokers: Brokers
  /** Aborts when the producer gives up. */
  readonly stopping: AbortSignal
  /** Null: repeats are not recognised, and so not made. */
  freshIdentity(): Promise<Identity | null>
  sent(batch: PendingBatch, isRepeat: boolean): void
  settled(batch: PendingBatch, error: NaruError | null): void
}

const SEQUENCES = 0x1_0000_0000
/** Nobody waits to hear where a record without acknowledgement went. */
const UNKNOWN_PLACE = { baseOffset: -1, appendedAt: -1 }
const RETRY_FIRST_MS = 50
const RETRY_LONGEST_MS = 2_000

/** gone: settled. aside: known not to be appended, and to be numbered anew. again: to be sent once more. */
type Verdict = 'gone' | 'aside' | 'again'

export class Lane {
  readonly topic: string
  readonly partition: number
  readonly #world: LaneWorld
  readonly #builder: BatchBuilder
  #gathering: PendingBatch | null = null
  #linger: ReturnType<typeof setTimeout> | null = null
  /** Finished and not sent yet, oldest first. */
  #queue: PendingBatch[] = []
  #inFlight: PendingBatch[] = []
  #aside: PendingBatch[] = []
  #identity: Identity | null
  #nextSequence = 0
  #sentCount = 0
  /** The broker has a batch of this identity: before, one at a time makes it known. */
  #isKnown: boolean
  #isBroken = false
  /** As told by a broker that is not it. */
  #leaderUrl: string | null = null

  constructor(world: LaneWorld, topic: string, partition: number, identity: Identity | null) {
    this.topic = topic
    this.partition = partition
    this.#world = world
    this.#identity = identity
    this.#isKnown = identity === null
    this.#builder = new BatchBuilder(world.codec, world.settings.batchBytes)
  }

  /** The batch the record is in now, as its latest. */
  add(record: RecordSpans, nowMs: number): PendingBatch {
    if (this.#gathering !== null && !this.#builder.add(record, nowMs)) this.finish()
    if (this.#gathering === null) {
      this.#builder.add(record, nowMs)
      const deadlineMs = nowMs + this.#world.settings.deliveryTimeoutMs
      this.#gathering = new PendingBatch(this.topic, this.partition, deadlineMs, this.#queue.length > 0)
      this.#linger = setTimeout(() => this.finish(), this.#world.settings.lingerMs)
    }
    this.#gathering.recordCount++
    return this.#gathering
  }

  /** Whether records are waiting for others to go with them. */
  get isGathering(): boolean {
    return this.#gathering !== null
  }

  /** What is gathered goes. */
  finish(): void {
    const batch = this.#gathering
    if (batch === null) return
    this.#gathering = null
    clearTimeout(this.#linger!)
    this.#linger = null
    batch.sequence = this.#nextSequence
    this.#nextSequence = (this.#nextSequence + batch.recordCount) % SEQUENCES
    batch.bytes = this.#builder.finish(
      this.#identity === null ? {} : { ...this.#identity, baseSequence: batch.sequence },
    )
    this.#queue.push(batch)
    this.#pump()
  }

  get batches(): readonly PendingBatch[] {
    return [...this.#inFlight, ...this.#aside, ...this.#queue]
  }

  /** The broker knows the latest few batches again: none goes that is further ahead of the oldest not settled. */
  #pump(): void {
    const inFlightMax = this.#isKnown && this.#identity !== null ? this.#world.settings.inFlightMax : 1
    while (!this.#isBroken && this.#queue.length > 0) {
      if (this.#inFlight.length > 0 && this.#sentCount - this.#inFlight[0]!.ordinal >= inFlightMax) return
      const batch = this.#queue.shift()!
      batch.ordinal = this.#sentCount++
      this.#inFlight.push(batch)
      void this.#deliver(batch)
    }
  }

  async #deliver(batch: PendingBatch): Promise<void> {
    if (this.#world.settings.isCompressed && !batch.isCompressed) {
      batch.bytes = await gzipped(batch.bytes, this.#world.codec)
      batch.isCompressed = true
    }
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_LONGEST_MS)
    let verdict: Verdict = 'again'
    for (let attempts = 0; verdict === 'again'; attempts++) {
      if (this.#isBroken && !batch.isUncertain) verdict = 'aside'
      else {
        this.#world.sent(batch, attempts > 0)
        verdict = await this.#judge(batch, await this.#attempt(batch), backoff)
      }
    }
    this.#inFlight.splice(this.#inFlight.indexOf(batch), 1)
    if (verdict === 'aside') this.#aside.push(batch)
    if (this.#isBroken && this.#inFlight.length === 0) await this.#beginAnew()
    this.#pump()
  }

  async #attempt(batch: PendingBatch): Promise<Answer<{ baseOffset: number; appendedAt: number }>> {
    const { brokers, settings, stopping } = this.#world
    const url = this.#leaderUrl ?? brokers.url
    const identity = this.#identity
    const answer = await withinMs(settings.requestTimeoutMs, stopping, (signal) =>
      answerOf(
        produceBatches({
          client: brokers.client(url),
          path: { topic: this.topic, partition: this.partition },
          query: { acks: settings.acks },
          // Bytes are as good a body, and are not copied as often; the generated type knows binary as Blob only.
          body: batch.bytes as unknown as Blob,
          signal,
          headers:
            identity === null
              ? {}
              : {
                  'Producer-Id': identity.producerId,
                  'Producer-Epoch': identity.producerEpoch,
                  'Producer-Seq': batch.sequence,
                },
        }),
      ),
    )
    if (answer.kind !== 'done') {
      this.#leaderUrl = answer.kind === 'lost' ? null : answer.leaderUrl
      // Who cannot take it now and knows of nobody who can is not asked again at once.
      if (this.#leaderUrl === null && (answer.kind === 'lost' || answer.problem.retryable)) brokers.failed(url)
      return answer
    }
    this.#leaderUrl = answer.leaderUrl ?? this.#leaderUrl
    const first = answer.data.partitions?.[0]
    if (first !== undefined) return { ...answer, data: first }
    if (settings.acks === '0') return { ...answer, data: UNKNOWN_PLACE }
    return { kind: 'lost', error: new Error('an answer without offsets') }
  }

  async #judge(batch: PendingBatch, answer: Answer<{ baseOffset: number; appendedAt: number }>, backoff: Backoff) {
    switch (answer.kind) {
      case 'done':
        this.#isKnown = true
        batch.succeed(answer.data)
        this.#world.settled(batch, null)
        return 'gone'
      case 'refused':
        return this.#refused(batch, answer.problem, backoff, answer.retryAfterMs)
      case 'lost': {
        batch.isUncertain = true
        const reason = this.#world.brokers.lost(answer.error)
        if (this.#identity === null) return this.#giveUp(batch, reason)
        return this.#again(batch, reason, backoff.next())
      }
    }
  }

  #refused(batch: PendingBatch, problem: Problem, backoff: Backoff, retryAfterMs: number): Verdict | Promise<Verdict> {
    if (this.#identity !== null && (problem.code === 'gap' || problem.code === 'unknown-producer')) {
      return this.#outOfSequence(batch, problem)
    }
    if (problem.outcome !== 'none') batch.isUncertain = true
    const reason = NaruError.of(problem, batch.isUncertain ? 'unknown' : problem.outcome)
    const mayRepeat =
      problem.retryable && this.#world.settings.acks !== '0' && (this.#identity !== null || !batch.isUncertain)
    if (!mayRepeat) return this.#giveUp(batch, reason)
    return this.#again(batch, reason, backoff.next(retryAfterMs))
  }

  /** A gap says that the batch has not been appended; so does an identity unknown, unless it was known and forgotten. */
  async #outOfSequence(batch: PendingBatch, problem: Problem): Promise<Verdict> {
    const before = this.#inFlight[this.#inFlight.indexOf(batch) - 1]
    if (problem.code === 'gap' && isBehind(batch.sequence, Number(problem['expectedSeq']))) {
      return this.#giveUp(batch, NaruError.of(problem, 'unknown'))
    }
    if (before !== undefined) {
      await before.settled
      return this.#isBroken && problem.code === 'gap' ? this.#setAside(batch) : 'again'
    }
    if (problem.code === 'unknown-producer' && batch.isUncertain) {
      return this.#giveUp(batch, NaruError.of(problem, 'unknown'))
    }
    this.#isBroken = true
    return this.#setAside(batch)
  }

  #setAside(batch: PendingBatch): Verdict {
    batch.isUncertain = false
    return 'aside'
  }

  async #again(batch: PendingBatch, reason: NaruError, waitMs: number): Promise<Verdict> {
    const leftMs = batch.deadlineMs - Date.now()
    if (leftMs > waitMs) await sleep(waitMs, this.#world.stopping)
    if (leftMs <= waitMs || this.#world.stopping.aborted) return this.#giveUp(batch, late(batch, reason, this.#world))
    return 'again'
  }

  #giveUp(batch: PendingBatch, error: NaruError): Verdict {
    if (this.#identity !== null) this.#isBroken = true
    batch.fail(error)
    this.#world.settled(batch, error)
    return 'gone'
  }

  /** All fates are known. */
  async #beginAnew(): Promise<void> {
    const aside = this.#aside.sort((a, b) => (isBehind(a.sequence, b.sequence) ? -1 : 1))
    this.#aside = []
    this.#queue.unshift(...aside)
    try {
      this.#identity = await this.#world.freshIdentity()
    } catch (error) {
      const failure = error instanceof NaruError ? error : this.#world.brokers.lost(error)
      const reason = new NaruError(failure.code, failure.message, { outcome: 'none', retryable: true, cause: error })
      for (const batch of this.#queue.splice(0)) this.#giveUp(batch, reason)
    }
    this.#nextSequence = 0
    this.#isKnown = false
    this.#isBroken = false
    for (const batch of this.#queue) {
      batch.sequence = this.#nextSequence
      this.#nextSequence = (this.#nextSequence + batch.recordCount) % SEQUENCES
      identifyBatch(batch.bytes, { ...this.#identity!, baseSequence: batch.sequence }, this.#world.codec)
    }
  }
}

function late(batch: PendingBatch, reason: NaruError, { settings, stopping }: LaneWorld): NaruError {
  const why = stopping.aborted
    ? 'The producer was closed before'
    : `Not acknowledged in ${settings.deliveryTimeoutMs} ms`
  const outcome = batch.isUncertain ? 'unknown' : 'none'
  const advice =
    outcome === 'none' ? 'nothing was kept: send again, or raise deliveryTimeoutMs' : 'look before sending it again'
  const about = `${batch.recordCount} records for partition ${batch.partition} of ${batch.topic}`
  return new NaruError(
    stopping.aborted ? 'closed' : 'delivery-timeout',
    `${why}: ${about}; ${advice}. The latest answer: ${textOf(reason)}`,
    { outcome, retryable: true, problem: reason.problem, cause: reason },
  )
}

function isBehind(sequence: number, other: number): boolean {
  const distance = (other - sequence + SEQUENCES) % SEQUENCES
  return distance > 0 && distance < SEQUENCES / 2
}
