// Accidents around snapshots, each as the shortest story that shows it. Longer ones are in `../transcripts/`.

import { describe, expect, test } from 'bun:test'
import { Bench, idOf } from '../bench.ts'

describe('snapshots', () => {
  test('the voters come with it, and a replica that is not among them stays an observer', () => {
    const bench = new Bench(4, { voters: [1, 2, 3] })
    bench.elect(1)
    bench.propose(1)
    bench.settle()
    bench.at(1).compact(3)
    bench.pass(13)
    expect(bench.at(4).restored).toEqual([{ index: 3, term: 2, voters: [1, 2, 3].map(idOf) }])
    expect(bench.raft(4).voters).toEqual([1, 2, 3].map(idOf))
    bench.tick(4, 50)
    expect(bench.raft(4).role).toBe('follower')
  })

  test('one whose last entry is in the log is not installed: what is behind it stays', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.propose(1)
    bench.lose = (message) => message.kind === 'append' && message.entries.length === 0
    bench.settle()
    expect([bench.raft(2).lastIndex, bench.raft(2).commitIndex]).toEqual([3, 2])
    const head = { index: 3, term: 2, voters: [1, 2, 3].map(idOf) }
    bench.raft(2).step({ from: idOf(1), to: idOf(2), term: 2, kind: 'install', head })
    bench.settle()
    expect([bench.at(2).restored, bench.raft(2).commitIndex, bench.at(2).log.lastIndex]).toEqual([[], 3, 3])
  })

  test('a leader never loads one', () => {
    const bench = new Bench(3)
    bench.elect(1)
    const head = { index: 90, term: 2, voters: [idOf(2)] }
    bench.raft(1).step({ from: idOf(2), to: idOf(1), term: 2, kind: 'install', head })
    expect([bench.raft(1).role, bench.raft(1).lastIndex]).toEqual(['leader', 2])
  })

  test('a replica that has one to install does not campaign', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.at(2).held = true
    const head = { index: 90, term: 2, voters: [1, 2, 3].map(idOf) }
    bench.raft(2).step({ from: idOf(1), to: idOf(2), term: 2, kind: 'install', head })
    bench.work(2)
    bench.raft(2).campaign()
    expect(bench.raft(2).role).toBe('follower')
    bench.at(2).finishStorage()
    bench.raft(2).campaign()
    expect(bench.raft(2).role).toBe('pre-candidate')
  })

  test('a failed one is tried again', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.isolate(3)
    bench.propose(1)
    bench.settle()
    bench.at(1).compact(3)
    bench.heal()
    bench.lose = (message) => message.kind === 'install'
    bench.pass(2)
    expect(bench.raft(1).progressOf(idOf(3))?.state).toBe('snapshot')
    bench.heal()
    bench.pass(5)
    expect(bench.raft(3).commitIndex).toBe(2)
    bench.raft(1).snapshotReport(idOf(3), 'failed')
    bench.settle()
    expect([bench.raft(3).commitIndex, bench.at(3).restored.length]).toEqual([3, 1])
  })

  test('one that is still being sent is not offered again', () => {
    const bench = new Bench(3, { options: { snapshotTicks: 10 } })
    bench.elect(1)
    bench.isolate(3)
    bench.propose(1)
    bench.settle()
    bench.at(1).compact(3)
    bench.heal()
    let offered = 0
    bench.lose = (message) => message.kind === 'install' && ++offered > 0
    for (let i = 0; i < 5; i++) {
      bench.pass(8)
      bench.raft(1).snapshotReport(idOf(3), 'progressing')
    }
    expect(offered).toBe(1)
  })
})
