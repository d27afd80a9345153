// What `__groups` holds. Each record is all that is so of its key, JSON under a readable key, and none rests on the order
// between keys, so that compaction may keep the latest of each alone. Members of the JSON are persisted: new ones may come,
// these never change their meaning; what is not known here was written by a newer version, which alone may go on.
//
//   group/<group>                          epoch, settings, leader
//   member/<group>/<member>                subscription, and what it holds, drops and is to hold
//   offset/<group>/<topic id>/<partition>  a committed offset
//
// Names have no slash. A record without a value removes what its key names.

import { isName, isTopicId } from '../base/index.ts'
import { type StoredRecord, UnreadableRecord } from '../machine/index.ts'
import type { Assignment, CommittedOffset, GroupSettings, TopicPartitions } from './commands.ts'

/** Partitions that a member holds without a break since that generation of its own. */
export interface HeldPartitions extends TopicPartitions {
  readonly since: number
}

export interface GroupChanged {
  readonly kind: 'group'
  readonly group: string
  /** Counts changes of members, subscriptions and topics. */
  readonly epoch: number
  /** The epoch that the members' targets were made for; behind `epoch` while they are being made. */
  readonly plannedEpoch: number
  /** There was more to do than one decision holds: a refresh goes on with it. */
  readonly isCut: boolean
  /** The highest given to any member. */
  readonly lastGeneration: number
  readonly settings: GroupSettings
  readonly leader: string | null
  /** How long the leader has for a plan. */
  readonly planMs: number
  readonly emptySince: number | null
}

export interface MemberChanged {
  readonly kind: 'member'
  readonly group: string
  readonly member: string
  readonly topics: readonly string[]
  readonly static: string | null
  readonly sessionMs: number
  readonly pollMs: number
  readonly rebalanceMs: number
  readonly joinedAt: number
  /** The first of this membership: what names an earlier one is of another life of this member. */
  readonly joinedGeneration: number
  readonly generation: number
  readonly isAway: boolean
  /** What it holds is `holding` and `revoking`, which have nothing in common. */
  readonly holding: readonly HeldPartitions[]
  readonly revoking: readonly HeldPartitions[]
  readonly target: Assignment
  readonly targetEpoch: number
}

export interface OffsetCommitted extends CommittedOffset {
  readonly kind: 'offset'
  readonly group: string
}

export type GroupRecord =
  | GroupChanged
  | MemberChanged
  | OffsetCommitted
  | { readonly kind: 'group-removed'; readonly group: string }
  | { readonly kind: 'member-removed'; readonly group: string; readonly member: string }
  | ({ readonly kind: 'offset-removed'; readonly group: string } & Pick<CommittedOffset, 'topicId' | 'partition'>)

type Check = (value: unknown) => boolean

const isWhole: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isFlag: Check = (value) => typeof value === 'boolean'
const isText: Check = (value) => typeof value === 'string'
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value)
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const objectOf =
  (members: Readonly<Record<string, Check>>): Check =>
  (value) =>
    faultIn(value, members) === null

const partitions = {
  topicId: (value: unknown) => typeof value === 'string' && isTopicId(value),
  partitions: listOf(isWhole),
}
const isAssignment = listOf(objectOf(partitions))
const isHolding = listOf(objectOf({ ...partitions, since: isWhole }))

const VALUES = {
  group: {
    epoch: isWhole,
    plannedEpoch: isWhole,
    isCut: isFlag,
    lastGeneration: isWhole,
    settings: objectOf({
      from: oneOf('earliest', 'latest', 'none'),
      delivery: oneOf('at-least-once', 'at-most-once'),
      tags: listOf(isText),
      assignor: oneOf('sticky', 'range', 'leader'),
    }),
    leader: orNull(isText),
    planMs: isWhole,
    emptySince: orNull(isWhole),
  },
  member: {
    topics: listOf(isText),
    static: orNull(isText),
    sessionMs: isWhole,
    pollMs: isWhole,
    rebalanceMs: isWhole,
    joinedAt: isWhole,
    joinedGeneration: isWhole,
    generation: isWhole,
    isAway: isFlag,
    holding: isHolding,
    revoking: isHolding,
    target: isAssignment,
    targetEpoch: isWhole,
  },
  offset: { nextOffset: isWhole, leaderEpoch: orNull(isWhole), metadata: orNull(isText), committedAt: isWhole },
} satisfies Record<string, Readonly<Record<string, Check>>>

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export const groupRecords = {
  encode(record: GroupRecord): StoredRecord {
    return { key: encoder.encode(keyOf(record)), value: valueOf(record) }
  },

  /** Throws `UnreadableRecord`. */
  decode({ key, value }: StoredRecord): GroupRecord {
    const names = key === null ? [] : decoder.decode(key).split('/')
    const [kind, group, third, fourth] = names
    if (group === undefined || !isName(group)) throw new UnreadableRecord('its key names no group')
    if (kind === 'group' && names.length === 2) {
      if (value === null) return { kind: 'group-removed', group }
      return { kind, group, ...parsed<GroupChanged>(kind, value) }
    }
    if (kind === 'member' && names.length === 3 && isName(third!)) {
      if (value === null) return { kind: 'member-removed', group, member: third! }
      return { kind, group, member: third!, ...parsed<MemberChanged>(kind, value) }
    }
    if (kind === 'offset' && names.length === 4 && isTopicId(third!) && /^\d{1,9}$/.test(fourth!)) {
      const topicId = third!
      const partition = Number(fourth)
      if (value === null) return { kind: 'offset-removed', group, topicId, partition }
      // Member by member: most of what a start reads is offsets.
      const { nextOffset, leaderEpoch, metadata, committedAt } = parsed<OffsetCommitted>(kind, value)
      return { kind, group, topicId, partition, nextOffset, leaderEpoch, metadata, committedAt }
    }
    throw new UnreadableRecord(`key ${JSON.stringify(names.join('/'))} is not known to this version`)
  },
}

function keyOf(record: GroupRecord): string {
  switch (record.kind) {
    case 'group':
    case 'group-removed':
      return `group/${record.group}`
    case 'member':
    case 'member-removed':
      return `member/${record.group}/${record.member}`
    case 'offset':
    case 'offset-removed':
      return `offset/${record.group}/${record.topicId}/${record.partition}`
  }
}

function valueOf(record: GroupRecord): Uint8Array | null {
  switch (record.kind) {
    case 'group-removed':
    case 'member-removed':
    case 'offset-removed':
      return null
    case 'offset': {
      const { nextOffset, leaderEpoch, metadata, committedAt } = record
      return encoder.encode(JSON.stringify({ nextOffset, leaderEpoch, metadata, committedAt }))
    }
    case 'member': {
      const { kind: _, group: _group, member: _member, ...value } = record
      return encoder.encode(JSON.stringify(value))
    }
    case 'group': {
      const { kind: _, group: _group, ...value } = record
      return encoder.encode(JSON.stringify(value))
    }
  }
}

type KeyMembers = 'kind' | 'group' | 'member' | 'topicId' | 'partition'

function parsed<Rec>(kind: keyof typeof VALUES, bytes: Uint8Array): Omit<Rec, KeyMembers> {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(bytes))
  } catch {
    throw new UnreadableRecord('it is not JSON')
  }
  const fault = faultIn(value, VALUES[kind])
  if (fault !== null) throw new UnreadableRecord(`${kind}: ${fault}`)
  return value as Omit<Rec, KeyMembers>
}

/** Null: exactly these members, each as it should be. */
function faultIn(value: unknown, members: Readonly<Record<string, Check>>): string | null {
  if (typeof value !== 'object' || value === null) return 'it is no object'
  const given = value as Readonly<Record<string, unknown>>
  let known = 0
  for (const member in members) {
    if (!members[member]!(given[member])) return `${member} is not as this version knows it`
    known++
  }
  let count = 0
  for (const member in given) {
    count++
    if (!Object.hasOwn(members, member)) return `member ${JSON.stringify(member)} is not known to this version`
  }
  return count === known ? null : 'a member is missing'
}
