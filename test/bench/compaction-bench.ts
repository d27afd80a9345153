// What compacting a log costs on this machine: `bun test/bench/compaction-bench.ts [folder]`. A log of 100 MB is filled, then compacted
// with and without somebody who appends and waits; the turns of the event loop are watched for how long they are.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GroupCommit, Log, type LogConfig, type LogWorld } from '../../src/core/log/index.ts'
import { type BatchCompression, stampBatch } from '../../src/core/record/index.ts'
import { HostDisk, hostClock, hostCodec } from '../../src/edge/host/index.ts'
import { keyedBatch } from '../core/log/keyed-twin.ts'
import { quietMeter } from '../core/log/log-rig.ts'

const MB = 1e6
const LOG_BYTES = 100 * MB
const CONFIG: LogConfig = {
  segmentBytes: 16 * MB,
  segmentMs: -1,
  retentionMs: -1,
  retentionBytes: -1,
  cleanup: 'compact',
  deleteRetentionMs: 1_000,
  flush: 'group',
}
const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'naru-compaction-bench-'))

class Client {
  log!: Log
  #waiting: { end: number; resolve: () => void }[] = []

  async open(folder: string): Promise<this> {
    const halt = (why: string, error: unknown): void => {
      throw new Error(why, { cause: error })
    }
    const disk = new HostDisk(root)
    const events = { info: () => {}, warn: () => {}, error: () => {} }
    const commits = new GroupCommit(disk, hostClock, quietMeter, halt)
    const world: LogWorld = { disk, codec: hostCodec, clock: hostClock, events, commits }
    this.log = await Log.open(folder, CONFIG, world, this)
    return this
  }

  append(batch: Uint8Array): Promise<void> {
    stampBatch(batch, 0, this.log.endOffset, Date.now(), 0, hostCodec)
    this.log.append(batch)
    const end = this.log.endOffset
    return new Promise((resolve) => this.#waiting.push({ end, resolve }))
  }

  onDurable(end: number): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.end <= end) this.#waiting.shift()!.resolve()
  }

  onRefused(): void {
    throw new Error('no space')
  }
}

interface Case {
  name: string
  recordsPerBatch: number
  valueBytes: number
  keys: number
  keyPrefix: string
  compression: BatchCompression
}

let serial = 0

function batchFor({ recordsPerBatch, valueBytes, keys, keyPrefix, compression }: Case): Uint8Array {
  const records = Array.from({ length: recordsPerBatch }, () => {
    const number = Math.imul(serial++, 0x9e37_79b1) >>> 0
    return { key: `${keyPrefix}${number % keys}`, value: `${number} `.repeat(valueBytes / 11) }
  })
  return keyedBatch({ records, compression }, Date.now())
}

/** The longest turn of the loop until `done`, in CPU time of this thread: others on the machine do not count. */
async function watchLoop(done: Promise<unknown>): Promise<number> {
  let isDone = false
  void done.then(() => (isDone = true))
  let longestMs = 0
  let lastMs = threadMs()
  while (!isDone) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    const nowMs = threadMs()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
  }
  return longestMs
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

async function appendWhile(client: Client, one: Case, done: Promise<unknown>): Promise<number[]> {
  let isDone = false
  void done.then(() => (isDone = true))
  const ms: number[] = []
  while (!isDone) {
    const startedMs = performance.now()
    await client.append(batchFor({ ...one, recordsPerBatch: 1 }))
    ms.push(performance.now() - startedMs)
    await Bun.sleep(1)
  }
  return ms.sort((a, b) => a - b)
}

async function measure(one: Case): Promise<void> {
  const client = await new Client().open(one.name.replaceAll(/[^a-z0-9]/g, '-'))
  for (let bytes = 0; bytes < LOG_BYTES;) {
    const pending: Promise<void>[] = []
    for (let i = 0; i < 100 && bytes < LOG_BYTES; i++) {
      const batch = batchFor(one)
      bytes += batch.length
      pending.push(client.append(batch))
    }
    await Promise.all(pending)
  }
  const { log } = client
  const before = log.bytes
  const startedMs = performance.now()
  const cpu = process.cpuUsage()
  const running = log.compactor.run({ upTo: log.durableEnd, identityMs: 1_000 })
  const longestMs = await watchLoop(running)
  const ms = performance.now() - startedMs
  const { user, system } = process.cpuUsage(cpu)
  const rate = (before / MB / ms) * 1000
  console.log(
    `${one.name.padEnd(42)} ${(await running)!} ${rate.toFixed(0).padStart(5)} MB/s  ${ms.toFixed(0).padStart(6)} ms ` +
      `(${((user + system) / 1000).toFixed(0)} ms CPU)  longest turn ${longestMs.toFixed(1)} ms  ` +
      `${(before / MB).toFixed(0)} → ${(log.bytes / MB).toFixed(1)} MB`,
  )
  for (let i = 0; i < 400; i++) await client.append(batchFor({ ...one, recordsPerBatch: 100 }))
  const quiet = await appendWhile(client, one, Bun.sleep(1_000))
  const again = log.compactor.run({ upTo: log.durableEnd, identityMs: 1_000 })
  const beside = await appendWhile(client, one, again)
  const at = (list: number[], share: number): string => (list[Math.floor((list.length - 1) * share)] ?? 0).toFixed(2)
  console.log(
    `  append and sync, alone: median ${at(quiet, 0.5)} p99 ${at(quiet, 0.99)} ms; beside compaction: ` +
      `median ${at(beside, 0.5)} p99 ${at(beside, 0.99)} max ${at(beside, 1)} ms (${beside.length} appends)`,
  )
  await log.close()
}

const base: Case = {
  name: '',
  recordsPerBatch: 100,
  valueBytes: 100,
  keys: 100_000,
  keyPrefix: 'user-',
  compression: 'none',
}
try {
  await measure({ ...base, name: '100 B, 100 a batch, 100 000 keys' })
  await measure({ ...base, name: '100 B, 100 a batch, long keys', keyPrefix: 'a key of more than fifteen bytes ' })
  await measure({ ...base, name: '100 B, 100 a batch, 2 000 000 keys', keys: 2_000_000 })
  await measure({ ...base, name: '100 B, one a batch', recordsPerBatch: 1 })
  await measure({ ...base, name: '1 KB, 100 a batch', valueBytes: 1_000 })
  await measure({ ...base, name: '100 B, 100 a batch, zstd', compression: 'zstd' })
  await measure({ ...base, name: '100 B, 5 000 a batch, gzip', compression: 'gzip', recordsPerBatch: 5_000 })
} finally {
  rmSync(root, { recursive: true, force: true })
}
