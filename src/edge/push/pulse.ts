// What push does by the clock, on one timer: every subscription says something each `heartbeatMs`, a share of them at a tick,
// and slow readers are looked at again.

import type { Clock } from '../../core/ports/index.ts'
import type { SlowReaders } from './slow-readers.ts'

export interface Beating {
  beat(): void
}

const TICK_MS = 1_000
const BEATS_PER_TURN = 512

export class Pulse {
  readonly #clock: Clock
  readonly #slow: SlowReaders
  readonly #shares: readonly Set<Beating>[]
  #next = 0
  #cancel: (() => void) | null = null

  constructor(clock: Clock, heartbeatMs: number, slow: SlowReaders) {
    this.#clock = clock
    this.#slow = slow
    this.#shares = Array.from({ length: Math.max(1, Math.round(heartbeatMs / TICK_MS)) }, () => new Set<Beating>())
  }

  add(beating: Beating): void {
    let smallest = this.#shares[0]!
    for (const share of this.#shares) if (share.size < smallest.size) smallest = share
    smallest.add(beating)
  }

  delete(beating: Beating): void {
    for (const share of this.#shares) if (share.delete(beating)) break
  }

  /** While there are connections. */
  start(): void {
    this.#cancel ??= this.#clock.wakeAt(this.#clock.monotonic() + TICK_MS, () => this.#tick())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #tick(): void {
    this.#cancel = null
    this.start()
    this.#next = (this.#next + 1) % this.#shares.length
    this.#beat([...this.#shares[this.#next]!], 0)
    this.#slow.lookAgain(this.#clock.monotonic())
  }

  #beat(share: readonly Beating[], from: number): void {
    for (const beating of share.slice(from, from + BEATS_PER_TURN)) beating.beat()
    const next = from + BEATS_PER_TURN
    if (next < share.length) this.#clock.nextTurn(() => this.#beat(share, next))
  }
}
