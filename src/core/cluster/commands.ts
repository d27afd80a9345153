// What can be asked of the cluster's metadata, and every answer there is. Answers that are not what was wanted are values
// of the same closed union; they carry what the caller needs to go on, and mean that nothing was changed.

import type { TopicImage } from './image.ts'
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
  /** How many there shall be. */
  count: number
}

export interface AllocateProducerIds {
  kind: 'allocate-producer-ids'
  count: number
}

export type ClusterCommand = CreateTopic | AlterTopic | DeleteTopic | AddPartitions | AllocateProducerIds

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
  | { kind: 'cannot-shrink'; topic: TopicImage; given: number }

export type ClusterReply =
  | { kind: 'created'; topic: TopicImage }
  /** It was there and every field given agrees. */
  | { kind: 'exists'; topic: TopicImage }
  | { kind: 'altered'; topic: TopicImage }
  | { kind: 'grown'; topic: TopicImage }
  | { kind: 'deleted'; topic: TopicImage }
  | { kind: 'producer-ids'; firstId: number; count: number }
  | TopicRefusal
