// A poll: in one decision the member is alive, commits what it names, has dropped what it was to drop (its calls come one
// after another, so it works on nothing any more), and is told where each of its partitions goes on.

import type { TopicId } from '../base/index.ts'
import { signOfLife } from './clocks.ts'
import type { HeldPosition, Membership, Poll } from './commands.ts'
import { checkedCommit } from './committing.ts'
import {
  draftedMembership,
  draftOf,
  fencing,
  type GroupContext,
  type GroupDecision,
  mayDrop,
  membership,
  presentMember,
  refused,
} from './decision.ts'
import type { Group } from './group.ts'
import type { OffsetCommitted } from './records.ts'

/** Commits beside which the largest member still fits a decision: more than the places in a cursor. */
const COMMITS_BESIDE_DROP_MAX = 500

export function decidePoll(group: Group, command: Poll, now: number, context: GroupContext): GroupDecision {
  const { member: name, generation, waitMs, owned = [] } = command
  const member = presentMember(group, name)
  if (member === null) return refused({ kind: 'unknown-member', group: group.name, member: name })
  const fence = fencing(member, generation)
  if (fence !== null) return refused(fence)
  // A late repeat of a poll names what is committed already, maybe of partitions that have passed on since.
  const further = command.commit.filter((offset) => {
    const committed = group.offsets.get(offset.topicId, offset.partition)
    return committed === null || offset.nextOffset > committed.nextOffset
  })
  const commits = checkedCommit(group, member, further, generation, now, context)
  if (!Array.isArray(commits)) return refused(commits)
  const timers = signOfLife(member.record, waitMs, true)
  if (!mayDrop(member, generation, owned) || commits.length > COMMITS_BESIDE_DROP_MAX) {
    return { records: commits, reply: polled(group, membership(group, member, context), commits), timers }
  }
  const draft = draftOf(group, context)
  draft.drop(member.record)
  draft.reconcile()
  const records = [...commits, ...draft.records()]
  const reply = polled(group, draftedMembership(draft, name, context), commits)
  return { records, reply, timers }
}

function polled(group: Group, membership: Membership, commits: readonly OffsetCommitted[]) {
  const fresh = new Map(commits.map((offset) => [`${offset.topicId}/${offset.partition}`, offset.nextOffset]))
  const positionOf = (topicId: TopicId, partition: number): number | null => {
    const committed = fresh.size === 0 ? undefined : fresh.get(`${topicId}/${partition}`)
    return committed ?? group.offsets.get(topicId, partition)?.nextOffset ?? null
  }
  const positions: HeldPosition[] = []
  for (const { topicId, partitions } of membership.member.assignment) {
    for (const partition of partitions)
      positions.push({ topicId, partition, nextOffset: positionOf(topicId, partition) })
  }
  return { kind: 'polled' as const, positions, ...membership }
}
