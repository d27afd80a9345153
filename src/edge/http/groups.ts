// Consumer groups and their members: /v1/groups. A poll, which is on the path of records, is in group-poll.ts.

import { z } from '@hono/zod-openapi'
import type { GroupsRefusal, Parking, Standing } from '../../core/broker/index.ts'
import type { Assignment } from '../../core/group/index.ts'
import { limits } from '../../core/base/index.ts'
import {
  GroupDeletedShape,
  GroupHeartbeat,
  GroupJoin,
  GroupJoinShape,
  GroupLeftShape,
  GroupListShape,
  GroupMembershipShape,
  GroupName,
  GroupPlan,
  GroupPlannedShape,
  GroupShape,
  groupView,
  isMembership,
  membershipView,
  Problem,
  problemOfGroup,
  problemOfMember,
  readShape,
} from '../wire/index.ts'
import { jsonAnswer, problemAnswer } from './answer.ts'
import { defined } from './defined.ts'
import type { ControlCall, ControlPath, Operation } from './table.ts'

const PAGE_DEFAULT = 100
const PAGE_MAX = 1_000
const Duration = z.string().regex(/^[0-9]+(ms|s|m|h|d)$/)

export const groupOperations: readonly Operation[] = [
  {
    id: 'listGroups',
    method: 'GET',
    path: '/v1/groups',
    tag: 'groups',
    summary: 'List groups, by name, a page at a time',
    query: [
      { name: 'prefix', about: 'Only names that begin with this.', shape: z.string() },
      { name: 'after', about: 'Names behind this one: the `after` of the page before.', shape: GroupName },
      { name: 'limit', about: 'How many.', shape: z.int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT) },
    ],
    answers: { 200: { about: 'A page.', shape: GroupListShape } },
    problems: ['malformed', 'unknown-parameter', 'loading', 'shutting-down'],
    run: listGroups,
  },
  {
    id: 'getGroup',
    method: 'GET',
    path: '/v1/groups/{group}',
    tag: 'groups',
    summary: 'A group: its members, what each holds, and the lag of every partition',
    answers: { 200: { about: 'The group.', shape: GroupShape } },
    problems: ['unknown-group', 'loading', 'shutting-down'],
    run: getGroup,
  },
  {
    id: 'deleteGroup',
    method: 'DELETE',
    path: '/v1/groups/{group}',
    tag: 'groups',
    summary: 'Delete a group without members, and what it has committed',
    answers: { 200: { about: 'Deleted.', shape: GroupDeletedShape } },
    problems: ['unknown-group', 'group-not-empty', 'loading', 'disk-low', 'shutting-down', 'outcome-unknown'],
    run: deleteGroup,
  },
  {
    id: 'joinGroup',
    method: 'PUT',
    path: '/v1/groups/{group}/members/{member}',
    tag: 'groups',
    summary: 'Join a group, under an id of your own; repeatable, and what is asked anew takes the place of the old',
    body: { shape: GroupJoinShape, isOptional: false },
    answers: { 200: { about: 'How the member stands.', shape: GroupMembershipShape } },
    problems: [
      ...(['malformed', 'invalid', 'group-differs', 'limit-reached'] as const),
      ...(['loading', 'disk-low', 'shutting-down', 'outcome-unknown'] as const),
    ],
    run: joinGroup,
  },
  {
    id: 'heartbeat',
    method: 'POST',
    path: '/v1/groups/{group}/members/{member}/heartbeat',
    tag: 'groups',
    summary: 'Alive, without a poll; says what has been dropped, and may wait for a change',
    query: [{ name: 'wait', about: 'How long to wait for a change, at most 60s.', shape: Duration }],
    body: { shape: GroupHeartbeat, isOptional: true },
    answers: { 200: { about: 'How the member stands.', shape: GroupMembershipShape } },
    problems: [
      ...(['malformed', 'unknown-parameter', 'invalid', 'fenced'] as const),
      ...(['loading', 'disk-low', 'shutting-down', 'outcome-unknown'] as const),
    ],
    run: heartbeat,
  },
  {
    id: 'leaveGroup',
    method: 'DELETE',
    path: '/v1/groups/{group}/members/{member}',
    tag: 'groups',
    summary: 'Leave a group',
    answers: { 200: { about: 'Left.', shape: GroupLeftShape } },
    problems: ['fenced', 'loading', 'disk-low', 'shutting-down', 'outcome-unknown'],
    run: leaveGroup,
  },
  {
    id: 'putPlan',
    method: 'PUT',
    path: '/v1/groups/{group}/plan',
    tag: 'groups',
    summary: 'Divide the partitions, as the member that was named leader',
    body: { shape: GroupPlan, isOptional: false },
    answers: { 200: { about: 'Taken.', shape: GroupPlannedShape } },
    problems: [
      ...(['malformed', 'invalid', 'unknown-group', 'fenced', 'not-leader-member', 'stale-plan'] as const),
      ...(['invalid-plan', 'loading', 'disk-low', 'shutting-down', 'outcome-unknown'] as const),
    ],
    run: putPlan,
  },
]

export function refusedGroup({ broker }: ControlPath, refusal: GroupsRefusal): Response {
  return problemAnswer(problemOfGroup(refusal, broker.image))
}

async function listGroups(path: ControlPath, { query }: ControlCall): Promise<Response> {
  const limit = query.integer('limit', PAGE_DEFAULT, 1, PAGE_MAX)
  if (limit instanceof Problem) return problemAnswer(limit)
  const listed = await path.broker.groups.list()
  if ('kind' in listed) return refusedGroup(path, listed)
  const prefix = query.get('prefix') ?? ''
  const after = query.get('after') ?? ''
  const found = listed.filter(({ group }) => group.startsWith(prefix) && group > after)
  const groups = found.slice(0, limit)
  return jsonAnswer({ groups, after: found.length > limit ? groups.at(-1)!.group : null })
}

async function getGroup(path: ControlPath, { names }: ControlCall): Promise<Response> {
  const described = await path.broker.groups.describe(names['group']!)
  return 'places' in described ? jsonAnswer(groupView(described, path.broker.image)) : refusedGroup(path, described)
}

async function deleteGroup(path: ControlPath, { names }: ControlCall): Promise<Response> {
  const group = names['group']!
  const reply = await path.broker.groups.delete(group)
  return reply.kind === 'deleted' ? jsonAnswer({ group }) : refusedGroup(path, reply)
}

async function joinGroup(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = readShape(GroupJoin, body)
  if (given instanceof Problem) return problemAnswer(given)
  const { group, member } = named(names)
  return standingAnswer(path, member, await path.broker.groups.join({ group, member, ...defined(given) }))
}

async function heartbeat(path: ControlPath, call: ControlCall): Promise<Response> {
  const { names, query, body } = call
  const given = body.length === 0 ? {} : readShape(GroupHeartbeat, body)
  if (given instanceof Problem) return problemAnswer(given)
  const waitMs = query.duration('wait', 0, limits.FETCH_WAIT_MS_MAX)
  if (waitMs instanceof Problem) return problemAnswer(waitMs)
  const { generation = null, owned } = given
  const ask = { ...named(names), generation, owned: owned === undefined ? null : ownedOf(path, owned) }
  const parked = waitMs === 0 ? null : new ParkedCall(path, call, waitMs)
  try {
    return standingAnswer(path, ask.member, await path.broker.groups.heartbeat(ask, parked))
  } finally {
    parked?.end()
  }
}

/** A topic that is gone is held by nobody: its name says nothing. */
function ownedOf({ broker }: ControlPath, owned: readonly { topic: string; partitions: number[] }[]): Assignment {
  const partitionsByTopic = new Map<Assignment[number]['topicId'], Set<number>>()
  for (const { topic, partitions } of owned) {
    const image = broker.image.topicNamed(topic)
    if (image === null) continue
    const known = partitionsByTopic.get(image.id) ?? new Set()
    partitionsByTopic.set(image.id, known.union(new Set(partitions)))
  }
  return [...partitionsByTopic].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions].sort((a, b) => a - b),
  }))
}

async function leaveGroup(path: ControlPath, { names }: ControlCall): Promise<Response> {
  const { group, member } = named(names)
  const reply = await path.broker.groups.leave(group, member)
  if (reply.kind === 'left') return jsonAnswer({ group, member })
  return problemAnswer(problemOfMember(reply, member, path.broker.image))
}

async function putPlan(path: ControlPath, { names, body }: ControlCall): Promise<Response> {
  const given = readShape(GroupPlan, body)
  if (given instanceof Problem) return problemAnswer(given)
  const group = names['group']!
  const reply = await path.broker.groups.plan({ group, ...given })
  return reply.kind === 'planned' ? jsonAnswer({ group, epoch: reply.epoch }) : refusedGroup(path, reply)
}

function standingAnswer({ broker }: ControlPath, member: string, standing: Standing): Response {
  if (isMembership(standing)) return jsonAnswer(membershipView(standing, broker.image))
  return problemAnswer(problemOfMember(standing, member, broker.image))
}

function named(names: ControlCall['names']): { group: string; member: string } {
  return { group: names['group']!, member: names['member']! }
}

/** A request that is held back, and given up when its client goes. */
class ParkedCall implements Parking {
  readonly deadlineMs: number
  readonly #call: ControlCall
  #cancel: () => void = () => {}

  constructor({ broker }: ControlPath, call: ControlCall, waitMs: number) {
    this.deadlineMs = broker.monotonicMs() + waitMs
    this.#call = call
  }

  readonly onPark = (cancel: () => void): void => {
    const { request, connection } = this.#call
    this.#cancel = cancel
    // It is silent for longer than a connection may be.
    connection?.timeout(request, 0)
    request.signal.addEventListener('abort', cancel)
    if (request.signal.aborted) cancel()
  }

  end(): void {
    this.#call.request.signal.removeEventListener('abort', this.#cancel)
  }
}
