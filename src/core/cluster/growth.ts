// A topic's replication factor is a target: in force is no more than there are live brokers. When brokers join, partitions that
// have fewer replicas than that are given more, planned until they have the data. What a partition has is never taken away.

import type { Decision } from '../machine/index.ts'
import type { BrokerReply, ClusterCommand } from './commands.ts'
import type { ClusterImage } from './image.ts'
import { placeReplicas, ringOf } from './placement.ts'
import type { ClusterRecord } from './records.ts'

/** Brokers often come in groups: what comes within this time is placed together. */
const SETTLE_MS = 1_000
/** A decision is one batch. */
const PARTITIONS_PER_STEP = 1_000

export const growsSoon = { timer: 'grow-replicas', afterMs: SETTLE_MS, command: { kind: 'grow-replicas' } } as const
const growsOn = { ...growsSoon, afterMs: 0 }

export function decideGrowReplicas(image: ClusterImage): Decision<ClusterRecord, BrokerReply, ClusterCommand> {
  const ring = ringOf(image.liveBrokers())
  const records: ClusterRecord[] = []
  const reply = { kind: 'done' } as const
  const epoch = image.nextEpoch
  let turn = 0
  for (const topic of image.topics()) {
    const factor = Math.min(topic.replicationFactor, ring.length)
    for (const partition of topic.partitions) {
      turn++
      if (partition.replicas.length >= factor) continue
      if (records.length === PARTITIONS_PER_STEP) return { records, reply, timers: [growsOn] }
      const replicas = placeReplicas(ring, factor, turn, partition.replicas)
      const adding = [...partition.adding, ...replicas.slice(partition.replicas.length)]
      const { isr, leader, leaderEpoch } = partition
      records.push({
        kind: 'partition-changed',
        id: topic.id,
        partition: partition.partition,
        replicas,
        adding,
        isr,
        leader,
        leaderEpoch,
        partitionEpoch: epoch,
      })
    }
  }
  return { records, reply }
}
