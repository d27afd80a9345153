// All groups of one partition of `__groups`, as a machine: commands are decided by the rooms' parts, records are applied here.
// Each record is the whole state of its key, and applying rests on nothing else, so a compacted log makes the same groups.

import { isName, limits, unreachable } from '../base/index.ts'
import { type Machine, NO_TIMERS, type TimerChange } from '../machine/index.ts'
import { groupClocks, groupClocksCleared, memberClocks, memberClocksCleared } from './clocks.ts'
import type { GroupCommand, GroupReply } from './commands.ts'
import { decideClaim, decideCommit, decideDelete, decideOffsetsExpiry, decidePin } from './committing.ts'
import { type GroupContext, type GroupDecision, refused } from './decision.ts'
import { decidePlan, decidePlanExpiry, decideRefresh } from './dividing.ts'
import { DRAFT_BYTES_MAX } from './draft.ts'
import { Group, Member } from './group.ts'
import { decideJoin } from './joining.ts'
import { decideExpiry, decideHeartbeat, decideLeave, decideTouch } from './membership.ts'
import type { PlantedFault } from './planted.ts'
import { decidePoll } from './polling.ts'
import type { GroupRecord } from './records.ts'
import type { GroupTopics } from './topics.ts'
import type { GroupsView, GroupView } from './view.ts'

export interface GroupMachineOptions {
  topics: GroupTopics
  /** Groups there are on this broker, in all its machines. */
  groupCount: () => number
  /** So long offsets outlive the last member and the last commit. */
  offsetsRetentionMs: number
  /** The simulator's: a mistake to make, and how soon a decision is cut. */
  planted?: { mistake?: PlantedFault; draftBytesMax?: number }
}

export class GroupMachine implements Machine<GroupCommand, GroupRecord, GroupReply, GroupsView> {
  readonly #context: GroupContext
  readonly #groups = new Map<string, Group>()
  #view: GroupsView = { groups: new Map() }
  /** Groups whose picture in the view is old. */
  readonly #outdated = new Set<string>()

  constructor({ planted = {}, ...options }: GroupMachineOptions) {
    const { mistake = null, draftBytesMax = DRAFT_BYTES_MAX } = planted
    this.#context = { ...options, mistake, draftBytesMax }
  }

  /** For `groupCount`. */
  get count(): number {
    return this.#groups.size
  }

  decide(command: GroupCommand, now: number): GroupDecision {
    const group = this.#groups.get(command.group)
    if (group !== undefined && group.record !== null) return decideKnown(group, command, now, this.#context)
    const isMaking = command.kind === 'join' || (command.kind === 'commit' && command.member === null)
    if (!isMaking) return refused({ kind: 'unknown-group', group: command.group })
    if (!isName(command.group)) return refused({ kind: 'invalid-name', field: 'group', name: command.group })
    if (this.#context.groupCount() >= limits.GROUPS_MAX) {
      return refused({ kind: 'too-many-groups', groupsMax: limits.GROUPS_MAX })
    }
    return decideKnown(new Group(command.group), command, now, this.#context)
  }

  apply(record: GroupRecord): readonly TimerChange<GroupCommand>[] {
    const group = this.#groupOf(record.group)
    switch (record.kind) {
      case 'offset':
        group.offsets.put(record)
        return NO_TIMERS
      case 'offset-removed':
        group.offsets.remove(record.topicId, record.partition)
        this.#dropIfNothing(group)
        return NO_TIMERS
      case 'member': {
        const before = group.members.get(record.member)?.record ?? null
        group.members.set(record.member, new Member(record))
        this.#outdate(group)
        return memberClocks(before, record)
      }
      case 'member-removed': {
        const before = group.members.get(record.member)
        group.members.delete(record.member)
        this.#outdate(group)
        this.#dropIfNothing(group)
        return before === undefined ? NO_TIMERS : memberClocksCleared(before.record)
      }
      case 'group': {
        const before = group.record
        group.record = record
        this.#outdate(group)
        return groupClocks(before, record)
      }
      case 'group-removed':
        group.record = null
        this.#outdate(group)
        this.#dropIfNothing(group)
        return groupClocksCleared(group.name)
      default:
        return unreachable(record)
    }
  }

  view(): GroupsView {
    if (this.#outdated.size === 0) return this.#view
    const groups = new Map<string, GroupView>(this.#view.groups)
    for (const name of this.#outdated) {
      const view = this.#groups.get(name)?.view ?? null
      if (view === null) groups.delete(name)
      else groups.set(name, view)
    }
    this.#outdated.clear()
    this.#view = { groups }
    return this.#view
  }

  snapshot(): Iterable<GroupRecord> {
    const records: GroupRecord[] = []
    for (const { record, members, offsets } of this.#groups.values()) {
      if (record !== null) records.push(record)
      for (const member of members.values()) records.push(member.record)
      records.push(...offsets.all())
    }
    return records
  }

  #groupOf(name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new Group(name)
      this.#groups.set(name, group)
    }
    return group
  }

  #outdate(group: Group): void {
    group.outdate()
    this.#outdated.add(group.name)
  }

  #dropIfNothing(group: Group): void {
    if (group.isNothing) this.#groups.delete(group.name)
  }
}

function decideKnown(group: Group, command: GroupCommand, now: number, context: GroupContext): GroupDecision {
  switch (command.kind) {
    case 'join':
      return decideJoin(group, command, now, context)
    case 'heartbeat':
      return decideHeartbeat(group, command, context)
    case 'poll':
      return decidePoll(group, command, now, context)
    case 'touch':
      return decideTouch(group, command)
    case 'leave':
      return decideLeave(group, command, now, context)
    case 'commit':
      return decideCommit(group, command, now, context)
    case 'claim-offsets':
      return decideClaim(group, command, now, context)
    case 'pin-offsets':
      return decidePin(group, command, now, context)
    case 'put-plan':
      return decidePlan(group, command, context)
    case 'delete-group':
      return decideDelete(group)
    case 'refresh':
      return decideRefresh(group, context)
    case 'describe':
      return { records: [], reply: { kind: 'described', group: group.view!, offsets: [...group.offsets.all()] } }
    case 'session-expired':
    case 'poll-expired':
    case 'rebalance-expired':
      return decideExpiry(group, command, now, context)
    case 'plan-expired':
      return decidePlanExpiry(group, command, context)
    case 'offsets-expired':
      return decideOffsetsExpiry(group, now, context)
    default:
      return unreachable(command)
  }
}
