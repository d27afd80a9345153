// The cluster's metadata at one offset of its log, never changed after it is made: readers hold a reference and see one
// moment. What came between two images is their delta, found by identity, since a topic that did not change is the same
// object in both.

import { isInternalName, type TopicId } from '../base/index.ts'
import { INTERNAL_TOPICS } from './internal-names.ts'
import type { TopicConfigPatch } from './topic-config.ts'

export interface PartitionImage {
  readonly partition: number
  /** A retiring partition takes no new records and is readable until it goes. */
  readonly state: 'active' | 'retiring'
  /** Of a retiring one. */
  readonly retirement?: Retirement
  /** Node ids of the brokers that hold it or are to, the one it was given to first in front. */
  readonly replicas: readonly number[]
  /** Of `replicas`, those that do not have the data yet. */
  readonly adding: readonly number[]
  readonly isr: readonly number[]
  /** Null: offline, until a broker of `isr` is there. */
  readonly leader: number | null
  readonly leaderEpoch: number
  /** Rises with every change of who holds or leads it. */
  readonly partitionEpoch: number
}

export interface Retirement {
  /** No record was taken since. */
  readonly retiredAt: number
  readonly removeAt: number
}

export interface BrokerImage {
  readonly nodeId: number
  /** Another one at each start. */
  readonly incarnationId: string
  /** Of the data folder. */
  readonly directoryId: string
  readonly rack: string | null
  /** Where clients and other brokers reach it: a URL. */
  readonly address: string
  /** Another, higher one at each registration. */
  readonly brokerEpoch: number
  /** It leads nothing: silent, stopping, or behind in metadata. */
  readonly isFenced: boolean
}

export interface TopicImage {
  readonly id: TopicId
  readonly name: string
  /** By number, rising; there are gaps where some have been removed. */
  readonly partitions: readonly PartitionImage[]
  /** The number of the next partition; all below have been given. */
  readonly nextPartition: number
  /** How many replicas are wanted; in force is no more than there are live brokers. */
  readonly replicationFactor: number
  readonly config: Readonly<TopicConfigPatch>
  readonly createdAt: number
}

/** A committed deletion: what entitles a broker to remove a folder of this id, whenever it comes upon it. */
export interface Deletion {
  readonly id: TopicId
  readonly name: string
  readonly deletedAt: number
}

export interface ClusterDelta {
  /** New, grown, reconfigured, or held or led by others. */
  changed: readonly TopicImage[]
  removed: readonly TopicId[]
}

export interface ClusterParts {
  topics: ReadonlyMap<TopicId, TopicImage>
  topicByName: ReadonlyMap<string, TopicImage>
  /** Oldest first. */
  deletions: ReadonlyMap<TopicId, Deletion>
  deletedAtByName: ReadonlyMap<string, number>
  nextProducerId: number
  /** By node id. */
  brokers: ReadonlyMap<number, BrokerImage>
  nextEpoch: number
}

export class ClusterImage {
  readonly #parts: ClusterParts
  #names: readonly string[] | null = null
  #internalNames: readonly string[] | null = null

  /** The maps become the image's: nobody changes them any more. */
  constructor(parts: ClusterParts) {
    this.#parts = parts
  }

  /** Without internal ones. */
  get topicCount(): number {
    return this.#parts.topicByName.size - this.internalNames.length
  }

  get nextProducerId(): number {
    return this.#parts.nextProducerId
  }

  /** The next broker, leader or partition epoch: higher than every one before. */
  get nextEpoch(): number {
    return this.#parts.nextEpoch
  }

  broker(nodeId: number): BrokerImage | null {
    return this.#parts.brokers.get(nodeId) ?? null
  }

  /** Every broker that has ever registered. */
  brokers(): Iterable<BrokerImage> {
    return this.#parts.brokers.values()
  }

  *liveBrokers(): Iterable<BrokerImage> {
    for (const broker of this.brokers()) if (!broker.isFenced) yield broker
  }

  /** Without internal ones. Sorted by code units, as `after=` pages through them. */
  get names(): readonly string[] {
    this.#names ??= [...this.#parts.topicByName.keys()].filter((name) => !isInternalName(name)).sort()
    return this.#names
  }

  /** Of the internal topics that have been made. */
  get internalNames(): readonly string[] {
    this.#internalNames ??= INTERNAL_TOPICS.filter((name) => this.#parts.topicByName.has(name))
    return this.#internalNames
  }

  topics(): Iterable<TopicImage> {
    return this.#parts.topics.values()
  }

  topicNamed(name: string): TopicImage | null {
    return this.#parts.topicByName.get(name) ?? null
  }

  topicById(id: TopicId): TopicImage | null {
    return this.#parts.topics.get(id) ?? null
  }

  /** When a topic of this name was last deleted, as far back as deletions are remembered. */
  deletedAt(name: string): number | null {
    return this.#parts.deletedAtByName.get(name) ?? null
  }

  isDeleted(id: TopicId): boolean {
    return this.#parts.deletions.has(id)
  }

  deletions(): Iterable<Deletion> {
    return this.#parts.deletions.values()
  }

  deltaSince(before: ClusterImage): ClusterDelta {
    const changed: TopicImage[] = []
    const removed: TopicId[] = []
    if (this.#parts.topics !== before.#parts.topics) {
      for (const topic of this.topics()) if (before.topicById(topic.id) !== topic) changed.push(topic)
      for (const { id } of before.topics()) if (!this.#parts.topics.has(id)) removed.push(id)
    }
    return { changed, removed }
  }
}

export const EMPTY_CLUSTER = new ClusterImage({
  topics: new Map(),
  topicByName: new Map(),
  deletions: new Map(),
  deletedAtByName: new Map(),
  nextProducerId: 1,
  brokers: new Map(),
  nextEpoch: 1,
})
