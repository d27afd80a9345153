import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Ballot, majorityOf, reachedByMajority, type Tally } from '../../../src/core/raft/quorum.ts'

/** The dumb twin: tries every value and counts who has reached it. */
function slowlyReached(values: readonly number[]): number {
  const reached = values.filter((value) => values.filter((other) => other >= value).length * 2 > values.length)
  return Math.max(...reached)
}

/** The dumb twin: tries every way the missing votes could fall. */
function slowTally(voters: readonly number[], votes: ReadonlyMap<number, boolean>): Tally {
  const granted = voters.filter((voter) => votes.get(voter) === true).length
  const open = voters.filter((voter) => !votes.has(voter)).length
  if (granted * 2 > voters.length) return 'won'
  return (granted + open) * 2 > voters.length ? 'open' : 'lost'
}

describe('quorum', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
  ])('%i voters need %i', (voters, needed) => expect(majorityOf(voters)).toBe(needed))

  test.each([
    [[7], 7],
    [[3, 9], 3],
    [[0, 5, 9], 5],
    [[9, 0, 0], 0],
    [[1, 2, 3, 4], 2],
    [[8, 8, 1, 1, 8], 8],
  ] as [number[], number][])('%j has reached %i', (values, reached) => expect(reachedByMajority(values)).toBe(reached))

  test('agrees with its twin', () => {
    const values = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 9 })
    fc.assert(fc.property(values, (it) => reachedByMajority([...it]) === slowlyReached(it)))
  })

  test('nobody votes: a mistake', () => expect(() => reachedByMajority([])).toThrow('without voters'))

  test('tallies as its twin, whatever the order, repeats and strangers', () => {
    const answers = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), fc.boolean()), { maxLength: 14 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), answers, (count, given) => {
        const voters = Array.from({ length: count }, (_, i) => i)
        const ballot = new Ballot(voters)
        const first = new Map<number, boolean>()
        for (const [voter, granted] of given) {
          if (!first.has(voter)) first.set(voter, granted)
          expect(ballot.record(voter, granted)).toBe(slowTally(voters, first))
        }
      }),
    )
  })
})
