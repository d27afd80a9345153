// What the data paths may refuse, as closed unions: one for producing, one for reading. Each value carries the numbers a
// client needs to recover; edge/wire turns it into a status and a body in one place. `disk-low`, `closing`, `damaged` on
// append and every admission refusal mean that nothing of the batch in question was kept.

import type { TopicImage } from '../cluster/index.ts'
import type { AppendRefusal } from '../partition/index.ts'
import type { BatchFault } from '../record/index.ts'

export type PlaceRefusal =
  | { kind: 'unknown-topic'; topic: string; recentlyDeleted: boolean }
  | { kind: 'unknown-partition'; topic: string; partition: number; partitionCount: number }
  | { kind: 'internal-topic'; topic: string }
  | { kind: 'invalid-name'; topic: string }
  /** The topic is not open yet, or a partition reads its producers' state again: the disk had no room for something. */
  | { kind: 'loading' }
  | { kind: 'closing' }
  /** Another broker leads it, or nobody does at present. */
  | { kind: 'not-leader'; topic: string; leader: { nodeId: number; address: string } | null }
  /** No one broker leads all that is asked for. */
  | { kind: 'several-leaders'; topic: string }

export type ProduceRefusal =
  | PlaceRefusal
  | { kind: 'too-many-topics'; topicsMax: number }
  | { kind: 'record-too-large'; bytes: number; bytesMax: number; record: number }
  /** The topic is compacted: what has no key could never be superseded. */
  | { kind: 'key-required'; topic: string; record: number }
  | { kind: 'bad-batch'; fault: BatchFault; batch: number }
  /** A producer's latest few are remembered: of a request with more a repeat would not be recognised. */
  | { kind: 'too-many-batches'; batches: number; batchesMax: number }
  /** `acks=all` wants more replicas in sync than there are. */
  | { kind: 'not-enough-replicas'; topic: string; inSyncReplicas: number; minInSyncReplicas: number }
  | { kind: 'disk-low'; freeBytes: number; freeBytesMin: number }
  | { kind: 'damaged'; topic: string; partition: number; offset: number; nextReadableOffset: number }
  | { kind: 'partition-retiring'; topic: string; partition: number }
  | { kind: 'offset-mismatch'; partition: number; nextOffset: number }
  | { kind: 'producer-fenced'; currentEpoch: number }
  | { kind: 'sequence-gap'; expectedSequence: number }
  | { kind: 'producer-unknown' }
  | { kind: 'key-conflict'; first: readonly PartitionResult[] }
  /** Appended, but its fate was not known in time. */
  | { kind: 'ack-timeout'; timeoutMs: number }

/** What one partition kept of a request. Offsets are those of the request's first and last record there. */
export interface PartitionResult {
  partition: number
  baseOffset: number
  lastOffset: number
  count: number
  appendedAt: number
}

export type FetchRefusal =
  | PlaceRefusal
  /** The cursor names a topic of this name that has been deleted since. */
  | { kind: 'topic-recreated'; topic: string }
  /** The log was cut below this place by another leader: what the cursor had seen is not what is here. */
  | { kind: 'diverged'; topic: string; partition: number; offset: number; nearestOffset: number }
  | { kind: 'below-start'; topic: string; partition: number; offset: number; logStartOffset: number }
  | { kind: 'beyond-end'; topic: string; partition: number; offset: number; highWatermark: number }
  | { kind: 'damaged'; topic: string; partition: number; offset: number; nextReadableOffset: number }

/**
 * The replica takes nothing any more: its topic is deleted, its retirement has come to its end, this broker does not lead it any
 * more, or leads it anew, or it closes.
 */
export interface ReplicaRefusal {
  kind: 'topic-removed' | 'partition-removed' | 'lead-ended' | 'closing'
}

export function produceRefusalOf(
  refusal: AppendRefusal | ReplicaRefusal,
  { name: topic, partitions }: TopicImage,
  partition: number,
): ProduceRefusal {
  switch (refusal.kind) {
    case 'topic-removed':
      return { kind: 'unknown-topic', topic, recentlyDeleted: true }
    case 'partition-removed':
      return { kind: 'unknown-partition', topic, partition, partitionCount: partitions.length - 1 }
    case 'lead-ended':
      return { kind: 'not-leader', topic, leader: null }
    case 'retiring':
      return { kind: 'partition-retiring', topic, partition }
    case 'damaged':
      return { ...refusal, topic, partition }
    case 'offset-mismatch':
      return { ...refusal, partition }
    case 'key-conflict':
      return { kind: 'key-conflict', first: [] }
    case 'closing':
      return { kind: 'closing' }
    default:
      return refusal
  }
}

/** What one partition kept of a request, in two parts. */
export function joinResults(a: PartitionResult, b: PartitionResult): PartitionResult {
  return {
    partition: a.partition,
    baseOffset: Math.min(a.baseOffset, b.baseOffset),
    lastOffset: Math.max(a.lastOffset, b.lastOffset),
    count: a.count + b.count,
    appendedAt: Math.max(a.appendedAt, b.appendedAt),
  }
}
