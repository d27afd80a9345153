// Everything in the broker that waits for a time: one timing wheel, one alarm of the clock, set for the nearest deadline.
// Deadlines are monotonic milliseconds. A late wake-up first lets waiting input in, then fires what is due, so that a
// stalled loop does not expire work whose answer is already there.

import { TimingWheel, type TimingWheelHandle } from '../base/index.ts'
import type { Clock } from '../ports/index.ts'

export interface Timed {
  /** Called once when the deadline has passed, unless cancelled. */
  expire(): void
}

export type TimerHandle = TimingWheelHandle<Timed>

export class Timers {
  readonly #clock: Clock
  readonly #wheel: TimingWheel<Timed>
  #alarmAtMs = Number.POSITIVE_INFINITY
  #cancelAlarm: (() => void) | null = null
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#wheel = new TimingWheel(clock.monotonic())
  }

  nowMs(): number {
    return this.#clock.monotonic()
  }

  /** After `close` nothing expires any more. */
  at(deadlineMs: number, timed: Timed): TimerHandle {
    const handle = this.#wheel.add(deadlineMs, timed)
    if (deadlineMs < this.#alarmAtMs && !this.#closed) this.#arm(deadlineMs)
    return handle
  }

  cancel(handle: TimerHandle): void {
    this.#wheel.cancel(handle)
  }

  close(): void {
    this.#closed = true
    this.#cancelAlarm?.()
  }

  #arm(deadlineMs: number): void {
    this.#cancelAlarm?.()
    this.#alarmAtMs = deadlineMs
    this.#cancelAlarm = this.#clock.wakeAt(deadlineMs, () => this.#clock.nextTurn(() => this.#fire()))
  }

  #fire(): void {
    if (this.#closed) return
    this.#alarmAtMs = Number.POSITIVE_INFINITY
    this.#cancelAlarm = null
    for (const timed of this.#wheel.advance(this.#clock.monotonic())) timed.expire()
    const next = this.#wheel.nextDeadline()
    if (next !== null && next < this.#alarmAtMs) this.#arm(next)
  }
}
