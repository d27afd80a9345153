// What push does by the clock, on one timer: every subscription says something each `heartbeatMs`, a share of them at a tick,
// and connections that do not take what they were given are looked at again.

import type { Clock } from '../../core/ports/index.ts'

export interface Beating {
  beat(): void
}

export interface Stalled {
  /** Called each tick until it is removed. */
  lookAgain(nowMs: number): void
}

const TICK_MS = 1_000

export class Pulse {
  readonly #clock: Clock
  readonly #shares: readonly Set<Beating>[]
  readonly #stalled = new Set<Stalled>()
  #next = 0
  #cancel: (() => void) | null = null

  constructor(clock: Clock, heartbeatMs: number) {
    this.#clock = clock
    this.#shares = Array.from({ length: Math.max(1, Math.round(heartbeatMs / TICK_MS)) }, () => new Set<Beating>())
  }

  add(beating: Beating): void {
    let smallest = this.#shares[0]!
    for (const share of this.#shares) if (share.size < smallest.size) smallest = share
    smallest.add(beating)
    this.#arm()
  }

  delete(beating: Beating): void {
    for (const share of this.#shares) if (share.delete(beating)) break
    this.#rest()
  }

  addStalled(stalled: Stalled): void {
    this.#stalled.add(stalled)
    this.#arm()
  }

  deleteStalled(stalled: Stalled): void {
    this.#stalled.delete(stalled)
    this.#rest()
  }

  #arm(): void {
    this.#cancel ??= this.#clock.wakeAt(this.#clock.monotonic() + TICK_MS, () => this.#tick())
  }

  #rest(): void {
    if (this.#stalled.size > 0 || this.#shares.some((share) => share.size > 0)) return
    this.#cancel?.()
    this.#cancel = null
  }

  #tick(): void {
    this.#cancel = null
    this.#next = (this.#next + 1) % this.#shares.length
    for (const beating of this.#shares[this.#next]!) beating.beat()
    const nowMs = this.#clock.monotonic()
    for (const stalled of this.#stalled) stalled.lookAgain(nowMs)
    if (this.#stalled.size > 0 || this.#shares.some((share) => share.size > 0)) this.#arm()
  }
}
