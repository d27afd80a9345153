// Time that moves when the test says so.

import type { Clock } from '../../../src/core/ports/index.ts'

export class FakeClock implements Clock {
  nowMs = 0
  #alarms: { atMs: number; wake: () => void }[] = []
  #turns: (() => void)[] = []

  now(): number {
    return 1_790_000_000_000 + this.nowMs
  }

  monotonic(): number {
    return this.nowMs
  }

  get alarmCount(): number {
    return this.#alarms.length
  }

  wakeAt(monotonicMs: number, wake: () => void): () => void {
    const alarm = { atMs: monotonicMs, wake }
    this.#alarms.push(alarm)
    return () => {
      this.#alarms = this.#alarms.filter((a) => a !== alarm)
    }
  }

  nextTurn(run: () => void): void {
    this.#turns.push(run)
  }

  advance(ms: number): void {
    this.nowMs += ms
    const due = this.#alarms.filter((a) => a.atMs <= this.nowMs)
    this.#alarms = this.#alarms.filter((a) => a.atMs > this.nowMs)
    for (const alarm of due) alarm.wake()
    for (const run of this.#turns.splice(0)) run()
  }
}

/** Lets promises that are ready run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}
