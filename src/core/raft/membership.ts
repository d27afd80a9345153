// Who votes, as the log says. A set takes effect when its entry is appended, committed or not, and falls back when the
// entry is cut off. One replica at a time is added or removed, so majorities of neighbouring sets always share a voter;
// for that to hold across leaders, a leader first commits an entry of its own term (Ongaro, raft-dev 2015).

import { assert } from '../base/index.ts'
import { nodeIdOf, type ReplicaId } from './replica-id.ts'

export interface Membership {
  /** The entry that set it, or the snapshot it was read from; 0 when nobody votes yet. */
  readonly index: number
  readonly voters: readonly ReplicaId[]
}

/** The sets in the log, oldest first; the first is the snapshot's. */
export class MembershipHistory {
  #sets: Membership[]

  constructor(base: Membership) {
    this.#sets = [base]
  }

  /** The newest in the log: the one in force. */
  get current(): Membership {
    return this.#sets[this.#sets.length - 1]!
  }

  /** The set that `current` changed. */
  get before(): Membership {
    return this.#sets[Math.max(0, this.#sets.length - 2)]!
  }

  /** The set in force at `index`, for a snapshot that ends there. */
  at(index: number): Membership {
    for (let i = this.#sets.length - 1; i > 0; i--) if (this.#sets[i]!.index <= index) return this.#sets[i]!
    return this.#sets[0]!
  }

  append(index: number, voters: readonly ReplicaId[]): void {
    const before = this.current
    assert(index > before.index, 'memberships go up the log')
    assert(before.voters.length === 0 || distance(before.voters, voters) <= 1, 'a change of more than one voter')
    this.#sets.push({ index, voters })
  }

  truncate(from: number): void {
    while (this.#sets.length > 1 && this.current.index >= from) this.#sets.pop()
    assert(this.current.index < from, 'a cut below the snapshot')
  }

  reset(base: Membership): void {
    this.#sets = [base]
  }

  /** A snapshot was made at `index`: what was in force before is no longer asked for. */
  forgetBefore(index: number): void {
    while (this.#sets.length > 1 && this.#sets[1]!.index <= index) this.#sets.shift()
  }
}

/** How many voters were added plus how many were removed. */
export function distance(a: readonly ReplicaId[], b: readonly ReplicaId[]): number {
  let differing = 0
  for (const voter of a) if (!b.includes(voter)) differing++
  for (const voter of b) if (!a.includes(voter)) differing++
  return differing
}

export type MembershipChange =
  { readonly kind: 'add'; readonly replica: ReplicaId } | { readonly kind: 'remove'; readonly replica: ReplicaId }

export type VotersRefusal =
  | { readonly kind: 'already-voter' }
  | { readonly kind: 'not-a-voter' }
  /** Another data folder of the same node votes: remove that first. */
  | { readonly kind: 'node-id-in-use'; readonly by: ReplicaId }
  | { readonly kind: 'last-voter' }

/** The voters after `change`, or why there are none. */
export function changedVoters(
  voters: readonly ReplicaId[],
  change: MembershipChange,
): readonly ReplicaId[] | VotersRefusal {
  if (change.kind === 'remove') {
    if (!voters.includes(change.replica)) return { kind: 'not-a-voter' }
    if (voters.length === 1) return { kind: 'last-voter' }
    return voters.filter((voter) => voter !== change.replica)
  }
  if (voters.includes(change.replica)) return { kind: 'already-voter' }
  const twin = voters.find((voter) => nodeIdOf(voter) === nodeIdOf(change.replica))
  if (twin !== undefined) return { kind: 'node-id-in-use', by: twin }
  return [...voters, change.replica].sort()
}
