// Accidents on the way of entries, each as the shortest story that shows it. Longer ones are in `../transcripts/`.

import { describe, expect, test } from 'bun:test'
import { type Entry, lastIndexOf } from '../../../../src/core/raft/index.ts'
import { Bench, idOf } from '../bench.ts'

describe('replication', () => {
  test('a leader counts its own copy only when it is durable, also when it is the only one', () => {
    for (const voters of [1, 3]) {
      const bench = new Bench(voters)
      bench.elect(1)
      bench.at(1).held = true
      const index = bench.propose(1)
      bench.work(1)
      if (voters === 3) {
        bench.deliver(2)
        bench.work(2)
        bench.deliver(1)
      }
      expect(bench.raft(1).commitIndex).toBe(2)
      bench.at(1).finishWrite()
      expect(bench.raft(1).commitIndex).toBe(index)
    }
  })

  test('the leader may commit by others’ copies, and applies only what it has stored itself', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.at(1).held = true
    bench.propose(1)
    bench.settle()
    expect([bench.raft(1).commitIndex, bench.raft(1).appliedIndex]).toEqual([3, 2])
    bench.at(1).finishWrite()
    bench.settle()
    expect(bench.raft(1).appliedIndex).toBe(3)
  })

  test('a write that ends after the leader lost and regained its term says nothing of the new log', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.at(1).held = true
    bench.isolate(1)
    bench.propose(1, 'old')
    bench.work(1)
    bench.tick(3, 9)
    bench.tick(2, 9)
    bench.raft(2).campaign()
    bench.settle([2, 3])
    bench.heal()
    bench.tick(2)
    for (let i = 0; i < 6; i++) {
      bench.work(1, 2, 3)
      if (bench.at(1).pendingVote !== null) bench.at(1).finishVote()
      for (const node of [1, 2, 3]) bench.deliver(node)
    }
    expect(bench.at(1).pendingWrites.map(({ seq }) => seq)).toHaveLength(2)
    bench.at(1).finishWrite()
    expect(bench.raft(1).durableIndex).toBe(2)
    bench.at(1).finishWrite()
    expect(bench.raft(1).durableIndex).toBe(3)
  })

  test('acknowledgements wait for the sync, and one covers all appends before it', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.at(2).held = true
    for (const text of ['a', 'b', 'c']) {
      bench.propose(1, text)
      bench.work(1)
      bench.deliver(2)
      bench.work(2)
    }
    expect(bench.at(1).inbox.filter(({ from }) => from === idOf(2))).toEqual([])
    const { log, pendingWrites, raft } = bench.at(2)
    for (const write of pendingWrites) log.apply(write, (head) => ({ head, chain: 0 }))
    raft.stored(pendingWrites.at(-1)!.seq)
    expect(bench.work(2)).toEqual([{ from: idOf(2), to: idOf(1), term: 2, kind: 'append-reply', matchIndex: 5 }])
  })

  test('appends that arrive in any order, twice, end in the same log', () => {
    const bench = new Bench(3, { options: { appendBytesMax: 1 } })
    bench.elect(1)
    for (const text of ['a', 'b', 'c', 'd']) bench.propose(1, text)
    bench.work(1)
    const appends = bench.at(2).inbox.splice(0)
    bench.at(2).inbox.push(...appends.toReversed(), ...appends)
    bench.settle()
    bench.pass(2)
    expect(bench.at(2).applied).toEqual(bench.at(1).applied)
    expect(bench.raft(2).commitIndex).toBe(6)
  })

  test('a long divergence is bridged in a few round trips, not one an entry', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.isolate(1)
    for (let i = 0; i < 200; i++) bench.propose(1, `lost ${i}`)
    bench.work(1)
    bench.tick(2, 9)
    bench.tick(3, 9)
    bench.raft(2).campaign()
    bench.settle([2, 3])
    for (let i = 0; i < 200; i++) bench.propose(2, `kept ${i}`)
    bench.settle([2, 3])
    bench.heal()
    let refusals = 0
    bench.lose = (message) => {
      if (message.kind === 'append-refused') refusals++
      return false
    }
    bench.pass(3)
    expect(refusals).toBeLessThanOrEqual(2)
    expect(bench.at(1).applied).toEqual(bench.at(2).applied)
  })

  test('logs that part in the middle of an entry are joined at its start', () => {
    const bench = new Bench(3)
    const noop = (index: number, term: number, count = 1): Entry => ({ index, count, term, body: { kind: 'noop' } })
    for (const [node, replica] of bench.replicas) {
      replica.log.append(node === 2 ? [noop(2, 2), noop(3, 4), noop(4, 4)] : [noop(2, 2), noop(3, 3, 3), noop(6, 5)])
      replica.vote = { term: 5, votedFor: null }
      replica.start()
    }
    bench.isolate(2)
    bench.elect(1)
    bench.heal()
    bench.pass(2)
    expect(bench.at(2).applied).toEqual(bench.at(1).applied)
    expect(bench.at(2).applied.map(({ index }) => index)).toEqual([1, 2, 3, 6, 7])
  })

  test('proposals are bounded by bytes not yet committed, and taken again when some are', () => {
    const bench = new Bench(3, { options: { uncommittedBytesMax: 1000 } })
    bench.elect(1)
    bench.isolate(1)
    const huge = bench.raft(1).propose(new Uint8Array(5000))
    expect(huge.kind).toBe('proposed') // alone it may exceed the bound, or it could never be proposed
    expect(bench.raft(1).propose(new Uint8Array(1))).toEqual({
      kind: 'too-much-uncommitted',
      bytes: 5080,
      bytesMax: 1000,
    })
    bench.heal()
    bench.pass(2)
    expect(bench.raft(1).propose(new Uint8Array(1)).kind).toBe('proposed')
  })

  test('entries of several indices are replicated whole and applied once', () => {
    const bench = new Bench(3, { options: { appendBytesMax: 1, applyBytesMax: 1 } })
    bench.elect(1)
    const first = bench.propose(1, 'three', 3)
    const second = bench.propose(1, 'two', 2)
    bench.settle()
    expect([first, second, bench.raft(2).lastIndex]).toEqual([3, 6, 7])
    expect(bench.at(3).applied.map((entry) => [entry.index, lastIndexOf(entry)])).toEqual([
      [1, 1],
      [2, 2],
      [3, 5],
      [6, 7],
    ])
  })

  test('a broken connection makes the leader ask where the follower is', () => {
    const bench = new Bench(3)
    bench.elect(1)
    bench.raft(1).unreachable(idOf(2))
    expect(bench.raft(1).progressOf(idOf(2))?.state).toBe('probe')
    bench.propose(1)
    bench.settle()
    expect(bench.raft(1).progressOf(idOf(2))).toMatchObject({ state: 'replicate', match: 3 })
  })
})
