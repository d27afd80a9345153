// Subscribing over a socket: what comes, in which order, and where it goes on.

import { expect, test } from 'bun:test'
import { PushRig } from './push-rig.ts'

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

test('what is stored comes first, then what is produced, without a gap', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.produce('t', [0, 1, 2])
  const socket = rig.connect()
  expect(socket.messages).toEqual([{ op: 'welcome', broker: 7, frameBytesMax: 2 << 20, heartbeatMs: 15_000 }])
  const [subscribed, records] = socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(subscribed).toMatchObject({ op: 'subscribed', id: 's' })
  expect(records).toMatchObject({ op: 'records', sub: 's', topic: 't', caughtUp: true })
  rig.produce('t', [3])
  rig.produce('t', [4, 5])
  expect(socket.values('s')).toEqual(numbers(0, 6))
  expect(socket.records('s').map(({ offset }) => offset)).toEqual(numbers(0, 6))
})

test('each cursor that was given resumes behind the records it came with', () => {
  const rig = new PushRig()
  rig.createTopic('t', 3)
  for (let i = 0; i < 9; i++) rig.produce('t', [i], i % 3)
  const first = rig.connect()
  const cursors = [first.ask({ op: 'subscribe', id: 's', topics: ['t'] })[0]!['cursor'] as string]
  for (let i = 9; i < 18; i++) rig.produce('t', [i], i % 3)
  const frames = first.of('records')
  for (const frame of frames) cursors.push(frame['cursor'] as string)
  expect(frames.length).toBeGreaterThan(3)
  for (const [at, cursor] of cursors.entries()) {
    const socket = rig.connect()
    socket.ask({ op: 'subscribe', id: 's', topics: ['t'], cursor })
    const before = frames.slice(0, at).flatMap((frame) => frame['records'] as { value: number }[])
    const all = [...before.map(({ value }) => value), ...(socket.values('s') as number[])]
    expect(all.toSorted((a, b) => a - b)).toEqual(numbers(0, 18))
  }
})

test('one partition may be read from an offset on', () => {
  const rig = new PushRig()
  rig.createTopic('t', 3)
  for (let i = 0; i < 9; i++) rig.produce('t', [i], i % 3)
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'], partition: 1, from: '1' })
  expect(socket.values('s')).toEqual([4, 7])
  rig.produce('t', [10], 1)
  rig.produce('t', [11], 2)
  expect(socket.values('s')).toEqual([4, 7, 10])
})

test('latest pins the end, and a few of the last can be asked for', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.produce('t', [0, 1, 2, 3])
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 'end', topics: ['t'], from: 'latest' })
  socket.ask({ op: 'subscribe', id: 'two', topics: ['t'], from: '-2' })
  rig.produce('t', [4])
  expect(socket.values('end')).toEqual([4])
  expect(socket.values('two')).toEqual([2, 3, 4])
})

test('a thousand at the same place cost one read, one text and a send each', () => {
  const rig = new PushRig(1, 2_000)
  rig.createTopic('t')
  const sockets = Array.from({ length: 1_000 }, () => rig.connect())
  for (const socket of sockets) socket.say({ op: 'subscribe', id: 's', topics: ['t'], from: 'latest' })
  rig.settle()
  for (const socket of sockets) socket.sends = 0
  const reads = rig.readsDuring(() => rig.produce('t', ['a', 'b']))
  expect(reads).toBe(1)
  expect(new Set(sockets.map((socket) => socket.texts.at(-1))).size).toBe(1)
  for (const socket of sockets) expect([socket.sends, socket.values('s')]).toEqual([1, ['a', 'b']])
})

test('who comes back to the same place shares what is read there, and is told whether that is the end', () => {
  const rig = new PushRig()
  rig.createTopic('t', 2)
  for (let i = 0; i < 10; i++) rig.produce('t', [i], i % 2)
  const sockets = Array.from({ length: 50 }, () => rig.connect())
  sockets[0]!.say({ op: 'subscribe', id: 'other', topics: ['t'], from: 'latest' })
  const cursor = sockets[0]!.ask({ op: 'subscribe', id: 'first', topics: ['t'] })[1]!['cursor']
  rig.produce('t', [10])
  const reads = rig.readsDuring(() => {
    for (const socket of sockets) socket.ask({ op: 'subscribe', id: 's', topics: ['t'], cursor })
  })
  expect(reads).toBeLessThan(10)
  for (const socket of sockets) {
    expect((socket.values('s') as number[]).toSorted((a, b) => a - b)).toEqual(numbers(0, 11))
    const frames = socket.of('records').filter(({ sub }) => sub === 's')
    // the last frame, and only that, is at the end, in however many they come
    expect(frames.map((frame) => frame['caughtUp'])).toEqual(frames.map((_, i) => i === frames.length - 1))
  }
  rig.clock.run(rig.broker.trim('t', 0, 5))
  const late = rig.connect()
  late.ask({ op: 'subscribe', id: 's', topics: ['t'], cursor })
  expect((late.values('s') as number[]).toSorted((a, b) => a - b)).toEqual([1, 3, 5, 7, 9, 10])
})

test('what goes to one socket in one step shares a system call, in order', () => {
  const rig = new PushRig()
  const socket = rig.connect()
  socket.sends = 0
  for (const id of ['1', '2', '3']) socket.say({ op: 'ping', id })
  rig.settle()
  expect(socket.sends).toBe(1)
  expect(socket.of('pong').map(({ id }) => id)).toEqual(['1', '2', '3'])
})

test('several topics come in one subscription, under one cursor', () => {
  const rig = new PushRig()
  rig.createTopic('a', 2)
  rig.createTopic('b')
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['a', 'b'] })
  rig.produce('a', ['a1'], 0)
  rig.produce('b', ['b1'])
  rig.produce('a', ['a2'], 1)
  expect(socket.of('records').map((frame) => frame['topic'])).toEqual(['a', 'b', 'a'])
  const cursor = socket.of('records')[1]!['cursor']
  const again = rig.connect()
  again.ask({ op: 'subscribe', id: 's', topics: ['a', 'b'], cursor })
  expect(again.values('s')).toEqual(['a2'])
})

test('many small batches of many partitions share a frame', () => {
  const rig = new PushRig()
  rig.createTopic('t', 8)
  const producer = rig.connect()
  for (let i = 0; i < 80; i++) {
    producer.say({ op: 'produce', id: 'p', topic: 't', partition: i % 8, records: [{ value: i }] })
  }
  rig.settle()
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(socket.of('records').length).toBe(1)
  expect(socket.records('s').length).toBe(80)
})

test('a long log comes in frames of a size, none larger than a frame may be', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  for (let i = 0; i < 40; i++)
    rig.produce(
      't',
      numbers(0, 50).map((n) => `${i} ${n} ${'x'.repeat(1_000)}`),
    )
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  rig.pass(100)
  expect(socket.records('s').map(({ offset }) => offset)).toEqual(numbers(0, 2_000))
  const sizes = socket.texts.map((text) => text.length)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2 << 20)
  expect(socket.of('records').length).toBeLessThan(15)
  expect(socket.of('records').map((frame) => frame['caughtUp'])).toEqual([
    ...Array.from({ length: socket.of('records').length - 1 }, () => false),
    true,
  ])
})

test('a batch whose JSON fits no frame comes in several, once', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  // Control characters take six bytes each in JSON.
  const producer = rig.connect()
  const records = numbers(0, 100).map(() => ({ valueBase64: Buffer.alloc(8_000, 1).toString('base64') }))
  producer.ask({ op: 'produce', id: 'p', topic: 't', records })
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(socket.of('records').length).toBe(3)
  expect(socket.records('s').map(({ offset }) => offset)).toEqual(numbers(0, 100))
  for (const text of socket.texts) expect(text.length).toBeLessThanOrEqual(2 << 20)
})

test('only records with a wanted tag come; the place moves over the others', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const producer = rig.connect()
  const socket = rig.connect()
  const [subscribed] = socket.ask({ op: 'subscribe', id: 's', topics: ['t'], tags: ['vip', 'new'] })
  producer.ask({ op: 'produce', id: 'p', topic: 't', records: [{ value: 1 }, { value: 2, tags: ['vip', 'old'] }] })
  producer.ask({ op: 'produce', id: 'p', topic: 't', records: [{ value: 3, tags: ['old'] }] })
  expect(socket.values('s')).toEqual([2])
  rig.pass(15_000)
  const position = socket.last('position')!
  expect(position['cursor']).not.toBe(subscribed!['cursor'])
  const again = rig.connect()
  again.ask({ op: 'subscribe', id: 's', topics: ['t'], cursor: position['cursor'] })
  producer.ask({ op: 'produce', id: 'p', topic: 't', records: [{ value: 4 }] })
  expect(again.values('s')).toEqual([4])
})

test('every subscription says where it stands at each heartbeat', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  for (const id of ['a', 'b', 'c']) socket.ask({ op: 'subscribe', id, topics: ['t'] })
  for (let beat = 1; beat <= 3; beat++) {
    rig.pass(15_000)
    for (const sub of ['a', 'b', 'c']) {
      expect(socket.of('position').filter((message) => message['sub'] === sub).length).toBe(beat)
    }
  }
  rig.produce('t', [1])
  rig.pass(15_000)
  expect(socket.last('position')!['cursor']).toBe(socket.last('records')!['cursor'])
})

test('partitions that are added are read from their first record', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.produce('t', ['old'])
  const early = rig.connect()
  early.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  const stalled = rig.connect()
  stalled.ask({ op: 'subscribe', id: 's', topics: ['t'], credit: { records: 1, bytes: 1_000 } })
  const reply = rig.clock.run(rig.broker.submit({ kind: 'add-partitions', name: 't', count: 3 }))
  expect(reply.kind).toBe('grown')
  rig.produce('t', ['new'], 2)
  const late = rig.connect()
  late.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  rig.produce('t', ['newer'], 1)
  stalled.ask({ op: 'credit', sub: 's', records: 10, bytes: 10_000 })
  expect(early.values('s')).toEqual(['old', 'new', 'newer'])
  expect((late.values('s') as string[]).toSorted()).toEqual(['new', 'newer', 'old'])
  expect((stalled.values('s') as string[]).toSorted()).toEqual(['new', 'newer', 'old'])
})

test('a place that is gone is told, and the subscription goes on from the nearest', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.createTopic('other')
  rig.produce('t', numbers(0, 10))
  rig.clock.run(rig.broker.trim('t', 0, 4))
  const socket = rig.connect()
  const id = rig.broker.image.topicNamed('t')!.id
  const gone = socket.ask({ op: 'subscribe', id: 'gone', topics: ['t'], cursor: `${id}_0.1` })
  expect(gone[1]).toMatchObject({ op: 'reset', sub: 'gone', topic: 't', partition: 0, from: 1, to: 4 })
  expect(gone[1]!['reason']).toBe('below-log-start')
  expect(socket.values('gone')).toEqual(numbers(4, 10))
  const beyond = socket.ask({ op: 'subscribe', id: 'beyond', topics: ['t'], cursor: '0.99' })
  expect(beyond[1]).toMatchObject({ op: 'reset', sub: 'beyond', from: 99, to: 10, reason: 'beyond-end' })
  const strange = rig.broker.image.topicNamed('other')!.id
  const other = socket.ask({ op: 'subscribe', id: 'other', topics: ['t'], cursor: `${strange}_0.1` })
  expect(other[1]).toMatchObject({ op: 'reset', topic: 't', partition: null, reason: 'topic-recreated' })
  expect(socket.values('other')).toEqual(numbers(4, 10))
})

test('a reader that falls behind the log start is told so in the middle', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'], credit: { records: 1, bytes: 1_000 } })
  for (let i = 0; i < 10; i++) rig.produce('t', [i])
  expect(socket.values('s')).toEqual([0])
  rig.clock.run(rig.broker.trim('t', 0, 6))
  socket.ask({ op: 'credit', sub: 's', records: 100, bytes: 100_000 })
  expect(socket.of('reset')).toMatchObject([{ sub: 's', from: 1, to: 6, reason: 'below-log-start' }])
  expect(socket.values('s')).toEqual([0, ...numbers(6, 10)])
})

test('a topic that is deleted ends its subscriptions and no other', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.createTopic('u')
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 'a', topics: ['t'] })
  socket.ask({ op: 'subscribe', id: 'b', topics: ['u'] })
  rig.clock.run(rig.broker.submit({ kind: 'delete-topic', name: 't' }))
  rig.settle()
  expect(socket.of('error')).toMatchObject([{ sub: 'a', problem: { code: 'unknown-topic' } }])
  rig.produce('u', [1])
  expect(socket.values('b')).toEqual([1])
  expect(socket.ask({ op: 'unsubscribe', id: 'x', sub: 'a' })[0]).toMatchObject({ op: 'error', id: 'x' })
})

test('after unsubscribe nothing comes, and the name is free', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(socket.ask({ op: 'unsubscribe', id: 'u', sub: 's' })).toEqual([{ op: 'ok', id: 'u' }])
  rig.produce('t', [1])
  expect(socket.values('s')).toEqual([])
  expect(rig.broker.status.waiters).toBe(0)
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(socket.values('s')).toEqual([1])
})

test('who hangs up leaves nothing behind', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const sockets = [rig.connect(), rig.connect()]
  for (const socket of sockets) socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(rig.broker.status.waiters).toBe(1)
  sockets[0]!.hangUp()
  rig.settle()
  expect(rig.broker.status.waiters).toBe(1)
  sockets[1]!.hangUp()
  rig.settle()
  expect(rig.broker.status.waiters).toBe(0)
})
