// The consumer against the executable, each way of receiving: every record once and in order, through cuts, restarts and pauses.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  Consumer,
  type ConsumerOptions,
  NaruError,
  Producer,
  type Reset,
  type Transport,
} from '../../src/client/index.ts'
import { BrokerWorld } from './broker-world.ts'
import { FaultyProxy } from './faulty-proxy.ts'

const TRANSPORTS: readonly Transport[] = ['websocket', 'events', 'poll']

let world: BrokerWorld
let producer: Producer
let topicCount = 0

beforeAll(async () => {
  world = await BrokerWorld.start()
  producer = new Producer({ brokers: world.url, lingerMs: 1 })
})

afterAll(async () => {
  await producer.close().catch(() => {})
  await world.end()
})

async function newTopic(partitions = 1): Promise<string> {
  const topic = `read-${topicCount++}`
  await world.broker.call('PUT', `/v1/topics/${topic}`, { partitions })
  return topic
}

async function addNumbers(topic: string, from: number, to: number, more: object = {}): Promise<void> {
  for (let n = from; n < to; n++) await producer.add(topic, { key: `k${n % 5}`, value: { n }, ...more })
  await producer.flush()
}

function consuming(topics: string | string[], options: Partial<ConsumerOptions> = {}): Consumer {
  return new Consumer({ brokers: world.url, topics, ...options })
}

/** Numbers in the order they came, until there are so many; the consumer is closed then. */
async function numbersFrom(consumer: Consumer, count: number): Promise<number[]> {
  const numbers: number[] = []
  for await (const { value } of consumer) {
    numbers.push((value as { n: number }).n)
    if (numbers.length === count) break
  }
  return numbers
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b)
}

async function failureOf(promise: Promise<unknown>): Promise<NaruError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(NaruError)
  return error as NaruError
}

describe.each(TRANSPORTS.map((transport) => [transport]))('%s', (transport) => {
  const transports = [transport]

  test('what is stored, and what comes, as it was sent', async () => {
    const topic = await newTopic()
    const record = { key: 'ann', value: { item: '茶' }, headers: { trace: 'é' }, tags: ['vip'] }
    await producer.send(topic, record)
    await producer.send(topic, { key: new Uint8Array([0xff]), value: new Uint8Array([1, 0xff]) })
    const consumer = consuming(topic, { transports })
    const records = consumer[Symbol.asyncIterator]()
    expect((await records.next()).value).toMatchObject({ topic, partition: 0, offset: 0, ...record })
    expect((await records.next()).value).toMatchObject({
      key: new Uint8Array([0xff]),
      value: new Uint8Array([1, 0xff]),
    })
    const next = records.next()
    await producer.send(topic, { key: 'ann', tombstone: true })
    expect((await next).value).toMatchObject({ offset: 2, key: 'ann', tombstone: true })
    expect(consumer.transport).toBe(transport)
    consumer.close()
    expect((await records.next()).done).toBe(true)
  })

  test('from latest on, only with a tag, of several topics', async () => {
    const topics = [await newTopic(2), await newTopic()]
    for (const topic of topics) await addNumbers(topic, 0, 10, { tags: ['new'] })
    const consumer = consuming(topics, { transports, from: 'latest', tags: ['new'] })
    await consumer.open()
    for (const topic of topics) {
      await addNumbers(topic, 10, 20)
      await addNumbers(topic, 20, 30, { tags: ['new', 'other'] })
    }
    expect(sorted(await numbersFrom(consumer, 20))).toEqual(sorted([...upTo(10), ...upTo(10)].map((n) => n + 20)))
  })

  test('broker killed and started again while records are produced: each once, in order', async () => {
    const topic = await newTopic(2)
    const consumer = consuming(topic, { transports })
    const reading = numbersFrom(consumer, 600)
    for (let round = 0; round < 3; round++) {
      await addNumbers(topic, round * 200, round * 200 + 200)
      await world.broker.kill()
      await world.start()
    }
    const numbers = await reading
    expect(sorted(numbers)).toEqual(upTo(600))
    for (const key of upTo(5)) {
      const ofKey = numbers.filter((n) => n % 5 === key)
      expect(ofKey).toEqual(sorted(ofKey))
    }
  }, 30_000)

  test('another consumer goes on at the cursor of the first', async () => {
    const topic = await newTopic(2)
    await addNumbers(topic, 0, 100)
    const first: number[] = []
    const consumer = consuming(topic, { transports })
    const batches = consumer.batches()
    const take = async (): Promise<number[]> => {
      const { value } = await batches.next()
      return value!.records.map((record) => (record.value as { n: number }).n)
    }
    while (first.length < 100) first.push(...(await take()))
    await addNumbers(topic, 100, 200)
    // This batch is handed out and not dealt with: it comes again.
    expect((await take()).length).toBeGreaterThan(0)
    await batches.return()
    const rest = await numbersFrom(consuming(topic, { transports, cursor: consumer.cursor! }), 100)
    expect(sorted([...first, ...rest])).toEqual(upTo(200))
  })

  test('paused, it hands out nothing; resumed, it goes on without a gap', async () => {
    const topic = await newTopic()
    await addNumbers(topic, 0, 5_000, { headers: { filling: 'x'.repeat(200) } })
    const consumer = consuming(topic, { transports, prefetchRecords: 100, prefetchBytes: 20_000 })
    const numbers: number[] = []
    const reading = (async () => {
      for await (const { value } of consumer) {
        if (numbers.push((value as { n: number }).n) === 5_000) return
      }
    })()
    await consumer.open()
    consumer.pause()
    await Bun.sleep(50)
    const before = numbers.length
    await Bun.sleep(100)
    expect(numbers.length).toBe(before)
    consumer.resume()
    await reading
    expect(numbers).toEqual(upTo(5_000))
  })

  test('records that are gone are told, and reading goes on behind them', async () => {
    const topic = await newTopic()
    await addNumbers(topic, 0, 10)
    const batches = consuming(topic, { transports }).batches()
    const { cursor } = (await batches.next()).value!
    await batches.return()
    const resets: Reset[] = []
    await addNumbers(topic, 10, 20)
    await world.broker.call('POST', `/v1/topics/${topic}/trim`, { partition: 0, beforeOffset: 15 })
    const consumer = consuming(topic, { transports, cursor, onReset: (reset) => void resets.push(reset) })
    expect(await numbersFrom(consumer, 5)).toEqual([15, 16, 17, 18, 19])
    expect(resets).toMatchObject([{ topic, partition: 0, to: 15, reason: 'below-log-start' }])
  })

  test('one partition, from an offset on', async () => {
    const topic = await newTopic(3)
    for (let n = 0; n < 30; n++) await producer.add(topic, { partition: n % 3, value: { n } })
    await producer.flush()
    const consumer = consuming(topic, { transports, partition: 1, from: '4' })
    expect(await numbersFrom(consumer, 6)).toEqual([13, 16, 19, 22, 25, 28])
  })

  test('values as the text they are, for a parser that does not round', async () => {
    const topic = await newTopic()
    const texts = ['12345678901234567890.50', '{"n":1e400, "é":[ 9007199254740993 ]}', '"\\u0041"', 'null', '"value"']
    for (const json of texts) await producer.add(topic, { json, key: '"value":1' })
    await producer.add(topic, { value: new Uint8Array([0xff]) })
    await producer.add(topic, { key: 'k', tombstone: true })
    await producer.flush()
    const values: unknown[] = []
    for await (const { key, value } of consuming(topic, { transports, parse: (json) => ({ json }) })) {
      if (values.push(value) === texts.length + 2) break
      if (values.length <= texts.length) expect(key).toBe('"value":1')
    }
    expect(values).toEqual([...texts.map((json) => ({ json })), new Uint8Array([0xff]), undefined])
  })

  test('what can never come is said', async () => {
    const error = await failureOf(consuming('nowhere', { transports }).run(() => {}))
    expect(error).toMatchObject({ code: 'unknown-topic', retryable: false })
    expect(error.message).toContain('There is no topic nowhere')
  })
})

test('a record that fits no frame comes over HTTP, and the socket goes on behind it', async () => {
  const topic = await newTopic()
  await addNumbers(topic, 0, 3)
  const large = '\u0001'.repeat(150_000)
  for (let n = 3; n < 5; n++) await producer.send(topic, { value: new TextEncoder().encode(large.repeat(6)) })
  await addNumbers(topic, 5, 8)
  const consumer = consuming(topic, { transports: ['websocket'] })
  const offsets: number[] = []
  for await (const { offset, value } of consumer) {
    offsets.push(offset)
    if (offset === 3 || offset === 4) expect(value).toBe(large.repeat(6))
    if (offset === 7) break
  }
  expect(offsets).toEqual(upTo(8))
  expect(consumer.connections).toBeGreaterThan(1)
})

test('where there is no WebSocket it falls back to an event stream, then to asking', async () => {
  const topic = await newTopic()
  await addNumbers(topic, 0, 10)
  const proxy = new FaultyProxy(() => world.url)
  const refusal = () => ({ kind: 'refuse' as const, response: new Response('blocked', { status: 502 }) })
  proxy.fault = ({ url }) => (url.includes('/ws') ? refusal() : null)
  const overEvents = consuming(topic, { brokers: proxy.url })
  expect(await numbersFrom(overEvents, 10)).toEqual(upTo(10))
  expect(overEvents.transport).toBe('events')
  proxy.fault = ({ url }) => (url.includes('/ws') || url.includes('/stream') ? refusal() : null)
  const asking = consuming(topic, { brokers: proxy.url })
  expect(await numbersFrom(asking, 10)).toEqual(upTo(10))
  expect(asking.transport).toBe('poll')
  await proxy.end()
}, 15_000)

test('paused broker: the silence is noticed or outlived, each record comes once', async () => {
  const topic = await newTopic()
  const reading = numbersFrom(consuming(topic), 200)
  await addNumbers(topic, 0, 100)
  process.kill(world.broker.pid, 'SIGSTOP')
  await Bun.sleep(300)
  process.kill(world.broker.pid, 'SIGCONT')
  await addNumbers(topic, 100, 200)
  expect(await reading).toEqual(upTo(200))
})

test('the callback is waited for, and what it throws ends the run', async () => {
  const topic = await newTopic()
  await addNumbers(topic, 0, 10)
  let running = 0
  const consumer = consuming(topic, { prefetchRecords: 1 })
  const ended = consumer.run(async ({ records }) => {
    expect(++running).toBe(1)
    await Bun.sleep(1)
    running--
    if (records.at(-1)!.offset === 9) throw new Error('enough')
  })
  expect(ended).rejects.toThrow('enough')
  await ended.catch(() => {})
})
