// Who holds a partition and who leads it, and what becomes of that when a broker comes or goes.
//
// Only the leader is in sync until replicas copy data: others are planned (`adding`). So a leader that goes leaves its
// partition offline, and nobody else is ever elected: the partition waits for it. Epochs are drawn from one counter of the
// cluster, so that a later epoch of a partition is always a higher one; a change that is applied again finds nothing to do.

import type { PartitionImage } from './image.ts'

/** Topics older than the records of brokers are on the only broker there was, which was always this one. */
const FIRST_NODE_ID = 1

export function unplacedPartition(partition: number): PartitionImage {
  return {
    partition,
    state: 'active',
    replicas: [FIRST_NODE_ID],
    adding: [],
    isr: [FIRST_NODE_ID],
    leader: null,
    leaderEpoch: 0,
    partitionEpoch: 0,
  }
}

/** `replicas`: the leader first, the others planned. */
export function placedPartition(known: PartitionImage, replicas: readonly number[], epoch: number): PartitionImage {
  const [leader, ...adding] = replicas
  return {
    ...known,
    replicas,
    adding,
    isr: [leader!],
    leader: leader!,
    leaderEpoch: epoch,
    partitionEpoch: epoch,
  }
}

/** The broker fell silent: nobody leads what it led. */
export function withoutLeader(partition: PartitionImage, nodeId: number, epoch: number): PartitionImage {
  if (partition.leader !== nodeId) return partition
  return { ...partition, leader: null, leaderEpoch: epoch, partitionEpoch: epoch }
}

/** The broker is there: it leads what waits for it, or leads on under a new epoch when it has been started anew. */
export function withLeader(partition: PartitionImage, nodeId: number, epoch: number): PartitionImage {
  const waitsForIt = partition.leader === null && partition.isr.length === 1 && partition.isr[0] === nodeId
  if (!waitsForIt && partition.leader !== nodeId) return partition
  if (partition.leader === nodeId && partition.leaderEpoch >= epoch) return partition
  return { ...partition, leader: nodeId, leaderEpoch: epoch, partitionEpoch: epoch }
}
