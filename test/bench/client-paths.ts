// The client's producer with its defaults, a million records from one process, beside a loop that encodes the same records and posts
// the batches, as many at once, with nothing of a client around them: no buffer, no timers, no repeats.

import { Producer } from '../../src/client/index.ts'
import { BatchBuilder, RecordAttribute, RecordSpans } from '../../src/core/record/index.ts'
import { hostCodec } from '../../src/edge/host/index.ts'
import { type BenchWorld, makeTopic, type Row, trimTopic } from './bench-world.ts'
import type { Measured } from './comparison.ts'
import { median } from './load.ts'
import { cpuSeconds } from './servers.ts'

const RECORDS = 1_000_000
const RECORD_BYTES = 100
const BATCH_BYTES = 256 * 1024
const IN_FLIGHT_MAX = 5
const TARGET = 0.7

type Value = string | Uint8Array

export async function client(world: BenchWorld): Promise<Row[]> {
  const bytes = await compared(world, 'bytes', new Uint8Array(RECORD_BYTES).fill(0x76))
  const json = await compared(world, 'JSON', 'v'.repeat(RECORD_BYTES - 2))
  return [...bytes, ...json]
}

async function compared(world: BenchWorld, kind: string, value: Value): Promise<Row[]> {
  const looped: Measured[] = []
  const produced: Measured[] = []
  for (let round = 0; round <= world.pace.rounds; round++) {
    const loop = await timed(world, (topic) => postLoop(world, topic, value))
    const client = await timed(world, (topic) => produce(world, topic, value))
    // The first is for warming up.
    if (round === 0) continue
    looped.push(loop)
    produced.push(client)
  }
  const [floor, measured] = [medianOf(looped), medianOf(produced)]
  const common = { recordsPerRequest: 1, payloadBytes: RECORD_BYTES }
  const ratio = measured.requestsPerSecond / floor.requestsPerSecond
  return [
    { path: `a loop that posts batches, ${kind}`, measured: floor, ...common },
    { path: `Producer.add, ${kind}`, measured, ...common, against: 'loop', ratio, target: TARGET },
  ]
}

async function timed(world: BenchWorld, run: (topic: string) => Promise<void>): Promise<Measured> {
  const topic = await makeTopic(world)
  const cpuBefore = cpuSeconds(world.broker.pid)
  const started = performance.now()
  await run(topic)
  const seconds = (performance.now() - started) / 1000
  const cpu = cpuSeconds(world.broker.pid) - cpuBefore
  const { highWatermark } = await world.broker.call<{ highWatermark: number }>(
    'GET',
    `/v1/topics/${topic}/partitions/0`,
  )
  if (highWatermark !== RECORDS) throw new Error(`${highWatermark} records are kept of ${RECORDS}`)
  await trimTopic(world, topic)
  return {
    requestsPerSecond: RECORDS / seconds,
    p50: Number.NaN,
    p99: Number.NaN,
    busy: cpu / seconds,
    cpuMicros: (cpu * 1e6) / RECORDS,
    syncSeconds: Number.NaN,
    requestBytes: RECORD_BYTES,
    replyBytes: Number.NaN,
  }
}

async function produce(world: BenchWorld, topic: string, value: Value): Promise<void> {
  const producer = new Producer({ brokers: world.broker.url })
  const record = { value }
  for (let i = 0; i < RECORDS; i++) {
    const room = producer.add(topic, record)
    if (room !== undefined) await room
  }
  await producer.close()
}

async function postLoop(world: BenchWorld, topic: string, value: Value): Promise<void> {
  const builder = new BatchBuilder(hostCodec, BATCH_BYTES)
  const spans = new RecordSpans()
  const encoder = new TextEncoder()
  const memory = new Uint8Array(1024)
  const url = `${world.broker.url}/v1/topics/${topic}/partitions/0/batches`
  const underWay: Promise<void>[] = []
  const post = async (): Promise<void> => {
    if (underWay.length === IN_FLIGHT_MAX) await underWay.shift()
    underWay.push(postBatch(url, builder.finish()))
  }
  for (let i = 0; i < RECORDS; i++) {
    if (typeof value === 'string') {
      spans.value = memory
      spans.valueEnd = encoder.encodeInto(JSON.stringify(value), memory).written
      spans.attributes = RecordAttribute.json
    } else {
      spans.value = value
      spans.valueEnd = value.length
    }
    const nowMs = Date.now()
    if (builder.add(spans, nowMs)) continue
    await post()
    builder.add(spans, nowMs)
  }
  await post()
  await Promise.all(underWay)
}

async function postBatch(url: string, batch: Uint8Array): Promise<void> {
  const headers = { 'content-type': 'application/vnd.naru.batch' }
  const response = await fetch(url, { method: 'POST', body: batch, headers })
  if (!response.ok) throw new Error(await response.text())
  await response.arrayBuffer()
}

function medianOf(rounds: readonly Measured[]): Measured {
  const [first] = rounds
  return {
    ...first!,
    requestsPerSecond: median(rounds.map(({ requestsPerSecond }) => requestsPerSecond)),
    busy: median(rounds.map(({ busy }) => busy)),
    cpuMicros: median(rounds.map(({ cpuMicros }) => cpuMicros)),
  }
}
