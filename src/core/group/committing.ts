// Committed offsets: who may commit what, pinning, and their end with their group, their topic, or time.

import { assert, limits } from '../base/index.ts'
import { offsetsClock, signOfLife } from './clocks.ts'
import type { ClaimOffsets, Commit, GroupRefusal, OffsetCommit, PinOffsets } from './commands.ts'
import {
  fenced,
  fencing,
  type GroupContext,
  type GroupDecision,
  newGroup,
  presentMember,
  recordOf,
  refused,
  REMOVED_PER_DECISION,
} from './decision.ts'
import type { Group, Member } from './group.ts'
import type { GroupRecord, OffsetCommitted } from './records.ts'

/** So long an empty group that never committed is still there, so that its generations are not used again at once. */
const BARE_GROUP_KEPT_MS = 60 * 60_000

const encoder = new TextEncoder()

/** The records of a commit, or why it is refused as a whole. `member` null: somebody from outside, while there are none. */
export function checkedCommit(
  group: Group,
  member: Member | null,
  offsets: readonly OffsetCommit[],
  generation: number | null,
  now: number,
  context: GroupContext,
): OffsetCommitted[] | GroupRefusal {
  if (offsets.length > limits.COMMIT_OFFSETS_MAX) {
    return { kind: 'too-many-offsets', given: offsets.length, offsetsMax: limits.COMMIT_OFFSETS_MAX }
  }
  const records: OffsetCommitted[] = []
  let metadataBytes = 0
  for (const { topicId, partition, nextOffset, leaderEpoch = null, metadata = null } of offsets) {
    const refusal = member === null ? null : holdingFault(group, member, topicId, partition, generation, context)
    if (refusal !== null && context.mistake !== 'commit-without-fencing') return refusal
    // What is kept must be readable again.
    assert(isOffset(nextOffset) && (leaderEpoch === null || isOffset(leaderEpoch)), 'an offset is a whole number')
    const endOffset = context.topics.endOffset(topicId, partition)
    if (endOffset === null) return { kind: 'unknown-partition', topicId, partition }
    if (nextOffset > endOffset) return { kind: 'beyond-end', topicId, partition, nextOffset, endOffset }
    if (metadata !== null) {
      const bytes = encoder.encode(metadata).length
      if (bytes > limits.COMMIT_METADATA_BYTES_MAX) {
        return { kind: 'metadata-too-large', bytes, bytesMax: limits.COMMIT_METADATA_BYTES_MAX }
      }
      // As it is kept, with everything escaped that must be.
      metadataBytes += encoder.encode(JSON.stringify(metadata)).length
    }
    records.push({
      kind: 'offset',
      group: group.name,
      topicId,
      partition,
      nextOffset,
      leaderEpoch,
      metadata,
      committedAt: now,
    })
  }
  if (metadataBytes > limits.COMMIT_METADATA_BYTES_TOTAL_MAX) {
    return { kind: 'metadata-too-large', bytes: metadataBytes, bytesMax: limits.COMMIT_METADATA_BYTES_TOTAL_MAX }
  }
  return records
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function holdingFault(
  group: Group,
  member: Member,
  topicId: OffsetCommit['topicId'],
  partition: number,
  generation: number | null,
  { topics }: GroupContext,
): GroupRefusal | null {
  const since = member.held.since(topicId, partition)
  if (since === null) {
    for (const { record } of group.members.values()) {
      if (record.topics.some((name) => topics.topicNamed(name)?.id === topicId)) {
        return { kind: 'not-held', group: group.name, member: member.record.member, topicId, partition }
      }
    }
    return { kind: 'foreign-topic', group: group.name, topicId }
  }
  // It held the partition before, and somebody else may have since.
  return generation !== null && generation < since ? fenced(member.record, generation) : null
}

/** `group` may be one that nobody knows yet, for a commit from outside. */
export function decideCommit(group: Group, command: Commit, now: number, context: GroupContext): GroupDecision {
  if (command.member === null) return decideOutsideCommit(group, command, now, context)
  const member = presentMember(group, command.member)
  if (member === null) return refused({ kind: 'unknown-member', group: group.name, member: command.member })
  const { generation } = command
  const fence = fencing(member, generation)
  const timers = signOfLife(member.record, 0, true)
  if (fence !== null && context.mistake === 'session-reset-by-stale-commit') return { ...refused(fence), timers }
  if (fence !== null && context.mistake !== 'commit-without-fencing') return refused(fence)
  const records = checkedCommit(group, member, command.offsets, generation, now, context)
  return Array.isArray(records) ? { records, reply: { kind: 'committed' }, timers } : refused(records)
}

function decideOutsideCommit(group: Group, command: Commit, now: number, context: GroupContext): GroupDecision {
  if (group.members.size > 0) {
    return refused({ kind: 'group-not-empty', group: group.name, members: group.members.size })
  }
  const offsets = checkedCommit(group, null, command.offsets, null, now, context)
  if (!Array.isArray(offsets)) return refused(offsets)
  const records: GroupRecord[] = group.record === null ? [newGroup(group.name, now), ...offsets] : offsets
  return { records, reply: { kind: 'committed' } }
}

export function decideClaim(group: Group, command: ClaimOffsets, now: number, context: GroupContext): GroupDecision {
  const { member: name, generation, claims } = command
  const member = presentMember(group, name)
  if (member === null) return refused({ kind: 'unknown-member', group: group.name, member: name })
  const fence = fencing(member, generation)
  if (fence !== null) return refused(fence)
  const records = checkedCommit(group, member, claims, generation, now, context)
  if (!Array.isArray(records)) return refused(records)
  const isTaken = claims.some(({ topicId, partition, from }) => {
    const committed = group.offsets.get(topicId, partition)
    return committed !== null && committed.nextOffset > from
  })
  if (isTaken) return refused(fenced(member.record, generation ?? member.record.generation))
  return { records, reply: { kind: 'claimed' }, timers: signOfLife(member.record, 0, true) }
}

export function decidePin(group: Group, { offsets }: PinOffsets, now: number, context: GroupContext): GroupDecision {
  const records: OffsetCommitted[] = []
  const positions = []
  for (const offset of offsets) {
    const { topicId, partition } = offset
    const committed = group.offsets.get(topicId, partition)
    positions.push({ topicId, partition, nextOffset: committed?.nextOffset ?? offset.nextOffset })
    // One that nobody holds has changed hands since it was asked for: whoever gets it pins it.
    const isHeld = [...group.members.values()].some((member) => member.held.since(topicId, partition) !== null)
    if (committed !== null || !isHeld) continue
    const checked = checkedCommit(group, null, [offset], null, now, context)
    if (!Array.isArray(checked)) return refused(checked)
    records.push(...checked)
  }
  return { records, reply: { kind: 'pinned', positions } }
}

// --- the end of offsets ------------------------------------------------------------------------------------------------

function removals(group: Group, offsets: Iterable<OffsetCommitted>): GroupRecord[] {
  const records: GroupRecord[] = []
  for (const { topicId, partition } of offsets) {
    if (records.length === REMOVED_PER_DECISION) break
    records.push({ kind: 'offset-removed', group: group.name, topicId, partition })
  }
  return records
}

export function decideDelete(group: Group): GroupDecision {
  if (group.members.size > 0) {
    return refused({ kind: 'group-not-empty', group: group.name, members: group.members.size })
  }
  const records = removals(group, group.offsets.all())
  const offsetsLeft = group.offsets.count - records.length
  if (offsetsLeft > 0) return { records, reply: { kind: 'deleting', offsetsLeft } }
  return { records: [...records, { kind: 'group-removed', group: group.name }], reply: { kind: 'deleted' } }
}

/** Some time after the last member left, and the last commit. */
export function decideOffsetsExpiry(group: Group, now: number, context: GroupContext): GroupDecision {
  const { emptySince } = recordOf(group)
  const timed = { kind: 'timed' } as const
  if (group.members.size > 0 || emptySince === null) return { records: [], reply: timed }
  let usedAt = emptySince
  for (const { committedAt } of group.offsets.all()) usedAt = Math.max(usedAt, committedAt)
  const keptMs = group.offsets.count > 0 ? context.offsetsRetentionMs : BARE_GROUP_KEPT_MS
  const leftMs = usedAt + keptMs - now
  if (leftMs > 0) return { records: [], reply: timed, timers: [offsetsClock(group.name, leftMs)] }
  const { records, reply } = decideDelete(group)
  const timers = reply.kind === 'deleting' ? [offsetsClock(group.name, 0)] : []
  return { records, reply: timed, timers }
}

/** Offsets of deleted topics, as many as one decision removes. */
export function offsetsOfDeletedTopics(group: Group, { topics }: GroupContext): GroupDecision['records'] {
  const gone: OffsetCommitted[] = []
  for (const topicId of group.offsets.topicIds()) {
    if (topics.isDeleted(topicId)) gone.push(...group.offsets.all(topicId))
  }
  return removals(group, gone)
}
