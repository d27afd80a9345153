// Decisions about topics. Each reads the image and answers with the records that make it so, or with why not.

import { assert, isInternalName, isName, limits, type TopicId } from '../base/index.ts'
import type { Decision } from '../machine/index.ts'
import type { AddPartitions, AlterTopic, CreateTopic, DeleteTopic, TopicDifference, TopicReply } from './commands.ts'
import type { ClusterImage, TopicImage } from './image.ts'
import { placedPartition, unplacedPartition } from './partitions.ts'
import { placeReplicas, ringOf } from './placement.ts'
import type { ClusterRecord, PartitionsPlaced, TopicCreated } from './records.ts'
import { resolveTopicConfig, TOPIC_CONFIG_KEYS, type TopicConfigPatch } from './topic-config.ts'
import { checkTopicConfig, type InvalidField } from './topic-config-check.ts'

/** A late producer must not bring back, empty, what somebody has just deleted. */
const RECENTLY_DELETED_MS = 60_000
const REPLICATION_FACTOR_MAX = 7
/** Numbers of partitions fit 16 bits wherever keys are routed. */
const PARTITIONS_EVER_MAX = 65_535

type TopicDecision = Decision<ClusterRecord, TopicReply>

export interface TopicDefaults {
  /** Where a creation gives none. */
  partitions: number
  replicationFactor: number
  config: TopicConfigPatch
}

export function decideCreateTopic(
  image: ClusterImage,
  command: CreateTopic,
  now: number,
  defaults: TopicDefaults,
  newTopicId: () => TopicId,
): TopicDecision {
  const { name } = command
  if (!isName(name)) return refused({ kind: 'invalid-name', name })
  if (isInternalName(name)) return refused({ kind: 'internal-name', name })
  const config = checkTopicConfig(command.config ?? {}, '/config', false)
  const partitionCount = command.partitions ?? defaults.partitions
  const replicationFactor = command.replicationFactor ?? defaults.replicationFactor
  const errors = [
    ...countErrors('/partitions', partitionCount, limits.PARTITIONS_PER_TOPIC_MAX),
    ...countErrors('/replicationFactor', replicationFactor, REPLICATION_FACTOR_MAX),
    ...config.errors,
  ]
  const existing = image.topicNamed(name)
  if (errors.length === 0) {
    errors.push(...quorumErrors(config.patch, existing?.replicationFactor ?? replicationFactor))
  }
  if (errors.length > 0) return refused({ kind: 'invalid-topic', errors })
  if (existing !== null) {
    const differences = differencesOf(existing, command, config.patch, defaults.config)
    if (differences.length > 0) return refused({ kind: 'exists-differently', topic: existing, differences })
    return { records: [], reply: { kind: 'exists', topic: existing } }
  }
  const deletedAt = image.deletedAt(name)
  if (command.isAuto === true && deletedAt !== null && now < deletedAt + RECENTLY_DELETED_MS) {
    return refused({ kind: 'recently-deleted', name, deletedAt, allowedAt: deletedAt + RECENTLY_DELETED_MS })
  }
  if (image.topicCount >= limits.TOPICS_MAX) return refused({ kind: 'too-many-topics', topicsMax: limits.TOPICS_MAX })
  const id = newTopicId()
  assert(image.topicById(id) === null && !image.isDeleted(id), 'a topic id is new')
  const record: TopicCreated = {
    kind: 'topic-created',
    id,
    name,
    partitionCount,
    replicationFactor,
    config: config.patch,
    createdAt: now,
  }
  return createdRecords(image, record)
}

export function createdRecords(image: ClusterImage, record: TopicCreated): TopicDecision {
  const placed = placedIn(image, createdTopic(record), 0)
  if (placed === null) return refused({ kind: 'no-live-broker' })
  return { records: [record, placed], reply: { kind: 'created', topic: placedTopic(createdTopic(record), placed) } }
}

export function decideAlterTopic(image: ClusterImage, command: AlterTopic): TopicDecision {
  const topic = findTopic(image, command.name)
  if ('kind' in topic) return refused(topic)
  const { patch, cleared, errors } = checkTopicConfig(command.config, '/config', true)
  const faults = errors.length > 0 ? errors : quorumErrors(patch, topic.replicationFactor)
  if (faults.length > 0) return refused({ kind: 'invalid-topic', errors: faults })
  const config: TopicConfigPatch = { ...topic.config, ...patch }
  for (const key of cleared) delete config[key]
  if (TOPIC_CONFIG_KEYS.every((key) => config[key] === topic.config[key])) {
    return { records: [], reply: { kind: 'altered', topic } }
  }
  return {
    records: [{ kind: 'topic-altered', id: topic.id, config }],
    reply: { kind: 'altered', topic: { ...topic, config } },
  }
}

export function decideAddPartitions(image: ClusterImage, command: AddPartitions): TopicDecision {
  const topic = findTopic(image, command.name)
  if ('kind' in topic) return refused(topic)
  const errors = countErrors('/count', command.count, limits.PARTITIONS_PER_TOPIC_MAX)
  if (errors.length > 0) return refused({ kind: 'invalid-topic', errors })
  const more = command.count - activeCount(topic)
  if (more < 0) return refused({ kind: 'cannot-shrink', topic, given: command.count })
  if (more === 0) return { records: [], reply: { kind: 'grown', topic } }
  const end = topic.nextPartition + more
  if (topic.partitions.length + more > limits.PARTITIONS_PER_TOPIC_MAX || end > PARTITIONS_EVER_MAX) {
    const message = 'would be more partitions than a topic can have, with those that are retiring or were removed'
    return refused({ kind: 'invalid-topic', errors: [{ pointer: '/count', code: 'bounds', message }] })
  }
  const grown = grownTopic(topic, end)
  const placed = placedIn(image, grown, topic.nextPartition)
  if (placed === null) return refused({ kind: 'no-live-broker' })
  return {
    records: [{ kind: 'partitions-added', id: topic.id, partitionCount: end }, placed],
    reply: { kind: 'grown', topic: placedTopic(grown, placed) },
  }
}

export function decideDeleteTopic(image: ClusterImage, command: DeleteTopic, now: number): TopicDecision {
  const topic = findTopic(image, command.name)
  if ('kind' in topic) return refused(topic)
  return {
    records: [{ kind: 'topic-deleted', id: topic.id, name: topic.name, deletedAt: now }],
    reply: { kind: 'deleted', topic },
  }
}

function activeCount({ partitions }: TopicImage): number {
  return partitions.filter(({ state }) => state === 'active').length
}

export function createdTopic(record: TopicCreated): TopicImage {
  const { id, name, replicationFactor, config, createdAt } = record
  const topic: TopicImage = { id, name, partitions: [], nextPartition: 0, replicationFactor, config, createdAt }
  return grownTopic(topic, record.partitionCount)
}

/** `end`: the number behind the last. */
export function grownTopic(topic: TopicImage, end: number): TopicImage {
  const partitions = [...topic.partitions]
  for (let next = topic.nextPartition; next < end; next++) partitions.push(unplacedPartition(next))
  return { ...topic, partitions, nextPartition: Math.max(topic.nextPartition, end) }
}

export function placedTopic(topic: TopicImage, { first, replicas, epoch }: PartitionsPlaced): TopicImage {
  const partitions = topic.partitions.map((known) => {
    const nodes = replicas[known.partition - first]
    return nodes === undefined ? known : placedPartition(known, nodes, epoch)
  })
  return { ...topic, partitions }
}

/**
 * Places the partitions from `first` on, on brokers that are live now. Null: there are none. Topics go round the brokers, and one
 * broker leads all of a topic: as long as a broker passes requests on whole, none could be taken that several would have to.
 */
function placedIn(image: ClusterImage, topic: TopicImage, first: number): PartitionsPlaced | null {
  const ring = ringOf(image.liveBrokers())
  if (ring.length === 0) return null
  const leader = topic.partitions[0]?.leader ?? null
  const kept = leader !== null && image.broker(leader)?.isFenced === false ? [leader] : []
  const replicas = topic.partitions
    .filter(({ partition }) => partition >= first)
    .map(() => placeReplicas(ring, topic.replicationFactor, image.topicCount, kept))
  return { kind: 'partitions-placed', id: topic.id, first, replicas, epoch: image.nextEpoch }
}

function findTopic(image: ClusterImage, name: string): TopicImage | Extract<TopicReply, { name: string }> {
  if (isInternalName(name)) return { kind: 'internal-name', name }
  return image.topicNamed(name) ?? { kind: 'unknown-topic', name }
}

function refused(reply: TopicReply): TopicDecision {
  return { records: [], reply }
}

function countErrors(pointer: string, count: number, max: number): InvalidField[] {
  if (!Number.isSafeInteger(count)) return [{ pointer, code: 'type', message: 'must be an integer' }]
  if (count >= 1 && count <= max) return []
  return [{ pointer, code: 'bounds', message: `must be between 1 and ${max}` }]
}

function quorumErrors(patch: TopicConfigPatch, replicationFactor: number): InvalidField[] {
  const { minInSyncReplicas } = patch
  if (minInSyncReplicas === undefined || minInSyncReplicas <= replicationFactor) return []
  const message = `must not be more than the replication factor, ${replicationFactor}`
  return [{ pointer: '/config/minInSyncReplicas', code: 'bounds', message }]
}

/** Only what was given is compared, against what is in force. */
function differencesOf(
  topic: TopicImage,
  given: CreateTopic,
  patch: TopicConfigPatch,
  brokerDefaults: TopicConfigPatch,
): TopicDifference[] {
  const differences: TopicDifference[] = []
  const compare = (pointer: string, wanted: unknown, existing: unknown): void => {
    if (wanted !== undefined && wanted !== existing) differences.push({ pointer, given: wanted, existing })
  }
  if (given.isAuto === true) return differences
  const { config } = resolveTopicConfig(topic.config, brokerDefaults)
  compare('/partitions', given.partitions, activeCount(topic))
  compare('/replicationFactor', given.replicationFactor, topic.replicationFactor)
  for (const key of TOPIC_CONFIG_KEYS) compare(`/config/${key}`, patch[key], config[key])
  return differences
}
