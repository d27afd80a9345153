// One partition over a disk in memory, with batches made in a line.

import { expect } from 'bun:test'
import { GroupCommit, type LogWorld } from '../../../src/core/log/index.ts'
import { Partition, type PartitionConfig } from '../../../src/core/partition/index.ts'
import type { Clock, Events, Meter } from '../../../src/core/ports/index.ts'
import {
  BatchBuilder,
  type BatchFields,
  batchBytesOf,
  type IdempotencyEntry,
  RecordReader,
  RecordSpans,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/codec.ts'
import { MemoryDisk } from './memory-disk.ts'

export const FOLDER = 'topics/t/0'

const MINUTE_MS = 60_000

const meter: Meter = {
  counter: () => ({ add: () => {} }),
  gauge: () => {},
  histogram: () => ({ observe: () => {} }),
}

export class PartitionBench {
  nowMs = 1_790_000_000_000
  disk = new MemoryDisk()
  leaderEpoch = 1
  config: PartitionConfig = {
    segmentBytes: 64 * 1024 * 1024,
    segmentMs: 24 * 60 * MINUTE_MS,
    retentionMs: -1,
    retentionBytes: -1,
    flush: 'group',
    idempotencyMs: 24 * 60 * MINUTE_MS,
  }
  /** Names of warnings and errors, in order. */
  readonly complaints: string[] = []
  advances = 0
  partition!: Partition
  readonly #builder = new BatchBuilder(hostCodec)

  async open(): Promise<this> {
    this.partition = await Partition.open({
      folder: FOLDER,
      config: this.config,
      world: this.#world(),
      leaderEpoch: this.leaderEpoch,
      onAdvance: () => this.advances++,
    })
    return this
  }

  async reopen(): Promise<this> {
    await this.partition.close()
    this.leaderEpoch++
    return this.open()
  }

  /** The process dies now; another starts on what the disk has. */
  async crash(): Promise<PartitionBench> {
    const next = new PartitionBench()
    next.nowMs = this.nowMs
    next.disk = this.disk.copy()
    next.leaderEpoch = this.leaderEpoch + 1
    next.config = this.config
    return next.open()
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

  /** All that was appended is committed, or refused. */
  async settle(): Promise<'committed' | 'disk-full'> {
    const { endOffset } = this.partition
    const fate = endOffset === 0 ? 'committed' : await this.partition.whenCommitted(endOffset - 1)
    await this.turn()
    return fate
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  async values(from = this.partition.startOffset): Promise<string[]> {
    const values: string[] = []
    const reader = new RecordReader()
    for (let offset = from; offset < this.partition.highWatermark;) {
      const read = await this.partition.read(offset, 1 << 20)
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
    const clock: Clock = {
      now: () => this.nowMs,
      monotonic: () => performance.now(),
      wakeAt: () => () => {},
      nextTurn: (run) => setImmediate(run),
    }
    const complain = (event: string): void => {
      this.complaints.push(event)
    }
    const events: Events = { info: () => {}, warn: complain, error: complain }
    const halt = (why: string, error: unknown): void => {
      throw new Error(why, { cause: error })
    }
    return { disk: this.disk, codec: hostCodec, clock, events, commits: new GroupCommit(this.disk, clock, meter, halt) }
  }
}

export function keyEntry(key: number, firstOrdinal: number, digest: bigint): IdempotencyEntry {
  return { keyHash: new Uint8Array(16).fill(key), firstOrdinal, partitionCount: 1, digest }
}
