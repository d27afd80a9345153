// The producer against the executable, and against what can go wrong: what it says is kept is kept, once, in the order of its
// key; what is not is told, with what happened to it and what to do.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { NaruError, Producer, type ProducerOptions } from '../../src/client/index.ts'
import { slotOfKey, SlotTable } from '../../src/core/record/index.ts'
import { BrokerWorld, type StoredRecord } from './broker-world.ts'
import { diskLow, FaultyProxy, isBatches, shuttingDown } from './faulty-proxy.ts'

let world: BrokerWorld
let proxy: FaultyProxy
let topicCount = 0

beforeAll(async () => {
  world = await BrokerWorld.start()
  proxy = new FaultyProxy(() => world.url)
})

afterAll(async () => {
  await proxy.end()
  await world.end()
})

async function newTopic(partitions = 1): Promise<string> {
  const topic = `topic-${topicCount++}`
  await world.broker.call('PUT', `/v1/topics/${topic}`, { partitions })
  return topic
}

async function producing<Answer>(
  options: Partial<ProducerOptions>,
  run: (producer: Producer) => Promise<Answer>,
): Promise<Answer> {
  const producer = new Producer({ brokers: proxy.url, lingerMs: 1, ...options })
  try {
    return await run(producer)
  } finally {
    proxy.fault = () => null
    await producer.close().catch(() => {})
  }
}

/** Numbers from 0, under a few keys; returns when all are settled, with those that were kept. */
async function sendNumbers(producer: Producer, topic: string, count: number, pauseEvery = 0): Promise<number[]> {
  const kept: number[] = []
  const sends: Promise<void>[] = []
  for (let n = 0; n < count; n++) {
    const sent = producer.send(topic, { key: `k${n % 7}`, value: { n } })
    sends.push(
      sent.then(
        () => void kept.push(n),
        () => {},
      ),
    )
    if (pauseEvery > 0 && n % pauseEvery === 0) await Bun.sleep(1)
  }
  await Promise.all(sends)
  return kept.sort((a, b) => a - b)
}

function numbersOf(stored: readonly StoredRecord[]): number[] {
  return stored.map(({ value }) => (value as { n: number }).n)
}

function expectKeysInOrder(stored: readonly StoredRecord[]): void {
  const latest = new Map<string, number>()
  for (const { key, value } of stored) {
    const { n } = value as { n: number }
    expect(n).toBeGreaterThan(latest.get(key!) ?? -1)
    latest.set(key!, n)
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

async function failureOf(promise: Promise<unknown>): Promise<NaruError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(NaruError)
  return error as NaruError
}

describe('records', () => {
  test('come back as they were sent, at the place that was told', async () => {
    const topic = await newTopic()
    const records = [
      { key: 'ann', value: { item: '茶', price: 2.5 }, headers: { trace: 'é1' }, tags: ['vip', 'new'] },
      { value: 'text' },
      { value: null, timestamp: 1_700_000_000_000 },
      { key: new Uint8Array([0xff]), value: new Uint8Array([1, 0xff]) },
      { key: 'ann', tombstone: true as const },
    ]
    const sent = await producing({}, (producer) => Promise.all(records.map((record) => producer.send(topic, record))))
    expect(sent.map(({ partition, offset }) => [partition, offset])).toEqual(upTo(5).map((n) => [0, n]))
    expect(await world.stored(topic)).toMatchObject([
      records[0]!,
      { value: 'text' },
      { value: null, timestamp: 1_700_000_000_000 },
      { keyBase64: '/w==', valueBase64: 'Af8=' },
      { key: 'ann', tombstone: true },
    ] as object[])
  })

  test('go to the partition of their key, spread without one, or to the one that is asked for', async () => {
    const topic = await newTopic(5)
    await producing({ lingerMs: 0 }, async (producer) => {
      for (let n = 0; n < 40; n++) await producer.send(topic, { key: `key-${n}`, value: n })
      for (let n = 0; n < 10; n++) await producer.send(topic, { value: n })
      expect((await producer.send(topic, { value: 'there', partition: 3 })).partition).toBe(3)
    })
    const slots = new SlotTable([0, 1, 2, 3, 4])
    const stored = await world.stored(topic)
    for (const { key, partition } of stored.filter((record) => record.key !== undefined)) {
      const bytes = new TextEncoder().encode(key)
      expect(partition).toBe(slots.partitionOf(slotOfKey(bytes, 0, bytes.length)))
    }
    const keyless = stored.filter(({ key, value }) => key === undefined && value !== 'there')
    expect(new Set(keyless.map(({ partition }) => partition)).size).toBe(5)
  })

  test('are compressed on demand, and larger than a batch on their own', async () => {
    const topic = await newTopic()
    const filling = 'abcdefghij'.repeat(1_000)
    await producing({ compression: 'gzip', batchBytes: 2_000 }, async (producer) => {
      await Promise.all(upTo(20).map((n) => producer.send(topic, { value: { n, filling } })))
      expect(producer.metrics.bytesKept).toBeLessThan(20 * 1_000)
    })
    expect(await world.stored(topic)).toMatchObject(upTo(20).map((n) => ({ value: { n, filling } })))
  })

  test('that cannot be stored are refused one by one, before they are sent', async () => {
    const topic = await newTopic()
    let deep: unknown = 0
    for (let level = 0; level < 300; level++) deep = [deep]
    await producing({}, async (producer) => {
      await producer.send(topic, { value: 'first' })
      const bad = [
        {},
        { value: () => 1 },
        { tombstone: true as const },
        { value: deep },
        { value: 'x'.repeat(1 << 20) },
        { key: 'k'.repeat(40_000), value: 1 },
        { value: 1, tags: [''] },
        { value: 1, headers: { '': 'x' } },
        { value: 1, timestamp: 1.5 },
        { value: 1, partition: 9 },
        { value: 1, json: '1' },
        { key: 'a', tombstone: true as const, json: '1' },
        { json: '{' },
        { json: '1\n' },
        { json: new Uint8Array([0x22, 0xff, 0x22]) },
      ]
      for (const record of bad) {
        const error = await failureOf(producer.send(topic, record))
        expect(error).toMatchObject({ code: 'invalid-record', outcome: 'none', retryable: false })
      }
      await producer.send(topic, { value: 'last' })
    })
    expect((await world.stored(topic)).map(({ value }) => value)).toEqual(['first', 'last'])
  })

  test('create their topic, unless told not to', async () => {
    await producing({}, (producer) => producer.send('made-by-use', { value: 1 }))
    expect(await world.stored('made-by-use')).toHaveLength(1)
    const error = await producing({ createTopics: false }, (producer) =>
      failureOf(producer.send('not-made', { value: 1 })),
    )
    expect(error).toMatchObject({ code: 'unknown-topic', outcome: 'none' })
    expect(error.message).toContain('There is no topic not-made')
  })

  test('create no topic where the broker lets no producer do so', async () => {
    const strict = await BrokerWorld.start(['--auto-create-topics', 'false'])
    try {
      const error = await producing({ brokers: strict.url }, (producer) =>
        failureOf(producer.send('mistyped', { value: 1 })),
      )
      expect(error).toMatchObject({ code: 'unknown-topic', outcome: 'none' })
      await strict.broker.call('PUT', '/v1/topics/made', {})
      await producing({ brokers: strict.url }, (producer) => producer.send('made', { value: 1 }))
      expect(await strict.stored('made')).toHaveLength(1)
    } finally {
      await strict.end()
    }
  })
})

describe('faults', () => {
  test('answers that are lost: sent again, kept once, in order', async () => {
    const topic = await newTopic(2)
    proxy.fault = (request, nth) => (isBatches(request) && nth % 3 === 0 ? { kind: 'lose-answer' } : null)
    const kept = await producing({ batchBytes: 500 }, async (producer) => {
      const sent = await sendNumbers(producer, topic, 500)
      expect(producer.metrics.repeats).toBeGreaterThan(0)
      return sent
    })
    expect(kept).toEqual(upTo(500))
    const stored = await world.stored(topic)
    expect(numbersOf(stored).sort((a, b) => a - b)).toEqual(upTo(500))
    expectKeysInOrder(stored)
  })

  test('503 and late answers, at random: kept once, in order', async () => {
    const topic = await newTopic(3)
    const refused = new Set([2, 5, 6, 11, 17])
    let batches = 0
    proxy.fault = (request) => {
      if (!isBatches(request)) return null
      batches++
      if (refused.has(batches)) {
        const response = shuttingDown()
        response.headers.delete('retry-after')
        return { kind: 'refuse', response }
      }
      return batches % 4 === 0 ? { kind: 'delay', ms: 30 } : null
    }
    const kept = await producing({ batchBytes: 500 }, (producer) => sendNumbers(producer, topic, 400, 20))
    expect(kept).toEqual(upTo(400))
    const stored = await world.stored(topic)
    expect(stored).toHaveLength(400)
    expectKeysInOrder(stored)
  })

  test('Retry-After is waited for', async () => {
    const topic = await newTopic()
    await producing({}, async (producer) => {
      await producer.send(topic, { value: 0 })
      let refusedAtMs = 0
      proxy.fault = (request) => {
        if (!isBatches(request) || refusedAtMs > 0) return null
        refusedAtMs = performance.now()
        return { kind: 'refuse', response: shuttingDown() }
      }
      await producer.send(topic, { value: 1 })
      expect(performance.now() - refusedAtMs).toBeGreaterThanOrEqual(950)
    })
  })

  test('a batch that is refused for good does not harm those behind it', async () => {
    const topic = await newTopic()
    await world.broker.call('PATCH', `/v1/topics/${topic}`, { config: { recordBytesMax: 2_000 } })
    await producing({ batchBytes: 1_000 }, async (producer) => {
      const sends = upTo(60).map((n) =>
        producer.send(topic, { value: { n, filling: n === 20 ? 'x'.repeat(5_000) : '' } }).then(
          () => n,
          (error: NaruError) => error,
        ),
      )
      const outcomes = await Promise.all(sends)
      const failed = outcomes.filter((outcome) => outcome instanceof NaruError)
      expect(failed.length).toBeGreaterThan(0)
      for (const error of failed) expect(error).toMatchObject({ code: 'bad-batch', outcome: 'none' })
      const kept = outcomes.filter((outcome) => typeof outcome === 'number')
      expect(numbersOf(await world.stored(topic))).toEqual(kept)
      expect(kept).toContain(59)
    })
  })

  test('without idempotence, what may have been kept is not sent again, and that is said', async () => {
    const topic = await newTopic()
    await producing({ idempotence: false }, async (producer) => {
      await producer.send(topic, { value: 0 })
      let isLost = false
      proxy.fault = (request) => {
        if (!isBatches(request) || isLost) return null
        isLost = true
        return { kind: 'lose-answer' }
      }
      expect(await failureOf(producer.send(topic, { value: 1 }))).toMatchObject({ outcome: 'unknown', retryable: true })
    })
    expect(await world.stored(topic)).toHaveLength(2)
  })

  test('a broker that stays full: the buffer is bounded, the error says what to do, and it goes on with space', async () => {
    const topic = await newTopic()
    await producing({ bufferBytes: 20_000, deliveryTimeoutMs: 400 }, async (producer) => {
      proxy.fault = (request) => (isBatches(request) ? { kind: 'refuse', response: diskLow() } : null)
      const errors: NaruError[] = []
      for (let n = 0; n < 500; n++) {
        const room = producer.add(topic, { value: { n, filling: 'x'.repeat(200) } })
        await room?.catch((error: NaruError) => void errors.push(error))
        expect(producer.metrics.bufferedBytes).toBeLessThan(21_000)
        if (errors.length > 2) break
      }
      const error = await failureOf(producer.flush())
      expect(error.outcome).toBe('none')
      expect(error.message).toMatch(/disk is nearly full|buffer stayed full/)
      proxy.fault = () => null
      await producer.send(topic, { value: 'space again' })
    })
    expect((await world.stored(topic)).at(-1)!.value).toBe('space again')
  })

  test('while batches queue, adding lets the answers in: they do not wait until the buffer is full', async () => {
    const topic = await newTopic()
    const bufferBytes = 64 << 20
    await producing({ brokers: world.url, batchBytes: 1_000, bufferBytes }, async (producer) => {
      const record = { value: new Uint8Array(800) }
      while (producer.metrics.batchesKept === 0) {
        const turn = producer.add(topic, record)
        if (turn !== undefined) await turn
      }
      expect(producer.metrics.bufferedBytes).toBeLessThan(bufferBytes / 2)
    })
  })

  test('who sends without waiting is stopped before memory is', async () => {
    const topic = await newTopic()
    await producing({ bufferBytes: 100_000 }, async (producer) => {
      const sends = upTo(12_000).map((n) => producer.send(topic, { value: { n } }))
      const refused = (await Promise.allSettled(sends)).filter(({ status }) => status === 'rejected')
      expect(refused.length).toBeGreaterThan(0)
      for (const { reason } of refused as PromiseRejectedResult[]) {
        expect(reason).toMatchObject({ code: 'buffer-full', outcome: 'none' })
      }
      expect(await world.stored(topic)).toHaveLength(12_000 - refused.length)
    })
  })

  test('nobody there: said in words, within the time that was given', async () => {
    const error = await producing({ brokers: 'http://127.0.0.1:1', deliveryTimeoutMs: 300 }, (producer) =>
      failureOf(producer.send('any', { value: 1 })),
    )
    expect(error).toMatchObject({ code: 'unreachable', outcome: 'none', retryable: true })
    expect(error.message).toContain('is one running, and its URL right?')
  })
})

describe('the broker itself', () => {
  test('killed and started again, over and over: what was acknowledged is there, once, in order', async () => {
    const topic = await newTopic(3)
    await producing({ brokers: world.url, batchBytes: 1_000 }, async (producer) => {
      const sending = sendNumbers(producer, topic, 3_000, 10)
      for (let round = 0; round < 3; round++) {
        await Bun.sleep(60)
        await world.broker.kill()
        await world.start()
      }
      expect(await sending).toEqual(upTo(3_000))
      expect(producer.metrics.repeats).toBeGreaterThan(0)
    })
    const stored = await world.stored(topic)
    expect(numbersOf(stored).sort((a, b) => a - b)).toEqual(upTo(3_000))
    expectKeysInOrder(stored)
  }, 30_000)

  test('paused for longer than a request may take: kept once, in order', async () => {
    const topic = await newTopic()
    await producing({ brokers: world.url, requestTimeoutMs: 150, batchBytes: 500 }, async (producer) => {
      const sending = sendNumbers(producer, topic, 300, 10)
      await Bun.sleep(10)
      process.kill(world.broker.pid, 'SIGSTOP')
      await Bun.sleep(600)
      process.kill(world.broker.pid, 'SIGCONT')
      expect(await sending).toEqual(upTo(300))
    })
    const stored = await world.stored(topic)
    expect(numbersOf(stored).sort((a, b) => a - b)).toEqual(upTo(300))
    expectKeysInOrder(stored)
  }, 20_000)
})

test('a partition that retires takes nothing more: what was on its way there is told, all else goes to the others', async () => {
  const topic = await newTopic(3)
  await producing({}, async (producer) => {
    expect(await sendNumbers(producer, topic, 50)).toHaveLength(50)
    await world.broker.call('POST', `/v1/topics/${topic}/partitions/1/retire`, { afterMs: 60_000 })
    const before = (await world.stored(topic)).filter(({ partition }) => partition === 1).length
    const failures: NaruError[] = []
    for (let n = 0; n < 21; n++) {
      const failure = await producer.send(topic, { key: `k${n % 7}`, value: { n } }).then(
        () => null,
        (error: unknown) => error as NaruError,
      )
      if (failure !== null) failures.push(failure)
      await producer.send(topic, { value: { n } }).catch((error: unknown) => failures.push(error as NaruError))
    }
    expect(failures.length).toBeLessThanOrEqual(1)
    expect(failures.map(({ code, outcome }) => [code, outcome])).toEqual(
      failures.map(() => ['partition-retiring', 'none']),
    )
    const after = await world.stored(topic)
    expect(after).toHaveLength(50 + 42 - failures.length)
    expect(after.filter(({ partition }) => partition === 1)).toHaveLength(before)
  })
})

describe('the end', () => {
  test('flush keeps all that was added; close takes no more', async () => {
    const topic = await newTopic()
    const producer = new Producer({ brokers: world.url, lingerMs: 60_000 })
    for (let n = 0; n < 100; n++) await producer.add(topic, { value: { n } })
    await producer.flush()
    expect(numbersOf(await world.stored(topic))).toEqual(upTo(100))
    await producer.add(topic, { value: { n: 100 } })
    await producer.close()
    expect(await world.stored(topic)).toHaveLength(101)
    expect(await failureOf(producer.send(topic, { value: 1 }))).toMatchObject({ code: 'closed', outcome: 'none' })
    expect(producer.metrics).toMatchObject({ recordsTaken: 101, recordsKept: 101, recordsFailed: 0, bufferedBytes: 0 })
  })

  test('close gives up where nobody answers, and says what is not known', async () => {
    const topic = await newTopic()
    const producer = new Producer({ brokers: proxy.url })
    await producer.send(topic, { value: 0 })
    proxy.fault = () => ({ kind: 'delay', ms: 1_000 })
    const sent = failureOf(producer.send(topic, { value: 1 }))
    await producer.close({ timeoutMs: 50 })
    expect(await sent).toMatchObject({ code: 'closed', outcome: 'unknown' })
    proxy.fault = () => null
  })
})
