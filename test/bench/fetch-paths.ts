// Fetch: records as JSON beside a server that stringifies a ready object, stored bytes beside a constant reply.

import { type BenchWorld, makeTopic, type Row } from './bench-world.ts'
import { compare } from './comparison.ts'
import { request } from './load.ts'
import { BATCH_TYPE, batchOf, JSON_RECORDS, JSON_TYPE, jsonBody } from './payloads.ts'

/** Requests go round this many places of the log. */
const PLACES = 8

export async function jsonFetch(world: BenchWorld): Promise<Row[]> {
  const topic = await makeTopic(world)
  const body = jsonBody()
  for (let i = 0; i < PLACES; i++) await post(world, `/v1/topics/${topic}/records`, body, JSON_TYPE)
  const paths = Array.from(
    { length: PLACES },
    (_, i) => `/v1/topics/${topic}/partitions/0/records?from=${i * JSON_RECORDS}&limit=${JSON_RECORDS}`,
  )
  const answer = await world.broker.call<{ records: unknown[] }>('GET', paths[0]!)
  if (answer.records.length !== JSON_RECORDS)
    throw new Error(`a fetch of ${JSON_RECORDS} gave ${answer.records.length}`)
  const answerText = JSON.stringify(answer)
  await fetch(`http://127.0.0.1:${world.floors.port}/answer`, { method: 'PUT', body: answerText })
  const connections = 16
  const [bare, naru] = await compare(
    [
      { name: 'stringify', server: world.floors, connections, requests: [request('GET', '/stringify')] },
      { name: 'naru', server: world.broker, connections, requests: paths.map((path) => request('GET', path)) },
    ],
    world.pace,
  )
  const common = { recordsPerRequest: JSON_RECORDS, payloadBytes: Buffer.byteLength(answerText) }
  return [
    { path: 'JSON fetch, 1 000 records: Hono that stringifies', measured: bare!, ...common },
    {
      path: 'JSON fetch, 1 000 records',
      measured: naru!,
      ...common,
      against: 'stringifying',
      ratio: naru!.requestsPerSecond / bare!.requestsPerSecond,
      target: 1.5,
    },
  ]
}

export async function storedFetch(world: BenchWorld): Promise<Row[]> {
  const rows: Row[] = []
  const topic = await makeTopic(world)
  const batch = batchOf(65_536)
  const recordsPerBatch = (batch[36]! | (batch[37]! << 8)) >>> 0
  const batchCount = 256
  for (let i = 0; i < batchCount; i++) await post(world, `/v1/topics/${topic}/partitions/0/batches`, batch, BATCH_TYPE)
  const sizes = [
    { label: '64 KiB', bytes: 65_536, unit: '64KiB', connections: 16, target: 0.72 },
    { label: '1 MiB', bytes: 1 << 20, unit: '1MiB', connections: 8, target: 0.75 },
    { label: '8 MiB', bytes: 8 << 20, unit: '8MiB', connections: 4, target: 0.7 },
  ]
  for (const { label, bytes, unit, connections, target } of sizes) {
    const batchesInReply = Math.floor(bytes / batch.length)
    const starts = Math.floor(batchCount / batchesInReply)
    const paths = Array.from({ length: Math.min(starts, PLACES) }, (_, i) => {
      const from = i * batchesInReply * recordsPerBatch
      return `/v1/topics/${topic}/partitions/0/batches?from=${from}&maxBytes=${unit}`
    })
    const replyBytes = (await (await fetch(world.broker.url + paths[0]!)).arrayBuffer()).byteLength
    if (replyBytes !== batchesInReply * batch.length) throw new Error(`a fetch of ${label} gave ${replyBytes} bytes`)
    const [constant, naru] = await compare(
      [
        { name: 'constant', server: world.floors, connections, requests: [request('GET', `/constant/${replyBytes}`)] },
        { name: 'naru', server: world.broker, connections, requests: paths.map((path) => request('GET', path)) },
      ],
      world.pace,
    )
    const common = { recordsPerRequest: batchesInReply * recordsPerBatch, payloadBytes: replyBytes }
    rows.push({ path: `stored fetch ${label}, n=${connections}: constant reply`, measured: constant!, ...common })
    rows.push({
      path: `stored fetch ${label}, n=${connections}`,
      measured: naru!,
      ...common,
      against: 'constant',
      ratio: naru!.requestsPerSecond / constant!.requestsPerSecond,
      target,
    })
  }
  return rows
}

async function post(
  world: BenchWorld,
  path: string,
  body: string | Uint8Array,
  headers: Record<string, string>,
): Promise<void> {
  const response = await fetch(world.broker.url + path, { method: 'POST', body: Buffer.from(body), headers })
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`)
  await response.arrayBuffer()
}
