// Randomness of a simulated world: one seed, one stream per concern, so that a call added for one (the network, the disk,
// a client) does not shift the others. sfc32, seeded through a mixer with the concern's name.

import type { Random } from '../../src/core/ports/index.ts'

export class SimRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, concern: string) {
    let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.floor(seed / 0x1_0000_0000)
    for (let i = 0; i < concern.length; i++) hash = Math.imul(hash ^ concern.charCodeAt(i), 0x01000193)
    this.#a = hash ^ seed
    this.#b = Math.imul(hash, 0xc2b2ae35)
    this.#c = hash >>> 3
    for (let i = 0; i < 12; i++) this.u32()
  }

  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  fill(into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.u32()
  }

  /** In [0, 1). */
  unit(): number {
    return this.u32() / 0x1_0000_0000
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    return low + (this.u32() % (high - low + 1))
  }

  between(low: number, high: number): number {
    return low + this.unit() * (high - low)
  }

  /** Exponentially distributed. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit())
  }

  pick<T>(from: readonly T[]): T {
    return from[this.u32() % from.length]!
  }

  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items]
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.u32() % (i + 1)
      const item = order[i]!
      order[i] = order[j]!
      order[j] = item
    }
    return order
  }
}
