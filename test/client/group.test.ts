// Consumers of one group against the executable, over WebSocket and by asking: what each has, what is committed, and what another
// goes on with.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  type ConsumedRecord,
  Consumer,
  type ConsumerOptions,
  NaruError,
  Producer,
  type Transport,
} from '../../src/client/index.ts'
import { until } from '../e2e/broker-process.ts'
import { BrokerWorld } from './broker-world.ts'

const SEEN_MS_MAX = 10_000

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

interface Given {
  topic: string
  group: string
}

async function newTopic(partitions: number): Promise<Given> {
  const topic = `shared-${topicCount++}`
  await world.broker.call('PUT', `/v1/topics/${topic}`, { partitions })
  return { topic, group: `of-${topic}` }
}

async function addNumbers(topic: string, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await producer.add(topic, { key: `k${n}`, value: n })
  await producer.flush()
}

interface GroupPart {
  partition: number
  member: string | null
  nextOffset: number | null
  lag: number | null
}

async function partsOf(group: string): Promise<GroupPart[]> {
  return (await world.broker.call<{ partitions: GroupPart[] }>('GET', `/v1/groups/${group}`)).partitions
}

async function lagOf(group: string): Promise<number> {
  return (await partsOf(group)).reduce((sum, { lag }) => sum + (lag ?? Infinity), 0)
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

function sorted(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b)
}

/** A consumer that is run, with what it saw and was told. */
class Worker {
  readonly numbers: number[] = []
  readonly told: string[] = []
  readonly held = new Set<number>()
  readonly consumer: Consumer
  readonly done: Promise<void>

  constructor(
    { topic, group }: Given,
    options: Partial<ConsumerOptions>,
    work: (n: number) => Promise<void> | void = () => {},
  ) {
    const note = (word: string, apply: (partition: number) => void) => (places: readonly { partition: number }[]) => {
      const partitions = places.map(({ partition }) => partition)
      partitions.forEach(apply)
      this.told.push(`${word} ${sorted(partitions).join(' ')}`)
    }
    this.consumer = new Consumer({
      brokers: world.url,
      topics: topic,
      group,
      onAssigned: note('assigned', (partition) => this.held.add(partition)),
      onRevoked: note('revoked', (partition) => this.held.delete(partition)),
      onLost: note('lost', (partition) => this.held.delete(partition)),
      ...options,
    })
    this.done = this.#run(work)
  }

  async close(): Promise<void> {
    this.consumer.close()
    await this.done
  }

  async #run(work: (n: number) => Promise<void> | void): Promise<void> {
    for await (const { value } of this.consumer) {
      await work(value as number)
      this.numbers.push(value as number)
    }
  }
}

async function seen(count: number, ...workers: Worker[]): Promise<void> {
  await until(Date.now() + SEEN_MS_MAX, async () => new Set(workers.flatMap(({ numbers }) => numbers)).size >= count)
}

describe.each([['websocket'], ['poll']] as [Transport][])('%s', (transport) => {
  const transports = [transport]

  test('one comes, one goes: the work is spread anew, and nothing is done twice', async () => {
    const given = await newTopic(4)
    await addNumbers(given.topic, 0, 200)
    const ann = new Worker(given, { transports })
    await seen(200, ann)
    expect(ann.told).toEqual(['assigned 0 1 2 3'])
    const bob = new Worker(given, { transports })
    await until(Date.now() + SEEN_MS_MAX, async () => bob.held.size === 2 && ann.held.size === 2)
    await addNumbers(given.topic, 200, 400)
    await seen(400, ann, bob)
    expect(bob.numbers.length).toBeGreaterThan(0)
    await ann.close()
    await until(Date.now() + SEEN_MS_MAX, async () => bob.held.size === 4)
    await addNumbers(given.topic, 400, 600)
    await seen(600, ann, bob)
    await until(Date.now() + SEEN_MS_MAX, async () => (await lagOf(given.group)) === 0)
    await bob.close()
    expect(sorted([...ann.numbers, ...bob.numbers])).toEqual(upTo(600))
    expect((await partsOf(given.group)).map(({ member }) => member)).toEqual([null, null, null, null])
  }, 30_000)

  test('what is in hand when it is closed is finished and committed; what was received ahead is not', async () => {
    const given = await newTopic(1)
    await addNumbers(given.topic, 0, 100)
    const ann = new Worker(given, { transports }, async (n) => {
      if (n !== 10) return
      setTimeout(() => ann.consumer.close(), 10)
      await Bun.sleep(50)
    })
    await ann.done
    expect(ann.numbers).toEqual(upTo(11))
    const bob = new Worker(given, { transports })
    await seen(100, ann, bob)
    await bob.close()
    expect(bob.numbers).toEqual(upTo(100).slice(11))
  })

  test('what its work throws is not committed, and the next begins there', async () => {
    const given = await newTopic(1)
    await addNumbers(given.topic, 0, 10)
    const ann = new Worker(given, { transports }, (n) => {
      if (n === 4) throw new Error('four')
    })
    expect(await ann.done.catch((error: unknown) => String(error))).toBe('Error: four')
    const bob = new Worker(given, { transports })
    await seen(10, ann, bob)
    await bob.close()
    expect(bob.numbers).toEqual([4, 5, 6, 7, 8, 9])
  })

  test('a partition that is taken in the middle of a batch: what was done is committed, the rest is another’s', async () => {
    const given = await newTopic(2)
    await addNumbers(given.topic, 0, 200)
    const gate = Promise.withResolvers<void>()
    let worked = 0
    const ann = new Worker(given, { transports }, async () => {
      if (++worked === 20) await gate.promise
    })
    await seen(19, ann)
    const bob = new Worker(given, { transports })
    await until(Date.now() + SEEN_MS_MAX, async () => (await partsOf(given.group)).length === 2)
    await Bun.sleep(100)
    expect(bob.numbers).toEqual([])
    gate.resolve()
    await seen(200, ann, bob)
    await Promise.all([ann.close(), bob.close()])
    expect(sorted([...ann.numbers, ...bob.numbers])).toEqual(upTo(200))
    // Over a socket it is told at once; who asks is told when it asks again.
    if (transport === 'websocket') expect(bob.numbers.length).toBeGreaterThan(50)
  }, 20_000)

  test('at most once: what was handed out comes to nobody again', async () => {
    const given = await newTopic(1)
    await addNumbers(given.topic, 0, 100)
    const options = { transports, delivery: 'at-most-once', prefetchRecords: 10 } as const
    const ann = new Worker(given, options, (n) => {
      if (n === 50) throw new Error('fifty')
    })
    await ann.done.catch(() => {})
    await addNumbers(given.topic, 100, 101)
    const bob = new Worker(given, options)
    await until(Date.now() + SEEN_MS_MAX, async () => bob.numbers.includes(100))
    await bob.close()
    expect(bob.numbers[0]).toBeGreaterThan(50)
    expect(ann.numbers.filter((n) => bob.numbers.includes(n))).toEqual([])
  })

  test('the broker is killed and started again: each record at least once, and where it was is not forgotten', async () => {
    const given = await newTopic(2)
    const ann = new Worker(given, { transports })
    const bob = new Worker(given, { transports })
    for (let round = 0; round < 3; round++) {
      await addNumbers(given.topic, round * 100, round * 100 + 100)
      await seen((round + 1) * 100, ann, bob)
      if (round === 1) await until(Date.now() + SEEN_MS_MAX, async () => (await lagOf(given.group)) === 0)
      await world.broker.kill()
      await world.start()
    }
    await until(Date.now() + SEEN_MS_MAX, async () => (await lagOf(given.group)) === 0)
    await Promise.all([ann.close(), bob.close()])
    const all = [...ann.numbers, ...bob.numbers]
    expect(sorted(new Set(all))).toEqual(upTo(300))
    // After the second round all was committed: none of it came again.
    expect(all.filter((n) => n < 200).length).toBeLessThanOrEqual(300)
  }, 30_000)

  test('removed for want of progress, it joins again, and goes on where it was committed', async () => {
    const given = await newTopic(1)
    await addNumbers(given.topic, 0, 10)
    const member = `slow-${transport}`
    const errors: unknown[] = []
    let isFirst = true
    const ann = new Worker(
      given,
      { transports, member, onInterrupted: (error) => void errors.push(error) },
      async (n) => {
        if (n !== 5 || !isFirst) return
        isFirst = false
        await world.broker.call('DELETE', `/v1/groups/${given.group}/members/${member}`)
        // So that the loss is known before it is done.
        await until(Date.now() + SEEN_MS_MAX, async () => errors.length > 0 || transport === 'poll')
      },
    )
    await until(Date.now() + SEEN_MS_MAX, async () => ann.numbers.includes(9))
    await addNumbers(given.topic, 10, 20)
    await seen(20, ann)
    await ann.close()
    expect(errors[0]).toMatchObject({ code: 'fenced' })
    expect(ann.told.slice(0, 3)).toEqual(['assigned 0', 'lost 0', 'assigned 0'])
  }, 20_000)

  test('what a group does not agree on is said', async () => {
    const given = await newTopic(1)
    const ann = new Worker(given, { transports })
    await ann.consumer.opened
    const bob = new Worker(given, { transports, delivery: 'at-most-once' })
    const error: unknown = await bob.done.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(NaruError)
    expect(error).toMatchObject({ code: 'group-differs', retryable: false })
    await ann.close()
  })

  test('a restart shorter than the session keeps a static place', async () => {
    const given = await newTopic(2)
    const ann = new Worker(given, { transports, static: 'left' })
    const bob = new Worker(given, { transports, static: 'right' })
    await until(Date.now() + SEEN_MS_MAX, async () => ann.held.size === 1 && bob.held.size === 1)
    const held = [...ann.held]
    await ann.close()
    const again = new Worker(given, { transports, static: 'left' })
    await until(Date.now() + SEEN_MS_MAX, async () => again.held.size === 1)
    expect([...again.held]).toEqual(held)
    expect(bob.held.size).toBe(1)
    await Promise.all([again.close(), bob.close()])
  })

  test('batches: each is committed when the next is asked for', async () => {
    const given = await newTopic(1)
    await addNumbers(given.topic, 0, 10)
    const consumer = new Consumer({ brokers: world.url, topics: given.topic, group: given.group, transports })
    const batches = consumer.batches()
    const { records } = (await batches.next()).value!
    expect(records.map(({ value }) => value)).toEqual(upTo(10))
    expect(await lagOf(given.group)).toBe(Infinity)
    const next = batches.next()
    await until(Date.now() + SEEN_MS_MAX, async () => (await lagOf(given.group)) === 0)
    consumer.close()
    expect((await next).done).toBe(true)
  })
})

test('paused, it lets go of what others wait for', async () => {
  const given = await newTopic(2)
  await addNumbers(given.topic, 0, 100)
  const ann = new Worker(given, {}, () => ann.consumer.pause())
  await seen(1, ann)
  const bob = new Worker(given, {})
  await until(Date.now() + SEEN_MS_MAX, async () => bob.held.size === 1)
  ann.consumer.resume()
  await ann.close()
  await until(Date.now() + SEEN_MS_MAX, async () => (await lagOf(given.group)) === 0)
  await bob.close()
  expect(sorted([...ann.numbers, ...bob.numbers])).toEqual(upTo(100))
})

test('of two that give themselves one name the later has it, and the earlier is told', async () => {
  const given = await newTopic(1)
  const ann = new Worker(given, { member: 'one' })
  await ann.consumer.opened
  const bob = new Worker(given, { member: 'one' })
  const error: unknown = await ann.done.catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'fenced', problem: { replaced: true } })
  await addNumbers(given.topic, 0, 1)
  await seen(1, bob)
  await bob.close()
})

test('a record that fits no frame: it asks from then on', async () => {
  const given = await newTopic(1)
  const large = new TextEncoder().encode('\u0001'.repeat(900_000))
  await producer.send(given.topic, { value: 0 })
  await producer.send(given.topic, { value: large })
  await producer.send(given.topic, { value: 2 })
  const consumer = new Consumer({ brokers: world.url, topics: given.topic, group: given.group })
  const offsets: number[] = []
  let record: ConsumedRecord
  for await (record of consumer) if (offsets.push(record.offset) && record.offset === 2) break
  expect(new Set(offsets)).toEqual(new Set([0, 1, 2]))
})

test('a group is no place to say where to begin', () => {
  const options = { brokers: 'http://localhost:1', topics: 't', group: 'g' }
  expect(() => new Consumer({ ...options, cursor: '0.1' })).toThrow('group')
  expect(() => new Consumer({ ...options, partition: 1 })).toThrow('group')
  expect(() => new Consumer({ ...options, transports: ['events'] })).toThrow('transports')
})
