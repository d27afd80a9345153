// Where a push begins. A request that names a place that is gone is refused; a push goes on at the nearest place there is, and
// says so: what wakes up after a long sleep is to carry on by itself.

import { limits } from '../../core/base/index.ts'
import {
  type Broker,
  type CursorEntry,
  type FetchRequest,
  FetchSession,
  type FetchStart,
} from '../../core/broker/index.ts'
import { cursorOf, Problem, type ProblemCode, problemOf } from '../wire/index.ts'
import type { Credit } from './credit.ts'
import { type Outlet, Subscription } from './subscription.ts'
import { type Reset, UnitReader } from './unit-reader.ts'
import type { PushWorld } from './world.ts'

/** What a push is to read: a fetch without an end. */
export interface PushRequest {
  readonly topics: readonly string[]
  /** Null: all of each topic. */
  readonly partition: number | null
  readonly start: FetchStart
  readonly tags: ReadonlySet<string> | null
}

export interface Opened {
  readonly session: FetchSession
  /** Places asked for that are not there. */
  readonly resets: readonly Reset[]
}

export async function openPush(broker: Broker, asked: PushRequest): Promise<Opened | Problem> {
  const { start } = asked
  let opened = await broker.openFetch(fetchOf(asked, start))
  let recreated: readonly string[] = []
  if (!(opened instanceof FetchSession) && opened.kind === 'topic-recreated' && start.kind === 'cursor') {
    const ids = new Map(asked.topics.map((topic) => [broker.image.topicNamed(topic)?.id, topic]))
    const entries = start.entries.filter(({ topicId }) => topicId !== null && ids.has(topicId))
    const named = new Set(entries.map(({ topicId }) => topicId))
    recreated = [...ids].filter(([id]) => id === undefined || !named.has(id)).map(([, topic]) => topic)
    opened = await broker.openFetch(fetchOf(asked, { kind: 'cursor', entries }))
  }
  if (!(opened instanceof FetchSession)) return problemOf(opened)
  const partitions = opened.positions.length
  if (partitions > limits.FETCH_PARTITIONS_MAX) return tooManyPartitions(partitions)
  return { session: opened, resets: resetsOf(opened, start, recreated) }
}

export function subscriptionOn(
  world: PushWorld,
  outlet: Outlet,
  { name, credit }: { name: string; credit: Credit | null },
  asked: PushRequest,
  opened: Opened,
): Subscription {
  const reader = new UnitReader(world.drafts, opened.session, asked.tags, { key: readKey(asked, opened), sub: name })
  return new Subscription(name, credit, reader, outlet, world)
}

/** Who has the same reads the same partitions, through the same filter. */
function readKey({ partition, tags }: PushRequest, { session }: Opened): string {
  const ids = new Set(session.positions.map(({ topic }) => topic.id))
  return JSON.stringify([[...ids], partition, tags === null ? null : [...tags].sort()])
}

function fetchOf({ topics, partition }: PushRequest, start: FetchStart): FetchRequest {
  return { topics, partition, start, until: null, clamp: true }
}

function tooManyPartitions(partitions: number): Problem {
  const partitionsMax = limits.FETCH_PARTITIONS_MAX
  return new Problem(
    'limit-reached',
    `One subscription reads at most ${partitionsMax} partitions, so that its cursor fits a URL; this is ${partitions}`,
    { partitions, partitionsMax },
  )
}

function resetsOf(session: FetchSession, start: FetchStart, recreated: readonly string[]): Reset[] {
  const cursor = cursorOf(session)
  const resets: Reset[] = recreated.map((topic) => ({
    kind: 'reset',
    topic,
    partition: null,
    from: null,
    to: null,
    reason: 'topic-recreated',
    cursor,
  }))
  for (const { topic, replica, offset: to } of session.positions) {
    const from = askedOffset(start, topic.id, replica.partition)
    if (from === null || from === to) continue
    const { partition, live } = replica
    const reason: ProblemCode = from < to ? 'below-log-start' : from > live.highWatermark ? 'beyond-end' : 'diverged'
    resets.push({ kind: 'reset', topic: topic.name, partition, from, to, reason, cursor })
  }
  return resets
}

/** Null: no offset was asked for there. */
function askedOffset(start: FetchStart, topicId: string, partition: number): number | null {
  if (start.kind === 'offset') return start.offset
  if (start.kind !== 'cursor') return null
  const isThere = (entry: CursorEntry): boolean =>
    entry.partition === partition && (entry.topicId === null || entry.topicId === topicId)
  return start.entries.find(isThere)?.offset ?? null
}
