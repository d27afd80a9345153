// One partition over the simulated disk and clock, with batches made in a line. Nothing real is waited for.

import { expect } from 'bun:test'
import { GroupCommit, type LogWorld } from '../../../src/core/log/index.ts'
import { Partition, type PartitionConfig } from '../../../src/core/partition/index.ts'
import type { Events, Meter } from '../../../src/core/ports/index.ts'
import {
  BatchBuilder,
  type BatchFields,
  batchBytesOf,
  type IdempotencyEntry,
  RecordReader,
  RecordSpans,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/codec.ts'
import { SimClock } from '../../sim/clock.ts'
import { type Outcome, SimDisk } from '../../sim/disk.ts'

export const FOLDER = 'topics/t/0'

const HOUR_MS = 3_600_000

const meter: Meter = {
  counter: () => ({ add: () => {} }),
  gauge: () => {},
  histogram: () => ({ observe: () => {} }),
}

export class PartitionBench {
  disk = new SimDisk(new SimClock())
  leaderEpoch = 1
  config: PartitionConfig = {
    segmentBytes: 64 * 1024 * 1024,
    segmentMs: 24 * HOUR_MS,
    retentionMs: -1,
    retentionBytes: -1,
    cleanup: 'delete',
    deleteRetentionMs: 24 * HOUR_MS,
    flush: 'group',
    idempotencyMs: 24 * HOUR_MS,
  }
  /** Names of warnings and errors, in order. */
  readonly complaints: string[] = []
  advances = 0
  partition!: Partition
  readonly #builder = new BatchBuilder(hostCodec)

  constructor(config: Partial<PartitionConfig> = {}) {
    Object.assign(this.config, config)
  }

  /** Of the process that runs on the disk now. */
  get clock(): SimClock {
    return this.disk.clock
  }

  get nowMs(): number {
    return this.clock.now()
  }

  open(): this {
    return this.run(this.opening().then(() => this))
  }

  async opening(): Promise<void> {
    this.partition = await Partition.open({
      folder: FOLDER,
      config: this.config,
      world: this.#world(),
      leaderEpoch: this.leaderEpoch,
      onAdvance: () => this.advances++,
    })
  }

  run<T>(promise: Promise<T>): T {
    return this.clock.run(promise)
  }

  reopen(): this {
    this.run(this.partition.close())
    this.leaderEpoch++
    return this.open()
  }

  /** The process is killed; or, with an outcome, the power goes. The next one starts on what is left. */
  crash(outcome: Outcome | null = null): this {
    this.disk = outcome === null ? this.disk.kill() : this.disk.powerLoss(outcome)
    this.leaderEpoch++
    return this.open()
  }

  batch(values: readonly string[], fields: BatchFields = {}): Uint8Array {
    const record = new RecordSpans()
    for (const value of values) {
      record.clear()
      record.value = new TextEncoder().encode(value)
      record.valueEnd = record.value.length
      expect(this.#builder.add(record, this.nowMs)).toBe(true)
    }
    return this.#builder.finish(fields)
  }

  append(values: readonly string[], fields: BatchFields = {}, expectOffset?: number): ReturnType<Partition['append']> {
    const offer = { now: this.nowMs }
    return this.partition.append(
      this.batch(values, fields),
      expectOffset === undefined ? offer : { ...offer, expectOffset },
    )
  }

  /** Everything that was begun has ended: what was appended is committed or refused, snapshots are written. */
  settle(): void {
    this.clock.runAll()
  }

  fill(): void {
    this.disk.totalBytes = this.disk.paths().reduce((sum, path) => sum + this.disk.contentOf(path).length, 0)
  }

  makeRoom(): void {
    this.disk.totalBytes = Number.POSITIVE_INFINITY
  }

  values(from = this.partition.startOffset): string[] {
    const values: string[] = []
    const reader = new RecordReader()
    for (let offset = from; offset < this.partition.highWatermark;) {
      const reading = this.partition.read(offset, 1 << 20)
      const read = reading instanceof Promise ? this.run(reading) : reading
      if (read.kind !== 'batches') throw new Error(read.kind)
      for (let at = 0; at < read.bytes.length; at += batchBytesOf(read.bytes, at)) {
        expect(reader.open(read.bytes, at, hostCodec)).toBe(true)
        for (let r = reader.next(); r !== null; r = reader.next()) {
          if (r.offset >= offset) values.push(new TextDecoder().decode(r.value.subarray(r.valueStart, r.valueEnd)))
        }
      }
      offset = read.nextOffset
    }
    return values
  }

  snapshots(): string[] {
    return this.disk.list(FOLDER).filter((name) => name.endsWith('.producers'))
  }

  #world(): LogWorld {
    const complain = (event: string): void => {
      this.complaints.push(event)
    }
    const events: Events = { info: () => {}, warn: complain, error: complain }
    const halt = (why: string): void => complain(why)
    const { disk, clock } = this
    return { disk, codec: hostCodec, clock, events, commits: new GroupCommit(disk, clock, meter, halt) }
  }
}

export function keyEntry(key: number, firstOrdinal: number, digest: bigint): IdempotencyEntry {
  return { keyHash: new Uint8Array(16).fill(key), firstOrdinal, partitionCount: 1, digest }
}
