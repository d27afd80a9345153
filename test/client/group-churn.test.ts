// Consumers of a group that come and go all the time while records are produced. While all of them close as they should, each
// record is dealt with exactly once; with connections cut in between at least once. In a hold a partition is read without gaps.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Consumer, Producer, type Transport } from '../../src/client/index.ts'
import { CutProxy } from '../e2e/cut-proxy.ts'
import { until } from '../e2e/broker-process.ts'
import { SimRandom } from '../sim/random.ts'
import { BrokerWorld } from './broker-world.ts'

const PARTITIONS = 8
const MEMBERS_MAX = 8
const CHURN_MS = 1_500
const SETTLE_MS_MAX = 15_000

let world: BrokerWorld
let proxy: CutProxy

beforeAll(async () => {
  world = await BrokerWorld.start()
  proxy = await CutProxy.start(world.broker.port)
})

afterAll(async () => {
  proxy.stop()
  await world.end()
})

class Crowd {
  readonly #topic: string
  readonly #transports: readonly Transport[]
  readonly #members: { consumer: Consumer; done: Promise<void> }[] = []
  readonly #over: Promise<void>[] = []
  /** How often each place was dealt with. */
  readonly dealtWith = new Map<string, number>()
  readonly faults: string[] = []

  constructor(topic: string, transports: readonly Transport[]) {
    this.#topic = topic
    this.#transports = transports
  }

  get size(): number {
    return this.#members.length
  }

  join(): void {
    /** The next offset of each partition that is held; null: any. */
    const next = new Map<number, number | null>()
    const drop = (places: readonly { partition: number }[]): void => {
      for (const { partition } of places) next.delete(partition)
    }
    const consumer = new Consumer({
      brokers: `http://127.0.0.1:${proxy.port}`,
      topics: this.#topic,
      group: `of-${this.#topic}`,
      transports: this.#transports,
      prefetchRecords: 20,
      onAssigned: (places) => places.forEach(({ partition }) => next.set(partition, null)),
      onRevoked: drop,
      onLost: drop,
    })
    const work = async (): Promise<void> => {
      for await (const { partition, offset } of consumer) {
        const expected = next.get(partition)
        if (expected === undefined) this.faults.push(`${partition}/${offset} came without a hold`)
        else if (expected !== null && expected !== offset) this.faults.push(`${partition}/${offset}, not ${expected}`)
        next.set(partition, offset + 1)
        const place = `${partition}/${offset}`
        this.dealtWith.set(place, (this.dealtWith.get(place) ?? 0) + 1)
        if (offset % 3 === 0) await Bun.sleep(1)
      }
    }
    const done = work()
    this.#members.push({ consumer, done })
    this.#over.push(done)
  }

  leave(nth: number): void {
    const [member] = this.#members.splice(nth, 1)
    member?.consumer.close()
  }

  async end(): Promise<void> {
    while (this.#members.length > 0) this.leave(0)
    await Promise.all(this.#over)
  }
}

test.each([
  ['websocket', false],
  ['websocket', true],
  ['poll', false],
  ['poll', true],
] as [Transport, boolean][])(
  'over %s, cut: %p',
  async (transport, isCut) => {
    const topic = `churn-${transport}-${isCut}`
    await world.broker.call('PUT', `/v1/topics/${topic}`, { partitions: PARTITIONS })
    const random = new SimRandom(11, topic)
    const producer = new Producer({ brokers: world.url, lingerMs: 1 })
    const crowd = new Crowd(topic, [transport])
    const endMs = Date.now() + CHURN_MS
    let produced = 0
    while (Date.now() < endMs) {
      for (let i = random.int(1, 40); i > 0; i--) await producer.add(topic, { key: `k${produced}`, value: produced++ })
      if (crowd.size < MEMBERS_MAX && random.int(0, 2) > 0) crowd.join()
      else if (crowd.size > 0) crowd.leave(random.int(0, crowd.size - 1))
      if (isCut && random.int(0, 4) === 0) proxy.cutAll()
      await Bun.sleep(random.int(5, 40))
    }
    await producer.close()
    if (crowd.size === 0) crowd.join()
    await until(Date.now() + SETTLE_MS_MAX, async () => crowd.dealtWith.size === produced)
    await crowd.end()
    expect(crowd.faults).toEqual([])
    expect(crowd.dealtWith.size).toBe(produced)
    if (!isCut) expect([...crowd.dealtWith].filter(([, count]) => count !== 1)).toEqual([])
  },
  60_000,
)
