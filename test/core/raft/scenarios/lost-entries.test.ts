// A replica that lost what it had acknowledged, each as the shortest story that shows it. Longer ones are in `../transcripts/`.

import { describe, expect, test } from 'bun:test'
import { Bench, idOf } from '../bench.ts'

describe('a replica that lost what it had acknowledged', () => {
  function damaged(): Bench {
    const bench = new Bench(3)
    bench.elect(1)
    for (const text of ['a', 'b', 'c']) bench.propose(1, text)
    bench.settle()
    bench.isolate(3)
    bench.at(3).log.lose(4)
    bench.at(3).start({ index: 5, term: 2 })
    return bench
  }

  test('neither votes nor campaigns', () => {
    const bench = damaged()
    bench.tick(3, 60)
    expect([bench.raft(3).role, bench.raft(3).abstaining]).toEqual(['follower', true])
    for (const kind of ['pre-vote', 'vote'] as const)
      bench.raft(3).step({ from: idOf(2), to: idOf(3), term: 9, kind, lastIndex: 99, lastTerm: 8, transfer: true })
    const answers = bench.work(3).filter((message) => 'granted' in message)
    expect(answers.map((message) => 'granted' in message && message.granted)).toEqual([false, false])
  })

  test('is mended by the leader, although that leader had its acknowledgement, and then votes again', () => {
    const bench = damaged()
    expect(bench.raft(1).progressOf(idOf(3))?.match).toBe(5)
    bench.heal()
    bench.pass(3)
    expect([bench.raft(3).abstaining, bench.raft(3).lastIndex]).toEqual([false, 5])
    expect(bench.raft(1).progressOf(idOf(3))).toMatchObject({ state: 'replicate', match: 5 })
    bench.isolate(1)
    bench.pass(40, [2, 3])
    expect([2, 3].map((node) => bench.raft(node).role)).toContain('leader')
  })

  test('is mended by a committed entry of a newer term too, when what it had was never committed', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.isolate(3)
    bench.at(3).start({ index: 90, term: 2 })
    bench.heal()
    bench.pass(2)
    expect(bench.raft(3).abstaining).toBe(true)
    bench.raft(1).transfer(idOf(2))
    bench.settle()
    bench.pass(2)
    expect(bench.raft(3).abstaining).toBe(false)
  })

  test('counts for no change of the voters', () => {
    const bench = new Bench(4, { voters: [1, 2], options: { quorumTicks: 99 } })
    bench.elect(1)
    bench.pass(13)
    bench.at(3).start({ index: 90, term: 9 })
    bench.raft(3).contact([idOf(1)])
    bench.pass(20)
    expect(bench.raft(1).changeMembership({ kind: 'add', replica: idOf(3) }).kind).toBe('not-caught-up')
    expect(bench.raft(1).changeMembership({ kind: 'add', replica: idOf(4) }).kind).toBe('proposed')
  })
})
