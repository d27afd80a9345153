// One poll of a member, from its call to the answer. The session stands at the committed places of what the member holds, and
// its `wait` also ends when the member's standing changes: whoever waits looks at `isChanged` after each. The poll is ended
// once, by `sending` or by `end`; until then the member counts as alive, as long as it said it would wait.

import type { ClaimOffsets, Membership, OffsetClaim } from '../../group/index.ts'
import type { FetchSession } from '../fetch.ts'
import type { CoordinatorRefusal, GroupsRefusal, Standing } from './asks.ts'
import type { Watcher } from './coordinator.ts'

/** What a poll needs of the groups around it. */
export interface PollHost {
  standingOf(told: Membership): Promise<Standing>
  claim(command: ClaimOffsets): Promise<{ kind: 'claimed' } | GroupsRefusal>
  touch(told: Membership): void
}

export class MemberPoll {
  /** As of the call. */
  readonly membership: Membership
  readonly session: FetchSession
  /** Null: all records. */
  readonly tags: ReadonlySet<string> | null
  readonly #host: PollHost
  readonly #watcher: Watcher
  readonly #isParked: boolean
  readonly #from: readonly number[]

  constructor(host: PollHost, membership: Membership, watcher: Watcher, session: FetchSession, isParked: boolean) {
    this.#host = host
    this.membership = membership
    this.session = session
    const { tags } = membership.settings
    this.tags = tags.length === 0 ? null : new Set(tags)
    this.#watcher = watcher
    this.#isParked = isParked
    this.#from = session.positions.map(({ offset }) => offset)
  }

  /** The standing has changed since the call: answer without records, with what `end` says. */
  get isChanged(): boolean {
    return this.#watcher.isChanged
  }

  /**
   * Records up to the positions of the session are about to be sent. Resolves to how the member stands; with at-most-once when
   * those positions are committed. On a refusal none may be sent.
   */
  async sending(): Promise<Standing> {
    const refusal = this.membership.settings.delivery === 'at-most-once' ? await this.#claimSent() : null
    return refusal ?? this.end()
  }

  /** Resolves to how the member stands now. */
  async end(): Promise<Standing> {
    this.#watcher.end()
    if (this.#watcher.isChanged) return this.#host.standingOf(this.membership)
    if (this.#isParked) this.#host.touch(this.membership)
    return this.membership
  }

  /** Refused when another poll of this member got the same records: it repeated itself before this one was answered. */
  async #claimSent(): Promise<GroupsRefusal | CoordinatorRefusal | null> {
    const claims: OffsetClaim[] = []
    for (const [i, { topic, replica, offset: nextOffset }] of this.session.positions.entries()) {
      const from = this.#from[i]!
      if (nextOffset === from) continue
      const leaderEpoch = replica.live.epochAt(nextOffset - 1)
      claims.push({ topicId: topic.id, partition: replica.partition, from, nextOffset, leaderEpoch })
    }
    if (claims.length === 0) return null
    const { group, member } = this.membership
    const { member: name, generation } = member
    const reply = await this.#host.claim({ kind: 'claim-offsets', group, member: name, generation, claims })
    if (reply.kind === 'claimed') return null
    this.#watcher.end()
    return reply
  }
}
