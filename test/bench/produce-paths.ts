// Produce: single small records, checked batches, JSON and NDJSON, and many partitions. Everything is synced before the
// acknowledgement unless the row says otherwise.

import { type BenchWorld, makeTopic, type Row, trimTopic } from './bench-world.ts'
import { compare, type Variant } from './comparison.ts'
import { syncedWriteRate } from './disk-floor.ts'
import { request } from './load.ts'
import {
  BATCH_TYPE,
  batchOf,
  JSON_RECORDS,
  JSON_TYPE,
  jsonBody,
  LINES_TYPE,
  linesBody,
  RAW_BYTES,
  rawPost,
} from './payloads.ts'

/** One 100-byte record a request. The ideal: n requests take n ÷ (bare rate) of the core, and one sync. */
export async function singlePosts(world: BenchWorld): Promise<Row[]> {
  const topic = await makeTopic(world)
  const rows: Row[] = []
  for (const connections of [1, 8, 32, 128]) {
    const [bare, broker] = await compare(
      [
        { name: 'bare', server: world.floors, connections, requests: [rawPost('/take')] },
        {
          name: 'naru',
          server: world.broker,
          connections,
          requests: [rawPost(`/v1/topics/${topic}/records`)],
          synced: true,
          tidy: () => trimTopic(world, topic),
        },
      ],
      world.pace,
    )
    const path = `single 100 B posts, synced, n=${connections}`
    const ideal = connections / (connections / bare!.requestsPerSecond + broker!.syncSeconds)
    const syncMs = broker!.syncSeconds * 1000
    rows.push({ path: `${path}: bare`, measured: bare!, recordsPerRequest: 1, payloadBytes: RAW_BYTES })
    rows.push({
      path,
      measured: broker!,
      recordsPerRequest: 1,
      payloadBytes: RAW_BYTES,
      against: 'ideal',
      ratio: broker!.requestsPerSecond / ideal,
      target: 0.75,
      p99Ratio: broker!.p99 / bare!.p99,
      p99Target: 1.5,
      note: `S ${syncMs.toFixed(3)} ms, ideal ${ideal.toFixed(0)}/s, p99 ÷ (bare p99 + S) ${(broker!.p99 / (bare!.p99 + syncMs)).toFixed(2)}`,
    })
  }
  return rows
}

export async function batches(world: BenchWorld): Promise<Row[]> {
  const rows: Row[] = []
  const sizes = [
    { label: '100 KB', bytes: 100_000, recordBytes: 1_000, floorTarget: 0.4, unsyncedTarget: 0.75 },
    { label: '1 MB', bytes: 1_000_000, recordBytes: 1_000, floorTarget: 0.5, unsyncedTarget: 0.8 },
    // every record is looked at: ten times as many show what that costs
    { label: '1 MB of 100 B', bytes: 1_000_000, recordBytes: 100 },
  ]
  for (const { label, bytes, recordBytes, floorTarget, unsyncedTarget } of sizes) {
    const batch = batchOf(bytes, recordBytes)
    const recordsPerRequest = (batch[36]! | (batch[37]! << 8)) >>> 0
    const synced = await makeTopic(world)
    const unsynced = await makeTopic(world, 1, { flush: 'os' })
    const connections = 16
    const to = (topic: string): Pick<Variant, 'server' | 'connections' | 'requests' | 'tidy'> => ({
      server: world.broker,
      connections,
      requests: [request('POST', `/v1/topics/${topic}/partitions/0/batches`, batch, BATCH_TYPE)],
      tidy: () => trimTopic(world, topic),
    })
    const [bare, naru, os] = await compare(
      [
        { name: 'bare', server: world.floors, connections, requests: [request('POST', '/take', batch, BATCH_TYPE)] },
        { name: 'synced', ...to(synced), synced: true },
        { name: 'os', ...to(unsynced) },
      ],
      world.pace,
    )
    const disk = syncedWriteRate(world.folder, batch, connections, Math.min(1, world.pace.seconds))
    const common = { recordsPerRequest, payloadBytes: batch.length }
    const path = `${label} batches, 16 connections`
    const bareRate = bare!.requestsPerSecond
    const ideal = connections / (connections / bareRate + naru!.syncSeconds)
    rows.push({ path: `${path}: bare body reader`, measured: bare!, ...common })
    rows.push({
      path: `${path}, flush os`,
      measured: os!,
      ...common,
      against: 'bare',
      ratio: os!.requestsPerSecond / bareRate,
    })
    rows.push({
      path: `${path}, synced`,
      measured: naru!,
      ...common,
      against: 'bare',
      ratio: naru!.requestsPerSecond / bareRate,
      ...(floorTarget === undefined ? {} : { target: floorTarget }),
      note: `S ${(naru!.syncSeconds * 1000).toFixed(2)} ms: ideal ${(ideal / bareRate).toFixed(2)} of bare, reached ${(naru!.requestsPerSecond / ideal).toFixed(2)} of that; the disk alone, ${connections} batches a sync: ${(disk / 1e6).toFixed(0)} MB/s`,
    })
    rows.push({
      path: `${path}, synced`,
      measured: naru!,
      ...common,
      against: 'flush os',
      ratio: naru!.requestsPerSecond / os!.requestsPerSecond,
      ...(unsyncedTarget === undefined ? {} : { target: unsyncedTarget }),
    })
  }
  return rows
}

export async function jsonProduce(world: BenchWorld): Promise<Row[]> {
  const rows: Row[] = []
  const forms = [
    { label: 'JSON produce, 1 000 records', floor: '/parse', body: jsonBody(), type: JSON_TYPE, target: 0.8 },
    { label: 'NDJSON produce, 1 000 lines', floor: '/parse-lines', body: linesBody(), type: LINES_TYPE },
  ]
  for (const { label, floor, body, type, target } of forms) {
    const topic = await makeTopic(world)
    const connections = 16
    const [bare, naru] = await compare(
      [
        { name: 'parse', server: world.floors, connections, requests: [request('POST', floor, body, type)] },
        {
          name: 'naru',
          server: world.broker,
          connections,
          requests: [request('POST', `/v1/topics/${topic}/records`, body, type)],
          synced: true,
          tidy: () => trimTopic(world, topic),
        },
      ],
      world.pace,
    )
    const common = { recordsPerRequest: JSON_RECORDS, payloadBytes: Buffer.byteLength(body) }
    rows.push({ path: `${label}: Hono that parses`, measured: bare!, ...common })
    rows.push({
      path: `${label}, synced`,
      measured: naru!,
      ...common,
      against: 'parsing',
      ratio: naru!.requestsPerSecond / bare!.requestsPerSecond,
      ...(target === undefined ? {} : { target }),
    })
  }
  return rows
}

/** The same small records over more and more partitions: how much do many small syncs cost? */
export async function manyPartitions(world: BenchWorld): Promise<Row[]> {
  const counts = [1, 64, 1_000]
  const variants: Variant[] = []
  for (const partitions of counts) {
    const topic = await makeTopic(world, partitions)
    const requests = Array.from({ length: partitions }, (_, p) =>
      rawPost(`/v1/topics/${topic}/partitions/${p}/records`),
    )
    variants.push({ name: `${partitions}`, server: world.broker, connections: 32, requests, synced: true })
  }
  const measured = await compare(variants, world.pace)
  return measured.map((one, i) => ({
    path: `32 producers over ${counts[i]} partition${counts[i] === 1 ? '' : 's'}, synced`,
    measured: one,
    recordsPerRequest: 1,
    payloadBytes: RAW_BYTES,
    against: '1 partition',
    ratio: one.requestsPerSecond / measured[0]!.requestsPerSecond,
    note: `S ${(one.syncSeconds * 1000).toFixed(3)} ms`,
  }))
}
