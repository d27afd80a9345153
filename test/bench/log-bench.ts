// What a log costs on this machine's disk: `bun test/bench/log-bench.ts [folder]`. Prints one figure a line.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GroupCommit, Log, type LogConfig, type LogWorld } from '../../src/core/log/index.ts'
import type { Disk } from '../../src/core/ports/index.ts'
import { baseOffsetOf, stampBatch } from '../../src/core/record/index.ts'
import { HostDisk, hostClock, hostCodec } from '../../src/edge/host/index.ts'
import { batchOf, quietMeter } from '../core/log/log-rig.ts'

const MIB = 1024 * 1024
const CONFIG: LogConfig = {
  segmentBytes: 1024 * MIB,
  segmentMs: -1,
  retentionMs: -1,
  retentionBytes: -1,
  cleanup: 'delete',
  deleteRetentionMs: 0,
  flush: 'group',
}
const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'naru-log-bench-'))

function worldOn(disk: Disk): LogWorld {
  const halt = (why: string, error: unknown) => {
    throw new Error(why, { cause: error })
  }
  const events = { info: () => {}, warn: () => {}, error: () => {} }
  const commits = new GroupCommit(disk, hostClock, quietMeter, halt)
  return { disk, codec: hostCodec, clock: hostClock, events, commits }
}

function print(what: string, value: number, unit: string): void {
  console.log(`${what.padEnd(60)} ${value.toFixed(value < 10 ? 2 : 0).padStart(10)} ${unit}`)
}

class Client {
  log!: Log
  #waiting: { end: number; resolve: () => void }[] = []

  async open(folder: string, world: LogWorld, config = CONFIG): Promise<this> {
    this.log = await Log.open(folder, config, world, this)
    return this
  }

  append(template: Uint8Array): Promise<void> {
    const batch = template.slice()
    stampBatch(batch, 0, this.log.endOffset, Date.now(), Math.max(this.log.latestEpoch, 0), hostCodec)
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

function template(bytes: number): Uint8Array {
  return batchOf(['x'.repeat(Math.max(bytes - 90, 1))], 0, 0, 0)
}

/** `clients` append one batch after the other for `ms`, each to log `i % logs`. */
async function appendRate(clients: number, logs: number, bytes: number, ms: number): Promise<void> {
  const world = worldOn(new HostDisk(join(root, `append-${clients}-${logs}-${bytes}`)))
  const opened = await Promise.all(Array.from({ length: logs }, (_, i) => new Client().open(`${i}`, world)))
  const batch = template(bytes)
  let count = 0
  const endMs = performance.now() + ms
  const run = async (client: Client) => {
    while (performance.now() < endMs) {
      await client.append(batch)
      count++
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, i) => run(opened[i % logs]!)))
  print(`${clients} clients, ${logs} logs, ${bytes} B batches, synced: batches/s`, (count * 1000) / ms, '/s')
  await Promise.all(opened.map(({ log }) => log.close()))
}

async function fill(folder: string, batchBytes: number, totalBytes: number, segmentBytes: number): Promise<Disk> {
  const disk = new HostDisk(join(root, folder))
  const client = await new Client().open('log', worldOn(disk), { ...CONFIG, segmentBytes })
  const batch = template(batchBytes)
  for (let written = 0; written < totalBytes;) {
    let last: Promise<void> = Promise.resolve()
    for (let i = 0; i < 16 * MIB; i += batch.length) {
      last = client.append(batch)
      written += batch.length
    }
    await last
  }
  await client.log.close()
  return disk
}

async function readRate(batchBytes: number): Promise<void> {
  const disk = await fill(`read-${batchBytes}`, batchBytes, 256 * MIB, 1024 * MIB)
  const { log } = await new Client().open('log', worldOn(disk))
  for (const [what, rounds] of [
    ['cold first, off the loop', 1],
    ['warm', 4],
  ] as const) {
    let bytes = 0
    const startMs = performance.now()
    for (let round = 0; round < rounds; round++) {
      for (let from = 0; from < log.endOffset;) {
        const reading = log.read(from, log.endOffset, 8 * MIB)
        const read = reading instanceof Promise ? await reading : reading
        if (read.kind !== 'batches' || baseOffsetOf(read.bytes, 0) !== from) throw new Error(`bad read at ${from}`)
        bytes += read.bytes.length
        from = read.nextOffset
      }
    }
    print(`8 MiB reads of ${batchBytes} B batches, ${what}`, bytes / 1e6 / (performance.now() - startMs), 'GB/s')
  }
  await log.close()
}

async function starts(): Promise<void> {
  const disk = await fill('starts', 64 * 1024, 1024 * MIB, MIB)
  let startMs = performance.now()
  let { log } = await new Client().open('log', worldOn(disk))
  print(`clean start with ${log.segmentCount} segments`, performance.now() - startMs, 'ms')
  await log.close()
  disk.remove('log/durable')
  startMs = performance.now()
  log = (await new Client().open('log', worldOn(disk))).log
  print(`start with 1 GiB to check, write again and sync (mark lost)`, performance.now() - startMs, 'ms')
  await log.close()
}

try {
  await appendRate(1, 1, 200, 1000)
  for (const clients of [1, 32, 128]) await appendRate(clients, 1, 200, 2000)
  for (const logs of [16, 64, 256]) await appendRate(Math.max(32, logs), logs, 200, 2000)
  await appendRate(16, 1, 100_000, 2000)
  await appendRate(16, 1, 1_000_000, 2000)
  for (const bytes of [1_000_000, 16_000, 1_000, 200]) await readRate(bytes)
  await starts()
} finally {
  rmSync(root, { recursive: true })
}
