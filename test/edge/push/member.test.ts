// Sockets as members of groups: who gets which partitions, when others have them, and what is committed by then.

import { expect, test } from 'bun:test'
import { type FakeSocket, PushRig } from './push-rig.ts'

interface JoinOptions {
  readonly [field: string]: unknown
}

function join(rig: PushRig, member: string, options: JoinOptions = {}): FakeSocket {
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'], group: 'g', member, ...options })
  rig.settle()
  return socket
}

/** As it was told, one change after another. */
function partitions(socket: FakeSocket): number[] {
  const held = new Set<number>()
  for (const { op, partitions: changed } of socket.messages) {
    const numbers = ((changed ?? []) as { partition: number }[]).map(({ partition }) => partition)
    if (op === 'assigned') for (const partition of numbers) held.add(partition)
    if (op === 'revoked') for (const partition of numbers) held.delete(partition)
  }
  return [...held].sort((a, b) => a - b)
}

function byText(a: unknown, b: unknown): number {
  return String(a) < String(b) ? -1 : 1
}

function commitAll(rig: PushRig, socket: FakeSocket): void {
  const { cursor } = socket.last('records')!
  expect(socket.ask({ op: 'commit', id: 'c', sub: 's', cursor })).toContainEqual({ op: 'ok', id: 'c' })
  rig.settle()
}

function twoPartitions(): PushRig {
  const rig = new PushRig()
  rig.createTopic('t', 2)
  rig.produce('t', ['a', 'b'], 0)
  rig.produce('t', ['x', 'y'], 1)
  return rig
}

test('one member has all partitions, from the earliest on, and what comes', () => {
  const rig = twoPartitions()
  const socket = join(rig, 'ann')
  expect(socket.messages.map(({ op }) => op).slice(0, 3)).toEqual(['welcome', 'subscribed', 'assigned'])
  expect(socket.last('subscribed')).toEqual({ op: 'subscribed', id: 's', generation: 1 })
  expect(socket.last('assigned')).toMatchObject({
    sub: 's',
    partitions: [
      { topic: 't', partition: 0, nextOffset: 0 },
      { topic: 't', partition: 1, nextOffset: 0 },
    ],
  })
  rig.produce('t', ['c'], 0)
  expect(socket.values('s').sort(byText)).toEqual(['a', 'b', 'c', 'x', 'y'])
})

test('a partition goes to another when all that was sent of it is committed, and not before', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  const bob = join(rig, 'bob')
  expect(ann.last('revoked')).toMatchObject({ sub: 's', partitions: [{ topic: 't', partition: 1 }] })
  rig.produce('t', ['z'], 1)
  rig.pass(30_000)
  expect([partitions(bob), bob.values('s')]).toEqual([[], []])
  commitAll(rig, ann)
  expect([partitions(ann), partitions(bob)]).toEqual([[0], [1]])
  expect(bob.values('s')).toEqual(['z'])
  rig.produce('t', ['c'], 0)
  expect(ann.values('s')).toEqual(['a', 'b', 'x', 'y', 'c'])
})

test('let go without a commit, it comes again to the other', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  const bob = join(rig, 'bob')
  expect(ann.ask({ op: 'release', id: 'r', sub: 's' })).toContainEqual({ op: 'ok', id: 'r' })
  rig.settle()
  expect(bob.values('s')).toEqual(['x', 'y'])
})

test('where nothing is in hand a partition goes at once', () => {
  const rig = new PushRig()
  rig.createTopic('t', 2)
  const ann = join(rig, 'ann')
  const bob = join(rig, 'bob')
  expect([partitions(ann), partitions(bob)]).toEqual([[0], [1]])
})

test('place by place, a commit is as good as by cursor', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  const offsets = [
    { topic: 't', partition: 0, nextOffset: 1 },
    { topic: 't', partition: 1, nextOffset: 2 },
  ]
  expect(ann.ask({ op: 'commit', id: 'c', sub: 's', offsets })).toEqual([{ op: 'ok', id: 'c' }])
  ann.hangUp()
  rig.settle()
  expect(join(rig, 'bob').values('s')).toEqual(['b'])
})

test('closing leaves, and so does unsubscribing: what was not committed comes again, to whoever is there', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  ann.hangUp()
  rig.settle()
  const bob = join(rig, 'bob')
  expect(bob.values('s')).toEqual(['a', 'b', 'x', 'y'])
  expect(bob.ask({ op: 'unsubscribe', id: 'u', sub: 's' })).toEqual([{ op: 'ok', id: 'u' }])
  const eve = join(rig, 'eve')
  expect(eve.values('s')).toEqual(['a', 'b', 'x', 'y'])
  rig.produce('t', ['c'], 0)
  expect(bob.values('s').length).toBe(4)
})

test('at most once: what was sent is committed, and comes to nobody else', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann', { delivery: 'at-most-once' })
  expect(ann.values('s')).toEqual(['a', 'b', 'x', 'y'])
  ann.hangUp()
  rig.settle()
  const bob = join(rig, 'bob', { delivery: 'at-most-once' })
  rig.produce('t', ['c'], 0)
  expect(bob.values('s')).toEqual(['c'])
})

test('at most once: what is committed already, by whomever, is not sent, and it goes on behind that', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const ann = join(rig, 'ann', { delivery: 'at-most-once' })
  const id = rig.broker.image.topicNamed('t')!.id
  const before = rig.clock.run(
    rig.broker.groups.poll({ group: 'g', member: 'ann', generation: null, commit: [], waitMs: 0 }),
  )
  rig.produce('t', ['a', 'b'])
  // As the same member over HTTP would.
  if ('session' in before) for (const position of before.session.positions) position.offset = 1
  rig.pass(1_000)
  expect('session' in before && rig.clock.run(before.sending())).toMatchObject({ kind: 'fenced' })
  const offsets = [{ topicId: id, partition: 0, nextOffset: 2 }]
  expect(rig.clock.run(rig.broker.groups.commit({ group: 'g', member: 'ann', generation: null, offsets })).kind).toBe(
    'committed',
  )
  rig.produce('t', ['c'])
  rig.pass(1_000)
  expect([ann.closed, ann.values('s')]).toEqual([null, ['a', 'b', 'c']])
})

test('at most once: without credit nothing is committed, and a partition goes at once', () => {
  const rig = twoPartitions()
  const credit = { records: 1, bytes: 1 }
  const ann = join(rig, 'ann', { delivery: 'at-most-once', credit })
  const sent = ann.values('s')
  const bob = join(rig, 'bob', { delivery: 'at-most-once' })
  expect([partitions(ann), partitions(bob)]).toEqual([[0], [1]])
  ann.hangUp()
  rig.settle()
  expect([...sent, ...bob.values('s')].sort(byText)).toEqual(['a', 'b', 'x', 'y'])
})

test('another that joins by the same name takes over; the earlier is closed with 4409, and does not leave in its place', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  const again = join(rig, 'ann')
  expect(ann.last('error')).toMatchObject({ sub: 's', problem: { code: 'fenced', replaced: true } })
  expect(ann.closed).toMatchObject({ code: 4409 })
  rig.produce('t', ['c'], 0)
  expect(again.values('s').sort(byText)).toEqual(['a', 'b', 'c', 'x', 'y'])
  expect(partitions(again)).toEqual([0, 1])
})

test('with work in hand and nothing to say for it, a member is removed; with credit it has something to say', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann', { pollMs: 60_000, credit: { records: 100, bytes: 10_000 } })
  for (let i = 0; i < 20; i++) {
    rig.pass(20_000)
    expect(ann.ask({ op: 'credit', sub: 's', records: 0, bytes: 0 })).toEqual([])
  }
  expect(ann.closed).toBe(null)
  rig.pass(100_000)
  expect(ann.closed).toMatchObject({ code: 4409 })
  expect(ann.last('error')).toMatchObject({ sub: 's', problem: { code: 'fenced', group: 'g', member: 'ann' } })
})

test('without work, or waiting for some, it stays as long as its socket', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann', { pollMs: 60_000 })
  const bob = join(rig, 'bob', { pollMs: 60_000 })
  commitAll(rig, ann)
  rig.pass(1_000_000)
  expect([ann.closed, bob.closed]).toEqual([null, null])
  rig.produce('t', ['z'], 1)
  expect(bob.values('s')).toEqual(['z'])
  const position = bob.last('position')!
  expect(position['sub']).toBe('s')
})

test('what is not let go in time is taken: 4409', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann', { rebalanceMs: 10_000 })
  const bob = join(rig, 'bob', { rebalanceMs: 10_000 })
  rig.pass(9_000)
  expect([ann.closed, partitions(bob)]).toEqual([null, []])
  rig.pass(2_000)
  expect(ann.closed).toMatchObject({ code: 4409 })
  expect(bob.values('s').sort(byText)).toEqual(['a', 'b', 'x', 'y'])
})

test('what a group does not agree on is refused, and whoever is in it is not disturbed', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  const bob = join(rig, 'bob', { delivery: 'at-most-once' })
  expect(bob.last('error')).toMatchObject({ id: 's', problem: { code: 'group-differs' } })
  const other = join(rig, 'ann', { sessionMs: 5 })
  expect(other.last('error')).toMatchObject({ id: 's', problem: { code: 'invalid' } })
  rig.produce('t', ['c'], 0)
  expect([ann.closed, ann.values('s').length]).toEqual([null, 5])
})

test.each([
  ['of a partition that is not held', { offsets: [{ topic: 't', partition: 1, nextOffset: 1 }] }, 'not-held'],
  ['beyond the end', { offsets: [{ topic: 't', partition: 0, nextOffset: 3 }] }, 'beyond-end'],
  ['of another topic', { offsets: [{ topic: 'u', partition: 0, nextOffset: 1 }] }, 'foreign-topic'],
  ['of no topic', { offsets: [{ topic: 'none', partition: 0, nextOffset: 1 }] }, 'invalid'],
  ['of nonsense', { cursor: '?' }, 'malformed'],
])('a commit %s is refused, changes nothing, and the subscription goes on', (_, commit, code) => {
  const rig = twoPartitions()
  rig.createTopic('u')
  rig.produce('u', [1])
  const ann = join(rig, 'ann')
  const bob = join(rig, 'bob')
  ann.ask({ op: 'release', id: 'r', sub: 's' })
  rig.settle()
  expect(ann.ask({ op: 'commit', id: 'c', sub: 's', ...commit })).toMatchObject([{ id: 'c', problem: { code } }])
  expect([ann.closed, bob.closed]).toEqual([null, null])
  rig.produce('t', ['c'], 0)
  expect(ann.values('s').at(-1)).toBe('c')
  ann.hangUp()
  bob.hangUp()
  rig.settle()
  expect(join(rig, 'eve').values('s').sort(byText)).toEqual(['a', 'b', 'c', 'x', 'y'])
})

test('an earlier place changes nothing: answers may be overtaken', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  rig.produce('t', ['c'], 0)
  const [first, second] = ann.of('records')
  for (const { cursor } of [second!, first!]) {
    expect(ann.ask({ op: 'commit', id: 'c', sub: 's', cursor })).toEqual([{ op: 'ok', id: 'c' }])
  }
  ann.hangUp()
  rig.settle()
  rig.produce('t', ['new'], 0)
  expect(join(rig, 'bob').values('s')).toEqual(['new'])
})

test('what the group does not want is passed by, and is nobody’s work', () => {
  const rig = new PushRig()
  rig.createTopic('t', 2)
  rig.produce('t', ['untagged'], 0)
  rig.produce('t', ['untagged'], 1)
  const ann = join(rig, 'ann', { tags: ['vip'] })
  const bob = join(rig, 'bob', { tags: ['vip'] })
  expect([partitions(ann), partitions(bob)]).toEqual([[0], [1]])
  const socket = rig.connect()
  socket.ask({ op: 'produce', id: 'p', topic: 't', partition: 1, records: [{ value: 1, tags: ['vip'] }] })
  rig.settle()
  expect([ann.values('s'), bob.values('s')]).toEqual([[], [1]])
})

test('a static place waits for its return, under whatever name', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann', { static: 'left' })
  const bob = join(rig, 'bob', { static: 'right' })
  commitAll(rig, ann)
  expect([partitions(ann), partitions(bob)]).toEqual([[0], [1]])
  ann.hangUp()
  rig.pass(20_000)
  expect(partitions(bob)).toEqual([1])
  const back = join(rig, 'ann-2', { static: 'left' })
  expect([partitions(back), partitions(bob)]).toEqual([[0], [1]])
  expect(bob.of('revoked')).toEqual([])
  back.hangUp()
  rig.pass(60_000)
  expect(partitions(bob)).toEqual([0, 1])
})

test('of two topics one is deleted: the other goes on', () => {
  const rig = twoPartitions()
  rig.createTopic('u')
  rig.produce('u', ['u0'])
  const ann = join(rig, 'ann', { topics: ['t', 'u'] })
  rig.clock.run(rig.broker.submit({ kind: 'delete-topic', name: 'u' }))
  rig.pass(1_000)
  expect(ann.last('revoked')).toMatchObject({ partitions: [{ topic: 'u', partition: 0 }] })
  rig.produce('t', ['c'], 0)
  expect([ann.closed, ann.values('s').at(-1)]).toEqual([null, 'c'])
})

test('a topic grows, and one of its partitions retires: what is new is given, what is gone is taken, the rest goes on', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  rig.clock.run(rig.broker.submit({ kind: 'add-partitions', name: 't', count: 3 }))
  rig.settle()
  expect(partitions(ann)).toEqual([0, 1, 2])
  rig.clock.run(rig.broker.submit({ kind: 'retire-partition', name: 't', partition: 1, afterMs: 60_000 }))
  rig.produce('t', ['z'], 2)
  rig.pass(70_000)
  expect(partitions(ann)).toEqual([0, 2])
  rig.produce('t', ['c'], 0)
  expect([ann.closed, ann.values('s').sort(byText)]).toEqual([null, ['a', 'b', 'c', 'x', 'y', 'z']])
})

test('a topic that is made later is taken up', () => {
  const rig = new PushRig()
  const ann = join(rig, 'ann', { topics: ['t', 'later'] })
  expect(ann.messages.map(({ op }) => op)).toEqual(['welcome', 'subscribed'])
  rig.createTopic('later', 2)
  rig.settle()
  expect(partitions(ann)).toEqual([0, 1])
  rig.produce('later', ['here'], 1)
  expect(ann.values('s')).toEqual(['here'])
})

test('no more than its credit, and more with more', () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann', { credit: { records: 1, bytes: 10_000 } })
  rig.produce('t', ['c'], 0)
  rig.pass(10)
  expect(ann.values('s').sort(byText)).toEqual(['a', 'b', 'x', 'y'])
  ann.ask({ op: 'credit', sub: 's', records: 10, bytes: 10_000 })
  expect(ann.values('s').at(-1)).toBe('c')
})

test('a slow socket holds one unit; what was read for it and not sent is not lost', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const ann = join(rig, 'ann')
  ann.roomBytes = 0
  const values = Array.from({ length: 50 }, (_, n) => `${n} ${'-'.repeat(30_000)}`)
  for (const value of values) rig.produce('t', [value])
  const held = ann.values('s').length
  expect(held).toBeLessThan(10)
  ann.read(10_000_000)
  rig.settle()
  expect(ann.values('s')).toEqual(values)
})

test('a record that fits no frame is told, and a commit behind it goes on there', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.produce('t', ['before'])
  // A control character takes six bytes in JSON.
  const records = [{ valueBase64: Buffer.alloc(500_000, 1).toString('base64') }]
  rig.connect().ask({ op: 'produce', id: 'p', topic: 't', records })
  const ann = join(rig, 'ann')
  const { problem } = ann.last('error') as unknown as { problem: { code: string; nextCursor: string } }
  expect(problem).toMatchObject({ code: 'record-too-large', offset: 1 })
  rig.produce('t', ['behind'])
  expect(ann.values('s')).toEqual(['before'])
  ann.ask({ op: 'commit', id: 'c', sub: 's', cursor: problem.nextCursor })
  rig.settle()
  expect(ann.values('s')).toEqual(['before', 'behind'])
})

test('a broker that restarts keeps the place of its members', async () => {
  const rig = twoPartitions()
  const ann = join(rig, 'ann')
  const draining = rig.push.drain(1_000)
  rig.pass(2_000)
  await draining
  expect(ann.closed).toMatchObject({ code: 1012 })
  const described = rig.clock.run(rig.broker.groups.describe('g'))
  expect('group' in described && typeof described.group === 'object' && [...described.group.members.keys()]).toEqual([
    'ann',
  ])
})
