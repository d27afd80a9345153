// What "In Search of an Understandable Consensus Algorithm" says, section by section. Names give the section.

import { describe, expect, test } from 'bun:test'
import type { Entry, Message, MessageBody, MessageOf } from '../../../src/core/raft/index.ts'
import { Bench, idOf } from './bench.ts'

const noop = (index: number, term: number): Entry => ({ index, count: 1, term, body: { kind: 'noop' } })

/** A message from `from` to `to` out of nowhere. */
function send(bench: Bench, from: number, to: number, term: number, body: MessageBody): void {
  bench.raft(to).step({ from: idOf(from), to: idOf(to), term, ...body })
}

/** Everything that leaves `node` until it is idle, not delivered. */
function sentBy(bench: Bench, node: number): Message[] {
  const sent: Message[] = []
  for (let ready = bench.at(node).process(); ready !== null; ready = bench.at(node).process())
    sent.push(...ready.messages)
  return sent
}

function of<Kind extends MessageBody['kind']>(messages: readonly Message[], kind: Kind): MessageOf<Kind>[] {
  return messages.filter((message): message is MessageOf<Kind> => message.kind === kind)
}

const heartbeat: MessageBody = { kind: 'heartbeat', commit: 0, round: 0 }
const vote = (lastIndex: number, lastTerm: number): MessageBody => ({
  kind: 'vote',
  lastIndex,
  lastTerm,
  transfer: false,
})

/** Replica `node` of a fresh bench holds entries of `terms` from index 2 on, and is in term `term`. */
function withLog(bench: Bench, node: number, terms: readonly number[], term: number): void {
  const replica = bench.at(node)
  if (terms.length > 0) replica.log.append(terms.map((it, i) => noop(i + 2, it)))
  replica.vote = { term, votedFor: null }
  replica.start()
}

describe('§5.1 terms', () => {
  test.each(['follower', 'pre-candidate', 'leader'] as const)('a %s adopts a newer term and follows', (role) => {
    const bench = new Bench(3)
    if (role === 'pre-candidate') bench.raft(1).campaign()
    if (role === 'leader') bench.elect(1)
    expect(bench.raft(1).role).toBe(role)
    send(bench, 2, 1, 7, { kind: 'append', prevIndex: 0, prevTerm: 0, entries: [], commit: 0 })
    expect([bench.raft(1).role, bench.raft(1).term, bench.raft(1).leader]).toEqual(['follower', 7, idOf(2)])
  })

  test('messages of an older term change nothing, and their leader is told', () => {
    const bench = new Bench(3)
    bench.elect(1)
    send(bench, 3, 1, 1, { kind: 'append', prevIndex: 0, prevTerm: 0, entries: [noop(1, 1)], commit: 1 })
    expect(bench.raft(1).role).toBe('leader')
    expect(sentBy(bench, 1)).toEqual([{ from: idOf(1), to: idOf(3), term: 2, kind: 'newer-term' }])
  })
})

describe('§5.2 elections', () => {
  test('everyone begins as a follower', () => {
    const bench = new Bench(3)
    expect([...bench.replicas.values()].map(({ raft }) => raft.role)).toEqual(['follower', 'follower', 'follower'])
  })

  test('a leader sends heartbeats at its interval to all others', () => {
    const bench = new Bench(3, { options: { heartbeatTicks: 3, electionTicks: 9 } })
    bench.elect(1)
    bench.tick(1, 2)
    expect(of(sentBy(bench, 1), 'heartbeat')).toEqual([])
    bench.tick(1)
    expect(of(sentBy(bench, 1), 'heartbeat').map(({ to }) => to)).toEqual([idOf(2), idOf(3)])
  })

  test('a follower that hears nothing campaigns: a new term, a vote for itself, requests to all', () => {
    const bench = new Bench(3)
    bench.tick(1, 9)
    sentBy(bench, 1)
    send(bench, 2, 1, 2, { kind: 'pre-vote-reply', granted: true })
    const requests = of(sentBy(bench, 1), 'vote')
    expect([bench.raft(1).term, bench.raft(1).votedFor]).toEqual([2, idOf(1)])
    expect(requests.map(({ to, term }) => [to, term])).toEqual([
      [idOf(2), 2],
      [idOf(3), 2],
    ])
  })

  test.each([
    [1, [], 'leader'],
    [3, [], 'candidate'],
    [3, [2], 'leader'],
    [3, [2, 3], 'leader'],
    [5, [2], 'candidate'],
    [5, [2, 4], 'leader'],
  ] as const)('of %i voters, with the votes of %j besides its own, it is %s', (voters, granting, role) => {
    const bench = new Bench(voters)
    bench.raft(1).campaign()
    sentBy(bench, 1)
    for (let node = 2; node <= voters; node++) send(bench, node, 1, 2, { kind: 'pre-vote-reply', granted: true })
    sentBy(bench, 1)
    for (const node of granting) send(bench, node, 1, 2, { kind: 'vote-reply', granted: true })
    expect(bench.raft(1).role).toBe(role)
  })

  test('refused by a majority it goes back to following', () => {
    const bench = new Bench(3)
    bench.raft(1).campaign()
    sentBy(bench, 1)
    for (const node of [2, 3]) send(bench, node, 1, 2, { kind: 'pre-vote-reply', granted: true })
    sentBy(bench, 1)
    for (const node of [2, 3]) send(bench, node, 1, 2, { kind: 'vote-reply', granted: false })
    expect([bench.raft(1).role, bench.raft(1).term]).toEqual(['follower', 2])
  })

  test('one vote a term, first come first served, and the same answer to the same question', () => {
    const bench = new Bench(3)
    const answers = [2, 3, 2].map((candidate) => {
      send(bench, candidate, 1, 2, vote(1, 1))
      return of(sentBy(bench, 1), 'vote-reply')[0]!.granted
    })
    expect(answers).toEqual([true, false, true])
  })

  test('a candidate that hears a leader of its term follows it', () => {
    const bench = new Bench(3)
    bench.raft(1).campaign()
    sentBy(bench, 1)
    send(bench, 2, 1, 2, { kind: 'pre-vote-reply', granted: true })
    sentBy(bench, 1)
    expect(bench.raft(1).role).toBe('candidate')
    send(bench, 2, 1, 2, heartbeat)
    expect([bench.raft(1).role, bench.raft(1).leader, bench.raft(1).votedFor]).toEqual(['follower', idOf(2), idOf(1)])
  })

  test('timeouts are spread over [E, 2E)', () => {
    const bench = new Bench(9, { voters: [1, 2, 3, 4, 5, 6, 7, 8, 9] })
    const waits = [...bench.replicas.keys()].map((node) => {
      for (let ticks = 1; ; ticks++) {
        bench.tick(node)
        if (bench.raft(node).role !== 'follower') return ticks
      }
    })
    expect(waits).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17])
  })

  test('a split vote ends with the next timeout', () => {
    const bench = new Bench(3)
    bench.raft(1).campaign()
    bench.raft(2).campaign()
    bench.isolate(3)
    bench.settle([1, 2])
    expect([1, 2].map((node) => bench.raft(node).role)).not.toContain('leader')
    bench.heal()
    bench.pass(20)
    expect([1, 2, 3].filter((node) => bench.raft(node).role === 'leader')).toHaveLength(1)
  })
})

describe('§5.3 log replication', () => {
  test('a proposal goes to all with the entry before it, and commits when a majority has it', () => {
    const bench = new Bench(3)
    bench.elect(1)
    const index = bench.propose(1)
    const appends = of(sentBy(bench, 1), 'append')
    expect(appends.map(({ to, prevIndex, prevTerm, entries }) => [to, prevIndex, prevTerm, entries.length])).toEqual([
      [idOf(2), 2, 2, 1],
      [idOf(3), 2, 2, 1],
    ])
    expect(bench.raft(1).commitIndex).toBe(2)
    send(bench, 2, 1, 2, { kind: 'append-reply', matchIndex: index })
    expect(bench.raft(1).commitIndex).toBe(index)
  })

  test.each([
    [1, [], true],
    [3, [], false],
    [3, [2], true],
    [5, [2], false],
    [5, [2, 5], true],
  ] as const)('of %i voters, acknowledged by %j: committed %p', (voters, acknowledging, committed) => {
    const bench = new Bench(voters)
    bench.elect(1)
    const index = bench.propose(1)
    sentBy(bench, 1)
    for (const node of acknowledging) send(bench, node, 1, 2, { kind: 'append-reply', matchIndex: index })
    expect(bench.raft(1).commitIndex >= index).toBe(committed)
  })

  test('committing an entry commits all before it, those of earlier leaders too', () => {
    const bench = new Bench(3)
    withLog(bench, 1, [1, 2, 2], 2)
    bench.elect(1)
    expect(bench.at(1).applied.map(({ index, term }) => [index, term])).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
      [4, 2],
      [5, 3],
    ])
  })

  test('followers learn the commit index and apply in order', () => {
    const bench = new Bench(3)
    bench.elect(1)
    for (const text of ['a', 'b', 'c']) bench.propose(1, text)
    bench.settle()
    for (const node of [2, 3]) expect(bench.at(node).applied).toEqual(bench.at(1).applied)
    expect(bench.at(2).applied).toHaveLength(5)
  })

  test('a follower commits no further than what the message proved', () => {
    const bench = new Bench(3)
    withLog(bench, 1, [1, 1], 1)
    send(bench, 2, 1, 2, { kind: 'append', prevIndex: 1, prevTerm: 1, entries: [noop(2, 1)], commit: 3 })
    expect(bench.raft(1).commitIndex).toBe(2)
  })

  test.each([
    [3, 2, true],
    [1, 1, true],
    [3, 1, false],
    [4, 2, false],
  ] as const)('an append behind %i of term %i: accepted %p', (prevIndex, prevTerm, accepted) => {
    const bench = new Bench(3)
    withLog(bench, 1, [1, 2], 2)
    send(bench, 2, 1, 3, { kind: 'append', prevIndex, prevTerm, entries: [], commit: 0 })
    const answers = sentBy(bench, 1)
    expect([of(answers, 'append-reply').length, of(answers, 'append-refused').length]).toEqual(
      accepted ? [1, 0] : [0, 1],
    )
  })

  test.each([
    [1, 1, [noop(2, 3)], [1, 3]],
    [2, 1, [noop(3, 3), noop(4, 3)], [1, 1, 3, 3]],
    [1, 1, [noop(2, 1)], [1, 1, 2]],
    [3, 2, [noop(4, 3)], [1, 1, 2, 3]],
    [0, 0, [noop(1, 1), noop(2, 1)], [1, 1, 2]],
  ] as const)('an append behind %i of term %i replaces only what conflicts', (prevIndex, prevTerm, entries, terms) => {
    const bench = new Bench(3)
    withLog(bench, 1, [1, 2], 2)
    send(bench, 2, 1, 3, { kind: 'append', prevIndex, prevTerm, entries, commit: 0 })
    const { raft } = bench.at(1)
    expect(Array.from({ length: raft.lastIndex }, (_, i) => raft.termOf(i + 1))).toEqual([...terms])
  })

  // Figure 7: the leader for term 8, and followers that miss entries, have too many, or both.
  const figure7 = [1, 1, 4, 4, 5, 5, 6, 6, 6]
  test.each([
    ['a', [1, 1, 4, 4, 5, 5, 6, 6]],
    ['b', [1, 1]],
    ['c', [...figure7, 6]],
    ['d', [...figure7, 7, 7]],
    ['e', [1, 1, 4, 4, 4, 4]],
    ['f', [1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ] as const)('figure 7 (%s): the follower ends with the leader’s log', (_, terms) => {
    const bench = new Bench(3)
    withLog(bench, 1, figure7, 7)
    withLog(bench, 2, terms, 7)
    withLog(bench, 3, [1], 7)
    bench.isolate(2)
    bench.elect(1)
    bench.heal()
    bench.pass(2)
    const logOf = (node: number) =>
      Array.from({ length: bench.raft(node).lastIndex }, (__, i) => bench.raft(node).termOf(i + 1))
    expect(logOf(2)).toEqual(logOf(1))
    expect(logOf(1)).toEqual([1, ...figure7, 8])
  })
})

describe('§5.4 safety', () => {
  test.each([
    [3, 2, true],
    [4, 2, true],
    [2, 3, true],
    [2, 2, false],
    [9, 1, false],
  ] as const)('§5.4.1 a candidate whose log ends at %i of term %i: granted %p', (lastIndex, lastTerm, granted) => {
    const bench = new Bench(3)
    withLog(bench, 1, [1, 2], 2)
    send(bench, 2, 1, 4, vote(lastIndex, lastTerm))
    expect(of(sentBy(bench, 1), 'vote-reply')[0]!.granted).toBe(granted)
  })

  test.each([
    [2, 0],
    [3, 0],
    [4, 4],
  ] as const)(
    '§5.4.2 acknowledged up to %i of [1 1 2 3] by a majority: committed up to %i',
    (matchIndex, committed) => {
      const bench = new Bench(3)
      withLog(bench, 1, [1, 2], 2)
      bench.isolate(1)
      bench.raft(1).campaign()
      sentBy(bench, 1)
      send(bench, 2, 1, 3, { kind: 'pre-vote-reply', granted: true })
      sentBy(bench, 1)
      send(bench, 2, 1, 3, { kind: 'vote-reply', granted: true })
      sentBy(bench, 1)
      send(bench, 2, 1, 3, { kind: 'append-reply', matchIndex })
      expect(bench.raft(1).commitIndex).toBe(committed)
    },
  )
})
