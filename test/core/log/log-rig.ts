// A log on a simulated disk and clock, with what its listener was told.

import {
  Log,
  type LogConfig,
  type LogListener,
  type LogRead,
  type LogWorld,
  GroupCommit,
} from '../../../src/core/log/index.ts'
import type { Disk, EventFields, Events, Meter } from '../../../src/core/ports/index.ts'
import {
  appendedAtOf,
  BatchBuilder,
  baseOffsetOf,
  batchBytesOf,
  leaderEpochOf,
  RecordReader,
  RecordSpans,
  stampBatch,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk, type SimDiskOptions } from '../../sim/disk.ts'

export const FOLDER = 'topics/aaaaaaaaaaaaaaaaaaaa/0'

export const CONFIG: LogConfig = {
  segmentBytes: 4096,
  segmentMs: -1,
  retentionMs: -1,
  retentionBytes: -1,
  cleanup: 'delete',
  deleteRetentionMs: 0,
  flush: 'group',
}

export interface BatchFacts {
  base: number
  epoch: number
  appendedAt: number
}

export const quietMeter: Meter = {
  counter: () => ({ add: () => {} }),
  gauge: () => {},
  histogram: () => ({ observe: () => {} }),
}

export class EventList implements Events {
  readonly list: { event: string; fields: EventFields }[] = []

  info(event: string, fields: EventFields = {}): void {
    this.list.push({ event, fields })
  }

  warn(event: string, fields: EventFields = {}): void {
    this.list.push({ event, fields })
  }

  error(event: string, fields: EventFields = {}): void {
    this.list.push({ event, fields })
  }

  of(event: string): EventFields[] {
    return this.list.filter((entry) => entry.event === event).map((entry) => entry.fields)
  }
}

const builder = new BatchBuilder(hostCodec)
const spans = new RecordSpans()

/** A stamped batch of `values`. */
export function batchOf(values: readonly string[], baseOffset: number, appendedAt: number, epoch: number): Uint8Array {
  for (const value of values) {
    spans.clear()
    spans.value = new TextEncoder().encode(value)
    spans.valueEnd = spans.value.length
    builder.add(spans, appendedAt)
  }
  const batch = builder.finish()
  stampBatch(batch, 0, baseOffset, appendedAt, epoch, hostCodec)
  return batch
}

export function valuesOf(bytes: Uint8Array): { offset: number; value: string }[] {
  const values: { offset: number; value: string }[] = []
  const reader = new RecordReader()
  for (let at = 0; at < bytes.length; at += batchBytesOf(bytes, at)) {
    if (!reader.open(bytes, at, hostCodec)) throw new Error(`a read gave a bad batch at ${baseOffsetOf(bytes, at)}`)
    for (let record = reader.next(); record !== null; record = reader.next()) {
      const value = new TextDecoder().decode(record.value.slice(record.valueStart, record.valueEnd))
      values.push({ offset: record.offset, value })
    }
  }
  return values
}

export type DiskPort = (disk: SimDisk, events: Events) => Promise<Disk>

export const bareDisk: DiskPort = async (disk) => disk

export class LogRig implements LogListener {
  readonly clock: SimClock
  readonly disk: SimDisk
  readonly events = new EventList()
  commits!: GroupCommit
  world!: LogWorld
  /** What lies between the log and the disk. */
  readonly port: DiskPort
  config: LogConfig
  log!: Log
  epoch = 0
  durableEnd = 0
  refusedFrom: number[] = []
  halts: string[] = []
  whenRefused: (from: number) => void = () => {}

  constructor(disk: SimDisk, config: LogConfig = CONFIG, port: DiskPort = bareDisk) {
    this.disk = disk
    this.clock = disk.clock
    this.config = config
    this.port = port
  }

  static fresh(config: LogConfig = CONFIG, options: SimDiskOptions = {}): LogRig {
    return new LogRig(new SimDisk(new SimClock(), options), config).open()
  }

  open(): this {
    const disk = this.clock.run(this.port(this.disk, this.events))
    this.commits = new GroupCommit(disk, this.clock, quietMeter, (why) => this.halts.push(why))
    this.world = { disk, codec: hostCodec, clock: this.clock, events: this.events, commits: this.commits }
    this.log = this.clock.run(Log.open(FOLDER, this.config, this.world, this))
    this.durableEnd = this.log.durableEnd
    this.epoch = this.log.latestEpoch + 1
    return this
  }

  /** A new process on the same disk, as it is or as `disk` says. */
  next(disk: SimDisk = this.disk.kill()): LogRig {
    return new LogRig(disk, this.config, this.port)
  }

  onDurable(end: number): void {
    if (this.disk.isDead) return
    this.durableEnd = end
  }

  onRefused(from: number): void {
    if (this.disk.isDead) return
    this.refusedFrom.push(from)
    this.whenRefused(from)
  }

  append(...values: string[]): Uint8Array {
    const { log } = this
    const batch = batchOf(values, log.endOffset, Math.max(this.clock.now(), log.appendedAtMax), this.epoch)
    log.append(batch)
    return batch
  }

  /** Runs until everything appended is synced. */
  settle(): void {
    this.clock.run(this.commits.idle())
  }

  read(from: number, upTo = this.log.endOffset, bytesMax = 1 << 20): LogRead {
    const read = this.log.read(from, upTo, bytesMax)
    return read instanceof Promise ? this.clock.run(read) : read
  }

  /** Every record from the start to the end, and the ranges that cannot be read. */
  readAll(bytesMax = 1 << 20): { values: Map<number, string>; batches: BatchFacts[]; gaps: [number, number][] } {
    const values = new Map<number, string>()
    const batches: BatchFacts[] = []
    const gaps: [number, number][] = []
    let from = this.log.startOffset
    while (from < this.log.endOffset) {
      const read = this.read(from, this.log.endOffset, bytesMax)
      if (read.kind === 'damaged') {
        if (read.nextReadableOffset <= from) throw new Error(`no way on from ${from}: ${JSON.stringify(read)}`)
        gaps.push([from, read.nextReadableOffset])
        from = read.nextReadableOffset
        continue
      }
      if (read.kind !== 'batches') throw new Error(`unexpected ${JSON.stringify(read)}`)
      if (read.nextOffset <= from) throw new Error(`no progress at ${from}`)
      for (const { offset, value } of valuesOf(read.bytes))
        if (offset >= this.log.startOffset) values.set(offset, value)
      const { bytes } = read
      for (let at = 0; at < bytes.length; at += batchBytesOf(bytes, at)) {
        batches.push({
          base: baseOffsetOf(bytes, at),
          epoch: leaderEpochOf(bytes, at),
          appendedAt: appendedAtOf(bytes, at),
        })
      }
      from = read.nextOffset
    }
    return { values, batches, gaps }
  }
}
