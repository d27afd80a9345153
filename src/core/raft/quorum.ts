// Majorities. Three questions of a leader have one answer: how far is the log committed, since when has a quorum been
// silent, which round of reads is confirmed. Each is the highest value that a majority of voters has reached.

import { assert } from '../base/index.ts'

export function majorityOf(voters: number): number {
  return (voters >> 1) + 1
}

/** Sorts `values`, one a voter, in place. */
export function reachedByMajority(values: number[]): number {
  assert(values.length > 0, 'a quorum without voters')
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!
    let at = i
    for (; at > 0 && values[at - 1]! < value; at--) values[at] = values[at - 1]!
    values[at] = value
  }
  return values[majorityOf(values.length) - 1]!
}

export type Tally = 'won' | 'lost' | 'open'

/** The votes of one campaign. Only the first answer of a voter counts; answers of others never do. */
export class Ballot<Voter> {
  readonly #voters: readonly Voter[]
  readonly #votes = new Map<Voter, boolean>()

  constructor(voters: readonly Voter[]) {
    this.#voters = voters
  }

  record(voter: Voter, granted: boolean): Tally {
    if (!this.#votes.has(voter)) this.#votes.set(voter, granted)
    return this.tally()
  }

  tally(): Tally {
    let granted = 0
    let refused = 0
    for (const voter of this.#voters) {
      const vote = this.#votes.get(voter)
      if (vote === true) granted++
      else if (vote === false) refused++
    }
    const needed = majorityOf(this.#voters.length)
    if (granted >= needed) return 'won'
    return this.#voters.length - refused < needed ? 'lost' : 'open'
  }
}
