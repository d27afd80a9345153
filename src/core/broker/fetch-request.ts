// What a fetch asks for, and where in each partition that is.

import type { TopicId } from '../base/index.ts'
import type { TopicImage } from '../cluster/index.ts'
import type { FetchRefusal } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'

export interface FetchRequest {
  topics: readonly string[]
  /** Null: all partitions of each topic. */
  partition: number | null
  start: FetchStart
  until: FetchUntil | null
  /** Jump to the nearest readable offset instead of refusing. */
  clamp: boolean
}

export type FetchStart =
  | { kind: 'earliest' | 'latest' }
  | { kind: 'offset'; offset: number }
  | { kind: 'last'; count: number }
  | { kind: 'time'; ms: number }
  | { kind: 'cursor'; entries: readonly CursorEntry[] }

export type FetchUntil =
  { kind: 'latest' } | { kind: 'time'; ms: number } | { kind: 'cursor'; entries: readonly CursorEntry[] }

/** A place in one partition. `topicId` is null in a hand-written cursor on a one-topic URL; `epoch` null: not known. */
export interface CursorEntry {
  topicId: TopicId | null
  partition: number
  offset: number
  epoch: number | null
}

/** A place that moves: `offset` is the next to be read, advanced by the reader of the bytes. */
export interface FetchPosition {
  readonly topic: TopicImage
  readonly replica: Replica
  offset: number
  /** Exclusive; infinite for none. */
  untilOffset: number
  /** Set when this partition cannot be read on; the others go on. */
  problem: FetchRefusal | null
}

/** Where a request stands in every partition it reads, or why it cannot. */
export async function positionsOf(
  routes: readonly TopicRoute[],
  request: FetchRequest,
): Promise<FetchPosition[] | FetchRefusal> {
  const stale = staleTopic(routes, request.start)
  if (stale !== null) return { kind: 'topic-recreated', topic: stale }
  const positions: FetchPosition[] = []
  for (const route of routes) {
    const only = request.partition === null ? null : route.replica(request.partition)
    if (only === null && request.partition !== null) return route.unknownPartition(request.partition)
    for (const replica of only === null ? route.replicas : [only]) {
      const position = await positionOf(route.topic, replica, request)
      if (!('replica' in position)) return position
      positions.push(position)
    }
  }
  return positions
}

/** Where a request stands in one partition, or why it cannot. The topic may be deleted while a time is looked up. */
export async function positionOf(
  topic: TopicImage,
  replica: Replica,
  request: FetchRequest,
): Promise<FetchPosition | FetchRefusal> {
  try {
    const offset = await startOf(topic, replica, request.start, request.clamp)
    if (typeof offset !== 'number') return offset
    const untilOffset = await untilOf(topic, replica, request.until)
    return replica.removal(topic) ?? { topic, replica, offset, untilOffset, problem: null }
  } catch (error) {
    const removal = replica.removal(topic)
    if (removal !== null) return removal
    throw error
  }
}

/** Where a request starts in one partition, or why it cannot. Looking up a time may have to read the disk. */
async function startOf(
  topic: TopicImage,
  replica: Replica,
  start: FetchStart,
  clamp: boolean,
): Promise<number | FetchRefusal> {
  const { live, partition } = replica
  switch (start.kind) {
    case 'earliest':
      return live.startOffset
    case 'latest':
      return live.highWatermark
    case 'last':
      return live.offsetOfLast(start.count)
    case 'time':
      return Math.min(await live.offsetAtTime(start.ms), live.highWatermark)
    case 'offset':
      return placed(topic, replica, start.offset, clamp)
    case 'cursor': {
      const entry = entryFor(topic, partition, start.entries)
      if (entry === null) return live.startOffset
      if (entry.epoch !== null) {
        // What the cursor had read ended with this epoch; here that epoch ended earlier, so it read something else.
        const end = live.endOffsetOfEpoch(entry.epoch)
        if (end !== null && end.endOffset < entry.offset) {
          if (clamp) return end.endOffset
          return { kind: 'diverged', topic: topic.name, partition, offset: entry.offset, nearestOffset: end.endOffset }
        }
      }
      return placed(topic, replica, entry.offset, clamp)
    }
  }
}

async function untilOf(topic: TopicImage, replica: Replica, until: FetchUntil | null): Promise<number> {
  if (until === null) return Infinity
  const { live } = replica
  switch (until.kind) {
    case 'latest':
      return live.highWatermark
    case 'time':
      return Math.min(await live.offsetAtTime(until.ms), live.highWatermark)
    case 'cursor':
      return entryFor(topic, replica.partition, until.entries)?.offset ?? live.highWatermark
  }
}

function entryFor(topic: TopicImage, partition: number, entries: readonly CursorEntry[]): CursorEntry | null {
  for (const entry of entries) {
    if (entry.partition === partition && (entry.topicId === null || entry.topicId === topic.id)) return entry
  }
  return null
}

function placed(topic: TopicImage, replica: Replica, offset: number, clamp: boolean): number | FetchRefusal {
  const { live, partition } = replica
  if (offset < live.startOffset) {
    if (clamp) return live.startOffset
    return { kind: 'below-start', topic: topic.name, partition, offset, logStartOffset: live.startOffset }
  }
  if (offset > live.highWatermark) {
    if (clamp) return live.highWatermark
    return { kind: 'beyond-end', topic: topic.name, partition, offset, highWatermark: live.highWatermark }
  }
  return offset
}

/** A topic none of whose places are named, by a cursor that names another topic's instead, has been recreated. */
function staleTopic(routes: readonly TopicRoute[], start: FetchStart): string | null {
  if (start.kind !== 'cursor') return null
  const asked = new Set<TopicId>(routes.map((route) => route.topic.id))
  const isForeign = start.entries.some((entry) => entry.topicId !== null && !asked.has(entry.topicId))
  if (!isForeign) return null
  const named = new Set(start.entries.map((entry) => entry.topicId))
  return routes.find((route) => !named.has(route.topic.id))?.topic.name ?? null
}
