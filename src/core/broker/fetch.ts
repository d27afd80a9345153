// The one read path. A fetch session stands at a place in each partition it reads; `next` hands out stored batches below the
// high watermark, partition after partition in turn; `wait` parks until one of them advances. Long poll, followed answers,
// pushes and stored-bytes reads differ only in who waits and in what the bytes are turned into.

import { limits, type TopicId, unreachable } from '../base/index.ts'
import type { LogRead } from '../log/index.ts'
import type { FetchPosition } from './fetch-request.ts'
import type { TopicRoute } from './routing.ts'
import type { Wake, Waiting, WaitingRoom } from './waiting.ts'

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
  /** What `positions` were made of. */
  readonly #routes: TopicRoute[]
  /** Where else it parks, for something other than records. */
  readonly #besides: WaitingRoom | null
  /** Of all rooms together when they were last looked at. */
  #wakesSeen: number
  #turn = 0
  #cancelWait: (() => void) | null = null

  constructor(
    host: FetchHost,
    positions: FetchPosition[],
    routes: readonly TopicRoute[],
    picksUpNew: boolean,
    besides: WaitingRoom | null = null,
  ) {
    this.#host = host
    this.positions = positions
    this.#picksUpNew = picksUpNew
    this.#routes = [...routes]
    this.#besides = besides
    this.#wakesSeen = this.#wakes()
  }

  /** Whether every partition has been read up to its high watermark, or to where the read is bound to end. */
  get isCaughtUp(): boolean {
    for (const p of this.positions) if (this.#canRead(p) && p.offset < endOf(p)) return false
    return true
  }

  /** Whether the read is bound and has come to its end everywhere. */
  get isComplete(): boolean {
    for (const p of this.positions) if (p.problem === null && p.offset < p.untilOffset) return false
    return this.positions.length > 0
  }

  /**
   * Takes up partitions that were added and lets go of those that were removed: positions come and go here only, and where
   * bytes are waited for.
   */
  look(): void {
    const there = this.positions.filter((position) => !this.#isDropped(position))
    if (there.length < this.positions.length) this.positions.splice(0, this.positions.length, ...there)
    this.#look()
  }

  /** Stored bytes waiting between the positions and their ends, roughly: what `minBytes` is held against. */
  availableBytes(): number {
    this.look()
    let bytes = 0
    for (const p of this.positions) if (this.#canRead(p)) bytes += p.replica.live.bytesBetween(p.offset, endOf(p))
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
    this.#look()
    const count = this.positions.length
    for (let i = 0; i < count; i++) {
      const at = (this.#turn + i) % count
      const position = this.positions[at]!
      if (!this.#canRead(position) || position.offset >= endOf(position)) continue
      this.#turn = at
      return position
    }
    return null
  }

  /** Stored batches of the position that is `ready`; null: it cannot be read, and says why. Passes the turn on. */
  read(position: FetchPosition, bytesMax: number): FetchSlice | null | Promise<FetchSlice | null> {
    this.#turn = (this.#turn + 1) % this.positions.length
    const read = position.replica.live.read(position.offset, Math.min(bytesMax, limits.FETCH_BYTES_MAX))
    return read instanceof Promise ? this.#late(position, read) : this.#sliceOf(position, read)
  }

  /** A read off the loop may find its files gone, when the topic is deleted meanwhile. */
  async #late(position: FetchPosition, reading: Promise<LogRead>): Promise<FetchSlice | null> {
    try {
      const read = await reading
      if (!this.#noteRemoved(position)) return this.#sliceOf(position, read)
    } catch (error) {
      if (!this.#noteRemoved(position)) throw error
    }
    return null
  }

  /** Another session over the same partitions, each at its place in `offsets`. */
  fork(offsets: readonly number[]): FetchSession {
    const positions = this.positions.map((position, i) => ({ ...position, offset: offsets[i] ?? 0 }))
    const session = new FetchSession(this.#host, positions, this.#routes, this.#picksUpNew, this.#besides)
    session.#wakesSeen = this.#wakesSeen
    return session
  }

  /**
   * Parks until a partition advances, and not at all when one has since it was last looked at, or none can advance any more:
   * a problem says why. `deadlineMs` is monotonic; infinite for none.
   */
  wait(deadlineMs: number): Promise<Wake> {
    const rooms = this.positions.filter((p) => this.#canRead(p)).map((p) => p.replica.room)
    const canAdvance = rooms.length > 0 || (this.positions.length === 0 && this.#besides !== null)
    if (this.#wakes() !== this.#wakesSeen || !canAdvance) return Promise.resolve('advanced')
    if (this.#besides !== null) rooms.push(this.#besides)
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

  /** Notes which topics are gone. Partitions added while the session is open are read from their first record. */
  #look(): void {
    if (this.#picksUpNew) this.#pickUpNew()
    for (const position of this.positions) this.#noteRemoved(position)
    this.#wakesSeen = this.#wakes()
  }

  /** Of all rooms together, ever. */
  #wakes(): number {
    let count = this.#besides?.wakeCount ?? 0
    for (const { replica } of this.positions) count += replica.room.wakeCount
    return count
  }

  #noteRemoved(position: FetchPosition): boolean {
    const removal = position.replica.removal(position.topic)
    if (removal !== null && !this.#isDropped(position)) position.problem ??= removal
    return removal !== null
  }

  /** A partition that came to the end of its retirement is no problem to who reads the whole topic, or what it is given. */
  #isDropped({ replica }: FetchPosition): boolean {
    return replica.isRetired && (this.#picksUpNew || this.#besides !== null)
  }

  #canRead(position: FetchPosition): boolean {
    return position.problem === null && !this.#isDropped(position)
  }

  #pickUpNew(): void {
    for (const [i, known] of this.#routes.entries()) {
      const route = this.#host.route(known.topic.id)
      if (route === known || route === null) continue
      this.#routes[i] = route
      const last = known.replicas.at(-1)?.partition ?? -1
      for (const replica of route.replicas) {
        if (replica.partition <= last) continue
        this.positions.push({ topic: route.topic, replica, offset: 0, untilOffset: Infinity, problem: null })
      }
    }
  }
}

function endOf(position: FetchPosition): number {
  return Math.min(position.replica.live.highWatermark, position.untilOffset)
}
