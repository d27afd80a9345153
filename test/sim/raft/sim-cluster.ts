// All replicas of one world, the network between them, and the questions that faults and phases ask of the whole.

import { majorityOf, nodeIdOf, type ReplicaId, replicaIdOf } from '../../../src/core/raft/index.ts'
import { Network } from '../network.ts'
import { SimRandom } from '../random.ts'
import { World } from '../world.ts'
import { Checker } from './checker.ts'
import { describeMessage } from './describe.ts'
import { type Packet, SimReplica, type Surroundings } from './sim-replica.ts'
import type { Swarm } from './swarm.ts'

export class SimCluster {
  readonly world = new World()
  readonly swarm: Swarm
  readonly checker: Checker
  readonly network: Network<Packet>
  /** By node: the replica of its present data folder. */
  readonly replicas = new Map<number, SimReplica>()
  /** Runs through all that happened; equal for equal histories. */
  fingerprint = 0
  /** Fixed columns: time, replica, role, term, commit, applied, last index, event. */
  readonly #print: ((line: string) => void) | null
  readonly #around: Surroundings
  readonly #wipes = new Map<number, number>()

  constructor(swarm: Swarm, print: ((line: string) => void) | null) {
    this.swarm = swarm
    this.#print = print
    const { seed, voters, nodes } = swarm
    const genesis = Array.from({ length: voters }, (_, i) => replicaIdOf(i + 1, 'a'))
    this.checker = new Checker(genesis, (id) => this.byId(id))
    this.network = new Network(this.world, new SimRandom(seed, 'network'), { ...swarm.network }, (_, to, packet) =>
      this.replicas.get(to)?.deliver(packet),
    )
    this.#around = {
      world: this.world,
      swarm,
      checker: this.checker,
      diskRandom: new SimRandom(seed, 'disk'),
      send: (from, packet) => this.#send(from, packet),
      contacts: () => [...this.replicas.values()].map(({ id }) => id),
      trace: (replica, event) => this.#trace(replica, event),
    }
    for (let node = 1; node <= nodes; node++) this.replicas.set(node, new SimReplica(node, 'a', this.#around))
    for (let node = 1; node <= voters; node++) this.replicas.get(node)!.format(genesis)
    for (const replica of this.replicas.values()) replica.start()
  }

  byId(id: ReplicaId): SimReplica | undefined {
    const replica = this.replicas.get(nodeIdOf(id))
    return replica?.id === id ? replica : undefined
  }

  get running(): SimReplica[] {
    return [...this.replicas.values()].filter((replica) => replica.up && !replica.paused)
  }

  get leaders(): SimReplica[] {
    return this.running.filter(({ raft }) => raft!.role === 'leader')
  }

  /** Kills what runs and starts an empty folder on the same node: a new replica, which nobody knows. */
  wipe(replica: SimReplica): void {
    const { node } = replica
    this.checker.ghost(replica.id, replica.disk.durable)
    if (replica.up) replica.kill()
    const times = (this.#wipes.get(node) ?? 0) + 1
    this.#wipes.set(node, times)
    const fresh = new SimReplica(node, `a${times}`, this.#around)
    this.replicas.set(node, fresh)
    fresh.start()
    for (const other of this.running) if (other !== fresh) other.raft!.contact([fresh.id])
  }

  /** Every voter set that may be in force: the committed one, and those of all logs. */
  voterSets(): (readonly ReplicaId[])[] {
    const sets = [this.checker.committedVoters]
    for (const { votersSeen } of this.replicas.values()) if (votersSeen.length > 0) sets.push(votersSeen)
    return sets
  }

  /** Has its folder and all it ever acknowledged. */
  isIntact(id: ReplicaId): boolean {
    const replica = this.byId(id)
    return replica !== undefined && replica.disk.abstainUntil === null
  }

  /** Whether every set keeps a majority of intact voters among those that `remain`. */
  keepsMajority(remain: (id: ReplicaId) => boolean): boolean {
    return this.voterSets().every((set) => {
      const good = set.filter((id) => this.isIntact(id) && remain(id)).length
      return good >= majorityOf(set.length)
    })
  }

  note(event: string): void {
    this.#mix(event.length)
    this.#print?.(`${clock(this.world.now)} ${'·'.padEnd(5)} ${''.padEnd(39)} ${event}`)
  }

  #send(from: ReplicaId, packet: Packet): void {
    const { message } = packet
    this.network.send(nodeIdOf(from), nodeIdOf(message.to), packet)
    this.#mix(message.kind.length * 64 + nodeIdOf(message.to))
    this.#print?.(`${clock(this.world.now)} ${from.padEnd(5)} ${''.padEnd(39)} → ${describeMessage(message)}`)
  }

  #trace(replica: SimReplica, event: string): void {
    const { raft } = replica
    this.#mix(replica.node)
    this.#mix(this.world.now * 1000)
    this.#mix(event.length)
    if (raft !== null) {
      this.#mix(raft.term)
      this.#mix(raft.commitIndex)
      this.#mix(raft.lastIndex)
    }
    if (this.#print === null) return
    const state =
      raft === null
        ? ''.padEnd(39)
        : `${raft.role.padEnd(13)} T${pad(raft.term)} c${pad(raft.commitIndex)} a${pad(raft.appliedIndex)} l${pad(raft.lastIndex)}`
    this.#print(`${clock(this.world.now)} ${replica.id.padEnd(5)} ${state.padEnd(39)} ${event}`)
  }

  #mix(value: number): void {
    const hash = Math.imul(this.fingerprint ^ (value | 0), 0x9e3779b1)
    this.fingerprint = (hash ^ (hash >>> 15)) >>> 0
  }
}

function clock(ms: number): string {
  return ms.toFixed(3).padStart(12)
}

function pad(value: number): string {
  return String(value).padEnd(5)
}
