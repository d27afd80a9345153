// Where the records of a topic go: its live replicas, the partitions that take new records, the slot table over them, and
// the configuration in force. Made anew when the metadata image or a replica changes; holders keep the one they began with.

import {
  minInSyncReplicasInForce,
  resolveTopicConfig,
  type TopicConfig,
  type TopicConfigPatch,
  type TopicImage,
} from '../cluster/index.ts'
import { SlotTable } from '../record/index.ts'
import type { Replica } from './replicas.ts'

export class TopicRoute {
  readonly topic: TopicImage
  readonly config: TopicConfig
  readonly resolved: ResolvedTopicConfig
  /** By partition number. */
  readonly replicas: readonly Replica[]
  /** Partition numbers that take new records, rising. */
  readonly active: readonly number[]
  #slots: SlotTable | null = null

  constructor(topic: TopicImage, defaults: TopicConfigPatch, replicas: readonly Replica[], activeMax = Infinity) {
    this.topic = topic
    this.resolved = resolveTopicConfig(topic.config, defaults)
    this.config = this.resolved.config
    this.replicas = replicas
    this.active = topic.partitions
      .filter((p) => p.state === 'active' && p.partition < activeMax)
      .map((p) => p.partition)
  }

  get slots(): SlotTable {
    this.#slots ??= new SlotTable(this.active)
    return this.#slots
  }
}
