// Whatever is refused changes nothing: no record, no clock, and the group stands as it stood.

import { beforeEach, describe, expect, test } from 'bun:test'
import { limits } from '../../../src/core/base/index.ts'
import type { GroupCommand, GroupReply, Join, OffsetCommit } from '../../../src/core/group/index.ts'
import { GroupRig, topicId } from './group-rig.ts'

const ORDERS = topicId('o')
let rig: GroupRig

beforeEach(() => {
  rig = new GroupRig()
  rig.topics.create('orders', 4)
  rig.topics.create('payments', 2)
  rig.join('a')
  rig.join('b')
  rig.poll('a')
})

const at = (partition: number, nextOffset: number, more: Partial<OffsetCommit> = {}): OffsetCommit => ({
  topicId: ORDERS,
  partition,
  nextOffset,
  ...more,
})

function expectRefusal(command: GroupCommand, refusal: GroupReply): void {
  const before = { log: rig.log.length, timers: rig.timers, group: rig.group() }
  const { records, reply, timers = [] } = rig.machine.decide(command, 0)
  expect(reply).toEqual(refusal)
  expect(records).toEqual([])
  expect(timers).toEqual([])
  expect(rig.ask(command)).toEqual(refusal)
  expect({ log: rig.log.length, timers: rig.timers, group: rig.group() }).toEqual(before)
}

const commit = (member: string | null, offsets: OffsetCommit[], generation: number | null = null): GroupCommand => ({
  kind: 'commit',
  group: 'g',
  member,
  generation,
  offsets,
})
const poll = (member: string, offsets: OffsetCommit[], generation: number | null = null): GroupCommand => ({
  kind: 'poll',
  group: 'g',
  member,
  generation,
  commit: offsets,
  waitMs: 0,
})
const join = (more: Partial<Join>): Join => ({ kind: 'join', group: 'g', member: 'c', topics: ['orders'], ...more })

describe('who', () => {
  test('a group that is not', () => {
    const group = 'nobodys'
    const unknown = { kind: 'unknown-group', group } as const
    expectRefusal({ kind: 'describe', group }, unknown)
    expectRefusal({ kind: 'leave', group, member: 'a' }, unknown)
    expectRefusal({ ...poll('a', []), group }, unknown)
    expectRefusal({ ...commit('a', [at(0, 1)]), group }, unknown)
    expectRefusal({ kind: 'delete-group', group }, unknown)
  })

  test('a member that is not', () => {
    const unknown = { kind: 'unknown-member', group: 'g', member: 'x' } as const
    expectRefusal(poll('x', [at(0, 1)]), unknown)
    expectRefusal(commit('x', [at(0, 1)]), unknown)
    expectRefusal({ kind: 'touch', group: 'g', member: 'x' }, unknown)
    expectRefusal({ kind: 'leave', group: 'g', member: 'x' }, unknown)
  })

  test('a generation of another life, or of none', () => {
    rig.leave('a')
    rig.join('a')
    const { generation: currentGeneration } = rig.member('a')
    for (const generation of [0, 3, currentGeneration + 1]) {
      const fenced = { kind: 'fenced', group: 'g', member: 'a', generation, currentGeneration } as const
      expectRefusal(poll('a', [], generation), fenced)
      expectRefusal(commit('a', [], generation), fenced)
      expectRefusal({ kind: 'heartbeat', group: 'g', member: 'a', generation, owned: [], waitMs: 0 }, fenced)
    }
  })

  test('a generation before the partition was gained', () => {
    const { generation } = rig.member('b')
    rig.leave('a')
    const { generation: currentGeneration } = rig.member('b')
    expectRefusal(commit('b', [at(0, 5)], generation), {
      kind: 'fenced',
      group: 'g',
      member: 'b',
      generation,
      currentGeneration,
    })
    expect(rig.commit('b', [at(2, 5)], generation)).toEqual({ kind: 'committed' })
  })

  test('a member that works on what is not its own', () => {
    const { generation } = rig.member('a')
    const owned = [{ topicId: ORDERS, partitions: [0, 2] }]
    expectRefusal(
      { kind: 'heartbeat', group: 'g', member: 'a', generation, owned, waitMs: 0 },
      { kind: 'fenced', group: 'g', member: 'a', generation, currentGeneration: generation },
    )
  })

  test('nobody, while there are members', () => {
    expectRefusal(commit(null, [at(0, 5)]), { kind: 'group-not-empty', group: 'g', members: 2 })
    expectRefusal({ kind: 'delete-group', group: 'g' }, { kind: 'group-not-empty', group: 'g', members: 2 })
  })
})

describe('what', () => {
  test('a partition of another member, of another topic, of nothing; and then nothing of the rest', () => {
    expectRefusal(commit('a', [at(0, 5), at(2, 5)]), {
      kind: 'not-held',
      group: 'g',
      member: 'a',
      topicId: ORDERS,
      partition: 2,
    })
    const foreign = { topicId: topicId('p'), partition: 0, nextOffset: 1 }
    expectRefusal(poll('a', [at(0, 5), foreign]), { kind: 'foreign-topic', group: 'g', topicId: topicId('p') })
    rig.leave('a')
    rig.leave('b')
    expectRefusal(commit(null, [at(4, 5)]), { kind: 'unknown-partition', topicId: ORDERS, partition: 4 })
  })

  test('offsets beyond the end', () => {
    expectRefusal(commit('a', [at(0, 5), at(1, 1_001)]), {
      kind: 'beyond-end',
      topicId: ORDERS,
      partition: 1,
      nextOffset: 1_001,
      endOffset: 1_000,
    })
    expect(rig.commit('a', [at(1, 1_000)])).toEqual({ kind: 'committed' })
  })

  test('too much metadata, and too many offsets', () => {
    const bytesMax = limits.COMMIT_METADATA_BYTES_MAX
    expect(rig.commit('a', [at(0, 5, { metadata: 'é'.repeat(bytesMax / 2) })])).toEqual({ kind: 'committed' })
    expectRefusal(commit('a', [at(0, 6, { metadata: 'é'.repeat(bytesMax / 2).concat('.') })]), {
      kind: 'metadata-too-large',
      bytes: bytesMax + 1,
      bytesMax,
    })
    const many = Array.from({ length: limits.COMMIT_OFFSETS_MAX + 1 }, () => at(0, 5))
    expectRefusal(commit('a', many), {
      kind: 'too-many-offsets',
      given: limits.COMMIT_OFFSETS_MAX + 1,
      offsetsMax: limits.COMMIT_OFFSETS_MAX,
    })
  })
})

describe('joining', () => {
  test('with names and times out of bounds', () => {
    expectRefusal(join({ group: 'a/b' }), { kind: 'invalid-name', field: 'group', name: 'a/b' })
    expectRefusal({ ...commit(null, [at(0, 1)]), group: 'a/b' } as GroupCommand, {
      kind: 'invalid-name',
      field: 'group',
      name: 'a/b',
    })
    expectRefusal(join({ member: 'a/b' }), { kind: 'invalid-name', field: 'member', name: 'a/b' })
    expectRefusal(join({ topics: ['orders', ''] }), { kind: 'invalid-name', field: 'topics', name: '' })
    expectRefusal(join({ static: '..' }), { kind: 'invalid-name', field: 'static', name: '..' })
    const bounds = { kind: 'out-of-bounds', min: 6_000, max: 300_000 } as const
    expectRefusal(join({ sessionMs: 5_999 }), { ...bounds, field: 'sessionMs', given: 5_999 })
    expectRefusal(join({ sessionMs: 300_001 }), { ...bounds, field: 'sessionMs', given: 300_001 })
    expectRefusal(join({ sessionMs: 6_000.5 }), { ...bounds, field: 'sessionMs', given: 6_000.5 })
    expectRefusal(join({ topics: [] }), { kind: 'out-of-bounds', field: 'topics', given: 0, min: 1, max: 64 })
  })

  test('with other settings than the others', () => {
    expectRefusal(join({ delivery: 'at-most-once', assignor: 'sticky', tags: ['b', 'a'] }), {
      kind: 'group-differs',
      group: 'g',
      differences: [
        { field: 'delivery', given: 'at-most-once', existing: 'at-least-once' },
        { field: 'tags', given: ['a', 'b'], existing: [] },
      ],
    })
    // While nobody else is there, the settings are whose turn it is.
    rig.leave('b')
    expect(rig.join('a', { delivery: 'at-most-once' }).settings.delivery).toBe('at-most-once')
    expect(rig.join('b').settings.delivery).toBe('at-most-once')
  })

  test('a full group, and a full broker', () => {
    for (let i = 2; i < limits.GROUP_MEMBERS_MAX; i++) rig.join(`m${i}`)
    expectRefusal(join({}), { kind: 'too-many-members', group: 'g', membersMax: limits.GROUP_MEMBERS_MAX })
    expect(rig.join('a').member.member).toBe('a')
    const full = new GroupRig({ groupCount: () => limits.GROUPS_MAX })
    expect(full.ask(join({}))).toEqual({ kind: 'too-many-groups', groupsMax: limits.GROUPS_MAX })
  })
})

describe('a plan', () => {
  const put = (
    member: string,
    parts: Record<string, number[]>,
    more: { epoch?: number; topic?: string } = {},
  ): GroupCommand => ({
    kind: 'put-plan',
    group: 'g',
    member,
    epoch: more.epoch ?? rig.group().epoch,
    plan: Object.entries(parts).map(([of, partitions]) => ({
      member: of,
      partitions: [{ topic: more.topic ?? 'orders', partitions }],
    })),
  })

  beforeEach(() => {
    rig = new GroupRig()
    rig.topics.create('orders', 4)
    rig.topics.create('payments', 2)
    rig.join('a', { assignor: 'leader' })
    rig.join('b', { topics: ['orders', 'payments'] })
  })

  test('from another than the leader, or for another epoch', () => {
    const whole = { a: [0, 1], b: [2, 3] }
    expectRefusal(put('b', whole), { kind: 'not-leader-member', group: 'g', member: 'b', leader: 'a' })
    expectRefusal(put('a', whole, { epoch: 1 }), { kind: 'stale-plan', group: 'g', epoch: 1, currentEpoch: 2 })
  })

  const faults: [string, Parameters<typeof put>, object][] = [
    ['leaves one out', ['a', { a: [0, 1], b: [2, 3] }], { kind: 'missing', topic: 'payments', partition: 0 }],
    ['gives one twice', ['a', { a: [0, 1], b: [1] }], { kind: 'doubled', topic: 'orders', partition: 1 }],
    ['invents one', ['a', { a: [0, 4] }], { kind: 'unknown-partition', topic: 'orders', partition: 4 }],
    ['invents a member', ['a', { x: [0] }], { kind: 'unknown-member', member: 'x' }],
    [
      'gives what is not wanted',
      ['a', { a: [0] }, { topic: 'payments' }],
      { kind: 'not-subscribed', member: 'a', topic: 'payments' },
    ],
  ]
  for (const [what, asked, fault] of faults) {
    test(`that ${what}: refused, and sticky has divided the work`, () => {
      expect(rig.ask(put(...asked))).toEqual({ kind: 'invalid-plan', group: 'g', epoch: 2, fault } as GroupReply)
      const { members, state } = rig.group()
      expect(state).toBe('stable')
      expect([...members.values()].map(({ assignment }) => assignment)).toEqual([
        [{ topicId: ORDERS, partitions: [0, 1, 2] }],
        [
          { topicId: ORDERS, partitions: [3] },
          { topicId: topicId('p'), partitions: [0, 1] },
        ],
      ])
      expect(rig.ask(put('a', { a: [0, 1] })).kind).toBe('stale-plan')
    })
  }

  test('the leader is told what to divide, and may repeat its plan', () => {
    const told = rig.heartbeat('a')
    expect(told).toMatchObject({
      leader: 'a',
      plan: {
        epoch: 2,
        members: [
          { member: 'a', topics: ['orders'] },
          { member: 'b', topics: ['orders', 'payments'] },
        ],
        partitions: [
          { topic: 'orders', partitions: [0, 1, 2, 3] },
          { topic: 'payments', partitions: [0, 1] },
        ],
      },
    })
    expect(rig.heartbeat('b')).toMatchObject({ leader: 'a', plan: null })
    const plan: GroupCommand = {
      kind: 'put-plan',
      group: 'g',
      member: 'a',
      epoch: 2,
      plan: [
        { member: 'a', partitions: [{ topic: 'orders', partitions: [3, 2, 1, 0] }] },
        { member: 'b', partitions: [{ topic: 'payments', partitions: [0, 1] }] },
      ],
    }
    expect(rig.ask(plan)).toEqual({ kind: 'planned', epoch: 2 })
    const { length } = rig.log
    expect(rig.ask(plan)).toEqual({ kind: 'planned', epoch: 2 })
    expect(rig.log.length).toBe(length)
    expect(rig.heartbeat('a')).toMatchObject({ plan: null })
  })
})
