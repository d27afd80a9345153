// What the edge can ask of consumer groups, and what it is told. A member's standing, the refusals of a group and its pictures
// are core/group's; here is what a broker adds: where positions lie in the logs, and what a coordinator that cannot be asked says.

import type { TopicId } from '../../base/index.ts'
import type { FetchStart } from '../fetch-request.ts'
import type { GroupRefusal, GroupStateWord, GroupView, Membership, OffsetCommit } from '../../group/index.ts'

/**
 * What is refused before or around the group's own judgement. But for the last, nothing was changed; `held-elsewhere` is said after
 * what was to be committed is.
 */
export type CoordinatorRefusal =
  /** A coordinator reads its log, or cannot: ask again. */
  | { kind: 'coordinator-loading' }
  | { kind: 'closing' }
  | { kind: 'no-space' }
  /** With `from: none`: nothing says where a held partition begins. */
  /** A member holds what another broker leads, and this one cannot read. */
  | { kind: 'held-elsewhere'; group: string; topic: string }
  | { kind: 'no-position'; group: string; topicId: TopicId; partition: number }
  | { kind: 'unknown-outcome' }

export type GroupsRefusal = GroupRefusal | CoordinatorRefusal

/** A call of a member. Its generation is checked when given. */
export interface MemberAsk {
  group: string
  member: string
  generation: number | null
}

export interface GroupSummary {
  readonly group: string
  readonly state: GroupStateWord
  readonly members: number
}

/** A partition as a group stands in it. */
export interface GroupPlace {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  /** Who holds it, or drops it. */
  readonly member: string | null
  /** Null: never committed; then there is no lag either. */
  readonly nextOffset: number | null
  readonly metadata: string | null
  readonly committedAt: number | null
  readonly logStartOffset: number
  readonly highWatermark: number
  /** Records between the place and the high watermark. */
  readonly lag: number | null
}

export interface DescribedGroup {
  readonly group: GroupView
  /** By topic name, then partition: all that is subscribed, held or committed. */
  readonly places: readonly GroupPlace[]
}

/** An offset takes one partition. */
export type ResetTo = Exclude<FetchStart, { kind: 'cursor' }>

export interface ResetAsk {
  group: string
  to: ResetTo
  /** Null: all partitions the group subscribes or has committed. An offset beyond either end of a log is brought inside. */
  only: readonly { readonly topicId: TopicId; readonly partitions: readonly number[] | null }[] | null
  dryRun: boolean
}

/** Where a partition was read on from, and where it is from now on, or would be. */
export interface ResetPlace {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  readonly before: number | null
  readonly nextOffset: number
}

export interface CommitAsk {
  group: string
  /** Null: by nobody, which takes a group without members. */
  member: string | null
  generation: number | null
  offsets: readonly OffsetCommit[]
}

export type Standing = Membership | GroupsRefusal
