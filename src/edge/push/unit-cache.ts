// Units made a moment ago, by what they are read through and where they begin. Whoever comes to the same place takes the unit as it
// is: a thousand who come back after a cut, or one that fell out of its feed, cost copies. Bounded in bytes; the oldest go. For a
// reader that is alone nothing is kept: memory that is used again at once is a quarter faster.

import type { Replica } from '../../core/broker/index.ts'
import type { Unit } from './unit.ts'

const BYTES_MAX = 8 * 1024 * 1024
/** One that is larger was made for one slow log, not for many. */
const UNIT_BYTES_MAX = 1024 * 1024

/** Of one position of a session, by its place among them. */
export interface Move {
  readonly index: number
  readonly replica: Replica
  readonly from: number
  readonly to: number
}

export interface MadeUnit {
  readonly unit: Unit
  readonly moves: readonly Move[]
}

export class UnitCache {
  readonly #made = new Map<string, MadeUnit>()
  readonly #readers = new Map<string, number>()
  #bytes = 0

  /** Somebody reads so. */
  join(key: string): void {
    this.#readers.set(key, (this.#readers.get(key) ?? 0) + 1)
  }

  leave(key: string): void {
    const left = (this.#readers.get(key) ?? 0) - 1
    if (left > 0) this.#readers.set(key, left)
    else this.#readers.delete(key)
  }

  get(place: string): MadeUnit | undefined {
    return this.#made.get(place)
  }

  put(key: string, place: string, made: MadeUnit): void {
    const { heldBytes } = made.unit
    const isAlone = (this.#readers.get(key) ?? 0) < 2
    if (isAlone || heldBytes > UNIT_BYTES_MAX || this.#made.has(place)) return
    this.#made.set(place, made)
    this.#bytes += heldBytes
    for (const [oldest, { unit }] of this.#made) {
      if (this.#bytes <= BYTES_MAX) break
      this.#made.delete(oldest)
      this.#bytes -= unit.heldBytes
    }
  }
}
