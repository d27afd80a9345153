// A producer among several brokers, of which one leads: two ways to the same broker stand for two of them.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test'
import { Producer } from '../../src/client/index.ts'
import { BrokerWorld } from './broker-world.ts'
import { FaultyProxy, isBatches, notLeader, shuttingDown } from './faulty-proxy.ts'

let world: BrokerWorld
let first: FaultyProxy
let leader: FaultyProxy
let producer: Producer
let topicCount = 0
let topic = ''
/** Batches that came to each. */
let atFirst = 0
let atLeader = 0

beforeAll(async () => {
  world = await BrokerWorld.start()
})

beforeEach(async () => {
  topic = `led-${topicCount++}`
  await world.broker.call('PUT', `/v1/topics/${topic}`, { partitions: 1 })
  first = new FaultyProxy(() => world.url)
  leader = new FaultyProxy(() => world.url)
  atFirst = 0
  atLeader = 0
  leader.fault = (request) => {
    if (isBatches(request)) atLeader++
    return null
  }
})

afterEach(async () => {
  await producer.close().catch(() => {})
  await first.end()
  await leader.end()
})

afterAll(() => world.end())

async function send(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await producer.send(topic, { value: n })
}

async function expectStored(count: number): Promise<void> {
  const values = (await world.stored(topic)).map(({ value }) => value)
  expect(values).toEqual(Array.from({ length: count }, (_, n) => n))
}

test('an answer that names the leader: it is asked from then on, and the others again when it is gone', async () => {
  first.fault = (request) => {
    if (!isBatches(request)) return null
    atFirst++
    return { kind: 'name-leader', url: `${leader.url}/` }
  }
  producer = new Producer({ brokers: first.url, lingerMs: 0 })
  await send(0, 10)
  expect([atFirst, atLeader]).toEqual([1, 9])
  await leader.end()
  await send(10, 12)
  expect(atFirst).toBeGreaterThan(1)
  await expectStored(12)
})

test('a refusal that names the leader is followed, with many under way and each once', async () => {
  first.fault = (request) => {
    if (!isBatches(request)) return null
    atFirst++
    return { kind: 'refuse', response: notLeader(leader.url) }
  }
  producer = new Producer({ brokers: first.url, lingerMs: 0, batchBytes: 100 })
  await Promise.all(Array.from({ length: 200 }, (_, value) => producer.send(topic, { value })))
  expect(atFirst).toBeLessThan(10)
  await expectStored(200)
})

test('a leader that leads no more is left', async () => {
  first.fault = (request) => {
    if (!isBatches(request)) return null
    atFirst++
    return { kind: 'name-leader', url: leader.url }
  }
  producer = new Producer({ brokers: first.url, lingerMs: 0 })
  await send(0, 3)
  leader.fault = (request) => (isBatches(request) ? { kind: 'refuse', response: notLeader(first.url) } : null)
  first.fault = () => null
  await send(3, 6)
  await expectStored(6)
})

test('a broker that goes away sends nobody on: the next in the list is asked', async () => {
  first.fault = (request) => {
    if (!isBatches(request)) return null
    atFirst++
    const response = shuttingDown()
    response.headers.delete('retry-after')
    return { kind: 'refuse', response }
  }
  producer = new Producer({ brokers: [first.url, leader.url], lingerMs: 0 })
  await send(0, 5)
  expect([atFirst, atLeader]).toEqual([1, 5])
  await expectStored(5)
})

test('what is no address is not followed', async () => {
  first.fault = (request) => {
    if (!isBatches(request)) return null
    atFirst++
    return { kind: 'name-leader', url: 'elsewhere:70' }
  }
  producer = new Producer({ brokers: first.url, lingerMs: 0 })
  await send(0, 3)
  expect(atFirst).toBe(3)
  await expectStored(3)
})
