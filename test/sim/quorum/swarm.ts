// What one seed's world is like: how many brokers, how fast its disks and links are, and which faults are on, how often.

import { defaultRaftOptions, type RaftOptions } from '../../../src/core/raft/index.ts'
import type { NetworkRates } from '../network.ts'
import { SimRandom } from '../random.ts'

export const FAULTS = [
  'kill',
  'stop',
  'power-loss',
  'power-loss-all',
  'sync-failure',
  'disk-full',
  'slow-disk',
  'isolate',
  'split',
  'one-way',
  'broken-links',
  'wipe',
  'transfer',
] as const

export type Fault = (typeof FAULTS)[number]

export interface QuorumSwarm {
  readonly seed: number
  readonly nodes: number
  readonly votersWanted: number
  readonly options: RaftOptions
  readonly network: NetworkRates
  readonly syncMsMean: number
  readonly snapshotBytes: number
  readonly clients: number
  readonly thinkMsMean: number
  readonly faults: ReadonlyMap<Fault, number>
  readonly faultMsMean: number
  readonly healMsMean: number
  readonly safetyMs: number
}

export function drawSwarm(seed: number): QuorumSwarm {
  const random = new SimRandom(seed, 'swarm')
  // Every fifth world is one of old leaders that are long cut off and do not know it.
  const isSplit = random.chance(0.2)
  const nodes = isSplit ? 3 : random.pick([1, 3, 3, 3, 4, 5])
  const faults: readonly Fault[] = isSplit ? ['isolate'] : FAULTS.filter(() => random.chance(0.4))
  return {
    seed,
    nodes,
    votersWanted: nodes === 1 ? 1 : random.pick(nodes >= 5 ? [3, 5] : [3]),
    options: {
      ...defaultRaftOptions,
      electionTicks: 6,
      heartbeatTicks: 2,
      quorumTicks: isSplit ? 60 : 12,
      observerTicks: 60,
      snapshotTicks: 20,
      appendBytesMax: random.pick([1, 400, 65_536]),
      inflightMax: random.pick([1, 4, 64]),
      applyBytesMax: random.pick([1, 65_536]),
    },
    network: {
      loss: random.pick([0, 0, 0.02, 0.15]),
      repeat: 0,
      delayMsMin: random.pick([0.2, 2]),
      delayMsMean: random.pick([0.5, 5, 30]),
      reorder: false,
      capacity: random.pick([16, 1_000]),
    },
    syncMsMean: random.pick([0.2, 2, 20]),
    snapshotBytes: random.pick([400, 1_500, 100_000]),
    clients: random.int(2, 4),
    thinkMsMean: random.pick([20, 60, 200]),
    faults: new Map(faults.map((fault) => [fault, random.between(0.2, 1)] as const)),
    faultMsMean: isSplit ? 1_500 : random.pick([200, 600, 1_500]),
    healMsMean: isSplit ? 3_000 : random.pick([150, 600, 2_000]),
    safetyMs: 8_000,
  }
}
