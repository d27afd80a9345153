// Dividing the work anew when the topics have changed, when a decision was cut, and by a leader's plan, or without it.

import { refreshSoon, signOfLife } from './clocks.ts'
import type { GroupCommand, GroupReply, PutPlan } from './commands.ts'
import { offsetsOfDeletedTopics } from './committing.ts'
import { draftOf, type GroupContext, type GroupDecision, presentMember, recordOf, refused } from './decision.ts'
import type { Group } from './group.ts'
import { isSameAssignment, PartitionSet } from './partition-set.ts'
import { checkedPlan } from './plan.ts'
import { leaderOf } from './present.ts'

export function decideRefresh(group: Group, context: GroupContext): GroupDecision {
  const removed = offsetsOfDeletedTopics(group, context)
  const reply = { kind: 'refreshed' } as const
  if (removed.length > 0) {
    // The division follows in a decision of its own.
    return { records: removed, reply, timers: [refreshSoon(group.name)] }
  }
  const draft = draftOf(group, context)
  const { epoch, plannedEpoch, isCut, settings } = recordOf(group)
  if (plannedEpoch < epoch && (isCut || settings.assignor !== 'leader')) draft.divide()
  else if (group.members.size > 0 && !coversTopics(group, context)) {
    draft.nextEpoch()
    draft.divide()
  }
  draft.reconcile()
  return { records: draft.records(), reply }
}

export function decidePlan(group: Group, command: PutPlan, context: GroupContext): GroupDecision {
  const { member: name, epoch } = command
  const member = presentMember(group, name)
  if (member === null) return refused({ kind: 'unknown-member', group: group.name, member: name })
  const record = recordOf(group)
  const leader = leaderOf(record)
  if (leader !== name) return refused({ kind: 'not-leader-member', group: group.name, member: name, leader })
  const timers = signOfLife(member.record, 0, false)
  const stale = { kind: 'stale-plan' as const, group: group.name, epoch, currentEpoch: record.epoch }
  if (epoch !== record.epoch) return refused(stale)
  const draft = draftOf(group, context)
  const plan = checkedPlan(command.plan, [...draft.members.values()], context.topics)
  if (record.plannedEpoch === record.epoch) {
    // A repeat of what was taken is no fault; another plan for the same epoch comes too late.
    const isRepeat =
      plan instanceof Map && [...plan].every(([of, part]) => isSameAssignment(part, draft.members.get(of)!.target))
    return isRepeat ? { records: [], reply: { kind: 'planned', epoch }, timers } : refused(stale)
  }
  const reply: GroupReply =
    plan instanceof Map ? { kind: 'planned', epoch } : { kind: 'invalid-plan', group: group.name, epoch, fault: plan }
  draft.target(plan instanceof Map ? plan : draft.sticky())
  draft.reconcile()
  return { records: draft.records(), reply, timers }
}

export function decidePlanExpiry(
  group: Group,
  { epoch }: Extract<GroupCommand, { kind: 'plan-expired' }>,
  context: GroupContext,
): GroupDecision {
  const record = recordOf(group)
  if (record.epoch !== epoch || record.plannedEpoch === epoch) return { records: [], reply: { kind: 'timed' } }
  const draft = draftOf(group, context)
  draft.target(draft.sticky())
  draft.reconcile()
  return { records: draft.records(), reply: { kind: 'timed' } }
}

/** What the members are to hold together is what there is. */
function coversTopics(group: Group, { topics }: GroupContext): boolean {
  const targets = PartitionSet.of(...[...group.members.values()].map(({ record }) => record.target))
  const names = new Set([...group.members.values()].flatMap(({ record }) => record.topics))
  const existing = [...names].flatMap((name) => topics.topicNamed(name) ?? [])
  const all = PartitionSet.of(existing.map(({ id, partitions }) => ({ topicId: id, partitions })))
  return isSameAssignment(targets.toAssignment(), all.toAssignment())
}
