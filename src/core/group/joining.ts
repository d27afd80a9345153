// Joining: a new member, one that asks for something else, one that repeats itself, or one that takes a static place.

import { limits } from '../base/index.ts'
import { signOfLife } from './clocks.ts'
import type { Join } from './commands.ts'
import {
  draftedMembership,
  draftOf,
  type GroupContext,
  type GroupDecision,
  membership,
  presentMember,
  recordOf,
  refused,
} from './decision.ts'
import type { GroupDraft } from './draft.ts'
import type { Group } from './group.ts'
import { isSameList } from './partition-set.ts'
import type { MemberChanged } from './records.ts'
import { differences, joinFault, type MemberAsk, memberAsk, mergedSettings } from './settings.ts'

/** `group` may be one that nobody knows yet. */
export function decideJoin(group: Group, join: Join, now: number, context: GroupContext): GroupDecision {
  const fault = joinFault(join)
  if (fault !== null) return refused(fault)
  const record = recordOf(group)
  const ask = memberAsk(join)
  const own = group.members.get(join.member)?.record ?? null
  const holder = ask.static === null ? null : holderOf(ask.static, group)
  const others = group.members.size - (own === null ? 0 : 1) - (holder === null || holder === own ? 0 : 1)
  const settings = mergedSettings(record.settings, join)
  if (others > 0 && settings !== record.settings) {
    return refused({ kind: 'group-differs', group: group.name, differences: differences(record.settings, settings) })
  }
  if (others >= limits.GROUP_MEMBERS_MAX) {
    return refused({ kind: 'too-many-members', group: group.name, membersMax: limits.GROUP_MEMBERS_MAX })
  }
  const present = presentMember(group, join.member)
  if (present !== null && settings === record.settings && isSameAsk(present.record, ask)) {
    const reply = { kind: 'joined' as const, ...membership(group, present, context) }
    return { records: [], reply, timers: signOfLife(present.record, 0, true) }
  }

  const draft = draftOf(group, context)
  draft.group = { ...draft.group, settings, emptySince: null }
  const isChanged = enter(draft, join.member, ask, holder, now)
  if (isChanged || settings !== record.settings) {
    draft.nextEpoch()
    draft.divide()
  }
  draft.reconcile()
  const records = draft.records()
  const timers = signOfLife(draft.members.get(join.member)!, 0, true)
  return { records, reply: { kind: 'joined', ...draftedMembership(draft, join.member, context) }, timers }
}

/** True: who is there, or what they subscribe, is not as it was. */
function enter(draft: GroupDraft, member: string, ask: MemberAsk, holder: MemberChanged | null, now: number): boolean {
  const own = draft.members.get(member) ?? null
  const place = holder ?? own
  if (place === null) {
    draft.put(newMember(draft, member, ask, now))
    return true
  }
  if (place === own && !own.isAway) {
    draft.put({ ...own, ...ask })
    return !isSameList(own.topics, ask.topics)
  }
  // Somebody stood here before, and what it held goes on in other hands.
  if (place !== own) draft.replace(place.member)
  const taken = draft.renewed({ ...place, ...ask, member, isAway: false, revoking: [] })
  const { generation } = taken
  const holding = place.holding.map((held) => ({ ...held, since: generation }))
  draft.put({ ...taken, joinedGeneration: generation, holding })
  const hasLeftOwn = own !== null && own !== place
  return hasLeftOwn || !isSameList(place.topics, ask.topics)
}

function newMember(draft: GroupDraft, member: string, ask: MemberAsk, now: number): MemberChanged {
  const empty: MemberChanged = {
    kind: 'member',
    group: draft.group.group,
    member,
    ...ask,
    joinedAt: now,
    joinedGeneration: 0,
    generation: 0,
    isAway: false,
    holding: [],
    revoking: [],
    target: [],
    targetEpoch: 0,
  }
  const renewed = draft.renewed(empty)
  return { ...renewed, joinedGeneration: renewed.generation }
}

function holderOf(place: string, group: Group): MemberChanged | null {
  for (const { record } of group.members.values()) if (record.static === place) return record
  return null
}

function isSameAsk(record: MemberChanged, ask: MemberAsk): boolean {
  return (
    isSameList(record.topics, ask.topics) &&
    record.static === ask.static &&
    record.sessionMs === ask.sessionMs &&
    record.pollMs === ask.pollMs &&
    record.rebalanceMs === ask.rebalanceMs
  )
}
