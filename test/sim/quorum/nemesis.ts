// Does harm, as the seed's swarm says, and counts it. What it breaks it mends after a while; it never takes the last whole
// majority of the voters.

import { majorityOf, nodeIdOf } from '../../../src/core/raft/index.ts'
import { allLost, randomOutcome } from '../disk.ts'
import { SimRandom } from '../random.ts'
import type { Quorum } from './quorum.ts'
import type { SimNode } from './sim-node.ts'
import type { Fault } from './swarm.ts'

export class Nemesis {
  readonly counts = new Map<Fault, number>()
  readonly #quorum: Quorum
  readonly #random: SimRandom
  #isActive = true

  constructor(quorum: Quorum) {
    this.#quorum = quorum
    this.#random = new SimRandom(quorum.swarm.seed, 'nemesis')
    this.#next()
  }

  stop(): void {
    this.#isActive = false
  }

  #next(): void {
    const { swarm, world } = this.#quorum
    if (swarm.faults.size === 0) return
    world.after(this.#random.exponential(swarm.faultMsMean), () => {
      if (!this.#isActive) return
      const fault = this.#draw(swarm.faults)
      if (this.#commit(fault)) this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1)
      this.#next()
    })
  }

  #draw(faults: ReadonlyMap<Fault, number>): Fault {
    let total = 0
    for (const weight of faults.values()) total += weight
    let at = this.#random.between(0, total)
    for (const [fault, weight] of faults) if ((at -= weight) <= 0) return fault
    return [...faults.keys()].at(-1)!
  }

  /** False: nothing was done. */
  #commit(fault: Fault): boolean {
    const quorum = this.#quorum
    const random = this.#random
    const running = quorum.nodes.filter(({ isRunning }) => isRunning)
    const leaders = running.filter(({ metadata }) => metadata?.quorum.isLeading === true)
    if (running.length === 0) return false
    const victim = random.pick(leaders.length > 0 && random.chance(0.5) ? leaders : running)
    const others = quorum.nodes.filter((node) => node !== victim)
    switch (fault) {
      case 'kill':
        victim.end(null)
        return this.#startLater(victim)
      case 'stop':
        if (victim.metadata === null) return false
        victim.close(() => (this.#isActive ? this.#startLater(victim) : quorum.start(victim)))
        return true
      case 'power-loss':
        victim.end(this.#outcome())
        return this.#startLater(victim)
      case 'power-loss-all':
        for (const node of running) {
          node.end(this.#outcome())
          this.#startLater(node)
        }
        return true
      case 'sync-failure':
        victim.mayHalt = true
        victim.disk.syncsUntilFailure = random.int(1, 3)
        this.#later(() => {
          victim.disk.syncsUntilFailure = 0
          if (!victim.isRunning) quorum.start(victim)
        })
        return true
      case 'disk-full':
        victim.disk.totalBytes = victim.disk.usedBytes + random.int(0, 400)
        this.#later(() => (victim.disk.totalBytes = Number.POSITIVE_INFINITY))
        return this.#startLater(victim)
      case 'slow-disk':
        victim.slowness = random.pick([10, 100])
        this.#later(() => (victim.slowness = 1))
        return true
      case 'isolate':
        return this.#cut(others.flatMap((other) => [[victim, other] as const, [other, victim] as const]))
      case 'one-way': {
        if (others.length === 0) return false
        const other = random.pick(others)
        return this.#cut([random.chance(0.5) ? [victim, other] : [other, victim]])
      }
      case 'split': {
        const side = random.shuffled(quorum.nodes).slice(0, random.int(1, Math.max(1, others.length)))
        const rest = quorum.nodes.filter((node) => !side.includes(node))
        return this.#cut(side.flatMap((a) => rest.flatMap((b) => [[a, b] as const, [b, a] as const])))
      }
      case 'broken-links':
        quorum.wires.breakLinks(victim)
        return true
      case 'wipe':
        return this.#wipe(victim)
      case 'transfer': {
        const raft = victim.metadata?.quorum
        const voters = raft?.raft?.voters ?? []
        return voters.length > 1 && raft!.transfer(random.pick(voters)).kind === 'started'
      }
    }
  }

  #outcome(): Parameters<SimNode['end']>[0] {
    return this.#random.chance(0.5) ? allLost : randomOutcome(this.#random)
  }

  /** Only of a node without which every set of voters that may be in force keeps a majority. */
  #wipe(victim: SimNode): boolean {
    const quorum = this.#quorum
    const sets = quorum.voterSets()
    const keeps = sets.every((voters) => {
      const whole = voters.filter((voter) => quorum.nodes.some((it) => it.replica === voter && it !== victim))
      return whole.length >= majorityOf(voters.length)
    })
    if (sets.length === 0 || !keeps) return false
    victim.wipe()
    quorum.wiped.add(nodeIdOf(victim.replica))
    return this.#startLater(victim)
  }

  #cut(links: readonly (readonly [SimNode, SimNode])[]): boolean {
    const { wires } = this.#quorum
    if (links.length === 0) return false
    for (const [a, b] of links) wires.cut(a.nodeId, b.nodeId)
    this.#quorum.say(`cut ${links.map(([a, b]) => `${a.nodeId}>${b.nodeId}`).join(' ')}`)
    this.#later(() => {
      for (const [a, b] of links) wires.heal(a.nodeId, b.nodeId)
    })
    return true
  }

  #startLater(node: SimNode): true {
    this.#later(() => {
      if (!node.isRunning) this.#quorum.start(node)
    })
    return true
  }

  #later(run: () => void): void {
    const { world, swarm } = this.#quorum
    world.after(this.#random.exponential(swarm.healMsMean), () => {
      if (this.#isActive) run()
    })
  }
}
