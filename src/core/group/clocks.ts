// The clocks of a group: sessions, polls, drops, plans, offsets. What a record tells sets them when it is applied, so they
// are full again after a load; signs of life set them without a record.

import type { TimerChange } from '../machine/index.ts'
import type { GroupCommand } from './commands.ts'
import type { GroupChanged, MemberChanged } from './records.ts'

type Change = TimerChange<GroupCommand>

/** `isProgress`: it polls or commits, and does not only say that it lives. */
export function signOfLife(record: MemberChanged, waitMs: number, isProgress: boolean): Change[] {
  const changes = [sessionClock(record, waitMs)]
  if (isProgress) changes.push(pollClock(record, waitMs))
  return changes
}

/** What a member's record sets: a change that others brought about does not touch its session. */
export function memberClocks(before: MemberChanged | null, now: MemberChanged): Change[] {
  const changes: Change[] = []
  if (before?.sessionMs !== now.sessionMs) changes.push(sessionClock(now, 0))
  if (now.isAway) changes.push({ timer: pollTimer(now), afterMs: null })
  else if (before?.pollMs !== now.pollMs || before.isAway) changes.push(pollClock(now, 0))
  const isDropping = now.revoking.length > 0
  if (isDropping !== (before !== null && before.revoking.length > 0)) {
    const { group, member } = now
    const timer = rebalanceTimer(now)
    if (!isDropping) changes.push({ timer, afterMs: null })
    else changes.push({ timer, afterMs: now.rebalanceMs, command: { kind: 'rebalance-expired', group, member } })
  }
  return changes
}

export function memberClocksCleared(record: MemberChanged): Change[] {
  return [sessionTimer(record), pollTimer(record), rebalanceTimer(record)].map((timer) => ({ timer, afterMs: null }))
}

export function groupClocks(before: GroupChanged | null, now: GroupChanged): Change[] {
  const { group, epoch, planMs, emptySince } = now
  const changes: Change[] = []
  const isAwaited = now.plannedEpoch < epoch && now.settings.assignor === 'leader'
  if (now.isCut || (now.plannedEpoch < epoch && !isAwaited)) changes.push(refreshSoon(group))
  else changes.push({ timer: refreshTimer(group), afterMs: null })
  if (!isAwaited) changes.push({ timer: planTimer(group), afterMs: null })
  else {
    const isAsked = before?.epoch === epoch && before.leader === now.leader
    if (!isAsked)
      changes.push({ timer: planTimer(group), afterMs: planMs, command: { kind: 'plan-expired', group, epoch } })
  }
  if (emptySince !== null && before?.emptySince !== emptySince) changes.push(offsetsClock(group, 0))
  if (emptySince === null && before !== null && before.emptySince !== null) {
    changes.push({ timer: offsetsTimer(group), afterMs: null })
  }
  return changes
}

export function groupClocksCleared(group: string): Change[] {
  return [planTimer(group), refreshTimer(group), offsetsTimer(group)].map((timer) => ({ timer, afterMs: null }))
}

/** There is more to do than one decision holds. */
export function refreshSoon(group: string): Change {
  return { timer: refreshTimer(group), afterMs: 0, command: { kind: 'refresh', group } }
}

export function offsetsClock(group: string, afterMs: number): Change {
  return { timer: offsetsTimer(group), afterMs, command: { kind: 'offsets-expired', group } }
}

function sessionClock(record: MemberChanged, waitMs: number): Change {
  const { group, member, sessionMs } = record
  const command: GroupCommand = { kind: 'session-expired', group, member }
  return { timer: sessionTimer(record), afterMs: sessionMs + waitMs, command }
}

function pollClock(record: MemberChanged, waitMs: number): Change {
  const { group, member, pollMs } = record
  return { timer: pollTimer(record), afterMs: pollMs + waitMs, command: { kind: 'poll-expired', group, member } }
}

const sessionTimer = ({ group, member }: MemberChanged): string => `session/${group}/${member}`
const pollTimer = ({ group, member }: MemberChanged): string => `poll/${group}/${member}`
const rebalanceTimer = ({ group, member }: MemberChanged): string => `rebalance/${group}/${member}`
const planTimer = (group: string): string => `plan/${group}`
const refreshTimer = (group: string): string => `refresh/${group}`
const offsetsTimer = (group: string): string => `offsets/${group}`
