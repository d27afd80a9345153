// The machine of the cluster's metadata: decides commands on its image, applies records to its maps. The image is made anew
// when asked for after a change, so that replaying a long log makes one and not thousands.

import { type TopicId, unreachable } from '../base/index.ts'
import { type Decision, type Machine, NO_TIMERS, type TimerChange } from '../machine/index.ts'
import { decideFence, decideHeartbeat, decideRegister, sessionOf } from './brokers.ts'
import type { ClusterCommand, ClusterReply } from './commands.ts'
import { decideGrowReplicas, growsSoon } from './growth.ts'
import { type BrokerImage, ClusterImage, type Deletion, type PartitionImage, type TopicImage } from './image.ts'
import { decideCreateInternal } from './internal-topics.ts'
import { withLeader, withoutLeader } from './partitions.ts'
import { decideProducerIds } from './producer-ids.ts'
import type { BrokerRegistered, ClusterRecord, PartitionChanged, TopicDeleted } from './records.ts'
import {
  decideRemovePartition,
  decideRetirePartition,
  removalOf,
  retiringTopic,
  withoutPartition,
} from './retirement.ts'
import {
  createdTopic,
  decideAddPartitions,
  decideAlterTopic,
  decideCreateTopic,
  decideDeleteTopic,
  grownTopic,
  placedTopic,
  type TopicDefaults,
} from './topics.ts'

/** Deletions are remembered so long, and no more than so many: a folder that turns up later is set aside, not removed. */
const DELETIONS_KEPT_MS = 30 * 24 * 60 * 60_000
const DELETIONS_KEPT = 10_000

export interface ClusterMachineOptions {
  /** The broker this machine is on. */
  nodeId: number
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
  #brokers = new Map<number, BrokerImage>()
  #nextEpoch = 1
  #image: ClusterImage | null = null
  /** The image shares these maps: they are copied before the next change. */
  #topicsShared = false
  #deletionsShared = false
  #brokersShared = false

  constructor(options: ClusterMachineOptions) {
    this.#options = options
  }

  decide(command: ClusterCommand, now: number): Decision<ClusterRecord, ClusterReply, ClusterCommand> {
    const image = this.view()
    switch (command.kind) {
      case 'create-topic':
        return decideCreateTopic(image, command, now, this.#options.defaults, this.#options.newTopicId)
      case 'create-internal-topic':
        return decideCreateInternal(image, command, now, this.#options.newTopicId)
      case 'alter-topic':
        return decideAlterTopic(image, command)
      case 'add-partitions':
        return decideAddPartitions(image, command)
      case 'delete-topic':
        return decideDeleteTopic(image, command, now)
      case 'retire-partition':
        return decideRetirePartition(image, command, now)
      case 'remove-partition':
        return decideRemovePartition(image, command, now)
      case 'allocate-producer-ids':
        return decideProducerIds(image, command)
      case 'register-broker':
        return decideRegister(image, command)
      case 'broker-heartbeat':
        return decideHeartbeat(image, command)
      case 'fence-broker':
        return decideFence(image, command, this.#options.nodeId)
      case 'grow-replicas':
        return decideGrowReplicas(image)
      case 'look':
        return { records: [], reply: { kind: 'done' } }
      default:
        return unreachable(command)
    }
  }

  apply(record: ClusterRecord): readonly TimerChange<ClusterCommand>[] {
    this.#image = null
    switch (record.kind) {
      case 'topic-created':
        this.#put(createdTopic(record))
        return NO_TIMERS
      case 'topic-altered':
        this.#change(record.id, (topic) => ({ ...topic, config: record.config }))
        return NO_TIMERS
      case 'partitions-added':
        this.#change(record.id, (topic) => grownTopic(topic, record.partitionCount))
        return NO_TIMERS
      case 'topic-deleted':
        this.#delete(record)
        return NO_TIMERS
      case 'producer-ids-allocated':
        this.#nextProducerId = Math.max(this.#nextProducerId, record.nextProducerId)
        return NO_TIMERS
      case 'partitions-placed':
        this.#drawn(record.epoch)
        this.#change(record.id, (topic) => placedTopic(topic, record))
        return NO_TIMERS
      case 'partition-changed':
        this.#changePartition(record)
        return NO_TIMERS
      case 'partition-retiring':
        this.#change(record.id, (topic) => retiringTopic(topic, record))
        return [removalOf(record.id, record.partition, 0)]
      case 'partition-removed':
        this.#change(record.id, (topic) => withoutPartition(topic, record.partition))
        return NO_TIMERS
      case 'broker-registered':
        return this.#register(record)
      case 'broker-fenced':
        return this.#setFenced(record.nodeId, true, record.epoch)
      case 'broker-unfenced':
        return this.#setFenced(record.nodeId, false, record.epoch)
      case 'epochs-drawn':
        this.#drawn(record.nextEpoch - 1)
        return NO_TIMERS
      default:
        return unreachable(record)
    }
  }

  view(): ClusterImage {
    if (this.#image !== null) return this.#image
    this.#topicsShared = true
    this.#deletionsShared = true
    this.#brokersShared = true
    this.#image = new ClusterImage({
      topics: this.#topics,
      topicByName: this.#topicByName,
      deletions: this.#deletions,
      deletedAtByName: this.#deletedAtByName,
      nextProducerId: this.#nextProducerId,
      brokers: this.#brokers,
      nextEpoch: this.#nextEpoch,
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

  #changePartition(record: PartitionChanged): void {
    const { kind: _, id, ...change } = record
    this.#drawn(Math.max(change.leaderEpoch, change.partitionEpoch))
    this.#change(id, (topic) => {
      const at = topic.partitions.findIndex(({ partition }) => partition === change.partition)
      if (at < 0) return topic
      return { ...topic, partitions: topic.partitions.with(at, { ...topic.partitions[at]!, ...change }) }
    })
  }

  #register(record: BrokerRegistered): readonly TimerChange<ClusterCommand>[] {
    const { kind: _, ...broker } = record
    this.#drawn(broker.brokerEpoch)
    this.#ownBrokers()
    this.#brokers.set(broker.nodeId, { ...broker, isFenced: true })
    return this.#setFenced(broker.nodeId, broker.isFenced, broker.brokerEpoch)
  }

  #setFenced(nodeId: number, isFenced: boolean, epoch: number): readonly TimerChange<ClusterCommand>[] {
    this.#drawn(epoch)
    const known = this.#brokers.get(nodeId)
    if (known === undefined) return NO_TIMERS
    const broker = { ...known, isFenced }
    this.#ownBrokers()
    this.#brokers.set(nodeId, broker)
    this.#changePartitions((partition) =>
      isFenced ? withoutLeader(partition, nodeId, epoch) : withLeader(partition, nodeId, epoch),
    )
    return isFenced ? [sessionOf(broker)] : [sessionOf(broker), growsSoon]
  }

  /** Of all topics. */
  #changePartitions(changed: (partition: PartitionImage) => PartitionImage): void {
    for (const topic of [...this.#topics.values()]) {
      const partitions = topic.partitions.map(changed)
      if (partitions.some((partition, i) => partition !== topic.partitions[i])) this.#put({ ...topic, partitions })
    }
  }

  #drawn(epoch: number): void {
    this.#nextEpoch = Math.max(this.#nextEpoch, epoch + 1)
  }

  #ownBrokers(): void {
    if (!this.#brokersShared) return
    this.#brokers = new Map(this.#brokers)
    this.#brokersShared = false
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
  yield { kind: 'epochs-drawn', nextEpoch: image.nextEpoch }
  for (const broker of image.brokers()) yield { kind: 'broker-registered', ...broker }
  for (const { id, name, deletedAt } of image.deletions()) yield { kind: 'topic-deleted', id, name, deletedAt }
  for (const { id, name, partitions, nextPartition, replicationFactor, config, createdAt } of image.topics()) {
    yield { kind: 'topic-created', id, name, partitionCount: nextPartition, replicationFactor, config, createdAt }
    const there = new Set(partitions.map(({ partition }) => partition))
    for (let partition = 0; partition < nextPartition; partition++) {
      if (!there.has(partition)) yield { kind: 'partition-removed', id, partition }
    }
    for (const { state: _, retirement, ...partition } of partitions) {
      yield { kind: 'partition-changed', id, ...partition }
      const { partition: number } = partition
      if (retirement !== undefined) yield { kind: 'partition-retiring', id, partition: number, ...retirement }
    }
  }
}
