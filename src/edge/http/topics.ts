// Topics and their partitions: /v1/topics.

import { z } from '@hono/zod-openapi'
import { isInternalName } from '../../core/base/index.ts'
import { type TopicRoute } from '../../core/broker/index.ts'
import type { TopicImage } from '../../core/cluster/index.ts'
import {
  PartitionRetire,
  PartitionsAdd,
  PartitionShape,
  partitionView,
  Problem,
  problemOf,
  readShape,
  TopicAlter,
  TopicAlterShape,
  TopicCreate,
  TopicCreateShape,
  TopicDeletedShape,
  TopicListShape,
  TopicName,
  TopicShape,
  TopicTrim,
  topicView,
  TrimmedShape,
} from '../wire/index.ts'
import { partitionNumber } from './address.ts'
import { jsonAnswer, problemAnswer } from './answer.ts'
import { change } from './change.ts'
import { defined } from './defined.ts'
import type { ControlCall, ControlPath, Operation } from './table.ts'

const PAGE_DEFAULT = 100
const PAGE_MAX = 1_000

export const topicOperations: readonly Operation[] = [
  {
    id: 'listTopics',
    method: 'GET',
    path: '/v1/topics',
    tag: 'topics',
    summary: 'List topics, by name, a page at a time; internal ones only where the prefix asks for them',
    query: [
      { name: 'prefix', about: 'Only names that begin with this.', shape: z.string() },
      { name: 'after', about: 'Names behind this one: the `after` of the page before.', shape: TopicName },
      { name: 'limit', about: 'How many.', shape: z.int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT) },
    ],
    answers: { 200: { about: 'A page.', shape: TopicListShape } },
    problems: ['malformed', 'unknown-parameter'],
    run: listTopics,
  },
  {
    id: 'createTopic',
    method: 'PUT',
    path: '/v1/topics/{topic}',
    tag: 'topics',
    summary: 'Create a topic; repeatable',
    body: { shape: TopicCreateShape, isOptional: true },
    answers: {
      201: { about: 'Created.', shape: TopicShape },
      200: { about: 'It was there, and every field given agrees.', shape: TopicShape },
    },
    problems: ['malformed', 'invalid', 'internal-topic', 'topic-exists', 'limit-reached'],
    run: createTopic,
  },
  {
    id: 'getTopic',
    method: 'GET',
    path: '/v1/topics/{topic}',
    tag: 'topics',
    summary: 'A topic: its partitions and the configuration in force',
    answers: { 200: { about: 'The topic.', shape: TopicShape } },
    problems: ['invalid', 'unknown-topic'],
    run: getTopic,
  },
  {
    id: 'alterTopic',
    method: 'PATCH',
    path: '/v1/topics/{topic}',
    tag: 'topics',
    summary: 'Change settings of a topic',
    body: { shape: TopicAlterShape, isOptional: false },
    answers: { 200: { about: 'The topic as it is now.', shape: TopicShape } },
    problems: ['malformed', 'invalid', 'internal-topic', 'unknown-topic'],
    run: alterTopic,
  },
  {
    id: 'deleteTopic',
    method: 'DELETE',
    path: '/v1/topics/{topic}',
    tag: 'topics',
    summary: 'Delete a topic and all its records',
    answers: { 200: { about: 'Deleted.', shape: TopicDeletedShape } },
    problems: ['invalid', 'internal-topic', 'unknown-topic'],
    run: deleteTopic,
  },
  {
    id: 'addPartitions',
    method: 'POST',
    path: '/v1/topics/{topic}/partitions',
    tag: 'topics',
    summary: 'Grow a topic to a number of partitions; repeatable',
    body: { shape: PartitionsAdd, isOptional: false },
    answers: { 200: { about: 'The topic as it is now. Stored records stay where they are.', shape: TopicShape } },
    problems: ['malformed', 'invalid', 'internal-topic', 'unknown-topic'],
    run: addPartitions,
  },
  {
    id: 'retirePartition',
    method: 'POST',
    path: '/v1/topics/{topic}/partitions/{partition}/retire',
    tag: 'topics',
    summary: 'Take no new records into a partition, and remove it later; groups divide the rest anew',
    body: { shape: PartitionRetire, isOptional: false },
    answers: { 200: { about: 'The topic as it is now. Until then the partition can be read.', shape: TopicShape } },
    problems: ['malformed', 'invalid', 'internal-topic', 'unknown-topic', 'unknown-partition', 'last-partition'],
    run: retirePartition,
  },
  {
    id: 'trimTopic',
    method: 'POST',
    path: '/v1/topics/{topic}/trim',
    tag: 'topics',
    summary: 'Advance the log start of a partition',
    body: { shape: TopicTrim, isOptional: false },
    answers: { 200: { about: 'Where the log starts now.', shape: TrimmedShape } },
    problems: ['malformed', 'invalid', 'internal-topic', 'unknown-topic', 'unknown-partition', 'beyond-end'],
    run: trimTopic,
  },
  {
    id: 'getPartition',
    method: 'GET',
    path: '/v1/topics/{topic}/partitions/{partition}',
    tag: 'topics',
    summary: 'A partition: its offsets, leader and epochs',
    answers: { 200: { about: 'The partition.', shape: PartitionShape } },
    problems: ['invalid', 'unknown-topic', 'unknown-partition'],
    run: getPartition,
  },
  {
    id: 'headPartition',
    method: 'HEAD',
    path: '/v1/topics/{topic}/partitions/{partition}',
    tag: 'topics',
    summary:
      'The same as headers: Naru-Log-Start-Offset, Naru-High-Watermark, Naru-Log-End-Offset, Naru-Leader-Epoch, ETag',
    answers: { 200: { about: 'The partition.' } },
    problems: ['invalid', 'unknown-topic', 'unknown-partition'],
    run: getPartition,
  },
]

function onTopic(
  path: ControlPath,
  topic: string,
  answer: (route: TopicRoute) => Response | Promise<Response>,
): Response | Promise<Response> {
  const route = path.broker.routeOf(topic)
  return 'kind' in route ? problemAnswer(problemOf(route)) : answer(route)
}

/** Of partitions that nobody leads at present the rest is told. */
function getTopic(path: ControlPath, { names }: ControlCall): Response | Promise<Response> {
  const topic = path.broker.image.topicNamed(names['topic']!)
  if (topic === null) return onTopic(path, names['topic']!, () => jsonAnswer(null))
  return jsonAnswer(topicView(topic, path.broker.pictureOf(topic)))
}

function listTopics(path: ControlPath, { query }: ControlCall): Response {
  const limit = query.integer('limit', PAGE_DEFAULT, 1, PAGE_MAX)
  if (limit instanceof Problem) return problemAnswer(limit)
  const prefix = query.get('prefix') ?? ''
  const after = query.get('after') ?? ''
  const { image } = path.broker
  const names = isInternalName(prefix) ? image.internalNames : image.names
  const page: TopicImage[] = []
  let more = false
  for (let i = firstBehind(names, after > prefix ? after : prefix, after); i < names.length; i++) {
    const name = names[i]!
    if (!name.startsWith(prefix)) {
      if (name > prefix) break
      continue
    }
    if (page.length === limit) {
      more = true
      break
    }
    page.push(path.broker.image.topicNamed(name)!)
  }
  return jsonAnswer({
    topics: page.map(({ id, name, partitions, replicationFactor }) => ({
      topic: name,
      topicId: id,
      partitions: partitions.length,
      replicationFactor,
    })),
    after: more ? page.at(-1)!.name : null,
  })
}

/** The first name at or behind `from`, but not `after` itself; names are sorted by code units. */
function firstBehind(names: readonly string[], from: string, after: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (names[middle]! < from || names[middle] === after) low = middle + 1
    else high = middle
  }
  return low
}

async function createTopic(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = body.length === 0 ? {} : readShape(TopicCreate, body)
  if (given instanceof Problem) return problemAnswer(given)
  return change(path, { kind: 'create-topic', name: names['topic']!, ...defined(given) })
}

async function alterTopic(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = readShape(TopicAlter, body)
  if (given instanceof Problem) return problemAnswer(given)
  return change(path, { kind: 'alter-topic', name: names['topic']!, config: given.config })
}

async function addPartitions(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = readShape(PartitionsAdd, body)
  if (given instanceof Problem) return problemAnswer(given)
  return change(path, { kind: 'add-partitions', name: names['topic']!, count: given.count })
}

async function retirePartition(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const partition = partitionNumber(names['partition']!)
  if (partition instanceof Problem) return problemAnswer(partition)
  const given = readShape(PartitionRetire, body)
  if (given instanceof Problem) return problemAnswer(given)
  return change(path, { kind: 'retire-partition', name: names['topic']!, partition, afterMs: given.afterMs })
}

function deleteTopic(path: ControlPath, { names }: ControlCall): Promise<Response> {
  return change(path, { kind: 'delete-topic', name: names['topic']! })
}

async function trimTopic(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = readShape(TopicTrim, body)
  if (given instanceof Problem) return problemAnswer(given)
  const { partition, beforeOffset } = given
  const trimmed = await path.broker.trim(names['topic']!, partition, beforeOffset)
  if ('kind' in trimmed) return problemAnswer(problemOf(trimmed))
  return jsonAnswer({ topic: names['topic']!, partition, logStartOffset: trimmed.logStartOffset })
}

function getPartition(path: ControlPath, { names }: ControlCall): Response | Promise<Response> {
  const partition = partitionNumber(names['partition']!)
  if (partition instanceof Problem) return problemAnswer(partition)
  return onTopic(path, names['topic']!, (route) => {
    const replica = route.replica(partition)
    const { topic } = route
    const image = topic.partitions.find((known) => known.partition === partition)
    if (replica === null || image === undefined) {
      const other = path.broker.elsewhere([topic.name], partition)
      const partitionCount = route.replicas.length
      return problemAnswer(
        problemOf(other ?? { kind: 'unknown-partition', topic: topic.name, partition, partitionCount }),
      )
    }
    const view = partitionView(topic, image, replica)
    return jsonAnswer(view, 200, {
      etag: `"${view.logEndOffset}"`,
      'naru-log-start-offset': String(view.logStartOffset),
      'naru-high-watermark': String(view.highWatermark),
      'naru-log-end-offset': String(view.logEndOffset),
      'naru-leader-epoch': String(view.leaderEpoch),
      'naru-partition-state': view.state,
    })
  })
}
