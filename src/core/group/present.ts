// How a group and a member stand, from their records.

import type { HeldPartitions, GroupChanged, MemberChanged } from './records.ts'
import { isSameAssignment, PartitionSet } from './partition-set.ts'
import type { Assignment } from './commands.ts'
import type { GroupStateWord, GroupView, MemberStateWord, MemberView } from './view.ts'

export function memberView(record: MemberChanged): MemberView {
  const { member, generation, target, topics, sessionMs, pollMs, rebalanceMs, joinedAt } = record
  const assignment = assignmentOf(record.holding)
  return {
    member,
    generation,
    state: stateOfMember(record, assignment),
    assignment,
    revoke: assignmentOf(record.revoking),
    target,
    topics,
    static: record.static,
    sessionMs,
    pollMs,
    rebalanceMs,
    joinedAt,
  }
}

export function groupView(
  record: GroupChanged,
  members: ReadonlyMap<string, { readonly view: MemberView }>,
): GroupView {
  const { group, epoch, settings, emptySince } = record
  const views = new Map<string, MemberView>()
  for (const name of [...members.keys()].sort()) views.set(name, members.get(name)!.view)
  return {
    name: group,
    state: stateOfGroup(record, views),
    epoch,
    settings,
    leader: leaderOf(record),
    members: views,
    emptySince,
  }
}

/** Who is asked for plans; nobody where the group does without. */
export function leaderOf({ settings, leader }: GroupChanged): string | null {
  return settings.assignor === 'leader' ? leader : null
}

function stateOfMember(record: MemberChanged, assignment: Assignment): MemberStateWord {
  if (record.isAway) return 'away'
  if (record.revoking.length > 0) return 'revoking'
  return isSameAssignment(assignment, record.target) ? 'stable' : 'waiting'
}

function stateOfGroup(record: GroupChanged, members: ReadonlyMap<string, MemberView>): GroupStateWord {
  if (members.size === 0) return 'empty'
  if (record.plannedEpoch < record.epoch) return 'assigning'
  for (const { state } of members.values()) if (state === 'revoking' || state === 'waiting') return 'reconciling'
  return 'stable'
}

/** Without the generations. */
function assignmentOf(held: readonly HeldPartitions[]): Assignment {
  const topics = new Set(held.map(({ topicId }) => topicId))
  if (topics.size < held.length) return PartitionSet.of(held).toAssignment()
  return held.map(({ topicId, partitions }) => ({ topicId, partitions }))
}
