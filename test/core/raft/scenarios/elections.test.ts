// Accidents around elections, each as the shortest story that shows it. Longer ones are in `../transcripts/`.

import { describe, expect, test } from 'bun:test'
import { Bench, idOf } from '../bench.ts'

const roles = (bench: Bench) => [...bench.replicas.values()].map(({ raft }) => raft.role)
const commits = (bench: Bench) => [...bench.replicas.values()].map(({ raft }) => raft.commitIndex)

describe('elections', () => {
  test('a candidate’s own vote, saved after the election was lost, counts for nothing', () => {
    const bench = new Bench(3)
    bench.raft(1).campaign()
    bench.work(1)
    bench.at(1).held = true
    bench.raft(1).step({ from: idOf(2), to: idOf(1), term: 2, kind: 'pre-vote-reply', granted: true })
    bench.work(1)
    bench.raft(1).step({ from: idOf(3), to: idOf(1), term: 2, kind: 'heartbeat', commit: 0, round: 0 })
    bench.at(1).finishVote()
    bench.raft(1).step({ from: idOf(2), to: idOf(1), term: 2, kind: 'vote-reply', granted: true })
    expect([bench.raft(1).role, bench.raft(1).leader]).toEqual(['follower', idOf(3)])
  })

  test('no vote leaves before it is saved', () => {
    const bench = new Bench(3)
    bench.at(1).held = true
    bench
      .raft(1)
      .step({ from: idOf(2), to: idOf(1), term: 2, kind: 'vote', lastIndex: 1, lastTerm: 1, transfer: false })
    expect(bench.work(1)).toEqual([])
    bench.at(1).finishVote()
    expect(bench.work(1).map(({ kind }) => kind)).toEqual(['vote-reply'])
    bench.at(1).start()
    expect([bench.raft(1).term, bench.raft(1).votedFor]).toEqual([2, idOf(2)])
  })

  test('nor does anything else of a term that is not saved', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.at(2).held = true
    bench.raft(2).step({ from: idOf(3), to: idOf(2), term: 9, kind: 'heartbeat', commit: 0, round: 4 })
    const ready = bench.process(2)
    expect([ready?.vote, ready?.messages, ready?.writes]).toEqual([{ term: 9, votedFor: null }, [], []])
    bench.at(2).finishVote()
    expect(bench.work(2).map(({ kind, term }) => [kind, term])).toEqual([['heartbeat-reply', 9]])
  })

  test('a live leader is not disturbed by a newer term, unless it asked for that itself', () => {
    const bench = new Bench(3)
    bench.elect(1)
    const request = { from: idOf(3), to: idOf(2), term: 5, kind: 'vote', lastIndex: 9, lastTerm: 4 } as const
    bench.raft(2).step({ ...request, transfer: false })
    expect(bench.raft(2).term).toBe(2)
    bench.raft(2).step({ ...request, transfer: true })
    expect([bench.raft(2).term, bench.raft(2).votedFor]).toEqual([5, idOf(3)])
  })

  test('with pre-vote a split vote moves no term further than one', () => {
    const bench = new Bench(4)
    for (const node of [1, 2]) bench.raft(node).campaign()
    bench.settle()
    bench.pass(30)
    expect(roles(bench).filter((role) => role === 'leader')).toHaveLength(1)
    expect(Math.max(...[...bench.replicas.values()].map(({ raft }) => raft.term))).toBeLessThanOrEqual(4)
  })

  test('a disturber that comes back behind the others does not depose their leader', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.isolate(3)
    bench.pass(60)
    bench.propose(1)
    bench.settle()
    bench.heal()
    bench.pass(30)
    expect([bench.raft(1).role, bench.raft(1).term]).toEqual(['leader', 2])
    expect(commits(bench)).toEqual([3, 3, 3])
  })

  test('a delayed timeout-now of an older term is ignored', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.raft(2).step({ from: idOf(3), to: idOf(2), term: 1, kind: 'timeout-now' })
    expect(bench.raft(2).role).toBe('follower')
  })

  test('a sole voter never loses its quorum', () => {
    const bench = new Bench(1)
    bench.elect(1)
    bench.pass(200)
    expect([bench.raft(1).role, bench.raft(1).term]).toEqual(['leader', 2])
  })
})

test('a state file older than the log is damage', () => {
  const bench = new Bench(1)
  bench.elect(1)
  bench.at(1).vote = { term: 1, votedFor: null }
  expect(() => bench.at(1).start()).toThrow('older than the log')
})
