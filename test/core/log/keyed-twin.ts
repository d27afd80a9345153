// A log of keyed records and its dumb twin: plain lists, and compaction as one would explain it. What the log gives back must be
// what the twin has, record by record, and its batches must meet, whatever is left in them.

import { expect } from 'bun:test'
import {
  appendedAtOf,
  BATCH_HEADER_BYTES,
  BatchBuilder,
  type BatchCompression,
  baseOffsetOf,
  baseSequenceOf,
  batchBytesOf,
  findMeta,
  lastOffsetOf,
  leaderEpochOf,
  metaBytesOf,
  MetaType,
  NO_PRODUCER,
  producerIdOf,
  readIdempotency,
  RecordAttribute,
  RecordReader,
  RecordSpans,
  stampBatch,
  storedFault,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { keyEntry } from '../partition/partition-bench.ts'
import type { LogRig } from './log-rig.ts'

export interface GivenRecord {
  /** Null: none. */
  key: string | null
  /** Null: a tombstone. */
  value: string | null
  tags?: string[]
}

export interface TwinRecord extends GivenRecord {
  offset: number
  timestamp: number
  tags: string[]
}

export interface GivenBatch {
  records: readonly GivenRecord[]
  compression?: BatchCompression
  producer?: { id: number; sequence: number }
  /** Stands for an Idempotency-Key. */
  requestKey?: number
}

interface TwinBatch {
  base: number
  last: number
  epoch: number
  appendedAt: number
  identity: string | null
  horizon: number | null
  records: TwinRecord[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const spans = new RecordSpans()
const builder = new BatchBuilder(hostCodec)

export function keyedBatch(
  { records, compression = 'none', producer, requestKey }: GivenBatch,
  now: number,
): Uint8Array {
  for (const [i, { key, value, tags = [] }] of records.entries()) {
    spans.clear()
    spans.timestamp = now - i * 7
    spans.tags = tags
    if (key !== null) {
      spans.key = encoder.encode(key)
      spans.keyStart = 0
      spans.keyEnd = spans.key.length
    }
    if (value === null) spans.attributes = RecordAttribute.tombstone
    spans.value = encoder.encode(value ?? '')
    spans.valueEnd = spans.value.length
    expect(builder.add(spans, now)).toBe(true)
  }
  return builder.finish({
    compression,
    ...(producer === undefined ? null : { producerId: producer.id, producerEpoch: 1, baseSequence: producer.sequence }),
    ...(requestKey === undefined ? null : { idempotency: keyEntry(requestKey, 0, BigInt(requestKey)) }),
  })
}

export class KeyedTwin {
  batches: TwinBatch[] = []
  start = 0

  append(rig: LogRig, given: GivenBatch): void {
    const { log } = rig
    const now = Math.max(rig.clock.now(), log.appendedAtMax)
    const batch = keyedBatch(given, now)
    const base = log.endOffset
    stampBatch(batch, 0, base, now, rig.epoch, hostCodec)
    log.append(batch)
    const records = given.records.map(({ key, value, tags = [] }, i) => {
      return { key, value, tags: [...tags].sort(), offset: base + i, timestamp: now - i * 7 }
    })
    this.batches.push({
      base,
      last: lastOffsetOf(batch, 0),
      epoch: rig.epoch,
      appendedAt: now,
      identity: identityOf(batch, 0),
      horizon: null,
      records,
    })
  }

  /** All below `upTo` was passed once, at `now`. */
  compact(upTo: number, now: number, deleteRetentionMs: number): void {
    const latest = new Map<string, number>()
    for (const { key, offset } of this.records()) if (key !== null && offset < upTo) latest.set(key, offset)
    for (const batch of this.batches) {
      if (batch.base >= upTo) continue
      const { horizon } = batch
      batch.records = batch.records.filter(({ key, value, offset }) => {
        return key === null || (latest.get(key) === offset && !(value === null && horizon !== null && horizon <= now))
      })
      if (batch.records.some(({ value }) => value === null)) batch.horizon ??= now + deleteRetentionMs
    }
  }

  copy(): KeyedTwin {
    const copy = new KeyedTwin()
    copy.batches = [...this.batches]
    copy.start = this.start
    return copy
  }

  /** The log was cut: it ends before `end`. */
  cut(end: number): void {
    this.batches = this.batches.filter(({ last }) => last < end)
  }

  *records(): Iterable<TwinRecord> {
    for (const batch of this.batches) yield* batch.records
  }

  /** Latest value by key, as a reader from the start makes it. */
  view(from = this.start, upTo = Number.POSITIVE_INFINITY): Map<string, string> {
    return viewOf([...this.records()].filter(({ offset }) => offset >= from && offset < upTo))
  }

  /** The log has exactly what the twin has. */
  check(rig: LogRig, identityFromMs: number): void {
    const found = readBatches(rig)
    const start = rig.log.startOffset
    const isKept = ({ offset }: { offset: number }) => offset >= start
    expect(found.flatMap(({ records }) => records).filter(isKept)).toEqual([...this.records()].filter(isKept))
    const horizons = (batches: readonly TwinBatch[]) =>
      batches
        .filter(({ horizon, records }) => horizon !== null && records.some((r) => r.value === null && isKept(r)))
        .map(({ base, horizon }) => [base, horizon])
    expect(horizons(found)).toEqual(horizons(this.batches))
    this.checkShape(rig, found, identityFromMs)
  }

  /** Batches meet, epochs are told, and whoever may still be asked for is named as ever. */
  checkShape(rig: LogRig, found: readonly TwinBatch[], identityFromMs: number): void {
    const { log } = rig
    let end = found[0]?.base ?? log.endOffset
    expect(end).toBeLessThanOrEqual(log.startOffset)
    for (const { base, last, epoch } of found) {
      if (base !== end) throw new Error(`a batch begins at ${base} where ${end} should be`)
      end = last + 1
      if (log.epochAt(base) !== epoch) throw new Error(`epoch of ${base} is ${log.epochAt(base)}, not ${epoch}`)
    }
    expect(end).toBe(log.endOffset)
    // also of batches that are gone
    for (const { base, epoch } of this.batches) {
      if (base >= log.startOffset && log.epochAt(base) !== epoch) throw new Error(`another epoch at ${base}`)
    }
    const named = (batches: readonly TwinBatch[]) =>
      batches
        .filter((b) => b.identity !== null && b.appendedAt >= identityFromMs && b.base >= log.startOffset)
        .map(({ base, last, appendedAt, identity }) => [base, last, appendedAt, identity])
    expect(named(found)).toEqual(named(this.batches))
  }
}

export function viewOf(records: readonly TwinRecord[]): Map<string, string> {
  const view = new Map<string, string>()
  for (const { key, value, offset } of records) {
    if (key === null) view.set(`offset ${offset}`, value ?? '')
    else if (value === null) view.delete(key)
    else view.set(key, `${offset} ${value}`)
  }
  return view
}

export function readBatches(rig: LogRig, from = rig.log.startOffset): TwinBatch[] {
  const batches: TwinBatch[] = []
  while (from < rig.log.endOffset) {
    const read = rig.read(from)
    if (read.kind !== 'batches' || read.nextOffset <= from) throw new Error(`${JSON.stringify(read)} at ${from}`)
    batches.push(...batchesOf(read.bytes))
    from = read.nextOffset
  }
  return batches
}

export function recordsOf(bytes: Uint8Array): TwinRecord[] {
  return batchesOf(bytes).flatMap(({ records }) => records)
}

function batchesOf(bytes: Uint8Array): TwinBatch[] {
  const batches: TwinBatch[] = []
  const reader = new RecordReader()
  for (let at = 0; at < bytes.length; at += batchBytesOf(bytes, at)) {
    expect(storedFault(bytes, at, bytes.length, hostCodec)).toBeNull()
    expect(reader.open(bytes, at, hostCodec)).toBe(true)
    const records: TwinRecord[] = []
    for (let record = reader.next(); record !== null; record = reader.next()) {
      const { key, keyStart, keyEnd, value, valueStart, valueEnd, attributes } = record
      const isTombstone = (attributes & RecordAttribute.tombstone) !== 0
      records.push({
        key: keyStart < 0 ? null : decoder.decode(key.subarray(keyStart, keyEnd)),
        value: isTombstone ? null : decoder.decode(value.subarray(valueStart, valueEnd)),
        tags: reader.tags?.tagsOf(reader.ordinal).sort() ?? [],
        offset: record.offset,
        timestamp: record.timestamp,
      })
    }
    expect(reader.isDamaged).toBe(false)
    const metaAt = at + BATCH_HEADER_BYTES
    const horizonAt = findMeta(bytes, metaAt, metaAt + metaBytesOf(bytes, at), MetaType.deleteHorizon)
    batches.push({
      base: baseOffsetOf(bytes, at),
      last: lastOffsetOf(bytes, at),
      epoch: leaderEpochOf(bytes, at),
      appendedAt: appendedAtOf(bytes, at),
      identity: identityOf(bytes, at),
      horizon: horizonAt < 0 ? null : Number(new DataView(bytes.slice(horizonAt).buffer).getBigInt64(0, true)),
      records,
    })
  }
  return batches
}

function identityOf(bytes: Uint8Array, at: number): string | null {
  const metaAt = at + BATCH_HEADER_BYTES
  const keyAt = findMeta(bytes, metaAt, metaAt + metaBytesOf(bytes, at), MetaType.idempotency)
  const producerId = producerIdOf(bytes, at)
  if (keyAt < 0 && producerId === NO_PRODUCER) return null
  const key =
    keyAt < 0 ? '' : `${readIdempotency(bytes, keyAt).keyHash.toHex()} ${readIdempotency(bytes, keyAt).digest}`
  return `${producerId} ${baseSequenceOf(bytes, at)} ${key}`
}
