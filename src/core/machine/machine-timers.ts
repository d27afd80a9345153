// The named timers of one machine on one timing wheel with one alarm. While the machine loads, changes are only noted: they
// are set for their full time when it becomes active.

import { TimingWheel, type TimingWheelHandle } from '../base/index.ts'
import type { Clock } from '../ports/index.ts'
import type { TimerChange } from './machine.ts'

interface SetTimer<Command> {
  timer: string
  afterMs: number
  command: Command
}

export class MachineTimers<Command> {
  readonly #clock: Clock
  readonly #onDue: (timer: string, command: Command) => void
  readonly #wheel: TimingWheel<SetTimer<Command>>
  readonly #handles = new Map<string, TimingWheelHandle<SetTimer<Command>>>()
  #noted: Map<string, SetTimer<Command>> | null = new Map()
  #alarmAtMs = Number.POSITIVE_INFINITY
  #cancelAlarm: (() => void) | null = null

  constructor(clock: Clock, onDue: (timer: string, command: Command) => void) {
    this.#clock = clock
    this.#onDue = onDue
    this.#wheel = new TimingWheel(clock.monotonic())
  }

  change(changes: readonly TimerChange<Command>[]): void {
    for (const change of changes) {
      this.clear(change.timer)
      if (change.afterMs !== null) this.set(change)
    }
  }

  set(timer: SetTimer<Command>): void {
    if (this.#noted !== null) {
      this.#noted.set(timer.timer, timer)
      return
    }
    const deadlineMs = this.#clock.monotonic() + timer.afterMs
    this.#handles.set(timer.timer, this.#wheel.add(deadlineMs, timer))
    if (deadlineMs < this.#alarmAtMs) this.#setAlarm(deadlineMs)
  }

  clear(timer: string): void {
    this.#noted?.delete(timer)
    const handle = this.#handles.get(timer)
    if (handle === undefined) return
    this.#wheel.cancel(handle)
    this.#handles.delete(timer)
  }

  /** The machine is loaded: time starts to run. */
  start(): void {
    const noted = this.#noted
    this.#noted = null
    if (noted !== null) for (const timer of noted.values()) this.set(timer)
  }

  close(): void {
    this.#cancelAlarm?.()
    this.#noted = new Map()
  }

  #setAlarm(atMs: number): void {
    this.#cancelAlarm?.()
    this.#alarmAtMs = atMs
    // After a late wake-up the input that waits may clear a timer that looks due: it is taken in first.
    this.#cancelAlarm = this.#clock.wakeAt(atMs, () => this.#clock.nextTurn(() => this.#fire()))
  }

  #fire(): void {
    if (this.#noted !== null) return
    this.#alarmAtMs = Number.POSITIVE_INFINITY
    this.#cancelAlarm = null
    for (const due of this.#wheel.advance(this.#clock.monotonic())) {
      // One that fired just before may have cleared or set it anew.
      if (this.#handles.get(due.timer)?.item !== due) continue
      this.#handles.delete(due.timer)
      this.#onDue(due.timer, due.command)
    }
    const nextMs = this.#wheel.nextDeadline()
    if (nextMs !== null && nextMs < this.#alarmAtMs) this.#setAlarm(nextMs)
  }
}
