// Reads topics as they grow: pushed over a WebSocket, else over an event stream, else by asking. Cuts, restarts and sleeps are
// bridged: it goes on behind the last record it received, so that each comes once and in the order of its partition.
//
//   for await (const record of new Consumer({ brokers, topics: 'orders' })) …        leaving the loop closes it
//   for await (const batch of consumer.batches()) …                                   with the cursor behind each batch
//   await consumer.run(async (batch) => …)                                            the same, as a callback
//
// With `group` it is one of several that share the partitions, and where they are is kept by the broker: what has been dealt with
// is committed, which is when the next is asked for.

import { Backoff, sleep } from './backoff.ts'
import { Brokers } from './brokers.ts'
import type { Feed, FeedWorld } from './feed.ts'
import { FrameTooSmall } from './feed.ts'
import { followEvents } from './feed-events.ts'
import { followMember } from './feed-member.ts'
import { followPolls, pollOnce } from './feed-poll.ts'
import { followSocket, hasWebSocket } from './feed-websocket.ts'
import { Inbox, type RecordBatch, type Reset } from './inbox.ts'
import { type GroupOptions, Membership } from './membership.ts'
import { NaruError } from './naru-error.ts'
import type { ConsumedRecord } from './received.ts'
import { parsedApart } from './values-apart.ts'

export type Transport = 'websocket' | 'events' | 'poll'

export interface ConsumerOptions extends GroupOptions {
  /** One URL or several: any broker gives any record. */
  brokers: string | readonly string[]
  topics: string | readonly string[]
  /** Only this one of the topic, of which there is one then. */
  partition?: number
  /**
   * earliest (default), latest, -N for the last N of each partition, @time such as @-24h, or with `partition` an offset. Of a
   * group: where it begins that committed nothing, at earliest, latest or none, which is refused.
   */
  from?: string
  /** Where an earlier consumer left off; instead of `from`. */
  cursor?: string
  /** Only records with one of these; others are not even sent. */
  tags?: readonly string[]
  /** How JSON values are read; JSON.parse, which rounds numbers beyond 2^53, when left out. */
  parse?: (json: string) => unknown
  /** Ways to receive, in the order they are tried. Default all there are here: websocket, events, poll. */
  transports?: readonly Transport[]
  /** Received ahead of what is taken. Default 1 000. At most once, it is what may be lost. */
  prefetchRecords?: number
  /** The same in bytes. Default 1 MiB; one batch always comes. */
  prefetchBytes?: number
  /** Records that were to be read are gone. Reading goes on behind them. */
  onReset?: (reset: Reset) => void
  /** The connection broke, or could not be made; it is tried again. */
  onInterrupted?: (error: unknown) => void
}

const FEEDS: Readonly<Record<Transport, Feed>> = {
  websocket: followSocket,
  events: followEvents,
  poll: (world, signal) => (world.membership === null ? followPolls : followMember)(world, signal),
}
const REQUEST_TIMEOUT_MS = 30_000
const RETRY_FIRST_MS = 100
const RETRY_LONGEST_MS = 5_000
/** Failed attempts to connect one way, before the next is tried. */
const ATTEMPTS_EACH = 2

export class Consumer implements AsyncIterable<ConsumedRecord> {
  readonly #options: ConsumerOptions
  readonly #world: FeedWorld
  readonly #inbox: Inbox
  readonly #transports: readonly Transport[]
  readonly #closing = new AbortController()
  #transportAt = 0
  #isOpen = false
  #cursor: string | null
  #connections = 0
  readonly #membership: Membership | null
  #running: Promise<void> | null = null
  #isTaking = false
  #whenTaken!: () => void
  #whenOpened!: () => void
  /** Resolves when it is connected, and `latest` is a place from there on. */
  readonly opened: Promise<void> = new Promise((resolve) => (this.#whenOpened = resolve))

  constructor(options: ConsumerOptions) {
    const { topics, partition = null, from = 'earliest', cursor = null, tags, parse, prefetchRecords = 1_000 } = options
    this.#options = options
    this.#cursor = cursor
    if (options.from !== undefined && cursor !== null) throw new TypeError('from and cursor both say where to begin')
    this.#transports = transportsOf(options)
    this.#inbox = new Inbox({ records: prefetchRecords, bytes: options.prefetchBytes ?? 1024 * 1024 }, cursor)
    const { group } = options
    this.#membership = group === undefined ? null : new Membership(group, options, this.#inbox)
    if (this.#membership !== null && (cursor !== null || partition !== null)) {
      throw new TypeError('group: it says which partitions are read, and where they begin')
    }
    this.#world = {
      brokers: new Brokers(options.brokers),
      inbox: this.#inbox,
      topics: typeof topics === 'string' ? [topics] : [...topics],
      partition,
      from,
      read: parse === undefined ? JSON.parse : (text) => parsedApart(text, parse),
      tags: tags === undefined ? null : [...tags],
      membership: this.#membership,
      taken: new Promise((resolve) => (this.#whenTaken = resolve)),
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      opened: (place) => this.#opened(place),
      passed: (place) => this.#passed(place),
    }
    if (this.#world.topics.length === 0) throw new TypeError('topics: name at least one')
    if (partition !== null && this.#world.topics.length > 1) throw new TypeError('partition: it is of one topic')
  }

  /** Where another consumer would go on: behind the last batch that was dealt with. Null before there is such a place. */
  get cursor(): string | null {
    return this.#cursor
  }

  /** How records come, once connected. */
  get transport(): Transport | null {
    return this.#isOpen ? this.#transports[this.#transportAt]! : null
  }

  /** So far. */
  get connections(): number {
    return this.#connections
  }

  /** Connects, without waiting for records to be asked for. */
  open(): Promise<void> {
    this.#start()
    return this.opened
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord, void, undefined> {
    const membership = this.#membership
    for await (const { batch, stamp } of this.#taken()) {
      for (const record of batch.records) {
        if (this.#inbox.isInterrupted) await this.#inbox.between()
        if (this.#closing.signal.aborted) return
        if (membership?.mayHand(record, stamp) === false) continue
        yield record
        membership?.dealtWith(record, stamp)
      }
    }
  }

  /** Only one may run, here or as records. */
  async *batches(): AsyncGenerator<RecordBatch, void, undefined> {
    for await (const { batch } of this.#taken()) yield batch
  }

  async *#taken(): AsyncGenerator<{ batch: RecordBatch; stamp: number }, void, undefined> {
    this.#isTaking = true
    this.#start()
    try {
      for (;;) {
        const item = await this.#inbox.take()
        if (item === null || this.#closing.signal.aborted) return
        if (item.kind === 'interlude') {
          await item.run()
          continue
        }
        if (item.kind === 'reset') {
          this.#options.onReset?.(item.reset)
          this.#cursor = item.reset.cursor
        } else {
          const { stamp } = item
          const batch = this.#own(item.batch, stamp)
          if (batch !== null) {
            yield { batch, stamp }
            this.#cursor = batch.cursor
            this.#membership?.dealtWithAll(batch, stamp)
          }
        }
        // Behind the last, there may have been more to pass by.
        if (this.#inbox.isEmpty) this.#cursor = this.#inbox.cursor
      }
    } finally {
      this.close()
      this.#whenTaken()
      if (this.#membership !== null) await this.#running
    }
  }

  /** What of it is still to be dealt with here; null: nothing. */
  #own(batch: RecordBatch, stamp: number): RecordBatch | null {
    const membership = this.#membership
    if (membership === null || membership.stamp === stamp) return batch
    const records = batch.records.filter((record) => membership.mayHand(record, stamp))
    if (records.length === batch.records.length) return batch
    return records.length === 0 ? null : { ...batch, records }
  }

  /**
   * Resolves when it is closed, and, of a group, when what was dealt with is committed and it has left; throws what `handle`
   * throws, or why there can be no more.
   */
  async run(handle: (batch: RecordBatch) => void | Promise<void>): Promise<void> {
    for await (const batch of this.batches()) await handle(batch)
  }

  /** No more is handed out, nor, when the prefetch is full, received. */
  pause(): void {
    this.#inbox.isPaused = true
  }

  resume(): void {
    this.#inbox.isPaused = false
  }

  /** What is in hand may be finished: whoever iterates, or runs, is done when all is. */
  close(): void {
    this.#closing.abort()
    this.#inbox.end(null)
    this.resume()
    if (!this.#isTaking) this.#whenTaken()
  }

  #start(): void {
    this.#running ??= this.#keepConnected()
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#closing
    const backoff = new Backoff(RETRY_FIRST_MS, RETRY_LONGEST_MS)
    let failures = 0
    while (!signal.aborted) {
      const error = await this.#connect(signal)
      if (signal.aborted) return
      if (error instanceof NaruError && !error.retryable && this.#membership?.mayRejoin(error) !== true) {
        return this.#inbox.end(error)
      }
      this.#options.onInterrupted?.(error)
      if (this.#isOpen) {
        backoff.reset()
        failures = 0
      } else if (++failures >= ATTEMPTS_EACH) {
        failures = 0
        this.#transportAt = (this.#transportAt + 1) % this.#transports.length
        this.#world.brokers.failed(this.#world.brokers.url)
      }
      this.#isOpen = false
      await sleep(backoff.next(), signal)
    }
  }

  /** What ended the connection. */
  async #connect(signal: AbortSignal): Promise<unknown> {
    try {
      await FEEDS[this.#transports[this.#transportAt]!](this.#world, signal)
      return new Error('the connection ended')
    } catch (error) {
      if (!(error instanceof FrameTooSmall)) return error
      if (this.#membership !== null) return this.#fallBack(error)
    }
    try {
      await pollOnce(this.#world, signal)
      return new Error('one record was read over HTTP')
    } catch (error) {
      return error
    }
  }

  /** A group is asked for records over HTTP from now on. */
  #fallBack(error: FrameTooSmall): Error {
    const pollAt = this.#transports.indexOf('poll')
    if (pollAt < 0) return new NaruError('record-too-large', error.message, { outcome: 'none', retryable: false })
    this.#transportAt = pollAt
    return error
  }

  #opened(cursor: string | null): void {
    if (!this.#isOpen) this.#connections++
    this.#isOpen = true
    if (cursor !== null) this.#passed(cursor)
    this.#whenOpened()
  }

  #passed(cursor: string): void {
    this.#inbox.cursor = cursor
  }
}

function transportsOf({ transports, group }: ConsumerOptions): readonly Transport[] {
  const asked = transports ?? ['websocket', 'events', 'poll']
  const here = asked.filter((transport) => transport !== 'websocket' || hasWebSocket())
  // What only receives is no member.
  const usable = group === undefined ? here : here.filter((transport) => transport !== 'events')
  if (usable.length === 0) throw new TypeError(`transports: of ${asked.join(', ')} there is none in this runtime`)
  return usable
}
