// One seed: a safety phase under faults, then proof of life. For the latter everything but a randomly chosen core is
// killed; the core, a majority of every voter set that may be in force, is healed and must elect, commit and answer reads.
// Then the rest comes back, and all replicas must end with the same state.

import { BrokenInvariant } from '../../../src/core/base/index.ts'
import { SimRandom } from '../random.ts'
import { InvariantBroken } from './checker.ts'
import { Clients } from './clients.ts'
import { Nemesis } from './nemesis.ts'
import { SimCluster } from './sim-cluster.ts'
import type { SimReplica } from './sim-replica.ts'
import { drawSwarm, type Mistake } from './swarm.ts'

export interface Outcome {
  readonly seed: number
  /** What went wrong, or null. */
  readonly failure: string | null
  readonly events: number
  readonly virtualMs: number
  readonly fingerprint: number
  readonly faults: ReadonlyMap<string, number>
  readonly committed: number
  readonly written: number
  readonly reads: number
  readonly unknown: number
  readonly elections: number
}

class NotLive extends Error {}

const EVENTS_MAX = 400_000

export function runSeed(
  seed: number,
  o: { mistake?: Mistake; print?: (line: string) => void; safetyMs?: number } = {},
): Outcome {
  const cluster = new SimCluster(drawSwarm(seed, o.mistake), o.print ?? null)
  const clients = new Clients(cluster)
  const nemesis = new Nemesis(cluster)
  let failure: string | null = null
  try {
    cluster.world.runUntil(o.safetyMs ?? cluster.swarm.safetyMs, () => cluster.world.events > EVENTS_MAX)
    clients.stop()
    nemesis.stop()
    demandLife(cluster)
  } catch (error) {
    const expected = error instanceof InvariantBroken || error instanceof BrokenInvariant || error instanceof NotLive
    failure = expected ? error.message : `crash: ${String(error)}`
    cluster.note(`FAILED: ${failure}`)
  }
  const { world, network } = cluster
  return {
    seed,
    failure,
    events: world.events,
    virtualMs: world.now,
    fingerprint: cluster.fingerprint,
    faults: new Map<string, number>([...nemesis.counts, ['lost', network.lost], ['repeated', network.repeated]]),
    committed: cluster.checker.committed,
    written: clients.written,
    reads: clients.readCount,
    unknown: clients.unknown,
    elections: cluster.checker.elections,
  }
}

/** Proof of life: first of a core alone, then of all. Throws when there is none. */
export function demandLife(cluster: SimCluster): void {
  const core = chooseCore(cluster)
  cluster.note(`the core is ${core.map(({ id }) => id).join(' ')}`)
  for (const replica of cluster.replicas.values()) if (!core.includes(replica) && replica.up) replica.kill()
  heal(cluster)
  for (const replica of core) revive(replica)
  within(cluster, 'the healed core', () => agree(cluster, core))
  for (const replica of cluster.replicas.values()) revive(replica)
  within(cluster, 'all replicas', () => agree(cluster, [...cluster.replicas.values()]))
}

/** As few as keep a majority of every voter set, at random. */
function chooseCore(cluster: SimCluster): SimReplica[] {
  const random = new SimRandom(cluster.swarm.seed, 'core')
  for (const replica of cluster.replicas.values()) if (!replica.up) replica.start() // so that every log's voters are known
  let core = [...cluster.replicas.values()].filter(({ id }) => cluster.isIntact(id))
  for (const candidate of random.shuffled(core)) {
    const rest = core.filter((replica) => replica !== candidate)
    if (cluster.keepsMajority((id) => rest.some((replica) => replica.id === id))) core = rest
  }
  return core
}

/** Nothing is lost or slow any more: what an election takes is well below its timeout, as raft must assume to be live. */
function heal(cluster: SimCluster): void {
  const { network, replicas, swarm } = cluster
  const swiftMs = 0.02 * swarm.options.electionTicks * swarm.tickMs
  network.healAll()
  const { rates } = network
  rates.loss = rates.repeat = 0
  rates.delayMsMean = Math.min(rates.delayMsMean, swiftMs)
  rates.capacity = 1000
  for (const replica of replicas.values()) replica.slowness = Math.min(1, swiftMs / swarm.syncMsMean)
}

function revive(replica: SimReplica): void {
  replica.resume()
  if (!replica.up) replica.start()
}

function within(cluster: SimCluster, who: string, settled: () => boolean): void {
  const { world, swarm } = cluster
  const patienceMs = 40 * swarm.options.electionTicks * swarm.tickMs + 5_000
  let end = world.now + patienceMs
  let reached = 0
  while (world.now < end) {
    world.runUntil(world.now + 4 * swarm.tickMs)
    if (settled()) return
    const durable = [...cluster.replicas.values()].reduce((sum, { raft }) => sum + (raft?.durableIndex ?? 0), 0)
    if (durable !== reached) end = world.now + patienceMs
    reached = durable
  }
  throw new NotLive(`not live: ${who} did not come to agree, and nothing moved for ${patienceMs} ms`)
}

/** One established leader, nothing uncommitted, a new entry applied by all, a read answered. */
function agree(cluster: SimCluster, members: readonly SimReplica[]): boolean {
  const leader = members.find(({ raft }) => raft?.established)
  if (leader === undefined) return false
  const { appliedIndex, appliedChain } = leader
  const behind = members.some((it) => it.appliedIndex !== appliedIndex || it.appliedChain !== appliedChain)
  if (behind || leader.raft!.lastIndex > appliedIndex || members.some(({ raft }) => raft?.abstaining)) return false
  let committed = false
  let answered = false
  leader.propose(new Uint8Array(4), 1, (outcome) => (committed = outcome === 'committed'))
  leader.read((ok) => (answered = ok))
  cluster.world.runUntil(
    cluster.world.now + 4 * cluster.swarm.tickMs + 40 * cluster.swarm.syncMsMean,
    () => committed && answered,
  )
  return committed && answered
}
