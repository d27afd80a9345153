// The clock port on virtual time, and the way to run promises on it: `run` does what is due, event by event, and lets every
// promise that became ready go on before the next. No real time passes and nothing real is waited for.

import { drainMicrotasks } from 'bun:jsc'
import type { Clock } from '../../src/core/ports/index.ts'
import { World } from './world.ts'

const WALL_START_MS = Date.UTC(2026, 0, 1)

/** Nothing is due and the promise has not settled: it waits for something that will never come. */
export class Stuck extends Error {}

export class SimClock implements Clock {
  readonly world: World
  /** What the wall clock is ahead of the world by. */
  wallOffsetMs = WALL_START_MS
  #isStopped = false

  constructor(world: World = new World()) {
    this.world = world
  }

  now(): number {
    return Math.floor(this.wallOffsetMs + this.world.now)
  }

  monotonic(): number {
    return this.world.now
  }

  wakeAt(monotonicMs: number, wake: () => void): () => void {
    let isCancelled = false
    this.after(Math.max(monotonicMs - this.world.now, 0), () => {
      if (!isCancelled) wake()
    })
    return () => {
      isCancelled = true
    }
  }

  nextTurn(run: () => void): void {
    this.after(0, run)
  }

  /** As `world.after`, unless the process has ended by then. */
  after(delayMs: number, run: () => void): void {
    this.world.after(delayMs, () => {
      if (!this.#isStopped) run()
    })
  }

  /** The process ends: nothing it waits for comes any more. */
  stop(): void {
    this.#isStopped = true
  }

  /** For the process after this one. */
  successor(): SimClock {
    const next = new SimClock(this.world)
    next.wallOffsetMs = this.wallOffsetMs
    return next
  }

  /** The value of `promise`, or throws what it rejects with; `Stuck` when it never settles. */
  run<T>(promise: Promise<T>): T {
    const end: { settled?: { value: T } | { error: unknown } } = {}
    promise.then(
      (value) => (end.settled = { value }),
      (error: unknown) => (end.settled = { error }),
    )
    drainMicrotasks()
    while (end.settled === undefined) {
      if (!this.world.step()) throw new Stuck('nothing is due and the promise has not settled')
      drainMicrotasks()
    }
    if ('error' in end.settled) throw end.settled.error
    return end.settled.value
  }

  /** Runs everything that is due, and what that makes due, until nothing is. */
  runAll(): void {
    do drainMicrotasks()
    while (this.world.step())
  }

  /** Runs everything due within the next `ms`. */
  pass(ms: number): void {
    const end = this.world.now + ms
    drainMicrotasks()
    while (this.world.runUntil(end, () => true)) drainMicrotasks()
  }
}
