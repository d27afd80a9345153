// Being a member: signs of life, dropping, leaving, and what becomes of one that is silent, does not get on, or does not drop.

import { signOfLife } from './clocks.ts'
import type { GroupCommand, Heartbeat, Leave, Touch } from './commands.ts'
import {
  draftedMembership,
  draftOf,
  fenced,
  fencing,
  type GroupContext,
  type GroupDecision,
  mayDrop,
  membership,
  owns,
  presentMember,
  recordOf,
  refused,
} from './decision.ts'
import type { Group, Member } from './group.ts'

export function decideHeartbeat(group: Group, command: Heartbeat, context: GroupContext): GroupDecision {
  const { member: name, generation, owned, waitMs } = command
  const member = presentMember(group, name)
  if (member === null) return refused({ kind: 'unknown-member', group: group.name, member: name })
  const fence = fencing(member, generation)
  if (fence !== null) return refused(fence)
  // It works on what is no longer its own: what it knows is of another time.
  if (owned !== null && owns(owned, (topicId, partition) => member.held.since(topicId, partition) === null)) {
    return refused(fenced(member.record, generation ?? member.record.generation))
  }
  const timers = signOfLife(member.record, waitMs, !hasWork(group, member, context))
  if (owned === null || !mayDrop(member, generation, owned)) {
    return { records: [], reply: { kind: 'alive', ...membership(group, member, context) }, timers }
  }
  const draft = draftOf(group, context)
  draft.drop(member.record)
  draft.reconcile()
  const records = draft.records()
  const reply = { kind: 'alive' as const, ...draftedMembership(draft, name, context) }
  return { records, reply, timers }
}

export function decideTouch(group: Group, { member: name }: Touch): GroupDecision {
  const member = presentMember(group, name)
  if (member === null) return refused({ kind: 'unknown-member', group: group.name, member: name })
  return { records: [], reply: { kind: 'touched' }, timers: signOfLife(member.record, 0, false) }
}

export function decideLeave(group: Group, command: Leave, now: number, context: GroupContext): GroupDecision {
  const member = group.members.get(command.member)?.record
  if (member === undefined) return refused({ kind: 'unknown-member', group: group.name, member: command.member })
  if (member.isAway) return { records: [], reply: { kind: 'left' } }
  const draft = draftOf(group, context)
  if (member.static !== null) {
    if (member.revoking.length > 0) draft.drop(member)
    draft.put({ ...draft.members.get(member.member)!, isAway: true })
  } else {
    draft.remove(member.member, now)
    draft.divide()
  }
  draft.reconcile()
  // A place is kept for the session, from now on.
  const session = member.static === null ? [] : signOfLife(member, 0, false)
  return { records: draft.records(), reply: { kind: 'left' }, timers: session }
}

/** Something it holds has records that it has not committed; without any it gets on by being there. */
function hasWork(group: Group, { record }: Member, { topics }: GroupContext): boolean {
  return record.holding.some(({ topicId, partitions }) =>
    partitions.some((partition) => {
      const committed = group.offsets.get(topicId, partition)?.nextOffset ?? 0
      return (topics.endOffset(topicId, partition) ?? 0) > committed
    }),
  )
}

type Expiry = Extract<GroupCommand, { kind: 'session-expired' | 'poll-expired' | 'rebalance-expired' }>

/**
 * The member is removed. Many may expire at once, so the work is divided anew behind them all: the record of an epoch without
 * a division sets a clock that does so.
 */
export function decideExpiry(group: Group, command: Expiry, now: number, context: GroupContext): GroupDecision {
  const member = group.members.get(command.member)?.record
  const isOver =
    member !== undefined &&
    (command.kind === 'session-expired' ||
      (command.kind === 'poll-expired' && !member.isAway) ||
      (command.kind === 'rebalance-expired' && member.revoking.length > 0))
  if (!isOver) return { records: [], reply: { kind: 'timed' } }
  const draft = draftOf(group, context)
  draft.remove(member.member, now)
  if (draft.members.size === 0 || recordOf(group).settings.assignor === 'leader') {
    draft.divide()
    draft.reconcile()
  }
  return { records: draft.records(), reply: { kind: 'timed' } }
}
