// What the parts of the group machine share: what they may look at, and how they answer.

import { limits } from '../base/index.ts'
import type { Decision } from '../machine/index.ts'
import type { Assignment, GroupCommand, GroupRefusal, GroupReply, Membership } from './commands.ts'
import { type DraftOptions, GroupDraft } from './draft.ts'
import type { Group, Member } from './group.ts'
import { planRequest, type Subscription } from './plan.ts'
import { leaderOf, memberView } from './present.ts'
import type { GroupChanged, GroupRecord, MemberChanged } from './records.ts'
import { DEFAULT_SETTINGS } from './settings.ts'

export type GroupDecision = Decision<GroupRecord, GroupReply, GroupCommand>

export interface GroupContext extends DraftOptions {
  /** Groups there are on this broker, in all its machines. */
  groupCount: () => number
  offsetsRetentionMs: number
}

/** Offsets removed in one decision. */
export const REMOVED_PER_DECISION = limits.COMMIT_OFFSETS_MAX

export function refused(refusal: GroupRefusal): GroupDecision {
  return { records: [], reply: refusal }
}

export function newGroup(group: string, now: number): GroupChanged {
  return {
    kind: 'group',
    group,
    epoch: 0,
    plannedEpoch: 0,
    isCut: false,
    lastGeneration: 0,
    settings: DEFAULT_SETTINGS,
    leader: null,
    planMs: limits.GROUP_REBALANCE_MS_DEFAULT,
    emptySince: now,
  }
}

export function draftOf(group: Group, context: GroupContext): GroupDraft {
  return new GroupDraft(group, recordOf(group), context)
}

/** A group that nobody knows yet is as a new one. */
export function recordOf(group: Group): GroupChanged {
  return group.record ?? newGroup(group.name, 0)
}

/** Null: it is no member, or has left its static place. */
export function presentMember(group: Group, name: string): Member | null {
  const member = group.members.get(name)
  return member === undefined || member.record.isAway ? null : member
}

/** Null: it may speak. */
export function fencing({ record }: Member, generation: number | null): GroupRefusal | null {
  if (generation === null) return null
  if (generation >= record.joinedGeneration && generation <= record.generation) return null
  return fenced(record, generation)
}

export function fenced(
  { group, member, generation: currentGeneration }: MemberChanged,
  generation: number,
): GroupRefusal {
  return { kind: 'fenced', group, member, generation, currentGeneration }
}

/** It knows what it was asked to drop, or is not asked what it knows, and works on none of it. */
export function mayDrop({ record }: Member, generation: number | null, owned: Assignment): boolean {
  const { revoking } = record
  if (revoking.length === 0 || (generation !== null && generation !== record.generation)) return false
  return !owns(owned, (topicId, partition) =>
    revoking.some((list) => list.topicId === topicId && list.partitions.includes(partition)),
  )
}

type TopicId = Assignment[number]['topicId']

export function owns(owned: Assignment, isSuch: (topicId: TopicId, partition: number) => boolean): boolean {
  return owned.some(({ topicId, partitions }) => partitions.some((partition) => isSuch(topicId, partition)))
}

/** As it stands, with nothing changed. */
export function membership(group: Group, member: Member, context: GroupContext): Membership {
  const record = recordOf(group)
  return {
    group: group.name,
    settings: record.settings,
    member: member.view,
    leader: leaderOf(record),
    plan: planFor(record, member.record, () => [...group.members.values()].map((each) => each.record), context),
  }
}

/** As it stands once the draft is applied. */
export function draftedMembership(draft: GroupDraft, name: string, context: GroupContext): Membership {
  const record = draft.members.get(name)!
  return {
    group: draft.group.group,
    settings: draft.group.settings,
    member: memberView(record),
    leader: leaderOf(draft.group),
    plan: planFor(draft.group, record, () => [...draft.members.values()], context),
  }
}

function planFor(
  group: GroupChanged,
  { member }: MemberChanged,
  members: () => readonly Subscription[],
  { topics }: GroupContext,
): Membership['plan'] {
  if (group.plannedEpoch === group.epoch || leaderOf(group) !== member) return null
  return planRequest(group.epoch, members(), topics)
}
