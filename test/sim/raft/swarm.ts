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

/** Mistakes of a driver, beside those of the state machine. */
export type DriverFault = 'ack-before-sync' | 'skip-vote-sync' | 'reply-before-commit'
export type Mistake = PlantedFault | DriverFault

export const DRIVER_FAULTS: readonly DriverFault[] = ['ack-before-sync', 'skip-vote-sync', 'reply-before-commit']

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
  readonly safetyMs: number
  readonly driverFault: DriverFault | null
}

export function drawSwarm(seed: number, mistake: Mistake | null = null): Swarm {
  const random = new SimRandom(seed, 'swarm')
  const electionTicks = random.int(5, 15)
  const voters = random.pick([1, 2, 3, 3, 3, 3, 4, 5, 5])
  const observers = random.int(0, 2)
  const driverFault = DRIVER_FAULTS.find((fault) => fault === mistake) ?? null
  const planted = mistake !== null && driverFault === null ? { planted: mistake as PlantedFault } : {}
  const tickMs = random.pick([20, 50, 50, 100])
  return {
    seed,
    voters,
    observers,
    nodes: voters + observers + random.int(0, 1),
    tickMs,
    drift: random.pick([0, 0.05, 0.3]),
    options: {
      ...defaultRaftOptions,
      ...planted,
      electionTicks,
      heartbeatTicks: random.int(1, 3),
      quorumTicks: random.int(electionTicks, 3 * electionTicks),
      observerTicks: 10 * electionTicks,
      snapshotTicks: 5 * electionTicks,
      appendBytesMax: random.pick([1, 300, 65_536]),
      inflightMax: random.pick([1, 2, 8, 64]),
      inflightBytesMax: random.pick([200, 65_536]),
      uncommittedBytesMax: random.pick([400, 65_536]),
      applyBytesMax: random.pick([1, 300, 65_536]),
    },
    network: {
      loss: random.pick([0, 0, 0.01, 0.1, 0.3]),
      repeat: random.pick([0, 0, 0.01, 0.2]),
      delayMsMin: random.pick([0.2, 1, 5]),
      delayMsMean: random.pick([0.5, 3, 20, 80]),
      reorder: random.chance(0.5),
      capacity: random.pick([4, 64, 1000]),
    },
    syncMsMean: random.pick([0.3, 3, 30]),
    clients: random.int(1, 3),
    thinkMsMean: random.pick([40, 150, 400]),
    proposalBytesMax: random.pick([4, 60]),
    snapshotEvery: random.pick([4, 15, 60, Infinity]),
    entriesKept: random.pick([0, 3, 20]),
    faults: new Map(FAULTS.filter(() => random.chance(0.4)).map((fault) => [fault, random.between(0.2, 1)])),
    faultMsMean: random.pick([150, 400, 1200]),
    safetyMs: Math.min(20_000, 120 * electionTicks * tickMs * 0.2),
    driverFault,
  }
}
