// A picture of groups and their members, never changed after it is made: a group or a member that did not change is the
// same object in the next picture. Committed offsets are not in it, so that a commit costs no picture; `describe` and `poll`
// tell them.

import type { Assignment, GroupSettings } from './commands.ts'

export type GroupStateWord =
  /** No members. */
  | 'empty'
  /** The leader's plan is awaited. */
  | 'assigning'
  /** Some members have yet to drop or to get partitions. */
  | 'reconciling'
  | 'stable'

export type MemberStateWord =
  /** It has to drop partitions before anything else changes for it. */
  | 'revoking'
  /** It gets partitions when others have dropped them. */
  | 'waiting'
  | 'stable'
  /** A static member that left: its partitions wait for its return. */
  | 'away'

export interface MemberView {
  readonly member: string
  /** Changes with the assignment, and only with it; never used twice in a group. */
  readonly generation: number
  readonly state: MemberStateWord
  /** What it holds and keeps. */
  readonly assignment: Assignment
  /** What it holds (and may commit) until it has dropped it. */
  readonly revoke: Assignment
  /** What it will hold in the end. */
  readonly target: Assignment
  readonly topics: readonly string[]
  readonly static: string | null
  readonly sessionMs: number
  readonly pollMs: number
  readonly rebalanceMs: number
  readonly joinedAt: number
}

export interface GroupView {
  readonly name: string
  readonly state: GroupStateWord
  /** Counts changes of members, subscriptions and topics. */
  readonly epoch: number
  readonly settings: GroupSettings
  readonly leader: string | null
  readonly members: ReadonlyMap<string, MemberView>
  /** Null while it has members. */
  readonly emptySince: number | null
}

export interface GroupsView {
  readonly groups: ReadonlyMap<string, GroupView>
}
