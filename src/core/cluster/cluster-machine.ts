// The machine of the cluster's metadata: decides commands on its image, applies records to its maps. The image is made anew
// when asked for after a change, so that replaying a long log makes one and not thousands.

import { type TopicId, unreachable } from '../base/index.ts'
import { type Decision, type Machine, NO_TIMERS, type TimerChange } from '../machine/index.ts'
import type { ClusterCommand, ClusterReply } from './commands.ts'
import { ClusterImage, type Deletion, type TopicImage } from './image.ts'
import { decideProducerIds } from './producer-ids.ts'
import type { ClusterRecord, TopicDeleted } from './records.ts'
import {
  createdTopic,
  decideAddPartitions,
  decideAlterTopic,
  decideCreateTopic,
  decideDeleteTopic,
  grownTopic,
  type TopicDefaults,
} from './topics.ts'

/** Deletions are remembered so long, and no more than so many: a folder that turns up later is set aside, not removed. */
const DELETIONS_KEPT_MS = 30 * 24 * 60 * 60_000
const DELETIONS_KEPT = 10_000

export interface ClusterMachineOptions {
  defaults: TopicDefaults
  /** A new one each time. */
  newTopicId: () => TopicId
}

export class ClusterMachine implements Machine<ClusterCommand, ClusterRecord, ClusterReply, ClusterImage> {
  readonly #options: ClusterMachineOptions
  #topics = new Map<TopicId, TopicImage>()
  #topicByName = new Map<string, TopicImage>()
  #deletions = new Map<TopicId, Deletion>()
  #deletedAtByName = new Map<string, number>()
  #nextProducerId = 1
  #image: ClusterImage | null = null
  /** The image shares these maps: they are copied before the next change. */
  #topicsShared = false
  #deletionsShared = false

  constructor(options: ClusterMachineOptions) {
    this.#options = options
  }

  decide(command: ClusterCommand, now: number): Decision<ClusterRecord, ClusterReply> {
    const image = this.view()
    switch (command.kind) {
      case 'create-topic':
        return decideCreateTopic(image, command, now, this.#options.defaults, this.#options.newTopicId)
      case 'alter-topic':
        return decideAlterTopic(image, command)
      case 'add-partitions':
        return decideAddPartitions(image, command)
      case 'delete-topic':
        return decideDeleteTopic(image, command, now)
      case 'allocate-producer-ids':
        return decideProducerIds(image, command)
      default:
        return unreachable(command)
    }
  }

  apply(record: ClusterRecord): readonly TimerChange<ClusterCommand>[] {
    this.#image = null
    this.#applyOne(record)
    return NO_TIMERS
  }

  #applyOne(record: ClusterRecord): void {
    switch (record.kind) {
      case 'topic-created':
        this.#put(createdTopic(record))
        return
      case 'topic-altered':
        this.#change(record.id, (topic) => ({ ...topic, config: record.config }))
        return
      case 'partitions-added':
        this.#change(record.id, (topic) => grownTopic(topic, record.partitionCount))
        return
      case 'topic-deleted':
        this.#delete(record)
        return
      case 'producer-ids-allocated':
        this.#nextProducerId = Math.max(this.#nextProducerId, record.nextProducerId)
        return
      default:
        unreachable(record)
    }
  }

  view(): ClusterImage {
    if (this.#image !== null) return this.#image
    this.#topicsShared = true
    this.#deletionsShared = true
    this.#image = new ClusterImage({
      topics: this.#topics,
      topicByName: this.#topicByName,
      deletions: this.#deletions,
      deletedAtByName: this.#deletedAtByName,
      nextProducerId: this.#nextProducerId,
    })
    return this.#image
  }

  snapshot(): Iterable<ClusterRecord> {
    return recordsOf(this.view())
  }

  #put(topic: TopicImage): void {
    this.#ownTopics()
    this.#topics.set(topic.id, topic)
    this.#topicByName.set(topic.name, topic)
  }

  #change(id: TopicId, changed: (topic: TopicImage) => TopicImage): void {
    const topic = this.#topics.get(id)
    if (topic !== undefined) this.#put(changed(topic))
  }

  #delete({ id, name, deletedAt }: TopicDeleted): void {
    this.#ownTopics()
    this.#topics.delete(id)
    if (this.#topicByName.get(name)?.id === id) this.#topicByName.delete(name)
    this.#ownDeletions()
    this.#deletions.set(id, { id, name, deletedAt })
    this.#deletedAtByName.set(name, deletedAt)
    for (const oldest of this.#deletions.values()) {
      if (oldest.deletedAt >= deletedAt - DELETIONS_KEPT_MS && this.#deletions.size <= DELETIONS_KEPT) break
      this.#deletions.delete(oldest.id)
      if (this.#deletedAtByName.get(oldest.name) === oldest.deletedAt) this.#deletedAtByName.delete(oldest.name)
    }
  }

  #ownTopics(): void {
    if (!this.#topicsShared) return
    this.#topics = new Map(this.#topics)
    this.#topicByName = new Map(this.#topicByName)
    this.#topicsShared = false
  }

  #ownDeletions(): void {
    if (!this.#deletionsShared) return
    this.#deletions = new Map(this.#deletions)
    this.#deletedAtByName = new Map(this.#deletedAtByName)
    this.#deletionsShared = false
  }
}

/** The image as records: applied to an empty machine they make it again. */
function* recordsOf(image: ClusterImage): Iterable<ClusterRecord> {
  yield { kind: 'producer-ids-allocated', nextProducerId: image.nextProducerId }
  for (const { id, name, deletedAt } of image.deletions()) yield { kind: 'topic-deleted', id, name, deletedAt }
  for (const { id, name, partitions, replicationFactor, config, createdAt } of image.topics()) {
    yield { kind: 'topic-created', id, name, partitionCount: partitions.length, replicationFactor, config, createdAt }
  }
}
