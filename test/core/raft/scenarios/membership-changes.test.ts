// Accidents around voters and observers, each as the shortest story that shows it. Longer ones are in `../transcripts/`.

import { describe, expect, test } from 'bun:test'
import { nodeIdOf, replicaIdOf } from '../../../../src/core/raft/index.ts'
import { Bench, idOf } from '../bench.ts'

describe('membership', () => {
  test('removing a voter may be what commits an entry', () => {
    const bench = new Bench(4, { options: { quorumTicks: 99 } })
    bench.elect(1)
    bench.pass(1)
    bench.isolate(3, 4)
    const index = bench.propose(1)
    bench.settle()
    expect(bench.raft(1).commitIndex).toBeLessThan(index)
    expect(bench.raft(1).changeMembership({ kind: 'remove', replica: idOf(4) }).kind).toBe('proposed')
    bench.settle()
    expect(bench.raft(1).commitIndex).toBe(index + 1)
  })

  test('an observer gets nothing before it is committed', () => {
    const bench = new Bench(4, { voters: [1, 2, 3] })
    bench.elect(1)
    bench.pass(13)
    bench.lose = (message) => [2, 3].includes(nodeIdOf(message.to))
    bench.propose(1)
    bench.settle()
    expect([bench.raft(1).lastIndex, bench.raft(4).lastIndex]).toEqual([3, 2])
    bench.heal()
    bench.pass(2)
    expect(bench.raft(4).lastIndex).toBe(3)
  })

  test('an observer that went silent is forgotten, and is back when it asks', () => {
    const bench = new Bench(4, { voters: [1, 2, 3], options: { observerTicks: 20 } })
    bench.elect(1)
    bench.pass(13)
    expect(bench.raft(1).progressOf(idOf(4))).not.toBeNull()
    bench.isolate(4)
    bench.pass(21)
    expect(bench.raft(1).progressOf(idOf(4))).toBeNull()
    bench.heal()
    bench.propose(1)
    bench.pass(26)
    expect(bench.raft(4).commitIndex).toBe(3)
  })

  test('an observer finds the leader through a follower', () => {
    const bench = new Bench(4, { voters: [1, 2, 3] })
    bench.elect(2)
    bench.pass(40)
    expect([bench.raft(4).leader, bench.raft(4).commitIndex]).toEqual([idOf(2), 2])
  })

  test('an observer told of by the driver need not ask', () => {
    const bench = new Bench(4, { voters: [1, 2, 3] })
    bench.elect(1)
    bench.raft(1).observe(idOf(4))
    bench.settle()
    expect(bench.raft(4).commitIndex).toBe(2)
  })

  test('two replicas that point at each other do not keep an observer running', () => {
    const bench = new Bench(3, { voters: [1, 2] })
    bench.raft(3).step({ from: idOf(1), to: idOf(3), term: 0, kind: 'leader-hint', leader: idOf(2) })
    bench.raft(3).step({ from: idOf(2), to: idOf(3), term: 0, kind: 'leader-hint', leader: idOf(1) })
    expect(bench.work(3).map(({ kind, to }) => [kind, to])).toEqual([['follow', idOf(2)]])
  })

  test('messages for a lost data folder are not this replica’s', () => {
    const bench = new Bench(3)
    bench.raft(1).step({ from: idOf(2), to: replicaIdOf(1, 'b'), term: 9, kind: 'heartbeat', commit: 0, round: 0 })
    expect(bench.raft(1).term).toBe(1)
  })
})
