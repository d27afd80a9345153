// Where the records of a topic go: its live replicas, the partitions that take new records, the slot table over them, and
// the configuration in force. Made anew when the metadata image or a replica changes; holders keep the one they began with.

import {
  minInSyncReplicasInForce,
  type ResolvedTopicConfig,
  resolveTopicConfig,
  type TopicConfig,
  type TopicConfigPatch,
  type TopicImage,
} from '../cluster/index.ts'
import { SlotTable } from '../record/index.ts'
import type { ProduceRefusal } from './refusal.ts'
import type { Replica } from './replicas.ts'

/** One broker holds one replica of each partition. */
const REPLICAS_IN_FORCE = 1

export class TopicRoute {
  readonly topic: TopicImage
  readonly config: TopicConfig
  readonly resolved: ResolvedTopicConfig
  /** By partition number. */
  readonly replicas: readonly Replica[]
  /** Partition numbers that take new records, rising. */
  readonly active: readonly number[]
  readonly minInSyncReplicas: number
  #slots: SlotTable | null = null

  constructor(topic: TopicImage, defaults: TopicConfigPatch, replicas: readonly Replica[], activeMax = Infinity) {
    this.topic = topic
    this.resolved = resolveTopicConfig(topic.config, defaults)
    this.config = this.resolved.config
    this.minInSyncReplicas = minInSyncReplicasInForce(this.resolved, REPLICAS_IN_FORCE)
    this.replicas = replicas
    this.active = topic.partitions
      .filter((p) => p.state === 'active' && p.partition < activeMax)
      .map((p) => p.partition)
  }

  /** Why `acks=all` cannot be given. */
  acksRefusal(acks: 'all' | '1' | '0'): ProduceRefusal | null {
    const { minInSyncReplicas } = this
    if (acks !== 'all' || minInSyncReplicas <= REPLICAS_IN_FORCE) return null
    const inSyncReplicas = REPLICAS_IN_FORCE
    return { kind: 'not-enough-replicas', topic: this.topic.name, inSyncReplicas, minInSyncReplicas }
  }

  get slots(): SlotTable {
    this.#slots ??= new SlotTable(this.active)
    return this.#slots
  }
}
