// Figures without a floor: how long a start takes, what memory goes where, how many may wait.

import { type BrokerProcess, scratchFolder, until } from '../e2e/broker-process.ts'
import { LineUpload } from './line-upload.ts'
import { LoadRun, percentile, request } from './load.ts'
import { ParkedPolls } from './parked-polls.ts'
import { BATCH_TYPE, batchOf } from './payloads.ts'
import { rssBytes, startBroker } from './servers.ts'

const MB = 1_000_000
const START_MS_MAX = 120_000

async function onFreshBroker<Result>(
  run: (broker: BrokerProcess, folder: string) => Promise<Result>,
  flags: readonly string[] = [],
): Promise<Result> {
  const scratch = scratchFolder('bench')
  const broker = await startBroker(scratch.folder, flags)
  try {
    return await run(broker, scratch.folder)
  } catch (error) {
    console.error(broker.output)
    throw error
  } finally {
    await broker.kill()
    scratch.remove()
  }
}

/** Milliseconds from spawn to ready. */
async function timedStart(folder: string): Promise<{ broker: BrokerProcess; ms: number }> {
  const before = performance.now()
  const broker = await startBroker(folder, [], START_MS_MAX)
  return { broker, ms: performance.now() - before }
}

async function fill(broker: BrokerProcess, topic: string, bytes: number): Promise<void> {
  const batch = batchOf(1_000_000)
  const path = `/v1/topics/${topic}/partitions/0/batches`
  const run = await LoadRun.open({
    port: broker.port,
    connections: 4,
    requests: [request('POST', path, batch, BATCH_TYPE)],
  })
  for (let sent = 0; sent < bytes;) sent += (await run.measure(0.2)).requests * batch.length
  run.close()
}

async function segmentCountOf(folder: string): Promise<number> {
  let count = 0
  for await (const path of new Bun.Glob('**/*.log').scan({ cwd: folder })) if (/\d{20}\.log$/.test(path)) count++
  return count
}

/** Two shapes of a thousand segments: one long partition, and a thousand partitions. */
export async function startOfManySegments(short: boolean): Promise<string[]> {
  const wanted = short ? 100 : 1_000
  return onFreshBroker(async (broker, folder) => {
    await broker.call('PUT', '/v1/topics/long', { partitions: 1, config: { segmentBytes: 1 << 20 } })
    await fill(broker, 'long', wanted * 1.05 * (1 << 20))
    await broker.stop()
    const segments = await segmentCountOf(folder)
    const long = await timedStart(folder)
    await long.broker.call('PUT', '/v1/topics/wide', { partitions: wanted })
    for (let p = 0; p < wanted; p++) {
      const response = await fetch(`${long.broker.url}/v1/topics/wide/partitions/${p}/records`, {
        method: 'POST',
        body: 'x',
      })
      await response.arrayBuffer()
    }
    await long.broker.stop()
    const wide = await timedStart(folder)
    await wide.broker.kill()
    return [
      `${segments} clean segments of 1 MiB in one partition: ready after ${long.ms.toFixed(0)} ms (target < 1 000)`,
      `and ${wanted} partitions more: ready after ${wide.ms.toFixed(0)} ms`,
    ]
  })
}

/** Killed with a gigabyte in the active segment, none of it known to be on the disk. */
export async function recovery(short: boolean): Promise<string[]> {
  const bytes = (short ? 100 : 1_000) * MB
  return onFreshBroker(async (broker, folder) => {
    await broker.call('PUT', '/v1/topics/big', { partitions: 1, config: { segmentBytes: 1 << 30, flush: 'os' } })
    await fill(broker, 'big', bytes)
    await broker.kill()
    const { broker: again, ms } = await timedStart(folder)
    const { highWatermark } = await again.call<{ highWatermark: number }>('GET', '/v1/topics/big/partitions/0')
    const peak = rssBytes(again.pid)
    await again.kill()
    const rate = bytes / MB / (ms / 1000)
    return [
      `kill -9 with ${bytes / MB} MB to check (flush os, one segment): ready after ${ms.toFixed(0)} ms, ${rate.toFixed(0)} MB/s, ` +
        `${highWatermark} records, RSS then ${(peak / MB).toFixed(0)} MB`,
    ]
  })
}

export async function memory(short: boolean): Promise<string[]> {
  return onFreshBroker(async (broker) => {
    const idle = rssBytes(broker.pid)
    const partitions = short ? 200 : 2_000
    for (let made = 0; made < partitions; made += 500) {
      await broker.call('PUT', `/v1/topics/many-${made}`, { partitions: Math.min(500, partitions - made) })
    }
    const many = rssBytes(broker.pid)
    return [
      `RSS idle ${(idle / MB).toFixed(0)} MB; with ${partitions} partitions ${(many / MB).toFixed(0)} MB, ` +
        `${((many - idle) / partitions / 1000).toFixed(1)} KB each`,
    ]
  })
}

export async function parkedPolls(short: boolean): Promise<string[]> {
  const count = short ? 500 : 5_000
  return onFreshBroker(async (broker) => {
    await broker.call('PUT', '/v1/topics/quiet', { partitions: 1 })
    const lines: string[] = []
    const path = '/v1/topics/quiet/records?from=latest&wait=60s'
    // the first time pays for code and buffers that stay: the second is what a poll costs
    for (const time of ['first', 'again']) {
      const before = rssBytes(broker.pid)
      const polls = await ParkedPolls.open(broker.port, () => request('GET', path), count)
      await until(Date.now() + 20_000, async () => {
        const waiting = /^naru_waiters(?:\{[^}]*\})? (\d+)/m.exec(await (await fetch(`${broker.url}/metrics`)).text())
        return waiting === null || Number(waiting[1]) >= count
      })
      const parked = rssBytes(broker.pid) - before
      const sentAt = performance.now()
      const produced = fetch(`${broker.url}/v1/topics/quiet/records`, { method: 'POST', body: 'wake' })
      const wakes = await polls.answered(30_000)
      await (await produced).arrayBuffer()
      polls.close()
      const first = wakes[0]! - sentAt
      lines.push(
        `${count} parked polls (${time}): ${(parked / count / 1000).toFixed(1)} KB each (target ≤ 8); woken by one record: ` +
          `first after ${first.toFixed(1)} ms, p50 ${(percentile(wakes, 0.5) - sentAt).toFixed(0)}, ` +
          `last ${(wakes.at(-1)! - sentAt).toFixed(0)} ms`,
      )
    }
    return lines
  })
}

/** A long NDJSON upload: memory must not follow its length. */
export async function upload(short: boolean): Promise<string[]> {
  const bytes = (short ? 100 : 1_000) * MB
  return onFreshBroker(async (broker) => {
    await broker.call('PUT', '/v1/topics/stream', { partitions: 4 })
    const path = '/v1/topics/stream/records?keyPointer=/customer'
    const samples: number[] = []
    const watch = setInterval(() => samples.push(rssBytes(broker.pid)), 100)
    const before = rssBytes(broker.pid)
    const started = performance.now()
    const { count, lines } = await LineUpload.send(broker.port, path, bytes)
    clearInterval(watch)
    const seconds = (performance.now() - started) / 1000
    const quarters = [0, 1, 2, 3].map((i) => {
      const quarter = samples.slice((samples.length * i) >> 2, (samples.length * (i + 1)) >> 2)
      return (Math.max(...quarter) / MB).toFixed(0)
    })
    if (count !== lines) throw new Error(`${lines} lines sent, ${count} acknowledged`)
    return [
      `${bytes / MB} MB of NDJSON in one request: ${lines} records, ${(bytes / MB / seconds).toFixed(0)} MB/s, ` +
        `${(lines / seconds / 1000).toFixed(0)} k records/s; RSS ${(before / MB).toFixed(0)} MB before, highest in each quarter of ` +
        `the upload ${quarters.join(', ')} MB`,
    ]
  })
}
