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
import type { PlaceRefusal, ProduceRefusal } from './refusal.ts'
import type { Replica } from './replicas.ts'

/** One broker holds one replica of each partition. */
const REPLICAS_IN_FORCE = 1

export class TopicRoute {
  readonly topic: TopicImage
  readonly config: TopicConfig
  readonly resolved: ResolvedTopicConfig
  /** By partition number, rising; as `topic.partitions`. */
  readonly replicas: readonly Replica[]
  /** Partition numbers that take new records, rising; none where those that would are not open yet. */
  readonly active: readonly number[]
  readonly minInSyncReplicas: number
  #slots: SlotTable | null = null

  readonly #defaults: TopicConfigPatch

  constructor(
    topic: TopicImage,
    defaults: TopicConfigPatch,
    replicas: readonly Replica[],
    active: readonly number[] = activeIn(topic),
  ) {
    this.topic = topic
    this.#defaults = defaults
    this.resolved = resolveTopicConfig(topic.config, defaults)
    this.config = this.resolved.config
    this.minInSyncReplicas = minInSyncReplicasInForce(this.resolved, REPLICAS_IN_FORCE)
    this.replicas = replicas
    this.active = active
  }

  /** As records were routed when there were partitions below `end` only, and what has begun to retire since was active. */
  asOf(end: number, ms: number): TopicRoute {
    const active = this.topic.partitions
      .filter(
        ({ partition, retirement }) => partition < end && (retirement === undefined || retirement.retiredAt >= ms),
      )
      .map(({ partition }) => partition)
    if (active.join() === this.active.join()) return this
    return new TopicRoute(this.topic, this.#defaults, this.replicas, active)
  }

  /** Why `acks=all` cannot be given. */
  acksRefusal(acks: 'all' | '1' | '0'): ProduceRefusal | null {
    const { minInSyncReplicas } = this
    if (acks !== 'all' || minInSyncReplicas <= REPLICAS_IN_FORCE) return null
    const inSyncReplicas = REPLICAS_IN_FORCE
    return { kind: 'not-enough-replicas', topic: this.topic.name, inSyncReplicas, minInSyncReplicas }
  }

  /** Null: the topic has no such partition. */
  replica(partition: number): Replica | null {
    const replica = this.replicas[partition]
    if (replica?.partition === partition) return replica
    // Others before it have been removed.
    return this.replicas.find((other) => other.partition === partition) ?? null
  }

  unknownPartition(partition: number): PlaceRefusal {
    return { kind: 'unknown-partition', topic: this.topic.name, partition, partitionCount: this.replicas.length }
  }

  get slots(): SlotTable {
    this.#slots ??= new SlotTable(this.active)
    return this.#slots
  }
}

function activeIn({ partitions }: TopicImage): number[] {
  return partitions.filter(({ state }) => state === 'active').map(({ partition }) => partition)
}
