// Push: one subscriber that reads a long log beside a bare socket that is sent equal frames; many subscribers of one topic beside
// `server.publish` of the same bytes; and how long a record takes to arrive. What is produced meanwhile is produced over HTTP.

import { type BenchWorld, makeTopic, type Row, trimTopic } from './bench-world.ts'
import type { Measured } from './comparison.ts'
import { median, percentile } from './load.ts'
import { Producer, Subscribers } from './push-load.ts'
import { cpuSeconds, Metrics, type Server } from './servers.ts'

const RECORD_BYTES = 100
/** Enough that neither side ever waits for the other. */
const MESSAGES_ON_WAY = 32
const LOG_RECORDS = 400_000
const RATE_PER_S = 1_000
/** An acknowledgement leaves when the sync has ended: it is what the sync is taken by. */
const SYNC_SLACK_MS = 2
const BARE_FRAME_BYTES = 256 * 1024
const CAUGHT_UP = '"caughtUp":true}'

export async function push(world: BenchWorld): Promise<Row[]> {
  const rows = [...(await oneSubscriber(world))]
  for (const count of [200, 1_000]) {
    for (const records of [1, 10, 100]) rows.push(...(await manySubscribers(world, count, records)))
  }
  rows.push(await latency(world))
  return rows
}

function recordsText(count: number): string {
  const value = 'v'.repeat(RECORD_BYTES)
  return Array.from(
    { length: count },
    (_, i) =>
      `{"partition":0,"offset":${1_000_000 + i},"timestamp":1795370131099,"appendedAt":1795370131100,"value":"${value}"}`,
  ).join()
}

function frameOf(count: number): string {
  return `{"op":"records","sub":"s","topic":"bench-1","records":[${recordsText(count)}],"cursor":"cwereb4owrvnf764tikj_0.1000000.0","caughtUp":true}`
}

function bodyOf(count: number): string {
  return JSON.stringify(Array.from({ length: count }, () => ({ value: 'v'.repeat(RECORD_BYTES) })))
}

async function setPushed(world: BenchWorld, body: string): Promise<void> {
  await fetch(`http://127.0.0.1:${world.floors.port}/pushed`, { method: 'PUT', body })
}

// --- one ---------------------------------------------------------------------------------------------------------------

async function oneSubscriber(world: BenchWorld): Promise<Row[]> {
  const topic = await makeTopic(world)
  const body = bodyOf(1_000)
  for (let i = 0; i < LOG_RECORDS / 1_000; i++) {
    const headers = { 'content-type': 'application/json' }
    await (await fetch(`${world.broker.url}/v1/topics/${topic}/records`, { method: 'POST', body, headers })).json()
  }
  const perFrame = Math.round(BARE_FRAME_BYTES / recordsText(1).length)
  await setPushed(world, frameOf(perFrame))
  const bare: Measured[] = []
  const made: Measured[] = []
  const naru: Measured[] = []
  let logBytes = 0
  for (let round = 0; round <= world.pace.rounds; round++) {
    const hello = { op: 'subscribe', id: 's', topics: [topic] }
    const log = await reading(world.broker, '/v1/ws', hello, (_, chunk) => chunk.includes(CAUGHT_UP, -CAUGHT_UP.length))
    logBytes = log.bytes
    const poured = await reading(world.floors, '/ws', { op: 'pour' }, (bytes) => bytes >= logBytes)
    const pouredAnew = await reading(world.floors, '/ws', { op: 'pour-made' }, (bytes) => bytes >= logBytes)
    if (round === 0) continue
    bare.push(poured.measured)
    made.push(pouredAnew.measured)
    naru.push(log.measured)
  }
  const common = { recordsPerRequest: 1, payloadBytes: recordsText(1).length }
  const [floor, anew, path] = [medianOf(bare), medianOf(made), medianOf(naru)]
  return [
    { path: 'push to one: bare socket, one frame of 256 KiB', measured: floor, ...common },
    { path: 'push to one: bare socket, frames from bytes', measured: anew, ...common },
    {
      path: 'push to one, from a long log',
      measured: path,
      ...common,
      against: 'bare socket',
      ratio: path.requestsPerSecond / floor.requestsPerSecond,
      target: 0.7,
      note: `${(path.requestsPerSecond / anew.requestsPerSecond).toFixed(2)} of a socket that makes each frame from bytes`,
    },
  ]
}

/** How fast as many bytes are sent as the log has. */
async function reading(
  server: Server,
  path: string,
  hello: object,
  isEnd: (bytes: number, chunk: Buffer) => boolean,
): Promise<{ measured: Measured; bytes: number }> {
  const cpuBefore = cpuSeconds(server.pid)
  const startedAt = performance.now()
  const subscriber = await Subscribers.open({ port: server.port, path, hello, count: 1, countsRecords: false })
  const bytes = await new Promise<number>((resolve) => {
    subscriber.onBytes = (so, chunk) => isEnd(so, chunk) && resolve(so)
  })
  const seconds = (performance.now() - startedAt) / 1_000
  const measured = measuredOf(LOG_RECORDS, seconds, cpuSeconds(server.pid) - cpuBefore)
  subscriber.close()
  return { measured, bytes }
}

// --- many --------------------------------------------------------------------------------------------------------------

async function manySubscribers(world: BenchWorld, count: number, records: number): Promise<Row[]> {
  const topic = await makeTopic(world)
  await setPushed(world, frameOf(records))
  const hello = { op: 'subscribe', id: 's', topics: [topic], from: 'latest' }
  const sides = [
    { server: world.floors as Server, path: '/ws', produce: '/publish' },
    { server: world.broker as Server, path: '/v1/ws', produce: `/v1/topics/${topic}/records` },
  ]
  const slices: Measured[][] = [[], []]
  const open: { subscribers: Subscribers; producer: Producer }[] = []
  for (const { server, path, produce } of sides) {
    const subscribers = await Subscribers.open({ port: server.port, path, hello, count })
    const body = bodyOf(records)
    const producer = await Producer.open(server.port, produce, body, records, MESSAGES_ON_WAY, subscribers)
    await producer.run(world.pace.warmSeconds)
    open.push({ subscribers, producer })
  }
  for (let round = 0; round < world.pace.rounds; round++) {
    for (const [i, { server }] of sides.entries()) {
      const cpuBefore = cpuSeconds(server.pid)
      const run = await open[i]!.producer.run(world.pace.seconds)
      slices[i]!.push(measuredOf(run.records * count, run.seconds, cpuSeconds(server.pid) - cpuBefore))
    }
    await trimTopic(world, topic)
  }
  for (const { subscribers, producer } of open) {
    subscribers.close()
    producer.close()
  }
  const [floor, path] = [medianOf(slices[0]!), medianOf(slices[1]!)]
  const common = { recordsPerRequest: 1, payloadBytes: recordsText(1).length }
  return [
    { path: `push to ${count}, ${records} a message: server.publish`, measured: floor, ...common },
    {
      path: `push to ${count}, ${records} a message`,
      measured: path,
      ...common,
      against: 'server.publish',
      ratio: path.requestsPerSecond / floor.requestsPerSecond,
      target: 0.7,
    },
  ]
}

// --- how long ----------------------------------------------------------------------------------------------------------

async function latency(world: BenchWorld): Promise<Row> {
  const topic = await makeTopic(world)
  const { broker } = world
  const hello = { op: 'subscribe', id: 's', topics: [topic], from: 'latest' }
  const subscriber = await Subscribers.open({ port: broker.port, path: '/v1/ws', hello, count: 1 })
  const sentAt: number[] = []
  const latencies: number[] = []
  const acknowledged: number[] = []
  subscriber.onRecords = () => {
    const now = performance.now()
    while (latencies.length < subscriber.records) latencies.push(now - sentAt[latencies.length]!)
  }
  const total = Math.max(1_000, RATE_PER_S * world.pace.seconds * world.pace.rounds)
  const before = await Metrics.scrape(broker)
  const body = bodyOf(1)
  const headers = { 'content-type': 'application/json' }
  const startedAt = performance.now()
  const replies: Promise<unknown>[] = []
  while (sentAt.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * RATE_PER_S))
    while (sentAt.length < due) {
      const sentAtMs = performance.now()
      sentAt.push(sentAtMs)
      const reply = fetch(`${broker.url}/v1/topics/${topic}/records`, { method: 'POST', body, headers })
      replies.push(
        reply.then((response) => {
          acknowledged.push(performance.now() - sentAtMs)
          return response.arrayBuffer()
        }),
      )
    }
    await Bun.sleep(1)
  }
  await Promise.all(replies)
  await subscriber.whole(total)
  const after = await Metrics.scrape(broker)
  subscriber.close()
  const [sorted, acks] = [latencies, acknowledged].map((all) => new Float64Array(all.slice(all.length / 10)).sort())
  const syncMs = Metrics.quantileBetween('naru_log_sync_seconds', 0.99, before, after) * 1_000
  const p99 = percentile(sorted!, 0.99)
  const ackMs = percentile(acks!, 0.99)
  return {
    path: `produced to pushed, ${RATE_PER_S} records/s`,
    measured: { ...measuredOf(total, total / RATE_PER_S, Number.NaN), p50: percentile(sorted!, 0.5), p99 },
    recordsPerRequest: 1,
    payloadBytes: RECORD_BYTES,
    p99Ratio: p99 - ackMs,
    p99Target: SYNC_SLACK_MS,
    note:
      `the p99 target is of what comes behind the acknowledgement, whose p99 is ${ackMs.toFixed(2)} ms; ` +
      `of a sync it is at most ${syncMs.toFixed(2)} ms (bucket bound), and a record waits for the one under way and its own`,
  }
}

// --- figures -----------------------------------------------------------------------------------------------------------

function measuredOf(deliveries: number, seconds: number, cpu: number): Measured {
  return {
    requestsPerSecond: deliveries / seconds,
    p50: Number.NaN,
    p99: Number.NaN,
    busy: cpu / seconds,
    cpuMicros: (cpu * 1e6) / deliveries,
    syncSeconds: Number.NaN,
    requestBytes: 0,
    replyBytes: 0,
  }
}

function medianOf(slices: readonly Measured[]): Measured {
  const of = (pick: (slice: Measured) => number): number => median(slices.map(pick))
  return {
    ...slices[0]!,
    requestsPerSecond: of((slice) => slice.requestsPerSecond),
    busy: of((slice) => slice.busy),
    cpuMicros: of((slice) => slice.cpuMicros),
  }
}
