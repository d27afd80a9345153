// What can be asked of consumer groups, and every answer there is. Answers that are not what was wanted are values of the
// same closed union, carry the numbers to go on with, and mean that nothing was changed (but for a bad plan: see there).
//
// Topics are named where people name them (a subscription, a plan) and meant by id everywhere else: a topic that is deleted
// and made again is another topic.

import type { TopicId } from '../base/index.ts'
import type { GroupView, MemberView } from './view.ts'

/** Where a partition begins that the group never committed. */
export type StartFrom = 'earliest' | 'latest' | 'none'
/** Whether a position is committed when the consumer says so, or before the records are sent. */
export type Delivery = 'at-least-once' | 'at-most-once'
export type Assignor = 'sticky' | 'range' | 'leader'

/** What all members of a group agree on. */
export interface GroupSettings {
  readonly from: StartFrom
  readonly delivery: Delivery
  /** Only records with one of them; none given means all records. Sorted, each once. */
  readonly tags: readonly string[]
  readonly assignor: Assignor
}

/** Partitions of one topic, ascending, each once. */
export interface TopicPartitions {
  readonly topicId: TopicId
  readonly partitions: readonly number[]
}

/** By topic id, each once, none of them empty. */
export type Assignment = readonly TopicPartitions[]

export interface OffsetCommit {
  readonly topicId: TopicId
  readonly partition: number
  /** Of the record to go on with. */
  readonly nextOffset: number
  /** Of the record before it, where the consumer knows. */
  readonly leaderEpoch?: number | null
  readonly metadata?: string | null
}

export interface CommittedOffset {
  readonly topicId: TopicId
  readonly partition: number
  readonly nextOffset: number
  readonly leaderEpoch: number | null
  readonly metadata: string | null
  readonly committedAt: number
}

/** Where a held partition is read from; null: never committed, `from` says where. */
export interface HeldPosition {
  readonly topicId: TopicId
  readonly partition: number
  readonly nextOffset: number | null
}

// --- commands ----------------------------------------------------------------------------------------------------------

/** Repeatable: the same ask changes nothing; another ask of the same member takes its place. */
export interface Join extends Partial<GroupSettings> {
  kind: 'join'
  group: string
  /** Chosen by the client. */
  member: string
  /** Names; one that does not exist is taken up when it is created. */
  topics: readonly string[]
  /** Without a sign of life for so long it is removed. */
  sessionMs?: number
  /** And without a poll or a commit, while there is something that it has not committed. */
  pollMs?: number
  /** And when it has not dropped by then what it was asked to drop. */
  rebalanceMs?: number
  /**
   * The name of a place that outlives its holder: whoever joins with it later, under whatever member id, takes over
   * generation and assignment, and the earlier holder is no member any more. Leaving keeps the place for the session.
   */
  static?: string
}

/** The member is alive. */
export interface Heartbeat {
  kind: 'heartbeat'
  group: string
  member: string
  /** Null: not checked. */
  generation: number | null
  /**
   * All of its assignment at that generation that it has not dropped, begun or not; what it was to drop and is not among it has
   * been dropped. Null: not told.
   */
  owned: Assignment | null
  /** The answer may be held back so long; the session begins behind it. `touch` ends that early. */
  waitMs: number
}

/** The member is done with what it got before: alive, commit, drop, and its positions. */
export interface Poll {
  kind: 'poll'
  group: string
  member: string
  /** Null: not checked. */
  generation: number | null
  /** Nothing is committed but this. A place below what is committed is a late repeat and changes nothing. */
  commit: readonly OffsetCommit[]
  /** As in a heartbeat. Left out: nothing, for its calls come one after another. */
  owned?: Assignment
  waitMs: number
}

/** A held-back answer has gone out, or whoever waited for it has gone: the session begins now. */
export interface Touch {
  kind: 'touch'
  group: string
  member: string
}

export interface Leave {
  kind: 'leave'
  group: string
  member: string
}

/** Forward or back. By a member, of partitions it holds; by nobody (null), while the group has no members. */
export interface Commit {
  kind: 'commit'
  group: string
  member: string | null
  /** Null: not checked. */
  generation: number | null
  offsets: readonly OffsetCommit[]
}

export interface OffsetClaim extends OffsetCommit {
  /** Of the first record to be sent. */
  readonly from: number
}

/** Commits what is about to be sent at most once: of two polls that read the same records one gets them, one is fenced. */
export interface ClaimOffsets {
  kind: 'claim-offsets'
  group: string
  member: string
  /** Null: not checked. */
  generation: number | null
  claims: readonly OffsetClaim[]
}

/** Sets positions of assigned partitions that were never committed, so that `from: latest` means the same place ever after. */
export interface PinOffsets {
  kind: 'pin-offsets'
  group: string
  offsets: readonly OffsetCommit[]
}

export interface PlannedMember {
  readonly member: string
  readonly partitions: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

/** What the member named leader makes of `PlanRequest`. */
export interface PutPlan {
  kind: 'put-plan'
  group: string
  member: string
  epoch: number
  plan: readonly PlannedMember[]
}

/** Its offsets go with it. While the answer is `deleting`, ask again. */
export interface DeleteGroup {
  kind: 'delete-group'
  group: string
}

/** Brings the group in line with the topics there are. For each group after a load, and for those whose topics changed. */
export interface Refresh {
  kind: 'refresh'
  group: string
}

/** Changes nothing. */
export interface Describe {
  kind: 'describe'
  group: string
}

/** What timers ask; each looks whether it is still so. */
export type GroupTimer =
  | { kind: 'session-expired'; group: string; member: string }
  | { kind: 'poll-expired'; group: string; member: string }
  | { kind: 'rebalance-expired'; group: string; member: string }
  | { kind: 'plan-expired'; group: string; epoch: number }
  | { kind: 'offsets-expired'; group: string }

export type GroupCommand =
  | Join
  | Heartbeat
  | Poll
  | Touch
  | Leave
  | Commit
  | ClaimOffsets
  | PinOffsets
  | PutPlan
  | DeleteGroup
  | Refresh
  | Describe
  | GroupTimer

// --- replies -----------------------------------------------------------------------------------------------------------

/** What the leader is asked to divide. */
export interface PlanRequest {
  readonly epoch: number
  readonly members: readonly { readonly member: string; readonly topics: readonly string[] }[]
  readonly partitions: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

/** How a member stands after what it asked. */
export interface Membership {
  readonly group: string
  readonly settings: GroupSettings
  /** Generation, state, assignment, what to drop. */
  readonly member: MemberView
  /** Who makes the plan, with `assignor: leader`. */
  readonly leader: string | null
  /** For the leader, while its plan is wanted. */
  readonly plan: PlanRequest | null
}

export type GroupReply =
  | ({ kind: 'joined' } & Membership)
  | ({ kind: 'alive' } & Membership)
  /** `positions` are of the assignment, in its order: where each is read from, always the committed place. */
  | ({ kind: 'polled'; positions: readonly HeldPosition[] } & Membership)
  | { kind: 'touched' }
  | { kind: 'left' }
  | { kind: 'committed' }
  | { kind: 'claimed' }
  /** The places that hold now, for those asked. */
  | { kind: 'pinned'; positions: readonly HeldPosition[] }
  | { kind: 'planned'; epoch: number }
  | { kind: 'deleted' }
  | { kind: 'deleting'; offsetsLeft: number }
  | { kind: 'refreshed' }
  | { kind: 'described'; group: GroupView; offsets: readonly CommittedOffset[] }
  | { kind: 'timed' }
  | GroupRefusal

export interface SettingDifference {
  readonly field: keyof GroupSettings
  readonly given: unknown
  readonly existing: unknown
}

export type PlanFault =
  | { kind: 'unknown-member'; member: string }
  | { kind: 'unknown-partition'; topic: string; partition: number }
  | { kind: 'not-subscribed'; member: string; topic: string }
  | { kind: 'doubled'; topic: string; partition: number }
  | { kind: 'missing'; topic: string; partition: number }

export type GroupRefusal =
  | { kind: 'unknown-group'; group: string }
  /** It never was one, left, was silent too long, or its static place was taken: join (again). */
  | { kind: 'unknown-member'; group: string; member: string }
  /** It is a member, but what it says is of another time: join again and go on with what the answer says. */
  | { kind: 'fenced'; group: string; member: string; generation: number; currentGeneration: number }
  | { kind: 'not-held'; group: string; member: string; topicId: TopicId; partition: number }
  | { kind: 'foreign-topic'; group: string; topicId: TopicId }
  | { kind: 'unknown-partition'; topicId: TopicId; partition: number }
  | { kind: 'beyond-end'; topicId: TopicId; partition: number; nextOffset: number; endOffset: number }
  | { kind: 'metadata-too-large'; bytes: number; bytesMax: number }
  | { kind: 'too-many-offsets'; given: number; offsetsMax: number }
  | { kind: 'group-differs'; group: string; differences: readonly SettingDifference[] }
  | { kind: 'too-many-members'; group: string; membersMax: number }
  | { kind: 'too-many-groups'; groupsMax: number }
  | { kind: 'invalid-name'; field: 'group' | 'member' | 'topics' | 'static'; name: string }
  | { kind: 'out-of-bounds'; field: GroupBound; given: number; min: number; max: number }
  | { kind: 'not-leader-member'; group: string; member: string; leader: string | null }
  | { kind: 'stale-plan'; group: string; epoch: number; currentEpoch: number }
  /** The one refusal that changes something: sticky has divided this epoch's work. */
  | { kind: 'invalid-plan'; group: string; epoch: number; fault: PlanFault }
  | { kind: 'group-not-empty'; group: string; members: number }

/** `topics` and `tags` by how many there are. */
export type GroupBound = 'topics' | 'tags' | 'sessionMs' | 'pollMs' | 'rebalanceMs'
