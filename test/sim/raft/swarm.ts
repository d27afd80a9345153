// What one seed's world is like. Every seed draws its own: which faults are on and how often, how many replicas, how fast
// they tick, how small the limits are. A world in which everything is on at once would hide what needs a quiet one.

import { defaultRaftOptions, type PlantedFault, type RaftOptions } from '../../../src/core/raft/index.ts'
import type { NetworkRates } from '../network.ts'
import { SimRandom } from '../random.ts'

export const FAULTS = [
  'kill',
  'power-loss',
  'power-loss-all',
  'sync-failure',
  'pause',
  'isolate',
  'split',
  'one-way',
  'slow-disk',
  'wipe',
  'damage',
  'state-file-rot',
  'unreachable',
  'campaign',
  'transfer',
  'add-voter',
  'remove-voter',
] as const

export type Fault = (typeof FAULTS)[number]

const CORE_MISTAKES: readonly PlantedFault[] = [
  'count-old-terms',
  'reuse-read-round',
  'apply-before-commit',
  'install-over-newer',
  'two-changes',
  'vote-twice',
  'vote-blindly',
]

/** Mistakes of a driver, beside those of the state machine. */
export type DriverMistake = 'ack-before-sync' | 'skip-vote-sync' | 'reply-before-commit'
const DRIVER_MISTAKES: readonly DriverMistake[] = ['ack-before-sync', 'skip-vote-sync', 'reply-before-commit']

export type Mistake = PlantedFault | DriverMistake
export const MISTAKES: readonly Mistake[] = [...CORE_MISTAKES, ...DRIVER_MISTAKES]

export function isMistake(name: string): name is Mistake {
  return MISTAKES.some((mistake) => mistake === name)
}

export interface Swarm {
  readonly seed: number
  readonly voters: number
  readonly observers: number
  readonly nodes: number
  readonly tickMs: number
  /** A node's clock runs this much faster or slower at most. */
  readonly drift: number
  readonly options: RaftOptions
  readonly network: NetworkRates
  readonly syncMsMean: number
  readonly clients: number
  readonly thinkMsMean: number
  readonly proposalBytesMax: number
  readonly snapshotEvery: number
  readonly entriesKept: number
  /** Faults that are on, each with a weight. */
  readonly faults: ReadonlyMap<Fault, number>
  readonly faultMsMean: number
  /** How long what is broken stays so. */
  readonly healMsMean: number
  readonly safetyMs: number
  readonly driverMistake: DriverMistake | null
}

export function drawSwarm(seed: number, mistake: Mistake | null = null): Swarm {
  const random = new SimRandom(seed, 'swarm')
  const electionTicks = random.int(3, 15)
  const voters = random.pick([1, 2, 3, 3, 3, 3, 4, 5, 5])
  const observers = random.int(0, 2)
  const driverMistake = DRIVER_MISTAKES.find((known) => known === mistake) ?? null
  // Every fifth world is one of leaders that come and go before their first entry has spread.
  const churn = random.chance(0.2)
  const faults: readonly Fault[] = churn ? ['kill', 'power-loss', 'isolate', 'one-way', 'campaign', 'transfer'] : FAULTS
  const planted = CORE_MISTAKES.find((known) => known === mistake)
  const tickMs = random.pick([20, 50, 100])
  const election = electionTicks * tickMs
  const drawn = new Map(faults.filter(() => random.chance(churn ? 0.8 : 0.4)).map((it) => [it, random.between(0.2, 1)]))
  if (random.chance(0.4))
    for (const change of ['add-voter', 'remove-voter'] as const) drawn.set(change, random.between(2, 6))
  return {
    seed,
    voters,
    observers,
    nodes: voters + observers + random.int(0, 2),
    tickMs,
    drift: random.pick([0, 0.05, 0.3]),
    options: {
      ...defaultRaftOptions,
      ...(planted === undefined ? {} : { planted }),
      electionTicks,
      heartbeatTicks: random.int(1, Math.min(3, electionTicks - 1)),
      quorumTicks: random.int(electionTicks, 3 * electionTicks),
      observerTicks: 10 * electionTicks,
      snapshotTicks: 5 * electionTicks,
      appendBytesMax: churn ? 1 : random.pick([1, 300, 65_536]),
      inflightMax: random.pick([1, 2, 8, 64]),
      inflightBytesMax: random.pick([200, 65_536]),
      uncommittedBytesMax: random.pick([400, 65_536]),
      applyBytesMax: random.pick([1, 300, 65_536]),
    },
    network: {
      loss: random.pick([0, 0, 0.01, 0.1, 0.3]),
      repeat: random.pick([0, 0, 0.01, 0.2]),
      delayMsMin: random.pick([0.2, 1, 0.01 * election]),
      delayMsMean: random.pick([0.001, 0.01, 0.05, 0.15]) * election,
      reorder: random.chance(0.5),
      capacity: random.pick([4, 64, 1000]),
    },
    syncMsMean: random.pick([0.001, 0.01, 0.05, 0.2]) * election,
    clients: random.int(1, 3),
    thinkMsMean: random.pick([0.05, 0.2, 0.6]) * election,
    proposalBytesMax: random.pick([4, 60]),
    snapshotEvery: random.pick([4, 15, 60, Infinity]),
    entriesKept: random.pick([0, 3, 20]),
    faults: new Map(
      faults.filter(() => random.chance(churn ? 0.8 : 0.4)).map((fault) => [fault, random.between(0.2, 1)]),
    ),
    faultMsMean: random.pick(churn ? [0.2, 0.4] : [0.3, 0.8, 2]) * election,
    healMsMean: random.pick(churn ? [0.4, 1] : [0.5, 1.5, 4]) * election,
    safetyMs: 30 * election,
    driverMistake,
  }
}
