// A group's membership while a decision changes it: copies of its records, in which the work is divided (`divide`) and the
// members are brought nearer to their parts (`reconcile`), until the records that differ become the decision's.
//
// Nobody gets a partition that somebody else holds: what a member shall no longer have it is asked to drop, and only when it
// has, or is no member any more, the next one gets it. While it drops, nothing else changes for it.
//
// A decision fits one batch. What does not fit waits: then the group's record says so, and a refresh goes on.

import { limits } from '../base/index.ts'
import type { Assignment } from './commands.ts'
import type { Group } from './group.ts'
import { Holding } from './holding.ts'
import { isSameAssignment, PartitionSet } from './partition-set.ts'
import type { PlantedFault } from './planted.ts'
import { rangeAssignment } from './range.ts'
import type { GroupChanged, GroupRecord, HeldPartitions, MemberChanged } from './records.ts'
import { type AssignorMember, stickyAssignment } from './sticky.ts'
import type { GroupTopic, GroupTopics } from './topics.ts'

/** Some ten milliseconds of work; one member alone may be larger. */
export const DRAFT_BYTES_MAX = limits.BATCH_BYTES_MAX / 16

export interface DraftOptions {
  topics: GroupTopics
  /** Beyond, a draft is cut. */
  draftBytesMax: number
  mistake: PlantedFault | null
}

export class GroupDraft {
  group: GroupChanged
  readonly members = new Map<string, MemberChanged>()
  readonly #before: Group
  readonly #options: DraftOptions
  /** How many bytes each takes, no fewer. */
  readonly #changed = new Map<string, number>()
  readonly #removed = new Set<string>()
  /** Members whose generation is of this decision: it changes once. */
  readonly #fresh = new Set<string>()
  #bytes = 0
  #isDivisionCut = false

  constructor(before: Group, record: GroupChanged, options: DraftOptions) {
    this.#before = before
    this.group = record
    this.#options = options
    for (const [name, { record: member }] of before.members) this.members.set(name, member)
  }

  put(member: MemberChanged): void {
    this.members.set(member.member, member)
    this.#removed.delete(member.member)
    const bytes = bytesBound(member)
    this.#bytes += bytes - (this.#changed.get(member.member) ?? 0)
    this.#changed.set(member.member, bytes)
  }

  /** What it held is free. */
  remove(name: string, now: number): void {
    this.replace(name)
    this.group = { ...this.group, epoch: this.group.epoch + 1, emptySince: this.members.size === 0 ? now : null }
  }

  /** Somebody else has its place. */
  replace(name: string): void {
    this.members.delete(name)
    this.#bytes -= this.#changed.get(name) ?? 0
    this.#changed.delete(name)
    if (this.#before.members.has(name)) this.#removed.add(name)
  }

  /** A change that calls for a new division. */
  nextEpoch(): void {
    this.group = { ...this.group, epoch: this.group.epoch + 1 }
  }

  /** The member's generation changes, for the first time in this decision. */
  renewed(member: MemberChanged): MemberChanged {
    if (this.#fresh.has(member.member)) return member
    this.#fresh.add(member.member)
    const generation = this.group.lastGeneration + 1
    this.group = { ...this.group, lastGeneration: generation }
    return { ...member, generation }
  }

  /** The member has dropped what it was asked to. */
  drop(member: MemberChanged): void {
    this.put(this.renewed({ ...member, revoking: [] }))
  }

  /** Gives everybody a part by the group's assignor, or by sticky while a leader's plan is not to be had. */
  divide(): void {
    if (this.group.settings.assignor === 'leader') this.#prune()
    else this.target(this.group.settings.assignor === 'range' ? rangeAssignment(this.#input()) : this.sticky())
  }

  sticky(): Map<string, Assignment> {
    return stickyAssignment(this.#input())
  }

  /** These are the parts of this epoch. */
  target(targets: ReadonlyMap<string, Assignment>): void {
    const { epoch } = this.group
    let isWhole = true
    for (const [name, member] of this.members) {
      const target = targets.get(name) ?? []
      if (isSameAssignment(target, member.target)) continue
      if (!this.#putIfItFits({ ...member, target, targetEpoch: epoch })) isWhole = false
    }
    if (isWhole) this.group = { ...this.group, plannedEpoch: epoch }
    else this.#isDivisionCut = true
  }

  /** Members drop what is not theirs, and get of theirs what is free. */
  reconcile(): void {
    this.#setCut(this.#isDivisionCut)
    const held = new PartitionSet()
    for (const member of this.members.values()) {
      for (const list of [member.holding, member.revoking]) {
        for (const { topicId, partitions } of list) for (const partition of partitions) held.add(topicId, partition)
      }
    }
    const wanting: string[] = []
    for (const [name, member] of this.members) {
      if (member.revoking.length === 0 && hasItsPart(member)) continue
      if (!this.#revoke(member, held)) wanting.push(name)
    }
    for (const name of wanting) this.#gain(this.members.get(name)!, held)
  }

  records(): GroupRecord[] {
    this.#appointLeader()
    const { name: group, record } = this.#before
    const records: GroupRecord[] = []
    for (const member of this.#removed) records.push({ kind: 'member-removed', group, member })
    for (const name of this.#changed.keys()) records.push(this.members.get(name)!)
    // Written again while it is cut: each time it sets the clock that goes on.
    if (record === null || this.group.isCut || !isSameRecord(record, this.group)) records.push(this.group)
    return records
  }

  // --- dividing --------------------------------------------------------------------------------------------------------

  #input(): AssignorMember[] {
    const known = new Map<string, GroupTopic | null>()
    const topicNamed = (name: string): GroupTopic | null => {
      let topic = known.get(name)
      if (topic === undefined) known.set(name, (topic = this.#options.topics.topicNamed(name)))
      return topic
    }
    // Of two that claim one partition, while a division was cut, the one that was told later has it.
    const members = [...this.members.values()].sort(
      (a, b) => b.targetEpoch - a.targetEpoch || (a.member < b.member ? -1 : 1),
    )
    return members.map(({ member, topics, target }) => ({
      member,
      topics: topics.map(topicNamed).filter((topic) => topic !== null),
      previous: target,
    }))
  }

  /** Until the plan is there, everybody keeps what still is and it still subscribes. */
  #prune(): void {
    if (this.members.size === 0) this.group = { ...this.group, plannedEpoch: this.group.epoch }
    const targets = new Map<string, Assignment>()
    for (const { member, topics, previous } of this.#input()) {
      const allowed = PartitionSet.of(topics.map(({ id, partitions }) => ({ topicId: id, partitions })))
      const kept = new PartitionSet()
      for (const { topicId, partitions } of previous) {
        for (const partition of partitions) if (allowed.has(topicId, partition)) kept.add(topicId, partition)
      }
      targets.set(member, kept.toAssignment())
    }
    const { plannedEpoch } = this.group
    this.target(targets)
    if (this.members.size > 0) this.group = { ...this.group, plannedEpoch }
  }

  // --- reconciling -----------------------------------------------------------------------------------------------------

  /** True: it has to drop something first. */
  #revoke(member: MemberChanged, held: PartitionSet): boolean {
    const target = PartitionSet.of(member.target)
    const [kept, lost] = parted(member.holding, target)
    if (lost.length === 0) return member.revoking.length > 0
    if (member.isAway) {
      // Nobody is there to go on with it.
      if (!this.#putIfItFits(this.renewed({ ...member, holding: kept }))) this.#setCut(true)
      else
        for (const { topicId, partitions } of lost) for (const partition of partitions) held.delete(topicId, partition)
      return true
    }
    const revoking = Holding.of(member.revoking, lost).toRecord()
    if (!this.#putIfItFits({ ...member, holding: kept, revoking })) this.#setCut(true)
    return true
  }

  #gain(member: MemberChanged, held: PartitionSet): void {
    if (member.isAway) return
    const own = Holding.of(member.holding)
    const gained: { topicId: HeldPartitions['topicId']; partition: number }[] = []
    for (const { topicId, partitions } of member.target) {
      for (const partition of partitions) {
        if (own.since(topicId, partition) !== null) continue
        if (held.add(topicId, partition) || this.#options.mistake === 'assign-before-revoked')
          gained.push({ topicId, partition })
      }
    }
    if (gained.length === 0) return
    const renewed = this.renewed(member)
    for (const { topicId, partition } of gained) own.put(topicId, partition, renewed.generation)
    if (this.#putIfItFits({ ...renewed, holding: own.toRecord() })) return
    this.#setCut(true)
    for (const { topicId, partition } of gained) held.delete(topicId, partition)
  }

  /** The longest standing, until it is a member no more. */
  #appointLeader(): void {
    const { leader } = this.group
    if (leader !== null && this.members.get(leader)?.isAway === false) return
    let eldest: MemberChanged | null = null
    for (const member of this.members.values()) {
      if (member.isAway) continue
      const isElder =
        eldest === null ||
        member.joinedAt < eldest.joinedAt ||
        (member.joinedAt === eldest.joinedAt && member.joinedGeneration < eldest.joinedGeneration)
      if (isElder) eldest = member
    }
    const planMs = eldest?.rebalanceMs ?? this.group.planMs
    this.group = { ...this.group, leader: eldest?.member ?? null, planMs }
  }

  #setCut(isCut: boolean): void {
    if (this.group.isCut !== isCut) this.group = { ...this.group, isCut }
  }

  #putIfItFits(member: MemberChanged): boolean {
    const before = this.#changed.get(member.member) ?? 0
    const isAlone = this.#bytes === before
    if (!isAlone && this.#bytes - before + bytesBound(member) > this.#options.draftBytesMax) return false
    this.put(member)
    return true
  }
}

function hasItsPart({ holding, target }: MemberChanged): boolean {
  const topics = new Set(holding.map(({ topicId }) => topicId))
  const lists = topics.size === holding.length ? holding : PartitionSet.of(holding).toAssignment()
  return isSameAssignment(lists, target)
}

/** What of it is in the set, and what is not. */
function parted(held: readonly HeldPartitions[], set: PartitionSet): [HeldPartitions[], HeldPartitions[]] {
  const inside: HeldPartitions[] = []
  const outside: HeldPartitions[] = []
  for (const { topicId, since, partitions } of held) {
    const within = partitions.filter((partition) => set.has(topicId, partition))
    if (within.length > 0) inside.push({ topicId, since, partitions: within })
    if (within.length === partitions.length) continue
    outside.push({ topicId, since, partitions: partitions.filter((partition) => !set.has(topicId, partition)) })
  }
  return [inside, outside]
}

function isSameRecord(a: GroupChanged, b: GroupChanged): boolean {
  return (
    a.epoch === b.epoch &&
    a.plannedEpoch === b.plannedEpoch &&
    a.isCut === b.isCut &&
    a.lastGeneration === b.lastGeneration &&
    a.settings === b.settings &&
    a.leader === b.leader &&
    a.planMs === b.planMs &&
    a.emptySince === b.emptySince
  )
}

/** No fewer than its record takes. */
function bytesBound({ group, member, topics, holding, revoking, target }: MemberChanged): number {
  let bytes = 600 + 2 * (group.length + member.length)
  for (const topic of topics) bytes += topic.length + 3
  for (const lists of [holding, revoking, target]) {
    for (const { partitions } of lists) bytes += 80 + 5 * partitions.length
  }
  return bytes
}
