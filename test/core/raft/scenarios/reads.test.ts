// Accidents around reads, each as the shortest story that shows it. Longer ones are in `../transcripts/`.

import { describe, expect, test } from 'bun:test'
import { Bench, idOf } from '../bench.ts'

describe('reads', () => {
  test('a new leader answers none before an entry of its own is committed', () => {
    const bench = new Bench(3)
    bench.lose = (message) => message.kind === 'append'
    bench.raft(1).campaign()
    bench.settle()
    expect([bench.raft(1).role, bench.raft(1).readIndex().kind]).toEqual(['leader', 'not-ready'])
    bench.heal()
    bench.pass(2)
    expect(bench.raft(1).readIndex().kind).toBe('reading')
  })

  test('a lost round is confirmed by the next heartbeat', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.lose = (message) => message.kind === 'heartbeat'
    bench.raft(1).readIndex()
    bench.settle()
    expect(bench.at(1).reads).toEqual([])
    bench.heal()
    bench.pass(1)
    expect(bench.at(1).reads).toEqual([1])
  })

  test('a deposed leader that is led by itself again gives no answer to an old read', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.isolate(1)
    bench.raft(1).readIndex()
    bench.settle()
    bench.pass(12)
    bench.heal()
    bench.pass(40)
    const leader = [1, 2, 3].find((node) => bench.raft(node).role === 'leader')!
    if (leader !== 1) {
      bench.raft(leader).transfer(idOf(1))
      bench.settle()
    }
    expect(bench.raft(1).role).toBe('leader')
    bench.raft(1).readIndex()
    bench.pass(2)
    expect([bench.at(1).droppedReads, bench.at(1).reads]).toEqual([[1], [2]])
  })

  test('a sole voter needs nobody', () => {
    const bench = new Bench(1)
    bench.elect(1)
    bench.raft(1).readIndex()
    bench.settle()
    expect(bench.at(1).reads).toEqual([1])
  })
})
