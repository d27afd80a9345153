// `broker.groups`: consumer groups as the edge sees them. Every answer is committed before it is given.

import type { Assignment, Join, Membership, OffsetCommit, PutPlan } from '../../group/index.ts'
import type { FetchSession } from '../fetch.ts'
import type {
  CommitAsk,
  DescribedGroup,
  GroupsRefusal,
  GroupSummary,
  MemberAsk,
  ResetAsk,
  ResetPlace,
  Standing,
} from './asks.ts'

export interface GroupsFacade {
  /** Makes the group where there is none. */
  join(ask: Omit<Join, 'kind'>): Promise<Standing>
  /**
   * Alive. With a deadline (monotonic) the answer is held back until the member's standing changes, whoever waits cancels, or
   * the deadline; a held-back heartbeat is alive all the while.
   */
  heartbeat(ask: MemberAsk & { owned: Assignment | null }, parking: Parking | null): Promise<Standing>
  /** Alive, commit, drop, and a session over what the member holds, from where it is committed. */
  poll(ask: MemberAsk & { commit: readonly OffsetCommit[]; waitMs: number }): Promise<MemberPoll | GroupsRefusal>
  leave(group: string, member: string): Promise<{ kind: 'left' } | GroupsRefusal>
  /** By a member, or by an operator while there are none. */
  commit(ask: CommitAsk): Promise<{ kind: 'committed' } | GroupsRefusal>
  /** By name. */
  list(): Promise<readonly GroupSummary[] | GroupsRefusal>
  describe(group: string): Promise<DescribedGroup | GroupsRefusal>
  delete(group: string): Promise<{ kind: 'deleted' } | GroupsRefusal>
  /** While the group has no members. A dry run only tells. */
  reset(ask: ResetAsk): Promise<{ places: readonly ResetPlace[] } | GroupsRefusal>
  plan(ask: Omit<PutPlan, 'kind'>): Promise<{ kind: 'planned'; epoch: number } | GroupsRefusal>
}

export interface Parking {
  deadlineMs: number
  /** Receives what ends the wait early: the client is gone. */
  onPark: (cancel: () => void) => void
}

/** One poll, from the member's call to the answer. Whoever has it ends it, with `sending` or `end`, once. */
export interface MemberPoll {
  /** As of the call. */
  readonly membership: Membership
  /** Over the held partitions, each at its committed place. Its `wait` also wakes when the member's standing changes. */
  readonly session: FetchSession
  /** Null: all records. */
  readonly tags: ReadonlySet<string> | null
  /** The standing has changed since: answer without records, with what `end` says. */
  readonly isChanged: boolean
  /**
   * Records up to the positions of the session are about to be sent. Resolves to the standing; with at-most-once when those
   * positions are committed. On a refusal nothing may be sent.
   */
  sending(): Promise<Standing>
  /** Nothing is sent. Resolves to the standing as it is now. */
  end(): Promise<Standing>
}
