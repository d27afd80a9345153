import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits, type TopicId } from '../../../src/core/base/index.ts'
import type { GroupCommand, GroupReply } from '../../../src/core/group/index.ts'
import { UnreadableRecord } from '../../../src/core/machine/index.ts'
import { groupRecords } from '../../../src/core/group/index.ts'
import { GroupRig, START, topicId } from './group-rig.ts'

const ORDERS = topicId('o')
const DAY_MS = 86_400_000

function rigOf(partitions = 4): GroupRig {
  const rig = new GroupRig()
  rig.topics.create('orders', partitions)
  return rig
}

const at = (partition: number, nextOffset: number) => ({ topicId: ORDERS, partition, nextOffset })
const list = (...partitions: number[]) => [{ topicId: ORDERS, partitions }]

describe('joining', () => {
  test('again, asking the same: the same answer, and nothing is written', () => {
    const rig = rigOf()
    const first = rig.join('a', { from: 'latest', tags: ['x', 'y'] })
    const { length } = rig.log
    expect(rig.join('a')).toEqual(first)
    expect(rig.join('a', { tags: ['y', 'x'], topics: ['orders', 'orders'] })).toEqual(first)
    expect(rig.log.length).toBe(length)
  })

  test('again, asking for other topics and times: they take the place of the others', () => {
    const rig = rigOf()
    rig.topics.create('payments', 2)
    rig.join('a')
    rig.join('a', { topics: ['payments'], sessionMs: 10_000 })
    expect(rig.member('a').state).toBe('revoking')
    rig.poll('a')
    expect(rig.member('a').assignment).toEqual([{ topicId: topicId('p'), partitions: [0, 1] }])
    rig.pass(9_999)
    expect(rig.group().members.size).toBe(1)
    rig.pass(1)
    expect(rig.group().members.size).toBe(0)
  })

  test('a topic that does not exist is taken up when it does', () => {
    const rig = new GroupRig()
    expect(rig.join('a').member).toMatchObject({ assignment: [], state: 'stable' })
    rig.topics.create('orders', 2)
    rig.ask({ kind: 'refresh', group: 'g' })
    expect(rig.member('a').assignment).toEqual(list(0, 1))
  })
})

describe('dropping', () => {
  function revoking(): GroupRig {
    const rig = rigOf()
    rig.join('a')
    rig.join('b')
    return rig
  }

  test('a heartbeat that still owns it has not dropped it, one that does not has', () => {
    const rig = revoking()
    const told = rig.heartbeat('a', { generation: 1, owned: list(0, 1, 2, 3) })
    expect(told).toMatchObject({ member: { state: 'revoking', assignment: list(0, 1), revoke: list(2, 3) } })
    rig.heartbeat('a', { generation: 1, owned: list(0, 3) })
    rig.heartbeat('a', { generation: 1 })
    expect(rig.member('b').assignment).toEqual([])
    rig.heartbeat('a', { generation: 1, owned: list(0, 1) })
    expect(rig.member('b').assignment).toEqual(list(2, 3))
  })

  test('nor has a poll that says it works on it', () => {
    const rig = revoking()
    const poll = (owned: ReturnType<typeof list>) =>
      rig.ask({ kind: 'poll', group: 'g', member: 'a', generation: null, commit: [], owned, waitMs: 0 })
    expect(poll(list(0, 1, 2))).toMatchObject({ member: { state: 'revoking', revoke: list(2, 3) } })
    expect(poll(list(0, 1))).toMatchObject({ member: { state: 'stable', assignment: list(0, 1) } })
    expect(rig.member('b').assignment).toEqual(list(2, 3))
  })

  test('a repeat from before it held the partition has not dropped it', () => {
    const rig = rigOf()
    rig.join('a')
    rig.join('b')
    rig.poll('a')
    const { generation } = rig.member('b')
    rig.leave('a')
    rig.join('a')
    expect(rig.member('b').revoke.length).toBeGreaterThan(0)
    // Sent when it held less; it works on all four by now.
    rig.heartbeat('b', { generation, owned: [] })
    rig.poll('b', [], generation)
    expect(rig.member('b').state).toBe('revoking')
    rig.poll('b')
    expect(rig.member('b').state).toBe('stable')
  })

  test('what is being dropped may be committed, with the poll that drops it', () => {
    const rig = revoking()
    expect(rig.commit('a', [at(3, 7)], 1)).toEqual({ kind: 'committed' })
    expect(rig.poll('a', [at(0, 1), at(2, 5)], 1)).toMatchObject({
      kind: 'polled',
      positions: [
        { partition: 0, nextOffset: 1 },
        { partition: 1, nextOffset: null },
      ],
    })
    expect(rig.poll('b')).toMatchObject({
      positions: [
        { partition: 2, nextOffset: 5 },
        { partition: 3, nextOffset: 7 },
      ],
    })
    expect(rig.commit('a', [at(3, 8)])).toMatchObject({ kind: 'not-held', partition: 3 })
  })

  test('the repeat of a poll whose answer was lost is no fault, and takes nothing back', () => {
    const rig = revoking()
    rig.poll('a', [at(0, 4), at(2, 5)], 1)
    rig.poll('b', [at(2, 9)])
    expect(rig.poll('a', [at(0, 4), at(2, 5)])).toMatchObject({ kind: 'polled', member: { assignment: list(0, 1) } })
    expect(rig.committed()).toEqual({ 0: 4, 2: 9 })
  })

  test('what comes back while it is dropped is dropped all the same, and given anew', () => {
    const rig = revoking()
    rig.leave('b')
    expect(rig.member('a')).toMatchObject({
      state: 'revoking',
      assignment: list(0, 1),
      revoke: list(2, 3),
      target: list(0, 1, 2, 3),
    })
    rig.poll('a')
    expect(rig.member('a')).toMatchObject({ state: 'stable', assignment: list(0, 1, 2, 3) })
  })
})

describe('committing', () => {
  test('by a poll only forward; by a commit back as well', () => {
    const rig = rigOf()
    rig.join('a')
    rig.commit('a', [at(0, 10)])
    const { length } = rig.log
    rig.poll('a', [at(0, 9)])
    expect(rig.log.length).toBe(length)
    rig.commit('a', [at(0, 3)])
    expect(rig.committed()).toEqual({ 0: 3 })
  })

  test('one record a partition, whose key is its place', () => {
    const rig = rigOf()
    rig.join('a')
    const { length } = rig.log
    rig.commit('a', [at(0, 10), { ...at(3, 4), leaderEpoch: 2, metadata: 'é' }])
    const stored = rig.log
      .slice(length)
      .map(({ key, value }) => [Buffer.from(key!).toString(), Buffer.from(value!).toString()])
    expect(stored).toEqual([
      [`offset/g/${ORDERS}/0`, `{"nextOffset":10,"leaderEpoch":null,"metadata":null,"committedAt":${START}}`],
      [`offset/g/${ORDERS}/3`, `{"nextOffset":4,"leaderEpoch":2,"metadata":"é","committedAt":${START}}`],
    ])
  })

  test('claims what is sent at most once: of two that read from the same place one gets it', () => {
    const rig = rigOf()
    rig.join('a', { delivery: 'at-most-once' })
    const claim = (from: number, nextOffset: number) =>
      rig.ask({
        kind: 'claim-offsets',
        group: 'g',
        member: 'a',
        generation: 1,
        claims: [{ ...at(0, nextOffset), from }],
      }).kind
    expect([claim(3, 10), claim(3, 8), claim(10, 15), claim(10, 20)]).toEqual([
      'claimed',
      'fenced',
      'claimed',
      'fenced',
    ])
    expect(claim(15, 1_001)).toBe('beyond-end')
    expect(rig.committed()).toEqual({ 0: 15 })
  })

  test('pins what was never committed, and leaves what was', () => {
    const rig = rigOf()
    rig.join('a', { from: 'latest' })
    rig.commit('a', [at(1, 5)])
    const pin = (...offsets: ReturnType<typeof at>[]) => rig.ask({ kind: 'pin-offsets', group: 'g', offsets })
    expect(pin(at(0, 700), at(1, 700))).toEqual({ kind: 'pinned', positions: [at(0, 700), at(1, 5)] })
    expect(pin(at(0, 800))).toEqual({ kind: 'pinned', positions: [at(0, 700)] })
    expect(rig.committed()).toEqual({ 0: 700, 1: 5 })
  })

  test('from outside, for a group that nobody has joined yet', () => {
    const rig = rigOf()
    expect(rig.commit(null, [at(0, 10)])).toEqual({ kind: 'committed' })
    expect(rig.group()).toMatchObject({ state: 'empty', emptySince: START })
    rig.join('a')
    expect(rig.poll('a')).toMatchObject({ positions: [{ nextOffset: 10 }, { nextOffset: null }, {}, {}] })
  })
})

describe('topics', () => {
  test('grow: the new partitions are shared, the old stay where they are', () => {
    const rig = rigOf(4)
    rig.join('a')
    rig.join('b')
    rig.poll('a')
    rig.topics.create('orders', 6)
    rig.ask({ kind: 'refresh', group: 'g' })
    expect([rig.member('a').assignment, rig.member('b').assignment]).toEqual([list(0, 1, 4), list(2, 3, 5)])
    const { length } = rig.log
    rig.ask({ kind: 'refresh', group: 'g' })
    expect(rig.log.length).toBe(length)
  })

  test('are deleted and made again: another topic, and no offset is left of the first', () => {
    const rig = rigOf(2)
    rig.join('a')
    rig.commit('a', [at(0, 10), at(1, 10)])
    rig.topics.delete('orders')
    rig.topics.create('orders', 2, topicId('n'))
    rig.ask({ kind: 'refresh', group: 'g' })
    rig.settle()
    expect(rig.committed()).toEqual({})
    expect(rig.member('a')).toMatchObject({ state: 'revoking', assignment: [] })
    rig.poll('a')
    expect(rig.member('a').assignment).toEqual([{ topicId: topicId('n'), partitions: [0, 1] }])
  })

  test('one that is only not known here loses nothing', () => {
    const rig = rigOf(2)
    rig.join('a')
    rig.commit('a', [at(0, 10)])
    rig.topics.named.clear()
    rig.ask({ kind: 'refresh', group: 'g' })
    rig.settle()
    expect(rig.committed()).toEqual({ 0: 10 })
  })
})

describe('the end', () => {
  test('of offsets: seven days after the last member, or the last commit', () => {
    const rig = rigOf()
    rig.join('a')
    rig.commit('a', [at(0, 10)])
    rig.leave('a')
    rig.pass(5 * DAY_MS)
    rig.commit(null, [at(0, 20)])
    rig.pass(3 * DAY_MS)
    rig.reload()
    rig.pass(4 * DAY_MS - 1)
    expect(rig.committed()).toEqual({ 0: 20 })
    rig.pass(1)
    expect(rig.ask({ kind: 'describe', group: 'g' }).kind).toBe('unknown-group')
    expect(rig.timers).toEqual([])
    rig.reload()
    expect(rig.machine.count).toBe(0)
  })

  test('of a group that never committed: an hour after the last member; a member that comes back keeps it', () => {
    const rig = rigOf()
    rig.join('a')
    rig.leave('a')
    rig.pass(3_599_999)
    const { generation } = rig.join('a').member
    expect(generation).toBe(2)
    rig.leave('a')
    rig.pass(3_599_999)
    expect(rig.group().state).toBe('empty')
    rig.pass(1)
    expect(rig.machine.count).toBe(0)
  })

  test('of a group by hand, with more offsets than one decision removes', () => {
    const rig = rigOf(0)
    rig.topics.named.set('orders', { id: ORDERS, partitions: Array.from({ length: 2_500 }, (_, i) => i) })
    rig.commit(
      null,
      Array.from({ length: 1_500 }, (_, i) => at(i, 1)),
    )
    rig.commit(
      null,
      Array.from({ length: 1_000 }, (_, i) => at(1_500 + i, 1)),
    )
    expect(rig.ask({ kind: 'delete-group', group: 'g' })).toEqual({ kind: 'deleting', offsetsLeft: 500 })
    expect(rig.ask({ kind: 'delete-group', group: 'g' })).toEqual({ kind: 'deleted' })
    expect(rig.machine.count).toBe(0)
    expect(rig.machine.view().groups.size).toBe(0)
    rig.compact()
    rig.reload()
    expect(rig.machine.count).toBe(0)
  })
})

describe('clocks', () => {
  test('a held-back answer counts as life; when it goes out, the session begins', () => {
    const rig = rigOf()
    rig.join('a', { sessionMs: 10_000 })
    rig.ask({ kind: 'poll', group: 'g', member: 'a', generation: null, commit: [], waitMs: 60_000 })
    rig.pass(69_999)
    expect(rig.group().members.size).toBe(1)
    rig.ask({ kind: 'touch', group: 'g', member: 'a' })
    rig.pass(9_999)
    expect(rig.group().members.size).toBe(1)
    rig.pass(1)
    expect(rig.group().members.size).toBe(0)
  })

  test('a member that has committed all there is gets on by being there', () => {
    const rig = rigOf(1)
    rig.join('a', { pollMs: 30_000 })
    rig.commit('a', [at(0, 1_000)])
    const beat = (seconds: number): void => {
      for (let i = 0; i < seconds; i += 5) {
        rig.pass(5_000)
        rig.heartbeat('a')
      }
    }
    beat(120)
    expect(rig.group().members.size).toBe(1)
    rig.topics.end = 1_001
    beat(25)
    expect(rig.group().members.size).toBe(1)
    beat(5)
    expect(rig.group().members.size).toBe(0)
  })

  test('what others do does not prolong a session', () => {
    const rig = rigOf()
    rig.join('a', { sessionMs: 30_000 })
    rig.pass(20_000)
    rig.join('b')
    rig.pass(9_999)
    expect(rig.group().members.size).toBe(2)
    rig.pass(1)
    expect([...rig.group().members.keys()]).toEqual(['b'])
  })

  test('many that expire at once are one division', () => {
    const rig = rigOf()
    for (let i = 0; i < 100; i++) rig.join(`m${i}`, { sessionMs: 30_000 })
    rig.join('last', { sessionMs: 40_000 })
    const { epoch } = rig.group()
    const { length } = rig.log
    rig.pass(30_000)
    expect(rig.member('last').assignment).toEqual(list(0, 1, 2, 3))
    expect(rig.group().epoch).toBe(epoch + 100)
    // Two for each that went, and the division.
    expect(rig.log.length - length).toBe(202)
  })

  test('after a load every session is full', () => {
    const rig = rigOf()
    rig.join('a')
    rig.pass(40_000)
    rig.reload()
    rig.pass(44_999)
    expect(rig.group().members.size).toBe(1)
    rig.pass(1)
    expect(rig.group().members.size).toBe(0)
  })

  test('after a load, what was to be dropped has its full time', () => {
    const rig = rigOf()
    rig.join('a', { sessionMs: 200_000, rebalanceMs: 20_000 })
    rig.join('b', { sessionMs: 200_000 })
    rig.pass(15_000)
    rig.reload()
    rig.pass(19_999)
    expect(rig.group().members.size).toBe(2)
    rig.pass(1)
    expect([...rig.group().members.keys()]).toEqual(['b'])
    expect(rig.member('b').assignment).toEqual(list(0, 1, 2, 3))
  })
})

describe('a decision that is too large', () => {
  test('is cut, and goes on by itself', () => {
    const rig = new GroupRig({ planted: { draftBytesMax: 3_000 } })
    rig.topics.create('orders', 60)
    for (let i = 0; i < 20; i++) {
      rig.join(`m${i}`)
      rig.settle()
      for (let m = 0; m <= i; m++) rig.poll(`m${m}`)
      rig.settle()
    }
    expect(rig.group().state).toBe('stable')
    expect(
      new Set([...rig.group().members.values()].map(({ assignment }) => assignment[0]!.partitions.length)),
    ).toEqual(new Set([3]))
    for (let i = 1; i < 20; i++) rig.leave(`m${i}`)
    rig.settle()
    expect(rig.member('m0').assignment[0]!.partitions.length).toBe(60)
  })

  test('the largest names and numbers fit', () => {
    const rig = new GroupRig()
    const topics: string[] = []
    for (let i = 0; i < limits.GROUP_TOPICS_MAX; i++) {
      const name = `${i}`.padStart(249, 't')
      topics.push(name)
      rig.topics.create(
        name,
        limits.PARTITIONS_PER_TOPIC_MAX,
        name.replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)]!).slice(-20) as TopicId,
      )
    }
    const group = 'g'.repeat(249)
    const ask = (command: GroupCommand): GroupReply => {
      const reply = rig.ask(command)
      rig.settle()
      return reply
    }
    const member = (i: number) => `${i}`.padStart(249, 'm')
    for (let i = 0; i < 3; i++) ask({ kind: 'join', group, member: member(i), topics })
    for (let i = 0; i < 3; i++) {
      const polled = ask({ kind: 'poll', group, member: member(i), generation: null, commit: [], waitMs: 0 })
      if (polled.kind !== 'polled') throw new Error(polled.kind)
      const offsets = polled.positions
        .slice(0, 2_000)
        .map((place) => ({ ...place, nextOffset: 999, leaderEpoch: 2 ** 50 }))
      expect(ask({ kind: 'commit', group, member: member(i), generation: null, offsets }).kind).toBe('committed')
    }
    for (let i = 0; i < 3; i++) ask({ kind: 'poll', group, member: member(i), generation: null, commit: [], waitMs: 0 })
    expect(rig.group(group).state).toBe('stable')
    for (let i = 0; i < 2; i++) ask({ kind: 'leave', group, member: member(i) })
    const count = rig
      .group(group)
      .members.get(member(2))!
      .assignment.flatMap(({ partitions }) => partitions).length
    expect(count).toBe(limits.GROUP_TOPICS_MAX * limits.PARTITIONS_PER_TOPIC_MAX)
  })
})

describe('records', () => {
  test('of a newer version are refused', () => {
    const text = (key: string, value: string | null) => ({
      key: new TextEncoder().encode(key),
      value: value === null ? null : new TextEncoder().encode(value),
    })
    const good = '{"nextOffset":1,"leaderEpoch":null,"metadata":null,"committedAt":1}'
    expect(groupRecords.decode(text(`offset/g/${ORDERS}/1`, good))).toEqual({
      kind: 'offset',
      group: 'g',
      topicId: ORDERS,
      partition: 1,
      nextOffset: 1,
      leaderEpoch: null,
      metadata: null,
      committedAt: 1,
    })
    for (const [key, value] of [
      ['transaction/g/x', good],
      ['offset/g', good],
      [`offset/g/${ORDERS}/x`, null],
      [`offset/g/${ORDERS}/1`, '{"nextOffset":1}'],
      [`offset/g/${ORDERS}/1`, '{"nextOffset":-1,"leaderEpoch":null,"metadata":null,"committedAt":1}'],
      [`offset/g/${ORDERS}/1`, good.replace('}', ',"more":1}')],
      [`offset/g/${ORDERS}/1`, '{'],
      ['group/g', good],
      ['group/a b', null],
    ] as const) {
      expect(() => groupRecords.decode(text(key, value))).toThrow(UnreadableRecord)
    }
    expect(() => groupRecords.decode({ key: null, value: text('', good).value })).toThrow(UnreadableRecord)
  })
})

// --- whatever is asked -------------------------------------------------------------------------------------------------

const member = fc.constantFrom('a', 'b', 'c', 'd')
const partition = fc.integer({ min: 0, max: 5 })
type Step = (rig: GroupRig) => unknown

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ member, topics: fc.subarray(['orders', 'payments'], { minLength: 1 }), isStatic: fc.boolean() }).map(
    ({ member: name, topics, isStatic }): Step =>
      (rig) =>
        rig.ask({ kind: 'join', group: 'g', member: name, topics, ...(isStatic ? { static: `s-${name}` } : {}) }),
  ),
  fc.constantFrom('sticky' as const, 'range' as const, 'leader' as const).map((assignor): Step => (rig) => {
    rig.ask({ kind: 'join', group: 'g', member: 'a', topics: ['orders'], assignor })
  }),
  member.map(
    (name): Step =>
      (rig) =>
        rig.leave(name),
  ),
  fc.tuple(member, partition, fc.nat(1_000)).map(
    ([name, of, nextOffset]): Step =>
      (rig) =>
        rig.poll(name, [{ topicId: ORDERS, partition: of, nextOffset }]),
  ),
  member.map(
    (name): Step =>
      (rig) =>
        rig.poll(name),
  ),
  fc.tuple(member, partition, fc.nat(1_000)).map(
    ([name, of, nextOffset]): Step =>
      (rig) =>
        rig.commit(name, [{ topicId: ORDERS, partition: of, nextOffset }]),
  ),
  fc.integer({ min: 1, max: 70_000 }).map(
    (ms): Step =>
      (rig) =>
        rig.pass(ms),
  ),
  fc.integer({ min: 1, max: 6 }).map((count): Step => (rig) => {
    rig.topics.create('payments', count)
    rig.ask({ kind: 'refresh', group: 'g' })
  }),
  fc.constant<Step>((rig) => rig.reload()),
)

test('whatever is asked: one holder each, generations rise, and the compacted log makes the same groups', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60, size: 'max' }), (asked) => {
      const rig = rigOf(6)
      rig.topics.create('payments', 2)
      const generations = new Map<string, number>()
      for (const step of asked) {
        const before = rig.machine.view().groups.get('g')
        step(rig)
        const group = rig.machine.view().groups.get('g')
        const holders = new Map<string, string>()
        for (const { member: name, generation, assignment, revoke } of group?.members.values() ?? []) {
          for (const { topicId: id, partitions } of [...assignment, ...revoke]) {
            for (const each of partitions) {
              expect(holders.has(`${id}/${each}`)).toBe(false)
              holders.set(`${id}/${each}`, name)
            }
          }
          const known = before?.members.get(name)
          expect(generation).toBeGreaterThanOrEqual(generations.get(name) ?? 1)
          // The same generation is the same assignment, but for what it is asked to drop.
          if (known?.generation === generation) {
            expect(heldOf(assignment, revoke)).toEqual(heldOf(known.assignment, known.revoke))
          }
          generations.set(name, generation)
        }
      }
      rig.settle()
      const live = rig.machine.view()
      const offsets = rig.ask({ kind: 'describe', group: 'g' })
      rig.compact()
      rig.reload()
      expect(rig.machine.view()).toEqual(live)
      expect(sorted(rig.ask({ kind: 'describe', group: 'g' }))).toEqual(sorted(offsets))
      // Another machine made from a snapshot is the same too.
      const records = [...rig.machine.snapshot()].map((record) => groupRecords.encode(record))
      rig.log.splice(0, Infinity, ...records)
      rig.reload()
      expect(rig.machine.view()).toEqual(live)
      // Left alone, everybody's session ends, and then there is nothing to wait for but the end of the group.
      rig.pass(400_000)
      expect(rig.timers.filter((timer) => !timer.startsWith('offsets/'))).toEqual([])
    }),
    { numRuns: 300 },
  )
})

type Lists = readonly { readonly topicId: TopicId; readonly partitions: readonly number[] }[]

function heldOf(...lists: readonly Lists[]): string[] {
  const all = lists.flat().flatMap(({ topicId: id, partitions }) => partitions.map((each) => `${id}/${each}`))
  return all.sort()
}

function sorted(reply: GroupReply): unknown {
  if (reply.kind !== 'described') return reply
  const order = reply.offsets.map((offset) => JSON.stringify(offset)).sort()
  return { ...reply, offsets: order }
}
