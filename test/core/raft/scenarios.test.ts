// Accidents that befell others, or nearly did, each as the shortest story that shows it. Longer ones with a plot of their own
// are in `transcripts/`.

import { describe, expect, test } from 'bun:test'
import { lastIndexOf, type Message, nodeIdOf, replicaIdOf } from '../../../src/core/raft/index.ts'
import { Bench, idOf } from './bench.ts'

/** Works without delivering anything. */
function work(bench: Bench, ...nodes: number[]): Message[] {
  const sent: Message[] = []
  for (const node of nodes)
    for (let ready = bench.process(node); ready !== null; ready = bench.process(node)) sent.push(...ready.messages)
  return sent
}

const roles = (bench: Bench) => [...bench.replicas.values()].map(({ raft }) => raft.role)
const commits = (bench: Bench) => [...bench.replicas.values()].map(({ raft }) => raft.commitIndex)

describe('elections', () => {
  test('a candidate’s own vote, saved after the election was lost, counts for nothing', () => {
    const bench = new Bench(3)
    bench.raft(1).campaign()
    work(bench, 1)
    bench.at(1).held = true
    bench.raft(1).step({ from: idOf(2), to: idOf(1), term: 2, kind: 'pre-vote-reply', granted: true })
    work(bench, 1)
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
    expect(work(bench, 1)).toEqual([])
    bench.at(1).finishVote()
    expect(work(bench, 1).map(({ kind }) => kind)).toEqual(['vote-reply'])
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
    expect(work(bench, 2).map(({ kind, term }) => [kind, term])).toEqual([['heartbeat-reply', 9]])
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

describe('replication', () => {
  test('a leader counts its own copy only when it is durable, also when it is the only one', () => {
    for (const voters of [1, 3]) {
      const bench = new Bench(voters)
      bench.elect(1)
      bench.at(1).held = true
      const index = bench.propose(1)
      work(bench, 1)
      if (voters === 3) {
        bench.deliver(2)
        work(bench, 2)
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
    work(bench, 1)
    bench.tick(3, 9)
    bench.tick(2, 9)
    bench.raft(2).campaign()
    bench.settle([2, 3])
    bench.heal()
    bench.tick(2)
    for (let i = 0; i < 6; i++) {
      work(bench, 1, 2, 3)
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
      work(bench, 1)
      bench.deliver(2)
      work(bench, 2)
    }
    expect(bench.at(1).inbox.filter(({ from }) => from === idOf(2))).toEqual([])
    const { log, pendingWrites, raft } = bench.at(2)
    for (const write of pendingWrites) log.apply(write, (head) => ({ head, chain: 0 }))
    raft.stored(pendingWrites.at(-1)!.seq)
    expect(work(bench, 2)).toEqual([{ from: idOf(2), to: idOf(1), term: 2, kind: 'append-reply', matchIndex: 5 }])
  })

  test('appends that arrive in any order, twice, end in the same log', () => {
    const bench = new Bench(3, { options: { appendBytesMax: 1 } })
    bench.elect(1)
    for (const text of ['a', 'b', 'c', 'd']) bench.propose(1, text)
    work(bench, 1)
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
    work(bench, 1)
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
    work(bench, 2)
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
    expect(work(bench, 3).map(({ kind, to }) => [kind, to])).toEqual([['follow', idOf(2)]])
  })

  test('messages for a lost data folder are not this replica’s', () => {
    const bench = new Bench(3)
    bench.raft(1).step({ from: idOf(2), to: replicaIdOf(1, 'b'), term: 9, kind: 'heartbeat', commit: 0, round: 0 })
    expect(bench.raft(1).term).toBe(1)
  })
})

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
    const answers = work(bench, 3).filter((message) => 'granted' in message)
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

test('a state file older than the log is damage', () => {
  const bench = new Bench(1)
  bench.elect(1)
  bench.at(1).vote = { term: 1, votedFor: null }
  expect(() => bench.at(1).start()).toThrow('older than the log')
})
