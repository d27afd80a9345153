// Does harm, as the seed's swarm says, and counts it. What it breaks it lets heal by itself after a while; what would make
// the run prove nothing (no majority left with its data whole) it refrains from.

import { majorityOf } from '../../../src/core/raft/index.ts'
import { SimRandom } from '../random.ts'
import type { SimCluster } from './sim-cluster.ts'
import type { SimReplica } from './sim-replica.ts'
import type { Fault } from './swarm.ts'

export class Nemesis {
  readonly counts = new Map<Fault, number>()
  readonly #cluster: SimCluster
  readonly #random: SimRandom
  #active = true

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
    this.#random = new SimRandom(cluster.swarm.seed, 'nemesis')
    this.#next()
  }

  /** No more faults; what is broken stays until others mend it. */
  stop(): void {
    this.#active = false
  }

  #next(): void {
    const { faults, faultMsMean } = this.#cluster.swarm
    if (faults.size === 0) return
    this.#cluster.world.after(this.#random.exponential(faultMsMean), () => {
      if (!this.#active) return
      const fault = this.#draw(faults)
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

  /** False when nothing was done. */
  #commit(fault: Fault): boolean {
    const cluster = this.#cluster
    const random = this.#random
    const running = cluster.running
    if (running.length === 0) return false
    const victim =
      random.chance(0.5) && cluster.leaders.length > 0 ? random.pick(cluster.leaders) : random.pick(running)
    const others = [...cluster.replicas.keys()].filter((node) => node !== victim.node)
    switch (fault) {
      case 'kill':
        cluster.note(`kill ${victim.id}`)
        victim.kill()
        return this.#startLater(victim)
      case 'power-loss':
      case 'sync-failure':
        cluster.note(`${fault} ${victim.id}`)
        victim.losePower()
        return this.#startLater(victim)
      case 'power-loss-all':
        cluster.note(fault)
        for (const replica of cluster.replicas.values()) {
          if (replica.up) this.#startLater(replica)
          replica.losePower()
        }
        return true
      case 'pause':
        victim.pause()
        this.#later(() => victim.resume())
        return true
      case 'isolate':
        return this.#cut(others.flatMap((other) => [[victim.node, other] as const, [other, victim.node] as const]))
      case 'one-way': {
        if (others.length === 0) return false
        const other = random.pick(others)
        return this.#cut([random.chance(0.5) ? [victim.node, other] : [other, victim.node]])
      }
      case 'split': {
        const side = random.shuffled([...cluster.replicas.keys()]).slice(0, random.int(1, Math.max(1, others.length)))
        const rest = [...cluster.replicas.keys()].filter((node) => !side.includes(node))
        return this.#cut(side.flatMap((a) => rest.flatMap((b) => [[a, b] as const, [b, a] as const])))
      }
      case 'slow-disk':
        victim.slowness = random.pick([10, 100])
        this.#later(() => (victim.slowness = 1))
        return true
      case 'wipe':
        if (!cluster.keepsMajority((id) => id !== victim.id)) return false
        cluster.note(`wipe ${victim.id}`)
        cluster.wipe(victim)
        return true
      case 'damage':
        return this.#damage(victim)
      case 'state-file-rot':
        victim.kill()
        cluster.note(`a copy of the state file of ${victim.id} rots`)
        return this.#startLater(victim) && victim.disk.rotStateFile(random)
      case 'unreachable':
        for (const replica of cluster.replicas.values()) victim.raft!.unreachable(replica.id)
        return true
      case 'campaign':
        victim.raft!.campaign()
        victim.pump()
        return true
      case 'transfer':
      case 'add-voter':
      case 'remove-voter':
        return this.#operate(fault)
    }
  }

  /** An operator's command, to whoever believes it leads. */
  #operate(fault: 'transfer' | 'add-voter' | 'remove-voter'): boolean {
    const { leaders, replicas, swarm } = this.#cluster
    if (leaders.length === 0) return false
    const leader = this.#random.pick(leaders)
    const raft = leader.raft!
    const ids = [...replicas.values()].map(({ id }) => id)
    const gone = raft.voters.filter((id) => !ids.includes(id))
    let kind: string
    if (fault === 'transfer') kind = raft.transfer(this.#random.pick(raft.voters)).kind
    else if (fault === 'add-voter') {
      const outside = ids.filter((id) => !raft.voters.includes(id) && this.#cluster.isIntact(id))
      if (outside.length === 0 || raft.voters.length >= 5) return false
      const following = outside.filter((id) => (raft.progressOf(id)?.match ?? 0) > 0)
      const replica = this.#random.pick(following.length > 0 ? following : outside)
      kind = raft.changeMembership({ kind: 'add', replica }).kind
    } else {
      if (raft.voters.length <= Math.min(2, swarm.voters) && gone.length === 0) return false
      const replica = gone.length > 0 ? gone[0]! : this.#random.pick(raft.voters)
      const left = raft.voters.filter((id) => id !== replica)
      if (left.filter((id) => this.#cluster.isIntact(id)).length < majorityOf(left.length)) return false
      kind = raft.changeMembership({ kind: 'remove', replica }).kind
    }
    this.#cluster.note(`${fault} at ${leader.id}: ${kind}`)
    leader.pump()
    return kind === 'started' || kind === 'proposed'
  }

  #damage(victim: SimReplica): boolean {
    const { disk } = victim
    const { lastIndex, snapshot } = disk.durable
    if (lastIndex <= (snapshot?.head.index ?? 0) + 1 || !this.#cluster.keepsMajority((id) => id !== victim.id))
      return false
    victim.losePower()
    const lowest = Math.max(disk.durable.snapshot?.head.index ?? 0, disk.durable.firstIndex) + 1
    if (disk.durable.lastIndex <= lowest) return this.#startLater(victim) && false
    const at = this.#random.int(lowest + 1, disk.durable.lastIndex)
    this.#cluster.note(`entries of ${victim.id} from ${at} on are damaged`)
    this.#cluster.checker.ghost(victim.id, disk.durable.copy())
    disk.damage(at)
    return this.#startLater(victim)
  }

  #cut(links: readonly (readonly [number, number])[]): boolean {
    const { network } = this.#cluster
    if (links.length === 0) return false
    this.#cluster.note(`cut ${links.map(([a, b]) => `${a}>${b}`).join(' ')}`)
    for (const [a, b] of links) network.cut(a, b)
    this.#later(() => {
      for (const [a, b] of links) network.heal(a, b)
    })
    return true
  }

  #startLater(replica: SimReplica): true {
    this.#later(() => {
      if (!replica.up && this.#cluster.byId(replica.id) === replica) replica.start()
    })
    return true
  }

  #later(run: () => void): void {
    this.#cluster.world.after(this.#random.exponential(this.#cluster.swarm.healMsMean), () => {
      if (this.#active) run()
    })
  }
}
