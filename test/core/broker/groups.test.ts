// Consumer groups on a whole broker: joining, polling, committing, changing hands, and what becomes of them over restarts.

import { describe, expect, test } from 'bun:test'
import { type BrokerSettings, MemberPoll } from '../../../src/core/broker/index.ts'
import { allLost } from '../../sim/disk.ts'
import { GroupRig, heldIn, membershipOf, takeAll } from './group-rig.ts'

const MINUTE_MS = 60_000

/** Two records in each partition of `orders`: '0a' and '0b' in partition 0. */
function rigWith(partitions: number, settings: Partial<BrokerSettings> = {}): GroupRig {
  const rig = new GroupRig({ settings })
  rig.start().create('orders', partitions)
  for (let partition = 0; partition < partitions; partition++) {
    rig.produce('orders', [`${partition}a`, `${partition}b`], { partition })
  }
  return rig
}

describe('one member', () => {
  test('joins, reads from the earliest, and goes on behind what it committed', () => {
    const rig = rigWith(2)
    expect(heldIn(rig, rig.joined('g', 'm', ['orders']))).toBe('orders 0,1')
    const first = rig.poll('g', 'm')
    expect(first.read).toEqual({ 0: ['0a', '0b'], 1: ['1a', '1b'] })
    expect(rig.poll('g', 'm').read).toEqual(first.read)
    expect(rig.poll('g', 'm', first.behind).read).toEqual({})
    rig.produce('orders', ['0c'], { partition: 0 })
    expect(rig.poll('g', 'm').read).toEqual({ 0: ['0c'] })
  })

  test('from latest: what came before it is not read, also when it polls late or the broker restarted', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'], { from: 'latest' })
    expect(rig.poll('g', 'm').read).toEqual({})
    rig.produce('orders', ['c'])
    expect(rig.poll('g', 'm').read).toEqual({ 0: ['c'] })
    rig.restart()
    expect(rig.poll('g', 'm').read).toEqual({ 0: ['c'] })
  })

  test('from none: what nobody said where to begin is named', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'], { from: 'none' })
    const topicId = rig.topicId('orders')
    expect(rig.refusedPoll('g', 'm')).toEqual({ kind: 'no-position', group: 'g', topicId, partition: 0 })
    expect(rig.commit('g', 'm', [rig.at('orders', 0, 1)])).toBe('committed')
    expect(rig.poll('g', 'm').read).toEqual({ 0: ['0b'] })
  })

  test('a wall clock that jumps a day, either way, removes nobody and puts nothing out of order', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'])
    const told: number[] = []
    for (const jumpMs of [1_440 * MINUTE_MS, -2_880 * MINUTE_MS, 1_440 * MINUTE_MS]) {
      rig.clock.wallOffsetMs += jumpMs
      const { partitions } = rig.produce('orders', [`${jumpMs}`])
      told.push(partitions[0]!.appendedAt)
      rig.pass(1_000)
      expect(Object.values(rig.poll('g', 'm').read)[0]).toContain(`${jumpMs}`)
    }
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    rig.restart()
    expect(rig.poll('g', 'm').read[0]).toHaveLength(5)
    expect(rig.broker.status.phase).toBe('ready')
  })

  test('records that went before they were read are stepped over; from none is told', () => {
    const rig = rigWith(1)
    for (const from of ['earliest', 'none'] as const) {
      rig.joined(from, 'm', ['orders'], { from })
      rig.commit(from, 'm', [rig.at('orders', 0, 0)])
    }
    rig.run(rig.broker.trim('orders', 0, 1))
    expect(rig.poll('earliest', 'm').read).toEqual({ 0: ['0b'] })
    expect(() => rig.poll('none', 'm')).toThrow('below-start')
  })

  test('at most once: what is to be sent is committed before, and not read again by whoever comes next', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'], { delivery: 'at-most-once' })
    expect(rig.poll('g', 'm').read).toEqual({ 0: ['0a', '0b'] })
    rig.crash(allLost)
    expect(rig.poll('g', 'm').read).toEqual({})
  })

  test('at most once: of two polls that read the same records one may send them', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'], { delivery: 'at-most-once' })
    const [first, repeat] = [1, 2].map(() => {
      const poll = rig.run(rig.broker.groups.poll({ group: 'g', member: 'm', generation: null, commit: [], waitMs: 0 }))
      if (!(poll instanceof MemberPoll)) throw new Error(poll.kind)
      return poll
    })
    expect(rig.run(takeAll(repeat!)).read).toEqual({ 0: ['0a', '0b'] })
    expect(rig.run(takeAll(first!)).standing).toMatchObject({ kind: 'fenced' })
    expect(rig.poll('g', 'm').read).toEqual({})
  })

  test('at most once: a member that was removed meanwhile may send nothing', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'], { delivery: 'at-most-once' })
    const poll = rig.run(rig.broker.groups.poll({ group: 'g', member: 'm', generation: null, commit: [], waitMs: 0 }))
    if (!(poll instanceof MemberPoll)) throw new Error(poll.kind)
    rig.run(rig.broker.groups.leave('g', 'm'))
    rig.joined('g', 'other', ['orders'])
    expect(rig.run(takeAll(poll)).standing).toMatchObject({ kind: 'unknown-member' })
    expect(rig.poll('g', 'other').read).toEqual({ 0: ['0a', '0b'] })
  })

  test('places beyond the end, of other topics and of partitions there are not are refused, and nothing is committed', () => {
    const rig = rigWith(2)
    rig.create('other')
    rig.joined('g', 'm', ['orders'])
    const good = rig.at('orders', 0, 1)
    for (const [bad, kind] of [
      [rig.at('orders', 1, 3), 'beyond-end'],
      [rig.at('other', 0, 0), 'foreign-topic'],
    ] as const) {
      expect(rig.refusedPoll('g', 'm', [good, bad]).kind).toBe(kind)
      expect(rig.commit('g', 'm', [good, bad])).toBe(kind)
    }
    expect(rig.places('g')).toEqual(['orders/0 - lag - of m', 'orders/1 - lag - of m'])
  })
})

describe('several members', () => {
  test('a parked poll returns at once when partitions are to change hands, and the newcomer gets its share', () => {
    const rig = rigWith(4)
    rig.joined('g', 'a', ['orders'])
    const { behind } = rig.poll('g', 'a')
    rig.poll('g', 'a', behind)
    const parked = rig.run(
      rig.broker.groups.poll({ group: 'g', member: 'a', generation: null, commit: [], waitMs: 30_000 }),
    )
    if (!(parked instanceof MemberPoll)) throw new Error(parked.kind)
    parked.session.availableBytes()
    const woken = parked.session.wait(rig.broker.monotonicMs() + 30_000)
    expect(heldIn(rig, rig.joined('g', 'b', ['orders']))).toBe('')
    expect(rig.run(woken)).toBe('advanced')
    expect(parked.isChanged).toBe(true)
    expect(membershipOf(rig.run(parked.end())).member.state).toBe('revoking')
    rig.poll('g', 'a')
    expect(heldIn(rig, rig.standing('g', 'a'))).toBe('orders 0,1')
    expect(heldIn(rig, rig.standing('g', 'b'))).toBe('orders 2,3')
    expect(rig.poll('g', 'b').read).toEqual({})
  })

  test('a parked heartbeat returns when the standing changes, else at its deadline', () => {
    const rig = rigWith(2)
    const { groups } = rig.broker
    const ask = { group: 'g', member: 'a', generation: null, owned: null }
    const alone = rig.joined('g', 'a', ['orders'])
    const deadlineMs = rig.broker.monotonicMs() + 10_000
    const unchanged = rig.run(groups.heartbeat(ask, { deadlineMs, onPark: () => {} }))
    expect(rig.broker.monotonicMs()).toBeGreaterThanOrEqual(deadlineMs)
    expect(membershipOf(unchanged).member).toEqual(alone.member)
    const parking = { deadlineMs: rig.broker.monotonicMs() + 10_000, onPark: () => {} }
    const changing = groups.heartbeat(ask, parking)
    rig.pass(1_000)
    rig.joined('g', 'b', ['orders'])
    expect(membershipOf(rig.run(changing)).member.state).toBe('revoking')
    expect(rig.broker.monotonicMs()).toBeLessThan(parking.deadlineMs)
  })

  test('who waits in a poll is alive all the while; who falls silent is not', () => {
    const rig = rigWith(2)
    rig.joined('g', 'a', ['orders'], { sessionMs: 6_000 })
    rig.joined('g', 'b', ['orders'], { sessionMs: 6_000 })
    rig.poll('g', 'a')
    const parked = rig.run(
      rig.broker.groups.poll({ group: 'g', member: 'a', generation: null, commit: [], waitMs: 30_000 }),
    )
    rig.pass(7_000)
    expect(rig.membersOf('g')).toEqual(['a'])
    rig.pass(20_000)
    expect(rig.membersOf('g')).toEqual(['a'])
    if (!(parked instanceof MemberPoll)) throw new Error(parked.kind)
    rig.run(parked.end())
    rig.pass(7_000)
    expect(rig.membersOf('g')).toEqual([])
    expect(rig.refusedPoll('g', 'a').kind).toBe('unknown-member')
  })

  test('topics that are made, grow, retire a partition or go: the groups follow by themselves', () => {
    const rig = rigWith(1)
    rig.joined('g', 'a', ['orders', 'returns'])
    rig.create('returns', 2)
    rig.pass(10)
    expect(heldIn(rig, rig.standing('g', 'a'))).toBe('orders 0 · returns 0,1')
    rig.submit({ kind: 'add-partitions', name: 'orders', count: 2 })
    rig.pass(10)
    expect(heldIn(rig, rig.standing('g', 'a'))).toBe('orders 0,1 · returns 0,1')
    rig.submit({ kind: 'retire-partition', name: 'orders', partition: 0, afterMs: 1_000 })
    rig.pass(10)
    expect(rig.poll('g', 'a').read).toEqual({ 0: ['0a', '0b'] })
    rig.pass(2_000)
    rig.poll('g', 'a')
    expect(heldIn(rig, rig.standing('g', 'a'))).toBe('orders 1 · returns 0,1')
    rig.commit('g', 'a', [rig.at('returns', 0, 0)])
    rig.submit({ kind: 'delete-topic', name: 'returns' })
    rig.pass(10)
    rig.poll('g', 'a')
    expect(heldIn(rig, rig.standing('g', 'a'))).toBe('orders 1')
    expect(rig.places('g')).toEqual(['orders/1 - lag - of a'])
  })
})

describe('operators', () => {
  test('see every group, its members, and how far each partition is behind', () => {
    const rig = rigWith(2)
    rig.joined('b', 'm', ['orders'])
    rig.joined('a', 'm', ['orders'])
    rig.commit('a', 'm', [{ ...rig.at('orders', 1, 1), metadata: 'half way' }])
    expect(rig.run(rig.broker.groups.list())).toEqual([
      { group: 'a', state: 'stable', members: 1 },
      { group: 'b', state: 'stable', members: 1 },
    ])
    expect(rig.places('a')).toEqual(['orders/0 - lag - of m', 'orders/1 1 lag 1 of m'])
    expect(rig.described('a').places[1]).toMatchObject({ metadata: 'half way', highWatermark: 2, logStartOffset: 0 })
    rig.produce('orders', ['1c'], { partition: 1 })
    expect(rig.places('a')[1]).toBe('orders/1 1 lag 2 of m')
  })

  test('set and reset places while there are no members', () => {
    const rig = rigWith(2)
    const to = { kind: 'earliest' } as const
    const { groups } = rig.broker
    expect(rig.commit('g', null, [rig.at('orders', 0, 2), rig.at('orders', 1, 1)])).toBe('committed')
    expect(rig.run(groups.reset({ group: 'g', to, only: null, dryRun: true }))).toMatchObject({
      places: [
        { topic: 'orders', partition: 0, before: 2, nextOffset: 0 },
        { topic: 'orders', partition: 1, before: 1, nextOffset: 0 },
      ],
    })
    expect(rig.places('g')).toEqual(['orders/0 2 lag 0', 'orders/1 1 lag 1'])
    const only = [{ topicId: rig.topicId('orders'), partitions: [1] }]
    rig.run(groups.reset({ group: 'g', to, only, dryRun: false }))
    expect(rig.places('g')).toEqual(['orders/0 2 lag 0', 'orders/1 0 lag 2'])
    rig.run(groups.reset({ group: 'g', to: { kind: 'latest' }, only: null, dryRun: false }))
    expect(rig.restart().places('g')).toEqual(['orders/0 2 lag 0', 'orders/1 2 lag 0'])
    rig.joined('g', 'm', ['orders'])
    const reset = { group: 'g', to, only: null, dryRun: true }
    expect(rig.run(rig.broker.groups.reset(reset))).toEqual({ kind: 'group-not-empty', group: 'g', members: 1 })
    expect(rig.commit('g', null, [rig.at('orders', 0, 0)])).toBe('group-not-empty')
  })

  test('delete a group without members; its places go some time after the last, by themselves', () => {
    const rig = rigWith(1, { offsetsRetentionMs: 10 * MINUTE_MS })
    for (const group of ['a', 'b']) {
      rig.joined(group, 'm', ['orders'])
      rig.commit(group, 'm', [rig.at('orders', 0, 1)])
    }
    expect(rig.run(rig.broker.groups.delete('a')).kind).toBe('group-not-empty')
    for (const group of ['a', 'b']) rig.run(rig.broker.groups.leave(group, 'm'))
    expect(rig.run(rig.broker.groups.delete('a')).kind).toBe('deleted')
    expect(rig.groupNames()).toEqual(['b'])
    expect(rig.restart().groupNames()).toEqual(['b'])
    rig.pass(9 * MINUTE_MS)
    expect(rig.groupNames()).toEqual(['b'])
    rig.pass(2 * MINUTE_MS)
    expect(rig.groupNames()).toEqual([])
  })

  test('asking makes nothing: no topic is there until somebody joins', () => {
    const rig = rigWith(1)
    expect(rig.groupNames()).toEqual([])
    expect(rig.refusedPoll('g', 'm')).toEqual({ kind: 'unknown-group', group: 'g' })
    expect(rig.run(rig.broker.groups.describe('g'))).toMatchObject({ kind: 'unknown-group' })
    expect(rig.broker.image.internalNames).toEqual([])
    rig.joined('g', 'm', ['orders'])
    expect(rig.broker.image.internalNames).toEqual(['__groups'])
    expect(rig.broker.status).toMatchObject({ topics: 1, partitions: 17 })
  })

  test('read what the broker keeps, and write none of it', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'])
    rig.commit('g', 'm', [rig.at('orders', 0, 1)])
    rig.run(rig.broker.groups.leave('g', 'm'))
    const records = rig.records('__groups').flat()
    const kept = records.find(({ key }) => key?.startsWith('offset/g/'))
    expect(JSON.parse(kept!.value)).toMatchObject({ nextOffset: 1 })
    expect(rig.tryOpen('__groups')).toEqual({ kind: 'internal-topic', topic: '__groups' })
    expect(rig.submit({ kind: 'delete-topic', name: '__groups' })).toBe('internal-name')
  })
})

describe('over a restart', () => {
  test.each([
    ['orderly', (rig: GroupRig) => rig.restart()],
    ['killed', (rig: GroupRig) => rig.crash()],
    ['without power', (rig: GroupRig) => rig.crash(allLost)],
  ])('%s: members, what they hold and where they stand are as they were', (_, end) => {
    const rig = rigWith(4)
    rig.joined('g', 'a', ['orders'])
    rig.joined('g', 'b', ['orders'])
    rig.poll('g', 'a')
    rig.poll('g', 'a', [rig.at('orders', 0, 1)])
    const before = [rig.standing('g', 'a').member, rig.standing('g', 'b').member]
    end(rig)
    expect([rig.standing('g', 'a').member, rig.standing('g', 'b').member]).toEqual(before)
    expect(rig.poll('g', 'a').read).toEqual({ 0: ['0b'], 1: ['1a', '1b'] })
  })

  test('sessions begin anew: who does not come back is removed in time', () => {
    const rig = rigWith(1)
    rig.joined('g', 'a', ['orders'], { sessionMs: 10_000 })
    rig.pass(9_000)
    rig.restart()
    rig.pass(9_000)
    expect(rig.membersOf('g')).toEqual(['a'])
    rig.pass(2_000)
    expect(rig.membersOf('g')).toEqual([])
  })

  test('who waits is answered when the broker closes', () => {
    const rig = rigWith(1)
    rig.joined('g', 'a', ['orders'])
    const deadlineMs = rig.broker.monotonicMs() + MINUTE_MS
    const ask = { group: 'g', member: 'a', generation: null, owned: null }
    const waiting = rig.broker.groups.heartbeat(ask, { deadlineMs, onPark: () => {} })
    rig.pass(1)
    rig.run(rig.stopping())
    expect(membershipOf(rig.run(waiting)).member.member).toBe('a')
    expect(rig.run(rig.broker.groups.join({ group: 'g', member: 'b', topics: ['orders'] }))).toEqual({
      kind: 'closing',
    })
  })
})

test('whoever comes while the topic is being made waits for that', () => {
  const rig = rigWith(1)
  const joining = (group: string) => rig.broker.groups.join({ group, member: 'm', topics: ['orders'] })
  const first = joining('a')
  for (let step = 0; rig.broker.image.internalNames.length === 0; step++) {
    expect(step).toBeLessThan(1_000)
    rig.pass(0.05)
  }
  expect(rig.broker.routeOf('__groups')).toEqual({ kind: 'loading' })
  const second = joining('b')
  expect(heldIn(rig, membershipOf(rig.run(second)))).toBe('orders 0')
  expect(heldIn(rig, membershipOf(rig.run(first)))).toBe('orders 0')
})

test('a partition is given to nobody before it is open: who parked without it would not hear of its records', () => {
  const rig = rigWith(1)
  rig.joined('g', 'a', ['late'])
  const creating = rig.broker.submit({ kind: 'create-topic', name: 'late', partitions: 1 })
  for (let step = 0; rig.broker.image.topicNamed('late') === null; step++) {
    expect(step).toBeLessThan(1_000)
    rig.pass(0.05)
  }
  expect(rig.broker.routeOf('late')).toEqual({ kind: 'loading' })
  expect(heldIn(rig, rig.joined('h', 'b', ['late']))).toBe('')
  rig.run(creating)
  rig.pass(10)
  expect(['a', 'b'].map((member, i) => heldIn(rig, rig.standing('gh'[i]!, member)))).toEqual(['late 0', 'late 0'])
})

test('a coordinator whose log is damaged says so and takes nothing; the others go on', () => {
  const rig = rigWith(1)
  for (const group of ['a', 'b']) {
    rig.joined(group, 'm', ['orders'])
    rig.commit(group, 'm', [rig.at('orders', 0, 1)])
  }
  const groupsId = rig.topicId('__groups')
  const partition = rig.records('__groups').findIndex((records) => records.some(({ key }) => key === 'group/a'))
  rig.run(rig.stopping())
  rig.disk = rig.disk.kill()
  rig.disk.flip(`topics/${groupsId}/${partition}/${'0'.repeat(20)}.log`, 200, 0)
  rig.start()
  expect(rig.commit('a', 'm', [rig.at('orders', 0, 2)])).toBe('coordinator-loading')
  expect(rig.run(rig.broker.groups.list())).toEqual({ kind: 'coordinator-loading' })
  expect(rig.complaints).toContain('groups-unreadable')
  expect(rig.commit('b', 'm', [rig.at('orders', 0, 2)])).toBe('committed')
  expect(rig.halts).toEqual([])
})

describe('on a full disk', () => {
  test('a commit is refused or kept, never lost; reading goes on, and so does all when there is room', () => {
    const rig = rigWith(1)
    rig.joined('g', 'm', ['orders'])
    rig.commit('g', 'm', [rig.at('orders', 0, 1)])
    rig.fill()
    let acknowledged = 1
    for (let i = 0; i < 40; i++) {
      if (rig.commit('g', 'm', [rig.at('orders', 0, i % 3)]) === 'committed') acknowledged = i % 3
      rig.pass(5)
    }
    expect(rig.commit('g', 'm', [rig.at('orders', 0, 2)])).toBe('no-space')
    expect(rig.places('g')).toEqual([`orders/0 ${acknowledged} lag ${2 - acknowledged} of m`])
    rig.makeRoom()
    expect(rig.commit('g', 'm', [rig.at('orders', 0, 2)])).toBe('committed')
    expect(rig.restart().places('g')).toEqual(['orders/0 2 lag 0 of m'])
  })

  test('the first group is refused, with nothing made', () => {
    const rig = rigWith(1)
    rig.fill()
    rig.pass(1_500)
    expect(rig.join('g', 'm', ['orders'])).toEqual({ kind: 'no-space' })
    rig.makeRoom()
    expect(heldIn(rig, rig.joined('g', 'm', ['orders']))).toBe('orders 0')
  })
})
