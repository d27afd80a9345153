// What a group has committed: read, set, reset. By a member, or by an operator while there is none.

import type { ResetAsk } from '../../core/broker/index.ts'
import type { OffsetCommit } from '../../core/group/index.ts'
import {
  commitsOf,
  GroupCommittedShape,
  GroupOffsetsPut,
  GroupOffsetsShape,
  GroupReset,
  GroupResetShape,
  offsetsView,
  Problem,
  problemOf,
  problemOfMember,
  readShape,
  readStart,
} from '../wire/index.ts'
import { jsonAnswer, problemAnswer } from './answer.ts'
import { refusedGroup } from './groups.ts'
import type { ControlCall, ControlPath, Operation } from './table.ts'

type Given = ReturnType<typeof GroupReset.parse>

export const groupOffsetOperations: readonly Operation[] = [
  {
    id: 'getGroupOffsets',
    method: 'GET',
    path: '/v1/groups/{group}/offsets',
    tag: 'groups',
    summary: 'What a group has committed',
    answers: { 200: { about: 'The offsets.', shape: GroupOffsetsShape } },
    problems: ['unknown-group', 'loading', 'shutting-down'],
    run: getOffsets,
  },
  {
    id: 'putGroupOffsets',
    method: 'PUT',
    path: '/v1/groups/{group}/offsets',
    tag: 'groups',
    summary: 'Commit, forward or back: as a member, what it holds; as anybody, while the group has no members',
    body: { shape: GroupOffsetsPut, isOptional: false },
    answers: { 200: { about: 'Committed.', shape: GroupCommittedShape } },
    problems: [
      ...(['malformed', 'invalid', 'limit-reached', 'unknown-topic', 'unknown-partition', 'beyond-end'] as const),
      ...(['foreign-topic', 'fenced', 'not-held', 'group-not-empty'] as const),
      ...(['loading', 'disk-low', 'shutting-down', 'outcome-unknown'] as const),
    ],
    run: putOffsets,
  },
  {
    id: 'resetGroupOffsets',
    method: 'POST',
    path: '/v1/groups/{group}/offsets/reset',
    tag: 'groups',
    summary: 'Set what is committed to a place, while the group has no members',
    body: { shape: GroupReset, isOptional: false },
    answers: { 200: { about: 'What was, and what is or would be.', shape: GroupResetShape } },
    problems: [
      ...(['malformed', 'invalid', 'unknown-group', 'unknown-topic', 'unknown-partition', 'group-not-empty'] as const),
      ...(['loading', 'disk-low', 'shutting-down', 'outcome-unknown'] as const),
    ],
    run: resetOffsets,
  },
]

async function getOffsets(path: ControlPath, { names }: ControlCall): Promise<Response> {
  const described = await path.broker.groups.describe(names['group']!)
  return 'places' in described ? jsonAnswer(offsetsView(described)) : refusedGroup(path, described)
}

async function putOffsets(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = readShape(GroupOffsetsPut, body)
  if (given instanceof Problem) return problemAnswer(given)
  const offsets = givenOffsets(path, given)
  if (offsets instanceof Problem) return problemAnswer(offsets)
  const group = names['group']!
  const { member = null, generation = null } = given
  const reply = await path.broker.groups.commit({ group, member, generation, offsets })
  if (reply.kind === 'committed') return jsonAnswer({ group, count: offsets.length })
  return member === null ? refusedGroup(path, reply) : problemAnswer(problemOfMember(reply, member, path.broker.image))
}

function givenOffsets(
  { broker }: ControlPath,
  { cursor, offsets }: ReturnType<typeof GroupOffsetsPut.parse>,
): OffsetCommit[] | Problem {
  if ((cursor === undefined) === (offsets === undefined)) {
    return Problem.at('', 'give cursor, or offsets: one of them')
  }
  if (cursor !== undefined) return commitsOf(cursor, 'cursor')
  const commits: OffsetCommit[] = []
  for (const { topic, partition, nextOffset, metadata = null } of offsets!) {
    const image = broker.image.topicNamed(topic)
    if (image === null) return problemOf({ kind: 'unknown-topic', name: topic })
    commits.push({ topicId: image.id, partition, nextOffset, leaderEpoch: null, metadata })
  }
  return commits
}

async function resetOffsets(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = readShape(GroupReset, body)
  if (given instanceof Problem) return problemAnswer(given)
  const group = names['group']!
  const only = onlyOf(path, given)
  if (only instanceof Problem) return problemAnswer(only)
  const to = readStart(String(given.to), path.broker.nowMs(), true, 'to')
  if (to instanceof Problem) return problemAnswer(to)
  if (to.kind === 'offset' && given.partition === undefined) {
    return problemAnswer(Problem.at('/to', 'an offset is of one partition: give topic and partition too'))
  }
  const { dryRun = false } = given
  const done = await path.broker.groups.reset({ group, to, only, dryRun })
  if ('kind' in done) return refusedGroup(path, done)
  const offsets = done.places.map(({ topic, partition, before, nextOffset }) => ({
    topic,
    partition,
    before,
    nextOffset,
  }))
  return jsonAnswer({ group, dryRun, offsets })
}

function onlyOf({ broker }: ControlPath, { topic, partition }: Given): ResetAsk['only'] | Problem {
  if (topic === undefined) {
    return partition === undefined ? null : Problem.at('/partition', 'a partition is of a topic: give topic too')
  }
  const image = broker.image.topicNamed(topic)
  if (image === null) return problemOf({ kind: 'unknown-topic', name: topic })
  if (partition === undefined) return [{ topicId: image.id, partitions: null }]
  const partitionCount = image.partitions.length
  if (!image.partitions.some((known) => known.partition === partition))
    return problemOf({ kind: 'unknown-partition', topic, partition, partitionCount })
  return [{ topicId: image.id, partitions: [partition] }]
}
