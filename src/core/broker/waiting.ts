// Reads that wait for records: long polls, followed answers, pushes. A waiter stands at the replicas it reads; when the high
// watermark of one rises it is woken once and stands nowhere any more. Waking is spread over loop turns, so that five
// thousand parked polls on one topic, or with one deadline, do not hold the loop while they are all answered.

import type { Clock } from '../ports/index.ts'
import type { Timed, TimerHandle, Timers } from './timers.ts'

export type Wake = 'advanced' | 'deadline' | 'cancelled' | 'closing'

const WAKES_PER_TURN = 128

/** Where waiters stand: one at each replica. */
export class WaitingRoom {
  readonly waiters = new Set<Waiter>()
  /** How often there was something to wake for: who saw an earlier count need not wait. */
  wakeCount = 0
}

export class Waiter implements Timed {
  readonly #waiting: Waiting
  readonly #rooms: readonly WaitingRoom[]
  readonly #resolve: (wake: Wake) => void
  #timer: TimerHandle | null = null

  constructor(waiting: Waiting, rooms: readonly WaitingRoom[], resolve: (wake: Wake) => void) {
    this.#waiting = waiting
    this.#rooms = rooms
    this.#resolve = resolve
  }

  stand(timer: TimerHandle | null): void {
    this.#timer = timer
    for (const room of this.#rooms) room.waiters.add(this)
  }

  /** Leaves every room; the answer is given by `settle`, maybe in a later turn. */
  leave(timers: Timers): void {
    for (const room of this.#rooms) room.waiters.delete(this)
    if (this.#timer !== null) timers.cancel(this.#timer)
    this.#timer = null
  }

  settle(wake: Wake): void {
    this.#resolve(wake)
  }

  expire(): void {
    this.#timer = null
    this.#waiting.expired(this)
  }
}

export class Waiting {
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #standing = new Set<Waiter>()
  readonly #woken: { waiter: Waiter; wake: Wake }[] = []
  #wakeScheduled = false
  #closing = false

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock
    this.#timers = timers
  }

  get count(): number {
    return this.#standing.size
  }

  /** `deadlineMs` is monotonic, infinite for none. `onStand` receives what cancels the wait. */
  wait(rooms: readonly WaitingRoom[], deadlineMs: number, onStand: (cancel: () => void) => void): Promise<Wake> {
    return new Promise((resolve) => {
      if (this.#closing) {
        resolve('closing')
        return
      }
      const waiter = new Waiter(this, rooms, resolve)
      waiter.stand(Number.isFinite(deadlineMs) ? this.#timers.at(deadlineMs, waiter) : null)
      this.#standing.add(waiter)
      onStand(() => this.release(waiter, 'cancelled'))
    })
  }

  /** Every waiter of the room is woken, a bounded number a turn. */
  wake(room: WaitingRoom): void {
    room.wakeCount++
    if (room.waiters.size === 0) return
    for (const waiter of room.waiters) {
      waiter.leave(this.#timers)
      this.#woken.push({ waiter, wake: 'advanced' })
    }
    this.#scheduleWake()
  }

  /** Many a deadline may come at once. */
  expired(waiter: Waiter): void {
    waiter.leave(this.#timers)
    this.#woken.push({ waiter, wake: 'deadline' })
    this.#scheduleWake()
  }

  release(waiter: Waiter, wake: Wake): void {
    if (!this.#standing.delete(waiter)) return
    waiter.leave(this.#timers)
    waiter.settle(wake)
  }

  close(): void {
    this.#closing = true
    for (const waiter of [...this.#standing]) this.release(waiter, 'closing')
  }

  #scheduleWake(): void {
    if (this.#wakeScheduled) return
    this.#wakeScheduled = true
    this.#clock.nextTurn(() => this.#wakeSome())
  }

  #wakeSome(): void {
    this.#wakeScheduled = false
    const some = this.#woken.splice(0, WAKES_PER_TURN)
    for (const { waiter, wake } of some) if (this.#standing.delete(waiter)) waiter.settle(wake)
    if (this.#woken.length > 0) this.#scheduleWake()
  }
}
