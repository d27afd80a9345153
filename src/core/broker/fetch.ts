// The one read path. A fetch session stands at a place in each partition it reads; `next` hands out stored batches below the
// high watermark, partition after partition in turn; `wait` parks until one of them advances. Long poll, followed answers,
// pushes and stored-bytes reads differ only in who waits and in what the bytes are turned into.

import { limits, type TopicId, unreachable } from '../base/index.ts'
import type { TopicImage } from '../cluster/index.ts'
import type { LogRead } from '../log/index.ts'
import type { FetchRefusal } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'
import type { Wake, Waiting } from './waiting.ts'

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
    this.#routes = topicIds.map((id) => host.route(id))
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
    this.#pickUpNew()
    let bytes = 0
    for (const p of this.positions) if (p.problem === null) bytes += p.replica.live.bytesBetween(p.offset, endOf(p))
    return bytes
  }

  /** The next stored batches of whichever partition's turn it is; null when all are caught up or at an end. */
  next(bytesMax: number): FetchSlice | null | Promise<FetchSlice | null> {
    const position = this.ready()
    if (position === null) return null
    const slice = this.read(position, bytesMax)
    if (slice instanceof Promise) return slice.then((late) => late ?? this.next(bytesMax))
    return slice ?? this.next(bytesMax)
  }

  /** Whose turn it is, for readers that look before they read. It stays so until that is read. */
  ready(): FetchPosition | null {
    this.#pickUpNew()
    const count = this.positions.length
    for (let i = 0; i < count; i++) {
      const at = (this.#turn + i) % count
      const position = this.positions[at]!
      if (position.problem === null && position.replica.isRemoved) {
        position.problem = { kind: 'unknown-topic', topic: position.topic.name, recentlyDeleted: true }
      }
      if (position.problem !== null || position.offset >= endOf(position)) continue
      this.#turn = at
      return position
    }
    return null
  }

  /** Stored batches of the position that is `ready`; null: it cannot be read, and says why. Passes the turn on. */
  read(position: FetchPosition, bytesMax: number): FetchSlice | null | Promise<FetchSlice | null> {
    this.#turn = (this.#turn + 1) % this.positions.length
    const read = position.replica.live.read(position.offset, Math.min(bytesMax, limits.FETCH_BYTES_MAX))
    return read instanceof Promise ? read.then((late) => this.#sliceOf(position, late)) : this.#sliceOf(position, read)
  }

  /** Another session over the same partitions, each at its place in `offsets`. */
  fork(offsets: readonly number[]): FetchSession {
    const positions = this.positions.map((position, i) => ({ ...position, offset: offsets[i] ?? 0 }))
    const session = new FetchSession(this.#host, positions, [], this.#picksUpNew)
    session.#routes.push(...this.#routes)
    return session
  }

  /** Parks until a partition advances. `deadlineMs` is monotonic; infinite for none. */
  wait(deadlineMs: number): Promise<Wake> {
    const rooms = this.positions.filter((p) => p.problem === null).map((p) => p.replica.room)
    return this.#host.waiting.wait(rooms, deadlineMs, (cancel) => {
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
      default:
        return unreachable(read)
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
