// The cluster's metadata at one offset of its log, never changed after it is made: readers hold a reference and see one
// moment. What came between two images is their delta, found by identity, since a topic that did not change is the same
// object in both.

import type { TopicId } from '../base/index.ts'
import type { TopicConfigPatch } from './topic-config.ts'

export interface PartitionImage {
  partition: number
  /** A retiring partition takes no new records and is readable until it goes. */
  state: 'active' | 'retiring'
}

export interface TopicImage {
  readonly id: TopicId
  readonly name: string
  readonly partitions: readonly PartitionImage[]
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
  /** New, grown or reconfigured. */
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
}

export class ClusterImage {
  readonly #parts: ClusterParts
  #names: readonly string[] | null = null

  /** The maps become the image's: nobody changes them any more. */
  constructor(parts: ClusterParts) {
    this.#parts = parts
  }

  get topicCount(): number {
    return this.#parts.topics.size
  }

  get nextProducerId(): number {
    return this.#parts.nextProducerId
  }

  /** Sorted by code units, as `after=` pages through them. */
  get names(): readonly string[] {
    this.#names ??= [...this.#parts.topicByName.keys()].sort()
    return this.#names
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
})
