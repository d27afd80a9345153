// Who is not ready gets nothing, loses nothing, and holds up nobody.

import { expect, test } from 'bun:test'
import { type FakeSocket, PushRig, SLOW_MS } from './push-rig.ts'

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

function subscribed(rig: PushRig, more: object = {}): FakeSocket {
  const socket = rig.connect()
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'], ...more })
  return socket
}

test('credit says whether, not how much: one unit may go beyond it', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = subscribed(rig, { credit: { records: 2, bytes: 100_000 } })
  rig.produce('t', [0, 1, 2, 3, 4])
  expect(socket.values('s')).toEqual(numbers(0, 5))
  rig.produce('t', [5])
  expect(socket.values('s')).toEqual(numbers(0, 5))
  socket.ask({ op: 'credit', sub: 's', records: 3, bytes: 0 })
  expect(socket.values('s')).toEqual(numbers(0, 5))
  socket.ask({ op: 'credit', sub: 's', records: 1, bytes: 0 })
  expect(socket.values('s')).toEqual(numbers(0, 6))
})

test('bytes of credit are those of frames', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = subscribed(rig, { credit: { records: 100, bytes: 1 } })
  rig.produce('t', ['가나다'])
  const bytes = Buffer.byteLength(socket.texts.at(-1)!)
  rig.produce('t', ['라마바'])
  expect(socket.values('s')).toEqual(['가나다'])
  socket.ask({ op: 'credit', sub: 's', records: 0, bytes: bytes - 1 })
  expect(socket.values('s')).toEqual(['가나다'])
  socket.ask({ op: 'credit', sub: 's', records: 0, bytes: 1 })
  expect(socket.values('s')).toEqual(['가나다', '라마바'])
})

test('no credit to begin with: subscribed, and silent until there is some', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.produce('t', [0])
  const socket = subscribed(rig, { credit: { records: 0, bytes: 0 } })
  expect(socket.values('s')).toEqual([])
  socket.ask({ op: 'credit', sub: 's', records: 1, bytes: 1 })
  expect(socket.values('s')).toEqual([0])
})

test('too much credit is refused and changes nothing', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = subscribed(rig, { credit: { records: 1, bytes: 1_000 } })
  const [error] = socket.ask({ op: 'credit', id: 'c', sub: 's', records: 1_000_000_000, bytes: 0 })
  expect(error).toMatchObject({ op: 'error', id: 'c', sub: 's', problem: { code: 'invalid' } })
  for (const records of [-1, 1.5, 1e300]) {
    expect(socket.ask({ op: 'credit', sub: 's', records, bytes: 0 })[0]).toMatchObject({ op: 'error', sub: 's' })
  }
  rig.produce('t', [0])
  rig.produce('t', [1])
  expect(socket.values('s')).toEqual([0])
})

test('a subscription whose credit the broker renews is not granted any', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const [error] = subscribed(rig).ask({ op: 'credit', sub: 's', records: 1, bytes: 1 })
  expect(error).toMatchObject({ op: 'error', sub: 's', problem: { code: 'invalid' } })
})

test('a socket that buffers gets no more until it has drained, then all, while others go on', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const slow = subscribed(rig)
  const quick = subscribed(rig)
  slow.roomBytes = 100
  for (let i = 0; i < 20; i++) rig.produce('t', [i])
  expect(slow.values('s')).toEqual([0])
  expect(quick.values('s')).toEqual(numbers(0, 20))
  slow.read(10_000)
  rig.settle()
  expect(slow.values('s')).toEqual(numbers(0, 20))
  // And it is carried with the others again.
  expect(rig.broker.status.waiters).toBe(1)
  rig.produce('t', [20])
  expect([slow.values('s'), quick.values('s')]).toEqual([numbers(0, 21), numbers(0, 21)])
})

test('what a slow reader holds is a unit, however much is stored', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  for (let i = 0; i < 60; i++)
    rig.produce(
      't',
      numbers(0, 20).map(() => 'x'.repeat(5_000)),
    )
  const socket = rig.connect()
  socket.roomBytes = 0
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  rig.pass(1_000)
  expect(socket.bufferedBytes).toBeLessThan(500_000)
})

test('a socket that takes nothing for slowMs is closed with 1013, and its cursor resumes', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = subscribed(rig)
  rig.produce('t', [0])
  socket.roomBytes = 100
  rig.produce('t', [1])
  rig.produce('t', [2])
  rig.pass(SLOW_MS - 2_000)
  expect(socket.closed).toBe(null)
  rig.pass(4_000)
  expect(socket.closed).toMatchObject({ code: 1013 })
  const again = subscribed(rig, { cursor: socket.of('records')[0]!['cursor'] })
  expect(again.values('s')).toEqual([1, 2])
  expect(rig.broker.status.waiters).toBe(1)
})

test('a socket that takes a little at a time is slow, not dead', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = subscribed(rig)
  socket.roomBytes = 0
  rig.produce('t', ['x'.repeat(100_000)])
  for (let i = 0; i < 10; i++) {
    rig.pass(SLOW_MS / 2)
    socket.read(1_000)
  }
  expect(socket.closed).toBe(null)
})

test('a frame that Bun drops ends the socket at once', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = subscribed(rig)
  socket.roomBytes = 0
  socket.bufferBytesMax = 0
  rig.produce('t', [0])
  expect(socket.closed).toBe(null)
  // Answers go to a socket that buffers too.
  socket.say({ op: 'ping', id: 'p' })
  rig.settle()
  expect(socket.closed).toMatchObject({ code: 1013 })
})

test('answers that pile up stop the socket from being read', () => {
  const rig = new PushRig()
  const socket = rig.connect()
  socket.roomBytes = 0
  for (let i = 0; i < 40_000 && !socket.isPaused; i++) {
    socket.say({ op: 'ping', id: `${i}`.padEnd(60) })
    if (i % 100 === 0) rig.settle()
  }
  expect(socket.isPaused).toBe(true)
  expect(socket.bufferedBytes).toBeLessThan(2_000_000)
  socket.read(10_000_000)
  expect(socket.isPaused).toBe(false)
})

test('a record that fits no frame is told with its offset, and stops that subscription only', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  rig.createTopic('u')
  const socket = subscribed(rig)
  socket.ask({ op: 'subscribe', id: 'u', topics: ['u'] })
  rig.produce('t', ['before'])
  // A control character takes six bytes in JSON.
  const records = [{ value: 'small' }, { valueBase64: Buffer.alloc(500_000, 1).toString('base64') }, { value: 'after' }]
  rig.connect().ask({ op: 'produce', id: 'p', topic: 't', records })
  rig.produce('u', [1])
  expect(socket.values('s')).toEqual(['before', 'small'])
  expect(socket.values('u')).toEqual([1])
  const error = socket.last('error')!
  const problem = error['problem'] as Record<string, unknown>
  expect(error['sub']).toBe('s')
  expect(problem).toMatchObject({ code: 'record-too-large', topic: 't', partition: 0, offset: 2 })
  rig.produce('t', ['later'])
  expect(socket.values('s')).toEqual(['before', 'small'])
  socket.ask({ op: 'unsubscribe', id: 'x', sub: 's' })
  socket.ask({ op: 'subscribe', id: 'again', topics: ['t'], cursor: problem['nextCursor'] })
  expect(socket.values('again')).toEqual(['after', 'later'])
})

test('the end of the broker: a word, what is under way is answered, 1012', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const idle = subscribed(rig)
  const busy = subscribed(rig)
  busy.say({ op: 'produce', id: 'p', topic: 't', records: [{ value: 1 }] })
  const drained = rig.push.drain(5_000)
  busy.say({ op: 'produce', id: 'late', topic: 't', records: [{ value: 2 }] })
  rig.clock.run(drained)
  expect([idle.closed, busy.closed]).toMatchObject([{ code: 1012 }, { code: 1012 }])
  expect([idle.of('drain'), busy.of('drain')]).toEqual([
    [{ op: 'drain', afterMs: 5_000 }],
    [{ op: 'drain', afterMs: 5_000 }],
  ])
  expect(busy.last('produced')).toMatchObject({ id: 'p', count: 1 })
  expect(busy.last('error')).toMatchObject({ id: 'late', problem: { code: 'shutting-down', outcome: 'none' } })
})
