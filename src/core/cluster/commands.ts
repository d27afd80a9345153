// What can be asked of the cluster's metadata, and every answer there is. Answers that are not what was wanted are values
// of the same closed union; they carry what the caller needs to go on, and mean that nothing was changed.

import type { TopicId } from '../base/index.ts'
import type { TopicImage } from './image.ts'
import type { InternalTopic } from './internal-names.ts'
import type { InvalidField } from './topic-config-check.ts'

/** As a client gave it, unchecked. */
export type GivenConfig = Readonly<Record<string, unknown>>

export interface CreateTopic {
  kind: 'create-topic'
  name: string
  partitions?: number
  replicationFactor?: number
  config?: GivenConfig
  /** Asked by a produce, not by a person: not for a name that was deleted a moment ago. */
  isAuto?: boolean
}

export interface CreateInternalTopic {
  kind: 'create-internal-topic'
  name: InternalTopic
}

export interface AlterTopic {
  kind: 'alter-topic'
  name: string
  /** Merged into what the topic has; null takes a value back. */
  config: GivenConfig
}

export interface DeleteTopic {
  kind: 'delete-topic'
  name: string
}

export interface AddPartitions {
  kind: 'add-partitions'
  name: string
  /** How many that take records there shall be. */
  count: number
}

export interface RetirePartition {
  kind: 'retire-partition'
  name: string
  partition: number
  /** So long it can still be read. */
  afterMs: number
}

/** By its timer. */
export interface RemovePartition {
  kind: 'remove-partition'
  id: TopicId
  partition: number
}

export interface AllocateProducerIds {
  kind: 'allocate-producer-ids'
  count: number
}

export type TopicCommand =
  CreateTopic | CreateInternalTopic | AlterTopic | DeleteTopic | AddPartitions | RetirePartition | AllocateProducerIds

/** At each start of a broker. Repeatable. */
export interface RegisterBroker {
  kind: 'register-broker'
  nodeId: number
  incarnationId: string
  directoryId: string
  rack: string | null
  address: string
  /** It has all metadata: only the one who decides knows so of itself. */
  isCaughtUp: boolean
  /** Its logs may hold leader epochs below this one. */
  epochAtLeast: number
}

export interface BrokerHeartbeat {
  kind: 'broker-heartbeat'
  nodeId: number
  brokerEpoch: number
  /** Its own image shows this registration. */
  isCaughtUp: boolean
  isStopping: boolean
}

/** By its timer. */
export interface FenceBroker {
  kind: 'fence-broker'
  nodeId: number
  brokerEpoch: number
}

/** By its timer. */
export interface GrowReplicas {
  kind: 'grow-replicas'
}

/** Changes nothing: its answer lies behind all that was answered before it was asked. */
export interface Look {
  kind: 'look'
}

export type BrokerCommand = RegisterBroker | BrokerHeartbeat | FenceBroker | GrowReplicas | Look

export type ClusterCommand = TopicCommand | BrokerCommand | RemovePartition

export interface TopicDifference {
  pointer: string
  given: unknown
  existing: unknown
}

export type TopicRefusal =
  | { kind: 'invalid-name'; name: string }
  | { kind: 'internal-name'; name: string }
  | { kind: 'invalid-topic'; errors: readonly InvalidField[] }
  | { kind: 'unknown-topic'; name: string }
  | { kind: 'recently-deleted'; name: string; deletedAt: number; allowedAt: number }
  | { kind: 'exists-differently'; topic: TopicImage; differences: readonly TopicDifference[] }
  | { kind: 'too-many-topics'; topicsMax: number }
  /** No broker is there to hold it. */
  | { kind: 'no-live-broker' }
  | { kind: 'cannot-shrink'; topic: TopicImage; given: number }
  | { kind: 'no-such-partition'; topic: TopicImage; partition: number }
  | { kind: 'last-active-partition'; topic: TopicImage; partition: number }

export type BrokerReply =
  | { kind: 'registered'; brokerEpoch: number }
  /** The node id belongs to another data folder. */
  | { kind: 'foreign-directory'; nodeId: number; address: string }
  | { kind: 'heard'; isFenced: boolean }
  /** Not registered, or again since: another process has its data folder, or its registration was lost. */
  | { kind: 'stale-broker' }
  | { kind: 'done' }

export type ClusterReply = TopicReply | BrokerReply

export type TopicReply =
  | { kind: 'created'; topic: TopicImage }
  /** It was there and every field given agrees. */
  | { kind: 'exists'; topic: TopicImage }
  | { kind: 'altered'; topic: TopicImage }
  | { kind: 'grown'; topic: TopicImage }
  | { kind: 'retiring'; topic: TopicImage }
  | { kind: 'deleted'; topic: TopicImage }
  | { kind: 'producer-ids'; firstId: number; count: number }
  | TopicRefusal
