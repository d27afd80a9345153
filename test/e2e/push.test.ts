// The pushing side from outside, by the clients people have: subscribe, cut, restart, kill, and resume from where each was.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'
import { CutProxy } from './cut-proxy.ts'
import {
  type AnySocket,
  EventFollower,
  type Follower,
  type OpenSocket,
  socketClients,
  SocketFollower,
} from './push-clients.ts'

const PARTITIONS = 3
const WITHIN_MS = 20_000

let scratch: ReturnType<typeof scratchFolder>
let broker: BrokerProcess
let proxy: CutProxy
const followers: Follower[] = []

const start = (flags: readonly string[] = []): Promise<BrokerProcess> =>
  BrokerProcess.start({ data: scratch.folder, flags })

beforeEach(async () => {
  scratch = scratchFolder('push')
  broker = await start()
  proxy = await CutProxy.start(broker.port)
})

afterEach(async () => {
  for (const follower of followers.splice(0)) follower.close()
  proxy.stop()
  await broker.kill()
  scratch.remove()
})

let produced = 0
async function produce(topic: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 10) {
    const records = Array.from({ length: 10 }, () => ({ key: `k${produced % 7}`, value: produced++ }))
    await broker.call('POST', `/v1/topics/${topic}/records`, { records })
  }
}

async function restart(how: 'stop' | 'kill'): Promise<void> {
  if (how === 'stop') expect(await broker.stop()).toBe(0)
  else await broker.kill()
  broker = await start()
  proxy.target = broker.port
}

function follow(follower: Follower): Follower {
  followers.push(follower)
  return follower
}

async function hasAll(follower: Follower, count: number): Promise<void> {
  await until(Date.now() + WITHIN_MS, async () => follower.records.length >= count)
  expect(follower.records.length).toBe(count)
}

/** Every record once, those of a partition in order. */
function expectWhole(follower: Follower): void {
  expect(follower.records.map(({ value }) => value as number).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: produced }, (_, i) => i),
  )
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const offsets = follower.records.filter((record) => record.partition === partition).map(({ offset }) => offset)
    expect(offsets).toEqual(offsets.map((_, i) => i))
  }
}

async function script(make: (port: number, topics: string[]) => Follower): Promise<void> {
  produced = 0
  await broker.call('PUT', '/v1/topics/t', { partitions: PARTITIONS })
  await produce('t', 30)
  const follower = follow(make(proxy.port, ['t']))
  await hasAll(follower, 30)
  await produce('t', 30)
  await hasAll(follower, 60)
  proxy.cutAll()
  await produce('t', 30)
  await hasAll(follower, 90)
  await restart('stop')
  await produce('t', 30)
  await hasAll(follower, 120)
  await restart('kill')
  await produce('t', 30)
  await hasAll(follower, 150)
  expectWhole(follower)
  expect(follower.connections).toBeGreaterThanOrEqual(4)
  expect(follower.told.filter((name) => name === 'reset')).toEqual([])
  expect(follower.told).toContain('drain')
}

const clients = await socketClients()

describe('subscribe, cut, restart, kill: every record once, in order', () => {
  for (const [name, open] of Object.entries(clients)) {
    test(name, () => script((port, topics) => new SocketFollower(open, port, topics)), 60_000)
  }
  test('EventSource', () => script((port, topics) => new EventFollower(port, topics)), 60_000)
})

test('several topics in one EventSource', async () => {
  for (const topic of ['a', 'b', 'c']) await broker.call('PUT', `/v1/topics/${topic}`, { partitions: 1 })
  const follower = follow(new EventFollower(proxy.port, ['a', 'b', 'c']))
  for (let i = 0; i < 3; i++) {
    for (const topic of ['a', 'b', 'c'])
      await broker.call('POST', `/v1/topics/${topic}/records`, { value: `${topic}${i}` })
  }
  await hasAll(follower, 9)
  proxy.cutAll()
  await broker.call('POST', '/v1/topics/b/records', { value: 'b3' })
  await hasAll(follower, 10)
  const values = follower.records.map(({ value }) => value as string)
  expect(values.toSorted()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'b3', 'c0', 'c1', 'c2'])
  expect(values.filter((value) => value.startsWith('b'))).toEqual(['b0', 'b1', 'b2', 'b3'])
}, 60_000)

interface Conversation {
  socket: AnySocket
  messages: Record<string, unknown>[]
  closed: Promise<{ code: number; reason: string }>
}

async function converse(open: OpenSocket, url: string): Promise<Conversation> {
  const socket = open(url, ['naru.v1.json'])
  const messages: Record<string, unknown>[] = []
  socket.onmessage = ((event: { data: string }) => messages.push(JSON.parse(event.data))) as AnySocket['onmessage']
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.onclose = resolve as AnySocket['onclose']
  })
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve()
    socket.onerror = ((event: { message?: string }) => reject(new Error(event.message))) as AnySocket['onerror']
  })
  socket.onerror = () => {}
  return { socket, messages, closed }
}

test('a slow reader is closed with 1013 and resumes from its cursor; others are not held up', async () => {
  await broker.kill()
  broker = await start(['--slow-ms', '500'])
  await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
  const url = `ws://127.0.0.1:${broker.port}/v1/ws`
  const slow = await converse(clients['ws']!, url)
  const quick = follow(new SocketFollower(clients['undici']!, broker.port, ['t']))
  slow.socket.send(JSON.stringify({ op: 'subscribe', id: 's', topics: ['t'] }))
  await until(Date.now() + WITHIN_MS, async () => slow.messages.some(({ op }) => op === 'subscribed'))
  const pausing = slow.socket as AnySocket & { pause(): void; resume(): void }
  pausing.pause()
  const filler = 'x'.repeat(100_000)
  for (let i = 0; i < 200; i++) await broker.call('POST', '/v1/topics/t/records', { value: [i, filler] })
  await hasAll(quick, 200)
  await until(Date.now() + WITHIN_MS, async () => /naru_push_sockets(\{[^}]*\})? 1\b/.test(await metrics()))
  pausing.resume()
  expect(await slow.closed).toMatchObject({ code: 1013 })
  const frames = slow.messages.filter(({ op }) => op === 'records')
  const first = frames.flatMap(({ records }) => (records as { value: [number] }[]).map(({ value }) => value[0]))
  expect(first.length).toBeLessThan(200)
  const again = await converse(clients['ws']!, url)
  const { cursor } = slow.messages.findLast((message) => message['cursor'] !== undefined)!
  again.socket.send(JSON.stringify({ op: 'subscribe', id: 's', topics: ['t'], cursor }))
  const rest = (): number[] =>
    again.messages
      .filter(({ op }) => op === 'records')
      .flatMap(({ records }) => (records as { value: [number] }[]).map(({ value }) => value[0]))
  await until(Date.now() + WITHIN_MS, async () => first.length + rest().length >= 200)
  expect([...first, ...rest()]).toEqual(Array.from({ length: 200 }, (_, i) => i))
  again.socket.close()
}, 60_000)

async function metrics(): Promise<string> {
  return (await fetch(`${broker.url}/metrics`)).text()
}

test('a page of another origin gets no socket, and cannot read a stream', async () => {
  await broker.call('PUT', '/v1/topics/t', { partitions: 1 })
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  const ask = async (headers: Record<string, string>, path = '/v1/ws'): Promise<number> => {
    const key = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
    return (await fetch(broker.url + path, { headers: { ...upgrade, ...key, ...headers } })).status
  }
  expect(await ask({ origin: 'https://evil.example' })).toBe(403)
  expect(await ask({ origin: 'null' })).toBe(403)
  expect(await ask({ origin: 'https://evil.example' }, '/v1/ws?x=1')).toBe(403)
  expect(await ask({ origin: broker.url.replace('127.0.0.1', 'localhost') })).toBe(403)
  const own = await converse(
    (url) => new WebSocket(url, { headers: { origin: broker.url } } as never) as unknown as AnySocket,
    `ws://127.0.0.1:${broker.port}/v1/ws`,
  )
  await until(Date.now() + WITHIN_MS, async () => own.messages.length > 0)
  own.socket.close()
  const stream = await fetch(`${broker.url}/v1/topics/t/records/stream`, {
    headers: { origin: 'https://evil.example' },
  })
  expect(stream.headers.get('access-control-allow-origin')).toBe(null)
  await stream.body!.cancel()
}, 30_000)

test('produce over a socket is kept like any other, through a kill', async () => {
  const { socket, messages } = await converse(clients['undici']!, `ws://127.0.0.1:${broker.port}/v1/ws`)
  for (let i = 0; i < 100; i++) {
    socket.send(JSON.stringify({ op: 'produce', id: `${i}`, topic: 'made', records: [{ value: i }] }))
  }
  await until(Date.now() + WITHIN_MS, async () => messages.filter(({ op }) => op === 'produced').length === 100)
  await restart('kill')
  const { records } = await broker.call<{ records: { value: number }[] }>('GET', '/v1/topics/made/records')
  expect(records.map(({ value }) => value)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  socket.close()
}, 60_000)
