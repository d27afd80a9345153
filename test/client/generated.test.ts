// The generated client against the executable: what it is asked to do over HTTP is what its types say.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createTopic, fetch_, fetchBatches, produce, produceBatches, stream } from '../../openapi/client/index.ts'
import { createClient } from '../../openapi/client/client/index.ts'
import { hostCodec } from '../../src/edge/host/index.ts'
import { BatchBuilder, RecordSpans } from '../../src/core/record/index.ts'
import { BrokerProcess, scratchFolder } from '../e2e/broker-process.ts'

const scratch = scratchFolder('generated')
let broker: BrokerProcess

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: scratch.folder })
})

afterAll(async () => {
  await broker.stop()
  scratch.remove()
})

test('creates, produces, sends and reads batches, fetches and streams', async () => {
  const client = createClient({ baseUrl: broker.url })
  const path = { topic: 'orders' }
  const created = await createTopic({ client, path, body: { partitions: 1 }, throwOnError: true })
  expect(created.data.partitions.map(({ partition }) => partition)).toEqual([0])

  const record = { key: 'ann', value: { item: 'tea' }, tags: ['vip'] }
  const produced = await produce({ client, path, body: { records: [record] }, throwOnError: true })
  expect(produced.data.partitions).toMatchObject([{ partition: 0, baseOffset: 0, count: 1 }])

  const builder = new BatchBuilder(hostCodec)
  const spans = new RecordSpans()
  spans.value = new TextEncoder().encode('raw')
  spans.valueEnd = spans.value.length
  builder.add(spans, 1_700_000_000_000)
  const body = new Blob([builder.finish() as Uint8Array<ArrayBuffer>])
  const onPartition = { ...path, partition: 0 }
  const sent = await produceBatches({ client, path: onPartition, body, throwOnError: true })
  expect(sent.data.partitions).toMatchObject([{ partition: 0, baseOffset: 1, count: 1 }])

  const fetched = await fetch_({ client, path, query: { limit: 10 }, throwOnError: true })
  expect(fetched.data).toMatchObject({
    caughtUp: true,
    records: [
      { ...record, offset: 0 },
      { value: 'raw', offset: 1 },
    ],
  })

  const batches = await fetchBatches({ client, path: onPartition, parseAs: 'arrayBuffer', throwOnError: true })
  expect((batches.data as unknown as ArrayBuffer).byteLength).toBeGreaterThan(160)

  const leaving = new AbortController()
  const events = await stream({ client, path, signal: leaving.signal, sseMaxRetryAttempts: 1 })
  const offsets: number[] = []
  for await (const event of events.stream) {
    if (event.type === 'records') offsets.push(...event.records.map(({ offset }) => offset))
    if (offsets.length === 2) break
  }
  leaving.abort()
  expect(offsets).toEqual([0, 1])
})

test('a refusal is the problem the broker tells', async () => {
  const client = createClient({ baseUrl: broker.url })
  const { error, response } = await fetch_({ client, path: { topic: 'none' } })
  expect(response?.status).toBe(404)
  expect(error).toMatchObject({ code: 'unknown-topic', outcome: 'none', retryable: false })
})
