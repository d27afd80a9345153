// How much of produce bodies is in memory at once: taken, and not yet answered. Beyond the bound no more is read, and whoever has to
// wait for too long is refused with nothing done: that costs its producer a repeat, and no memory would cost everybody the broker.
//
// A share is of one request. It grows as a large body comes, so that one that comes slowly takes no room from others.

import { Deque, limits } from '../../core/base/index.ts'
import { Problem } from '../wire/index.ts'
import { Deadline, type Deadlines } from './deadlines.ts'

const WAIT_MS = 2_000

export class ProduceRoom {
  readonly bytesMax: number
  readonly #deadlines: Deadlines
  readonly #waiting = new Deque<Turn>()
  #usedBytes = 0

  constructor(deadlines: Deadlines, bytesMax: number = limits.PRODUCE_BYTES_MAX) {
    this.#deadlines = deadlines
    this.bytesMax = bytesMax
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.bytesMax
  }

  share(): RoomShare {
    return new RoomShare(this)
  }

  /** In the order they came. False: there was no room for too long. A body larger than all of it is let in alone. */
  enter(bytes: number): true | Promise<boolean> {
    if (this.#waiting.count === 0 && this.#fits(bytes)) {
      this.#usedBytes += bytes
      return true
    }
    const turn = new Turn(bytes, performance.now() + WAIT_MS)
    this.#waiting.push(turn)
    this.#deadlines.add(turn)
    return turn.promise
  }

  /** Bytes that are there already: less where negative. */
  add(bytes: number): void {
    this.#usedBytes += bytes
    for (let turn = this.#waiting.first(); turn !== undefined; turn = this.#waiting.first()) {
      if (!turn.isOver && !this.#fits(turn.bytes)) return
      this.#waiting.shift()
      if (turn.isOver) continue
      this.#deadlines.delete(turn)
      this.#usedBytes += turn.bytes
      turn.settle(true)
    }
  }

  refusal(): Problem {
    const { bytesMax } = this
    return new Problem('busy', `More than ${bytesMax} bytes to be produced are under way; nothing was done`, {
      bytesMax,
    })
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.bytesMax
  }
}

export class RoomShare {
  readonly room: ProduceRoom
  #bytes = 0

  constructor(room: ProduceRoom) {
    this.room = room
  }

  enter(bytes: number): true | Promise<boolean> {
    const entered = this.room.enter(bytes)
    if (entered !== true) return this.#entered(bytes, entered)
    this.#bytes += bytes
    return true
  }

  /** What it is now, whether there is room or not. */
  set(bytes: number): void {
    if (bytes === this.#bytes) return
    const more = bytes - this.#bytes
    this.#bytes = bytes
    this.room.add(more)
  }

  end(): void {
    this.set(0)
  }

  async #entered(bytes: number, entered: Promise<boolean>): Promise<boolean> {
    if (!(await entered)) return false
    this.#bytes += bytes
    return true
  }
}

class Turn extends Deadline {
  readonly bytes: number
  readonly promise: Promise<boolean>
  readonly #resolve: (hasEntered: boolean) => void
  isOver = false

  constructor(bytes: number, atMs: number) {
    super(atMs)
    this.bytes = bytes
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.promise = promise
    this.#resolve = resolve
  }

  settle(hasEntered: boolean): void {
    this.isOver = true
    this.#resolve(hasEntered)
  }

  override expire(): void {
    this.settle(false)
  }
}
