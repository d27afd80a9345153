// Where a member reads: each partition it holds from the committed place. One that was never committed begins where the group
// says; `latest` is pinned at once by a commit, so that it means the same place ever after. A place the log no longer has, or
// never had, is brought inside, unless the group wants to be told.

import { assert, type TopicId } from '../../base/index.ts'
import type { GroupReply, HeldPosition, OffsetCommit } from '../../group/index.ts'
import type { FetchHost } from '../fetch.ts'
import { type FetchPosition, positionOf } from '../fetch-request.ts'
import type { Replica } from '../replicas.ts'
import type { TopicRoute } from '../routing.ts'
import type { GroupsRefusal } from './asks.ts'

type Polled = Extract<GroupReply, { kind: 'polled' }>
type Pin = (offsets: readonly OffsetCommit[]) => Promise<{ positions: readonly HeldPosition[] } | GroupsRefusal>

interface Held {
  readonly route: TopicRoute
  readonly replica: Replica
  readonly nextOffset: number | null
}

export async function heldPositions(
  host: FetchHost,
  polled: Polled,
  pin: Pin,
): Promise<{ positions: FetchPosition[] } | GroupsRefusal> {
  const { group, settings } = polled
  const held = polled.positions.map((position) => heldAt(host, position)).filter((one) => one !== null)
  const unset = held.filter(({ nextOffset }) => nextOffset === null)
  const pinned = new Map<Replica, number>()
  if (unset.length > 0 && settings.from === 'none') {
    const { topicId, partition } = unset[0]!.replica
    return { kind: 'no-position', group, topicId, partition }
  }
  if (unset.length > 0 && settings.from === 'latest') {
    const reply = await pin(unset.map(({ replica }) => endOf(replica)))
    if (!('positions' in reply)) return reply
    for (const one of reply.positions) {
      const at = heldAt(host, one)
      if (at !== null && at.nextOffset !== null) pinned.set(at.replica, at.nextOffset)
    }
  }
  const positions: FetchPosition[] = []
  for (const { route, replica, nextOffset } of held) {
    const offset = nextOffset ?? pinned.get(replica) ?? replica.live.startOffset
    positions.push(await placed(route, replica, offset, settings.from !== 'none'))
  }
  return { positions }
}

/** What cannot be read says why, at its place; the others go on. */
async function placed(route: TopicRoute, replica: Replica, offset: number, clamp: boolean): Promise<FetchPosition> {
  const { topic } = route
  const start = { kind: 'offset', offset } as const
  const position = await positionOf(topic, replica, { topics: [], partition: null, start, until: null, clamp })
  if ('replica' in position) return position
  return { topic, replica, offset, untilOffset: Infinity, problem: position }
}

/** Null: it is gone, or not open yet; the member is told of another assignment soon. */
function heldAt(host: FetchHost, { topicId, partition, nextOffset }: HeldPosition): Held | null {
  const route = host.route(topicId)
  const replica = route?.replica(partition) ?? null
  if (route === null || replica === null) return null
  return { route, replica, nextOffset }
}

function endOf({ topicId, partition, live }: Replica): OffsetCommit & { topicId: TopicId } {
  const nextOffset = live.highWatermark
  assert(nextOffset >= live.startOffset, 'a log ends behind its start')
  return { topicId, partition, nextOffset, leaderEpoch: live.epochAt(nextOffset - 1) }
}
