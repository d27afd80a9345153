// What clients say that is wrong: answered by what is wrong with it, and without harm to anything else.

import { expect, test } from 'bun:test'
import { PushRig } from './push-rig.ts'

const joining = { op: 'subscribe', id: 'x', topics: ['t'], group: 'g', member: 'm' }

function at(pointer: string): object {
  return { id: 'x', problem: { code: 'invalid', errors: [{ pointer }] } }
}

const wrong: readonly [what: string, message: object, answer: object][] = [
  ['no op', { id: 'x' }, { id: 'x', problem: { code: 'invalid', errors: [{ pointer: '/op' }] } }],
  ['an op that is not there', { op: 'shout', id: 'x' }, { id: 'x', problem: { code: 'invalid' } }],
  ['a misspelt op', { op: 'subscibe', id: 'x' }, { problem: { detail: '/op: unknown op: did you mean subscribe?' } }],
  ['an op of later', { op: 'ack', id: 'x' }, { id: 'x', problem: { code: 'unsupported' } }],
  ['a group and no member', { op: 'subscribe', id: 'x', topics: ['t'], group: 'g' }, at('/member')],
  ['a member and no group', { op: 'subscribe', id: 'x', topics: ['t'], member: 'm' }, at('/member')],
  ['a static place and no group', { op: 'subscribe', id: 'x', topics: ['t'], static: 'm' }, at('/static')],
  ['a member from a cursor', { ...joining, cursor: '0.1' }, at('/cursor')],
  ['a member of one partition', { ...joining, partition: 0 }, at('/partition')],
  ['a member from the last ten', { ...joining, from: '-10' }, at('/from')],
  ['a group without a name', { ...joining, group: 'a/b' }, { id: 'x', problem: { code: 'invalid', name: 'a/b' } }],
  ['a session that is too short', { ...joining, sessionMs: 1 }, at('/sessionMs')],
  ['a commit of no group', { op: 'commit', id: 'x', sub: 's', cursor: '0.1' }, at('/sub')],
  ['a commit of nothing', { op: 'commit', id: 'x', sub: 's' }, at('/cursor')],
  ['letting go in no group', { op: 'release', id: 'x', sub: 's' }, at('/sub')],
  ['a token in hello', { op: 'hello', token: 'secret' }, { problem: { code: 'unsupported' } }],
  ['a token elsewhere', { op: 'ping', id: 'x', token: 'secret' }, { id: 'x', problem: { code: 'invalid' } }],
  ['no id', { op: 'ping' }, { problem: { code: 'invalid', errors: [{ pointer: '/id' }] } }],
  ['an id that is a number', { op: 'ping', id: 1 }, { problem: { code: 'invalid', errors: [{ pointer: '/id' }] } }],
  ['an id that is long', { op: 'ping', id: 'x'.repeat(65) }, { problem: { code: 'invalid' } }],
  ['an id with a line break', { op: 'ping', id: 'a\nb' }, { problem: { code: 'invalid' } }],
  ['an unknown field', { op: 'ping', id: 'x', topik: 1 }, { id: 'x', problem: { errors: [{ pointer: '/topik' }] } }],
  ['no topics', { op: 'subscribe', id: 'x', topics: [] }, { id: 'x', problem: { errors: [{ pointer: '/topics' }] } }],
  ['a topic twice', { op: 'subscribe', id: 'x', topics: ['t', 't'] }, { id: 'x', problem: { code: 'invalid' } }],
  ['no such topic', { op: 'subscribe', id: 'x', topics: ['nope'] }, { id: 'x', problem: { code: 'unknown-topic' } }],
  ['no name of a topic', { op: 'subscribe', id: 'x', topics: ['a/b'] }, { id: 'x', problem: { code: 'invalid' } }],
  ['a bad place', { op: 'subscribe', id: 'x', topics: ['t'], from: 'now' }, { problem: { code: 'malformed' } }],
  ['an offset', { op: 'subscribe', id: 'x', topics: ['t'], from: '3' }, { problem: { code: 'invalid' } }],
  ['an offset of two', { op: 'subscribe', id: 'x', topics: ['t', 'u'], partition: 0 }, { id: 'x' }],
  ['a partition that is not there', { op: 'subscribe', id: 'x', topics: ['t'], partition: 1 }, { id: 'x' }],
  ['a cursor by hand of two topics', { op: 'subscribe', id: 'x', topics: ['t', 'u'], cursor: '0.1' }, { id: 'x' }],
  ['a bad cursor', { op: 'subscribe', id: 'x', topics: ['t'], cursor: '?' }, { problem: { code: 'malformed' } }],
  ['two places', { op: 'subscribe', id: 'x', topics: ['t'], from: 'latest', cursor: '0.1' }, { id: 'x' }],
  ['an empty tag', { op: 'subscribe', id: 'x', topics: ['t'], tags: [''] }, { problem: { code: 'invalid' } }],
  ['half a credit', { op: 'subscribe', id: 'x', topics: ['t'], credit: { records: 1 } }, { id: 'x' }],
  ['the id of an open one', { op: 'subscribe', id: 's', topics: ['t'] }, { id: 's', problem: { code: 'invalid' } }],
  ['credit for nobody', { op: 'credit', sub: 'x', records: 1, bytes: 1 }, { sub: 'x', problem: { code: 'invalid' } }],
  ['unsubscribing nobody', { op: 'unsubscribe', id: 'x', sub: 'y' }, { id: 'x', problem: { code: 'invalid' } }],
  ['no records', { op: 'produce', id: 'x', topic: 't' }, { id: 'x', problem: { errors: [{ pointer: '/records' }] } }],
  ['one record', { op: 'produce', id: 'x', topic: 't', records: { value: 1 } }, { problem: { code: 'invalid' } }],
  [
    'a record without a value',
    { op: 'produce', id: 'x', topic: 't', records: [{ value: 1 }, { key: 'a' }] },
    { id: 'x', problem: { code: 'invalid', errors: [{ pointer: '/records/1/value' }] } },
  ],
  [
    'an unknown field of a record',
    { op: 'produce', id: 'x', topic: 't', records: [{ value: 1, delayMs: 5 }] },
    { id: 'x', problem: { code: 'unsupported' } },
  ],
  [
    'no such partition',
    { op: 'produce', id: 'x', topic: 't', partition: 9, records: [{ value: 1 }] },
    { id: 'x', problem: { code: 'unknown-partition', outcome: 'none' } },
  ],
  [
    'a topic of the broker',
    { op: 'produce', id: 'x', topic: '__x', records: [{ value: 1 }] },
    { id: 'x', problem: { code: 'internal-topic' } },
  ],
  [
    'a key without a result',
    { op: 'produce', id: 'x', topic: 't', acks: '0', idempotencyKey: 'k', records: [{ value: 1 }] },
    { id: 'x', problem: { code: 'invalid', errors: [{ pointer: '/idempotencyKey' }] } },
  ],
]

for (const [what, message, answer] of wrong) {
  test(`${what}: an answer, and the rest unharmed`, () => {
    const rig = new PushRig()
    rig.createTopic('t')
    const socket = rig.connect()
    socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
    const answers = socket.ask(message)
    expect(answers).toMatchObject([{ op: 'error', ...answer }])
    rig.produce('t', ['still here'])
    expect([socket.closed, socket.values('s')]).toEqual([null, ['still here']])
  })
}

for (const frame of [
  '',
  'hello',
  '[]',
  '[{"op":"ping","id":"x"}]',
  'null',
  '7',
  '{"op":"ping","id":"x"',
  '{"op":"produce","records":[}',
]) {
  test(`a frame that is no JSON object closes with 4400: ${frame}`, () => {
    const socket = new PushRig().connect()
    socket.say(frame)
    expect(socket.closed).toMatchObject({ code: 4400 })
  })
}

test('a binary frame closes with 4400', () => {
  const socket = new PushRig().connect()
  socket.sayBinary()
  expect(socket.closed).toMatchObject({ code: 4400 })
})

test('what was to be said before a close is said', () => {
  const socket = new PushRig().connect()
  socket.say({ op: 'ping', id: 'p' })
  socket.say('?')
  expect(socket.messages.at(-1)).toEqual({ op: 'pong', id: 'p' })
})

test('hello is answered by a welcome', () => {
  const socket = new PushRig().connect()
  expect(socket.ask({ op: 'hello' })).toMatchObject([{ op: 'welcome', broker: 7 }])
})

test('a thousand subscriptions: the first hundred, and a refusal for each of the others', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  for (let i = 0; i < 1_000; i++) socket.say({ op: 'subscribe', id: `s${i}`, topics: ['t'] })
  rig.settle()
  expect(socket.of('subscribed').length).toBe(100)
  expect(socket.of('error').length).toBe(900)
  expect(socket.last('error')).toMatchObject({ id: 's999', problem: { code: 'limit-reached', subscriptionsMax: 100 } })
  rig.produce('t', [1])
  for (let i = 0; i < 100; i++) expect(socket.values(`s${i}`)).toEqual([1])
})

test('operations are done in the order they came, also behind one that has to wait', () => {
  const rig = new PushRig()
  const socket = rig.connect()
  // The first creates the topic, which takes a while.
  for (let i = 0; i < 5; i++) socket.say({ op: 'produce', id: `p${i}`, topic: 'new', records: [{ value: i }] })
  socket.say({ op: 'subscribe', id: 's', topics: ['new'] })
  socket.say({ op: 'ping', id: 'last' })
  rig.pass(50)
  expect(socket.values('s')).toEqual([0, 1, 2, 3, 4])
  expect(socket.of('produced').map(({ id }) => id)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4'])
  expect(socket.of('produced')[0]).toMatchObject({ topic: 'new', created: true, count: 1 })
  expect(socket.of('produced')[1]).not.toHaveProperty('created')
})

test('numbers are kept as they were sent', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  socket.ask(
    '{"op":"produce","id":"p","topic":"t","records":[{"value":12345678901234567890.10},{"value":{"b":1,"a":2,"b":3}}]}',
  )
  socket.ask({ op: 'subscribe', id: 's', topics: ['t'] })
  expect(socket.texts.at(-1)).toContain('"value":12345678901234567890.10}')
  expect(socket.texts.at(-1)).toContain('"value":{"b":1,"a":2,"b":3}}')
})

test('the members of a produce stand in any order, and may be spelt with escapes', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  const [produced] = socket.ask(
    ' { "\\u0072ecords" : [ {"value": "produce"} ] , "topic":"t", "id" : "p", "op":"produce" } ',
  )
  expect(produced).toMatchObject({ op: 'produced', id: 'p', count: 1 })
  // The word alone makes nothing of it.
  expect(socket.ask({ op: 'ping', id: 'produce' })).toEqual([{ op: 'pong', id: 'produce' }])
  expect(socket.ask({ op: 'unsubscribe', id: 'produce', sub: 'records' })[0]).toMatchObject({ op: 'error' })
})

test('acks 0: taken, and nothing more is known', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const [produced] = rig
    .connect()
    .ask({ op: 'produce', id: 'p', topic: 't', acks: '0', records: [{ value: 1 }, { value: 2 }] })
  expect(produced).toEqual({ op: 'produced', id: 'p', topic: 't', count: 2 })
})

test('a repeat under a key gives the first result, and another body is refused', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  const op = { op: 'produce', id: 'p', topic: 't', idempotencyKey: 'k', records: [{ value: 1 }] }
  const [first] = socket.ask(op)
  const [again] = socket.ask(op)
  expect(again).toEqual({ ...first, replayed: true } as typeof first & object)
  const [other] = socket.ask({ ...op, records: [{ value: 2 }] })
  expect(other).toMatchObject({ op: 'error', id: 'p', problem: { code: 'key-conflict' } })
})

test('a client that produces faster than the disk is not read from for a while', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const socket = rig.connect()
  const records = [{ value: 'x'.repeat(900_000) }]
  let said = 0
  while (!socket.isPaused && said < 50) {
    socket.say({ op: 'produce', id: `p${said++}`, topic: 't', records })
  }
  expect(said).toBe(10)
  rig.settle()
  expect(socket.isPaused).toBe(false)
  expect(socket.of('produced').length).toBe(said)
})

test('no more connections than there may be', async () => {
  const rig = new PushRig(1, 2)
  rig.connect()
  rig.connect()
  const server = { upgrade: () => true }
  const refused = rig.push.upgrade(new Request('http://x/v1/ws'), undefined, server)
  expect(refused).toMatchObject({ code: 'busy', numbers: { connectionsMax: 2 } })
})

test('subprotocols: ours is echoed and no other; tokens and later ones are refused as such', () => {
  const rig = new PushRig()
  const ask = (offered: string | undefined): unknown => {
    let headers: unknown = 'no upgrade'
    const server = {
      upgrade: (_: Request, options: { headers?: unknown }) => {
        headers = options.headers
        return true
      },
    }
    return rig.push.upgrade(new Request('http://x/v1/ws'), offered, server)?.code ?? headers
  }
  expect(ask(undefined)).toBe(undefined)
  expect(ask('chat, naru.v1.json')).toEqual({ 'sec-websocket-protocol': 'naru.v1.json' })
  expect(ask('naru.v1.batch')).toBe('unsupported')
  expect(ask('naru.v1.json, bearer.c2VjcmV0')).toBe('unsupported')
  expect(ask('chat')).toBe('malformed')
})
