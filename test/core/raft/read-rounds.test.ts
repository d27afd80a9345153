import { describe, expect, test } from 'bun:test'
import { ReadRounds } from '../../../src/core/raft/read-rounds.ts'

describe('rounds of reads', () => {
  test('reads that arrive together share a round', () => {
    const rounds = new ReadRounds()
    rounds.add(1, 5)
    rounds.add(2, 5)
    expect([rounds.begin(), rounds.round, rounds.begin()]).toEqual([true, 1, false])
    expect(rounds.take(0, 9)).toEqual([])
    expect(rounds.take(1, 9)).toEqual([1, 2])
    expect(rounds.waiting).toBe(false)
  })

  test('a read that arrives while a round is out waits for the next, whose answers also cover the earlier', () => {
    const rounds = new ReadRounds()
    rounds.add(1, 5)
    rounds.begin()
    rounds.add(2, 6)
    rounds.begin()
    expect(rounds.take(1, 9)).toEqual([1])
    rounds.add(3, 6)
    rounds.begin()
    expect(rounds.take(3, 9)).toEqual([2, 3])
  })

  test('confirmed reads wait until their index is applied', () => {
    const rounds = new ReadRounds()
    rounds.add(1, 5)
    rounds.begin()
    expect(rounds.take(1, 4)).toEqual([])
    expect(rounds.take(1, 5)).toEqual([1])
  })

  test('all are dropped together, and no number comes back', () => {
    const rounds = new ReadRounds()
    rounds.add(1, 5)
    rounds.begin()
    rounds.add(2, 5)
    expect(rounds.drop()).toEqual([1, 2])
    rounds.add(3, 5)
    rounds.begin()
    expect(rounds.round).toBe(2)
  })
})
