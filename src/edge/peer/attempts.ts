// When to try again, by whom it concerns: after a tenth of a second, then ever later, each time by chance a little sooner or later
// so that brokers that lost each other together do not come back in step.

import type { Clock, Random } from '../../core/ports/index.ts'

const FIRST_MS = 100
const LAST_MS = 5_000

export class Attempts {
  readonly #clock: Clock
  readonly #random: Random
  readonly #delays = new Map<string, number>()
  readonly #pending = new Map<string, () => void>()
  #isClosed = false

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  isPending(who: string): boolean {
    return this.#pending.has(who)
  }

  /** Unless one is pending. */
  later(who: string, run: () => void): void {
    if (this.#isClosed || this.#pending.has(who)) return
    const delay = this.#delays.get(who) ?? FIRST_MS
    this.#delays.set(who, Math.min(delay * 2, LAST_MS))
    const jittered = (delay * (1 + (this.#random.u32() % 1_000) / 1_000)) / 2
    const cancel = this.#clock.wakeAt(this.#clock.monotonic() + jittered, () => {
      this.#pending.delete(who)
      run()
    })
    this.#pending.set(who, cancel)
  }

  /** It went well, or something is new: the next is soon again. */
  forget(who: string): void {
    this.#delays.delete(who)
    this.#pending.get(who)?.()
    this.#pending.delete(who)
  }

  close(): void {
    this.#isClosed = true
    for (const cancel of this.#pending.values()) cancel()
    this.#pending.clear()
  }
}
