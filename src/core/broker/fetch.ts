// The one read path. A fetch session stands at a place in each partition it reads; `next` hands out stored batches below the
// high watermark, partition after partition in turn; `wait` parks until one of them advances. Long poll, followed answers,
// pushes and stored-bytes reads differ only in who waits and in what the bytes are turned into.

import { limits, type TopicId } from '../base/index.ts'
import type { TopicImage } from '../cluster/index.ts'
import type { LogRead } from '../log/index.ts'
import type { FetchRefusal } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'
import type { Wake, Waiting } from './waiting.ts'

export interface FetchRequest {
  topics: readonly string[]
  /** Null: all partitions of each topic. */
  partition: number | null
  start: FetchStart
  until: FetchUntil | null
  /** Jump to the nearest readable offset instead of refusing. */
  clamp: boolean
}

export type FetchStart =
  | { kind: 'earliest' | 'latest' }
  | { kind: 'offset'; offset: number }
  | { kind: 'last'; count: number }
  | { kind: 'time'; ms: number }
  | { kind: 'cursor'; entries: readonly CursorEntry[] }

export type FetchUntil =
  | { kind: 'latest' }
  | { kind: 'time'; ms: number }
  | { kind: 'cursor'; entries: readonly CursorEntry[] }

/** A place in one partition. `topicId` is null in a hand-written cursor on a one-topic URL; `epoch` null: not known. */
export interface CursorEntry {
  topicId: TopicId | null
  partition: number
  offset: number
  epoch: number | null
}

/** A place that moves: `offset` is the next to be read, advanced by the reader of the bytes. */
export interface FetchPosition {
  readonly topic: TopicImage
  readonly replica: Replica
  offset: number
  /** Exclusive; infinite for none. */
  untilOffset: number
  /** Set when this partition cannot be read on; the others go on. */
  problem: FetchRefusal | null
}

export interface FetchSlice {
  position: FetchPosition
  /** Whole batches; the first may begin below `position.offset`. Valid until the reader yields to the event loop. */
  bytes: Uint8Array
  /** Behind the last batch: where `position.offset` goes when all of it was read. */
  nextOffset: number
}

/** What a session needs of the broker around it. */
export interface FetchHost {
  readonly waiting: Waiting
  route(topicId: TopicId): TopicRoute | null
}

export class FetchSession {
  readonly positions: FetchPosition[]
  readonly #host: FetchHost
  readonly #picksUpNew: boolean
  readonly #routes: (TopicRoute | null)[]
  #turn = 0
  #cancelWait: (() => void) | null = null

  constructor(host: FetchHost, positions: FetchPosition[], topicIds: readonly TopicId[], picksUpNew: boolean) {
    this.#host = host
    this.positions = positions
    this.#picksUpNew = picksUpNew
    this.#routes = topicIds.map(id => host.route(id))
  }

  /** Whether every partition has been read up to its high watermark, or to where the read is bound to end. */
  get isCaughtUp(): boolean {
    for (const p of this.positions) if (p.problem === null && p.offset < endOf(p)) return false
    return true
  }

  /** Whether the read is bound and has come to its end everywhere. */
  get isComplete(): boolean {
    for (const p of this.positions) if (p.problem === null && p.offset < p.untilOffset) return false
    return this.positions.length > 0
  }

  /** Stored bytes waiting between the positions and their ends, roughly: what `minBytes` is held against. */
  availableBytes(): number {
    let bytes = 0
    for (const p of this.positions) if (p.problem === null) bytes += p.replica.live.bytesBetween(p.offset, endOf(p))
    return bytes
  }

  /** The next stored batches of whichever partition's turn it is; null when all are caught up or at an end. */
  next(bytesMax: number): FetchSlice | null | Promise<FetchSlice | null> {
    this.#pickUpNew()
    const count = this.positions.length
    for (let i = 0; i < count; i++) {
      const position = this.positions[(this.#turn + i) % count]!
      if (position.problem !== null || position.offset >= endOf(position)) continue
      this.#turn = (this.#turn + i + 1) % count
      const read = position.replica.live.read(position.offset, Math.min(bytesMax, limits.FETCH_BYTES_MAX))
      return read instanceof Promise
        ? read.then(late => this.#sliceOf(position, late) ?? this.next(bytesMax))
        : (this.#sliceOf(position, read) ?? this.next(bytesMax))
    }
    return null
  }

  /** Parks until a partition advances. `deadlineMs` is monotonic; infinite for none. */
  wait(deadlineMs: number): Promise<Wake> {
    const rooms = this.positions.filter(p => p.problem === null).map(p => p.replica.room)
    return this.#host.waiting.wait(rooms, deadlineMs, cancel => {
      this.#cancelWait = cancel
    })
  }

  /** Ends a `wait` that is under way: the client is gone. */
  cancelWait(): void {
    this.#cancelWait?.()
    this.#cancelWait = null
  }

  #sliceOf(position: FetchPosition, read: LogRead): FetchSlice | null {
    const topic = position.topic.name
    const { partition } = position.replica
    switch (read.kind) {
      case 'batches':
        return { position, bytes: read.bytes, nextOffset: read.nextOffset }
      case 'below-start':
        position.problem = {
          kind: 'below-start',
          topic,
          partition,
          offset: position.offset,
          logStartOffset: read.startOffset,
        }
        return null
      case 'beyond-end':
        position.problem = {
          kind: 'beyond-end',
          topic,
          partition,
          offset: position.offset,
          highWatermark: position.replica.live.highWatermark,
        }
        return null
      case 'damaged':
        position.problem = { ...read, topic, partition }
        return null
    }
  }

  /** Partitions added while the session is open are read from their first record. */
  #pickUpNew(): void {
    if (!this.#picksUpNew) return
    for (let i = 0; i < this.#routes.length; i++) {
      const known = this.#routes[i]
      if (known === null || known === undefined) continue
      const route = this.#host.route(known.topic.id)
      if (route === known || route === null) continue
      this.#routes[i] = route
      for (const replica of route.replicas.slice(known.replicas.length)) {
        this.positions.push({ topic: route.topic, replica, offset: 0, untilOffset: Infinity, problem: null })
      }
    }
  }
}

function endOf(position: FetchPosition): number {
  return Math.min(position.replica.live.highWatermark, position.untilOffset)
}

/** Where a request starts in one partition, or why it cannot. Looking up a time may have to read the disk. */
export async function startOf(
  topic: TopicImage,
  replica: Replica,
  start: FetchStart,
  clamp: boolean,
): Promise<number | FetchRefusal> {
  const { live, partition } = replica
  switch (start.kind) {
    case 'earliest':
      return live.startOffset
    case 'latest':
      return live.highWatermark
    case 'last':
      return Math.max(live.startOffset, live.highWatermark - start.count)
    case 'time':
      return Math.min(await live.offsetAtTime(start.ms), live.highWatermark)
    case 'offset':
      return placed(topic, replica, start.offset, clamp)
    case 'cursor': {
      const entry = entryFor(topic, partition, start.entries)
      if (entry === null) return live.startOffset
      if (entry.epoch !== null) {
        const end = live.endOffsetOfEpoch(entry.epoch)
        if (end !== null && end < entry.offset) {
          if (clamp) return end
          return { kind: 'diverged', topic: topic.name, partition, offset: entry.offset, nearestOffset: end }
        }
      }
      return placed(topic, replica, entry.offset, clamp)
    }
  }
}

export async function untilOf(topic: TopicImage, replica: Replica, until: FetchUntil | null): Promise<number> {
  if (until === null) return Infinity
  const { live } = replica
  switch (until.kind) {
    case 'latest':
      return live.highWatermark
    case 'time':
      return Math.min(await live.offsetAtTime(until.ms), live.highWatermark)
    case 'cursor':
      return entryFor(topic, replica.partition, until.entries)?.offset ?? live.highWatermark
  }
}

function entryFor(topic: TopicImage, partition: number, entries: readonly CursorEntry[]): CursorEntry | null {
  for (const entry of entries) {
    if (entry.partition === partition && (entry.topicId === null || entry.topicId === topic.id)) return entry
  }
  return null
}

function placed(topic: TopicImage, replica: Replica, offset: number, clamp: boolean): number | FetchRefusal {
  const { live, partition } = replica
  if (offset < live.startOffset) {
    if (clamp) return live.startOffset
    return { kind: 'below-start', topic: topic.name, partition, offset, logStartOffset: live.startOffset }
  }
  if (offset > live.highWatermark) {
    if (clamp) return live.highWatermark
    return { kind: 'beyond-end', topic: topic.name, partition, offset, highWatermark: live.highWatermark }
  }
  return offset
}
