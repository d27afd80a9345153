// Where a group stands in every partition it has to do with: subscribed, held or committed; and where a reset would put it.

import type { TopicId } from '../../base/index.ts'
import type { Assignment, CommittedOffset, GroupReply, GroupTopics, MemberView } from '../../group/index.ts'
import type { FetchHost } from '../fetch.ts'
import { positionOf } from '../fetch-request.ts'
import type { Replica } from '../replicas.ts'
import type { GroupPlace, ResetAsk, ResetPlace } from './asks.ts'

type Described = Extract<GroupReply, { kind: 'described' }>

/** By topic name, then partition. */
export function placesOf(host: FetchHost, topics: GroupTopics, { group, offsets }: Described): GroupPlace[] {
  const wanted = new Map<TopicId, Set<number>>()
  const want = (topicId: TopicId, partitions: Iterable<number>): void => {
    const known = wanted.get(topicId) ?? new Set()
    for (const partition of partitions) known.add(partition)
    wanted.set(topicId, known)
  }
  const holders = new Map<string, string>()
  const subscribed = new Set<string>()
  for (const member of group.members.values()) {
    for (const topic of member.topics) subscribed.add(topic)
    for (const [topicId, partition] of heldBy(member)) {
      holders.set(`${topicId}/${partition}`, member.member)
      want(topicId, [partition])
    }
  }
  for (const name of subscribed) {
    const topic = topics.topicNamed(name)
    if (topic !== null) want(topic.id, topic.partitions)
  }
  const committed = new Map<string, CommittedOffset>()
  for (const offset of offsets) {
    committed.set(`${offset.topicId}/${offset.partition}`, offset)
    want(offset.topicId, [offset.partition])
  }
  const places: GroupPlace[] = []
  for (const [topicId, partitions] of wanted) {
    const route = host.route(topicId)
    for (const partition of partitions) {
      const replica = route?.replica(partition) ?? null
      if (route === null || replica === null) continue
      const key = `${topicId}/${partition}`
      places.push(placeIn(route.topic.name, replica, holders.get(key) ?? null, committed.get(key)))
    }
  }
  return places.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition))
}

function placeIn(topic: string, replica: Replica, member: string | null, at: CommittedOffset | undefined): GroupPlace {
  const { topicId, partition, live } = replica
  const { startOffset: logStartOffset, highWatermark } = live
  const nextOffset = at?.nextOffset ?? null
  return {
    topic,
    topicId,
    partition,
    member,
    nextOffset,
    metadata: at?.metadata ?? null,
    committedAt: at?.committedAt ?? null,
    logStartOffset,
    highWatermark,
    lag: nextOffset === null ? null : Math.max(0, highWatermark - Math.max(nextOffset, logStartOffset)),
  }
}

function* heldBy({ assignment, revoke }: MemberView): Iterable<[TopicId, number]> {
  for (const list of [assignment, revoke] satisfies Assignment[]) {
    for (const { topicId, partitions } of list) for (const partition of partitions) yield [topicId, partition]
  }
}

/** An offset beyond either end of a log is brought inside. */
export async function resetPlaces(
  host: FetchHost,
  places: readonly GroupPlace[],
  { to, only }: ResetAsk,
): Promise<ResetPlace[]> {
  const resets: ResetPlace[] = []
  for (const { topic, topicId, partition, nextOffset: before } of chosen(host, places, only)) {
    const route = host.route(topicId)
    const replica = route?.replica(partition) ?? null
    if (route === null || replica === null) continue
    const request = { topics: [topic], partition, start: to, until: null, clamp: true }
    const position = await positionOf(route.topic, replica, request)
    if ('replica' in position) resets.push({ topic, topicId, partition, before, nextOffset: position.offset })
  }
  return resets
}

/** Also partitions that are asked for and that the group had nothing to do with yet. */
function chosen(
  host: FetchHost,
  places: readonly GroupPlace[],
  only: ResetAsk['only'],
): Pick<GroupPlace, 'topic' | 'topicId' | 'partition' | 'nextOffset'>[] {
  if (only === null) return [...places]
  const known = new Map(places.map((place) => [`${place.topicId}/${place.partition}`, place]))
  return only.flatMap(({ topicId, partitions }) => {
    const route = host.route(topicId)
    if (route === null) return []
    const topic = route.topic.name
    const asked = partitions ?? route.topic.partitions.map(({ partition }) => partition)
    return asked.map((partition) => {
      const nextOffset = known.get(`${topicId}/${partition}`)?.nextOffset ?? null
      return { topic, topicId, partition, nextOffset }
    })
  })
}
