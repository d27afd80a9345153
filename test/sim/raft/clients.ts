// Clients of one world: each proposes and reads, one operation after another, at whatever node it believes to lead. A write
// is acknowledged when its entry was applied where it was proposed; a read must see all that was acknowledged before it.

import { writeU32 } from '../../../src/core/base/index.ts'
import { SimRandom } from '../random.ts'
import type { SimCluster } from './sim-cluster.ts'

export class Clients {
  written = 0
  unknown = 0
  refused = 0
  readCount = 0
  readsDropped = 0
  readonly #cluster: SimCluster
  readonly #random: SimRandom
  #active = true
  #operation = 0

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
    this.#random = new SimRandom(cluster.swarm.seed, 'clients')
    for (let client = 0; client < cluster.swarm.clients; client++) this.#next()
  }

  stop(): void {
    this.#active = false
  }

  #next(): void {
    const { world, swarm } = this.#cluster
    world.after(this.#random.exponential(swarm.thinkMsMean), () => {
      if (!this.#active) return
      this.#operate()
      this.#next()
    })
  }

  #operate(): void {
    const { leaders, running, swarm } = this.#cluster
    if (running.length === 0) return
    const replica = this.#random.pick(leaders.length > 0 && !this.#random.chance(0.05) ? leaders : running)
    if (this.#random.chance(0.35)) {
      const kind = replica.read((answered) => (answered ? this.readCount++ : this.readsDropped++))
      if (kind !== 'reading') this.refused++
      return
    }
    const bytes = new Uint8Array(this.#random.int(4, swarm.proposalBytesMax))
    writeU32(bytes, 0, ++this.#operation)
    const count = this.#random.pick([1, 1, 1, 2, 3])
    const kind = replica.propose(bytes, count, (outcome) => (outcome === 'committed' ? this.written++ : this.unknown++))
    if (kind !== 'proposed') this.refused++
  }
}
