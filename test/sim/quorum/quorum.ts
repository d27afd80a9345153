// One seed: some brokers' metadata on a quorum, grown from one broker as an operator would, under faults; then proof of life.
// All is healed and started, and the brokers must come to have one controller, the same picture, and everything in it that
// was ever acknowledged.

import { drainMicrotasks } from 'bun:jsc'
import { BrokenInvariant } from '../../../src/core/base/index.ts'
import type { ReplicaId } from '../../../src/core/raft/index.ts'
import { World } from '../world.ts'
import { Checker, pictureOf } from './checker.ts'
import { History } from './history.ts'
import { Nemesis } from './nemesis.ts'
import { SimNode } from './sim-node.ts'
import { Wires } from './sim-peers.ts'
import { drawSwarm, type QuorumSwarm } from './swarm.ts'

/** Mistakes that a test plants, to see them found: in the state machine, in what stands on it, in the disk. */
export const MISTAKES = ['apply-before-commit', 'vote-twice', 'two-changes', 'unconfirmed', 'lying-disk'] as const
export type Mistake = (typeof MISTAKES)[number]

export function isMistake(name: string): name is Mistake {
  return MISTAKES.some((mistake) => mistake === name)
}

export interface Outcome {
  readonly seed: number
  /** What went wrong, or null. */
  readonly failure: string | null
  readonly events: number
  readonly fingerprint: number
  readonly faults: ReadonlyMap<string, number>
  readonly acknowledged: number
  readonly unwritten: number
  readonly unknown: number
  readonly elections: number
  readonly committed: number
}

class Broken extends Error {}

const OPERATOR_MS = 150
const EVENTS_MAX = 400_000
const PATIENCE_MS = 20_000

export class Quorum {
  readonly world = new World()
  readonly swarm: QuorumSwarm
  readonly wires: Wires
  readonly nodes: readonly SimNode[]
  /** Nodes that once lost their folder: they join, whatever they did at first. */
  readonly wiped = new Set<number>()
  readonly checker = new Checker((why) => this.fail(why))
  readonly history: History
  fingerprint = 0
  readonly #print: ((line: string) => void) | null
  readonly #mistake: Mistake | undefined
  readonly #votersSeen = new Map<ReplicaId, readonly ReplicaId[]>()
  #failure: string | null = null

  constructor(swarm: QuorumSwarm, mistake: Mistake | undefined, print: ((line: string) => void) | null) {
    this.swarm = swarm
    this.#mistake = mistake
    this.#print = print
    this.wires = new Wires(this.world, swarm, (message) => this.checker.onSend(message))
    const around = {
      world: this.world,
      swarm,
      wires: this.wires,
      planted: mistake === 'lying-disk' || mistake === 'unconfirmed' ? undefined : mistake,
      isUnconfirmed: mistake === 'unconfirmed',
      note: (node: SimNode, event: string) => this.note(node, event),
      fail: (why: string) => this.fail(why),
    }
    this.nodes = Array.from({ length: swarm.nodes }, (_, i) => new SimNode(i + 1, around))
    for (const node of this.nodes) this.start(node)
    this.history = new History({
      world: this.world,
      swarm,
      isWary: swarm.seed % 2 === 1,
      nodes: () => this.nodes,
      isCut: (nodeId) => this.wires.isCut(nodeId),
      fail: (why) => this.fail(why),
    })
    this.#operateLater()
  }

  /** Only the first broker forms a cluster, and only on its first folder. */
  start(node: SimNode): void {
    node.start(node.nodeId !== 1 || this.wiped.has(1))
    if (this.#mistake === 'lying-disk') node.disk.lies = 'sync'
  }

  /** The sets that replicas go by, or will when they run again. */
  voterSets(): (readonly ReplicaId[])[] {
    return this.nodes.map(({ replica }) => this.#votersSeen.get(replica) ?? []).filter((voters) => voters.length > 0)
  }

  fail(why: string): void {
    this.#failure ??= why
    this.say(`FAILED: ${why}`)
  }

  get failure(): string | null {
    return this.#failure
  }

  say(event: string): void {
    this.#trace(`${this.world.now.toFixed(3).padStart(11)}              ${event}`)
  }

  note(node: SimNode, event: string): void {
    const raft = node.metadata?.quorum.raft
    const place = raft ? `${raft.role} T${raft.term} ${raft.commitIndex}/${raft.lastIndex}` : '-'
    this.#trace(`${this.world.now.toFixed(3).padStart(11)} ${node.replica.padEnd(12)} ${place.padEnd(24)} ${event}`)
  }

  /** Runs until `ms` or until `done`; throws what broke. */
  runUntil(ms: number, done: () => boolean = () => false): boolean {
    const { world } = this
    drainMicrotasks()
    while (world.runUntil(ms, () => true)) {
      drainMicrotasks()
      for (const node of this.nodes) {
        this.checker.look(node)
        const voters = node.metadata?.quorum.raft?.voters
        if (voters !== undefined) this.#votersSeen.set(node.replica, voters)
      }
      if (this.#failure !== null) throw new Broken(this.#failure)
      if (world.events > EVENTS_MAX) throw new Broken('more events than there should ever be')
      if (done()) return true
    }
    return false
  }

  /** Adds who is caught up, removes who is gone for good: one change at a time, on whoever leads. */
  #operateLater(): void {
    this.world.after(OPERATOR_MS, () => {
      this.#operate()
      this.#operateLater()
    })
  }

  #operate(): void {
    const leader = this.nodes.find(({ metadata }) => metadata?.quorum.raft?.established === true)
    if (leader === undefined) return
    const { quorum } = leader.metadata!
    const { voters } = quorum.raft!
    const whole = voters.filter((voter) => this.nodes.some(({ replica }) => replica === voter))
    const gone = voters.find((voter) => !whole.includes(voter))
    const next = this.nodes.find(({ replica, isRunning }) => isRunning && !voters.includes(replica))
    if (next !== undefined && whole.length < this.swarm.votersWanted) {
      const taken = voters.find((voter) => voter.startsWith(`${next.nodeId}.`))
      if (taken === undefined) return this.#change(leader, 'add', next.replica)
    }
    if (gone !== undefined) this.#change(leader, 'remove', gone)
  }

  #change(leader: SimNode, kind: 'add' | 'remove', replica: ReplicaId): void {
    const changed = leader.metadata!.quorum.changeMembership({ kind, replica })
    if (changed.kind === 'proposed') this.note(leader, `${kind} ${replica}`)
  }

  #trace(line: string): void {
    for (let i = 0; i < line.length; i++)
      this.fingerprint = Math.imul(this.fingerprint ^ line.charCodeAt(i), 0x01000193)
    this.#print?.(line)
  }
}

export function runQuorum(
  seed: number,
  { mistake, print }: { mistake?: Mistake; print?: (line: string) => void } = {},
): Outcome {
  const quorum = new Quorum(drawSwarm(seed), mistake, print ?? null)
  const { world, swarm, history, checker } = quorum
  const nemesis = new Nemesis(quorum)
  let failure: string | null = null
  try {
    quorum.runUntil(swarm.safetyMs)
    history.stop()
    nemesis.stop()
    demandLife(quorum)
  } catch (error) {
    if (!(error instanceof Broken || error instanceof BrokenInvariant)) throw error
    failure = error.message
  }
  const { acknowledged, unwritten, unknown } = history
  const { elections, committed } = checker
  const { events } = world
  const lost = quorum.wires.lanes.control.lost + quorum.wires.lanes.bulk.lost
  const faults = new Map<string, number>([...nemesis.counts, ['lost', lost]])
  const { fingerprint } = quorum
  return { seed, failure, events, fingerprint, faults, acknowledged, unwritten, unknown, elections, committed }
}

function demandLife(quorum: Quorum): void {
  const { world, nodes, wires, history } = quorum
  quorum.say('all is healed')
  wires.calm()
  for (const node of nodes) {
    node.slowness = Math.min(1, 2 / quorum.swarm.syncMsMean)
    node.disk.totalBytes = Number.POSITIVE_INFINITY
    node.disk.syncsUntilFailure = 0
    if (!node.isRunning) quorum.start(node)
  }
  if (!quorum.runUntil(world.now + PATIENCE_MS, () => isAgreed(quorum))) {
    const where = nodes.map(({ replica, metadata }) => {
      const raft = metadata?.quorum.raft
      return `${replica}: ${raft ? `${raft.role} T${raft.term} ${raft.commitIndex}/${raft.lastIndex} of ${raft.voters.join()}` : 'down'}`
    })
    throw new Broken(`not live: ${where.join('; ')}`)
  }
  const { image } = nodes[0]!.metadata!
  if (image.nextProducerId < history.idsEnd)
    throw new Broken(`ids below ${history.idsEnd} were given, the picture knows those below ${image.nextProducerId}`)
}

/** One controller, with all voters it should have, and one picture everywhere. */
function isAgreed({ nodes, swarm }: Quorum): boolean {
  const leader = nodes.find(({ metadata }) => metadata?.isController === true)?.metadata ?? null
  if (leader === null || !leader.quorum.raft!.established) return false
  const { voters, lastIndex } = leader.quorum.raft!
  if (voters.length !== swarm.votersWanted || leader.quorum.committedEnd <= lastIndex) return false
  if (!voters.every((voter) => nodes.some(({ replica }) => replica === voter))) return false
  const { committedEnd } = leader.quorum
  if (nodes.some(({ metadata }) => metadata?.quorum.committedEnd !== committedEnd)) return false
  const picture = pictureOf(leader.image)
  return nodes.every(({ metadata }) => pictureOf(metadata!.image) === picture)
}
