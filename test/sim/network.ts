// Links between nodes: each message is lost, repeated, delayed, and overtaken or not, as the rates say; a link may be cut
// in one direction. A message that was under way when its link is cut still arrives: cuts act on sending.

import type { SimRandom } from './random.ts'
import type { World } from './world.ts'

export interface NetworkRates {
  loss: number
  repeat: number
  /** One way: at least `delayMsMin`, plus an exponential with this mean. */
  delayMsMin: number
  delayMsMean: number
  /** Whether messages of one link may overtake each other. */
  reorder: boolean
  /** Messages under way on one link; beyond it they are lost. */
  capacity: number
}

export class Network<Packet> {
  rates: NetworkRates
  lost = 0
  repeated = 0
  readonly #world: World
  readonly #random: SimRandom
  readonly #deliver: (from: number, to: number, packet: Packet) => void
  readonly #cuts = new Set<number>()
  readonly #links = new Map<number, { underWay: number; lastAt: number }>()

  constructor(
    world: World,
    random: SimRandom,
    rates: NetworkRates,
    deliver: (from: number, to: number, packet: Packet) => void,
  ) {
    this.#world = world
    this.#random = random
    this.rates = rates
    this.#deliver = deliver
  }

  cut(from: number, to: number): void {
    this.#cuts.add(keyOf(from, to))
  }

  heal(from: number, to: number): void {
    this.#cuts.delete(keyOf(from, to))
  }

  healAll(): void {
    this.#cuts.clear()
  }

  send(from: number, to: number, packet: Packet): void {
    const lost = this.#random.chance(this.rates.loss)
    if (lost || this.#cuts.has(keyOf(from, to))) {
      this.lost++
      return
    }
    this.#carry(from, to, packet)
    if (this.#random.chance(this.rates.repeat)) {
      this.repeated++
      this.#carry(from, to, packet)
    }
  }

  #carry(from: number, to: number, packet: Packet): void {
    const { delayMsMin, delayMsMean, reorder, capacity } = this.rates
    const link = this.#linkOf(from, to)
    if (link.underWay >= capacity) {
      this.lost++
      return
    }
    let at = this.#world.now + delayMsMin + this.#random.exponential(delayMsMean)
    if (!reorder) at = Math.max(at, link.lastAt)
    link.lastAt = at
    link.underWay++
    this.#world.after(at - this.#world.now, () => {
      link.underWay--
      this.#deliver(from, to, packet)
    })
  }

  #linkOf(from: number, to: number): { underWay: number; lastAt: number } {
    let link = this.#links.get(keyOf(from, to))
    if (link === undefined) this.#links.set(keyOf(from, to), (link = { underWay: 0, lastAt: 0 }))
    return link
  }
}

function keyOf(from: number, to: number): number {
  return from * 1024 + to
}
