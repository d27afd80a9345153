import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits, type TopicId } from '../../../src/core/base/index.ts'
import { type GroupCommand, groupRecords, type GroupReply } from '../../../src/core/group/index.ts'
import { UnreadableRecord } from '../../../src/core/machine/index.ts'
import { GroupRig, topicId } from './group-rig.ts'

const ORDERS = topicId('o')

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

  test('goes on after a load where it was cut', () => {
    const rig = new GroupRig({ planted: { draftBytesMax: 3_000 } })
    rig.topics.create('orders', 60)
    for (let i = 0; i < 20; i++) {
      rig.join(`m${i}`)
      rig.settle()
    }
    rig.poll('m0')
    expect(rig.group().state).toBe('reconciling')
    rig.reload()
    rig.settle()
    expect(rig.group().state).toBe('stable')
    expect(rig.timers.some((timer) => timer.startsWith('refresh/'))).toBe(false)
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
  test('are kept as they always were', () => {
    const rig = new GroupRig()
    rig.topics.create('orders', 4)
    rig.join('a', { static: 'first', tags: ['x'] })
    rig.join('b', { sessionMs: 10_000 })
    const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes))
    const stored = rig.log.slice(2).map(({ key, value }) => [text(key), text(value)])
    rig.leave('b')
    expect(stored).toEqual([
      [
        'member/g/b',
        '{"topics":["orders"],"static":null,"sessionMs":10000,"pollMs":300000,"rebalanceMs":60000,' +
          '"joinedAt":1790000000000,"joinedGeneration":2,"generation":2,"isAway":false,"holding":[],"revoking":[],' +
          '"target":[{"topicId":"oooooooooooooooooooo","partitions":[2,3]}],"targetEpoch":2}',
      ],
      [
        'member/g/a',
        '{"topics":["orders"],"static":"first","sessionMs":45000,"pollMs":300000,"rebalanceMs":60000,' +
          '"joinedAt":1790000000000,"joinedGeneration":1,"generation":1,"isAway":false,' +
          '"holding":[{"topicId":"oooooooooooooooooooo","since":1,"partitions":[0,1]}],' +
          '"revoking":[{"topicId":"oooooooooooooooooooo","since":1,"partitions":[2,3]}],' +
          '"target":[{"topicId":"oooooooooooooooooooo","partitions":[0,1]}],"targetEpoch":2}',
      ],
      [
        'group/g',
        '{"epoch":2,"plannedEpoch":2,"isCut":false,"lastGeneration":2,' +
          '"settings":{"from":"earliest","delivery":"at-least-once","tags":["x"],"assignor":"sticky"},' +
          '"leader":"a","planMs":60000,"emptySince":null}',
      ],
    ])
    expect(rig.log.slice(5).map(({ key, value }) => [text(key), value])).toContainEqual(['member/g/b', null])
  })

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
      const rig = new GroupRig()
      rig.topics.create('orders', 6)
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
