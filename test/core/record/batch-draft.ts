// Batches as no honest client makes them: a good one to start from, parts to replace, and the body's checksum made good
// again, so that a refusal comes from the check meant.

import { concatBytes, writeU16, writeU32, writeU64, writeVarint } from '../../../src/core/base/index.ts'
import {
  BATCH_HEADER_BYTES,
  BatchBuilder,
  batchBytesOf,
  type BatchFields,
  stampBatch,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { addAll, type PlainRecord, plainRecord } from './plain-record.ts'

export function builtBatch(records: readonly PlainRecord[], fields: BatchFields = {}): Uint8Array {
  const builder = new BatchBuilder(hostCodec)
  addAll(builder, records)
  return builder.finish(fields)
}

/** Two records, the second with everything a record can have. */
export function sampleBatch(fields: BatchFields = {}): Uint8Array {
  return builtBatch(
    [
      plainRecord({ timestamp: 1_700_000_000_000, value: 'plain' }),
      plainRecord({
        offset: 1,
        timestamp: 1_700_000_000_005,
        attributes: 1,
        key: 'key',
        value: '{"a":[1,"é"]}',
        headers: [['name', 'value']],
        tags: ['vip', 'eu'],
      }),
    ],
    fields,
  )
}

/** A copy with `edit` done to it and the checksums made good: the body's, and the stamp's where `stamped`. */
export function edited(batch: Uint8Array, edit: (bytes: Uint8Array) => void, stamped = false): Uint8Array {
  const bytes = batch.slice()
  edit(bytes)
  return sealed(bytes, stamped)
}

export function sealed(bytes: Uint8Array, stamped = false): Uint8Array {
  writeU32(bytes, 24, hostCodec.crc32(bytes.subarray(28)))
  if (stamped) stampBatch(bytes, 0, 42, 1_800_000_000_000, 7, hostCodec)
  return bytes
}

export interface Draft {
  codec?: number
  attributes?: number
  recordCount?: number
  lastOffsetDelta?: number
  firstTimestamp?: number
  maxTimestamp?: number
  recordsBytes?: number
  meta?: Uint8Array
  records: Uint8Array
}

/** A batch of exactly these parts. */
export function draftBatch(draft: Draft): Uint8Array {
  const meta = draft.meta ?? new Uint8Array(0)
  const bytes = concatBytes([new Uint8Array(BATCH_HEADER_BYTES), meta, draft.records])
  const recordCount = draft.recordCount ?? 1
  writeU32(bytes, 28, bytes.length)
  bytes[32] = 1
  bytes[33] = draft.codec ?? 0
  writeU16(bytes, 34, draft.attributes ?? 0)
  writeU16(bytes, 36, recordCount)
  writeU16(bytes, 38, draft.lastOffsetDelta ?? recordCount - 1)
  writeU64(bytes, 40, draft.firstTimestamp ?? 0)
  writeU64(bytes, 48, draft.maxTimestamp ?? draft.firstTimestamp ?? 0)
  bytes.fill(0xff, 56, 64)
  writeU32(bytes, 72, draft.recordsBytes ?? draft.records.length)
  writeU32(bytes, 76, meta.length)
  return sealed(bytes)
}

/** Varints and bytes in a row; `record` puts their length before them. */
export function packed(...parts: (number | string | Uint8Array)[]): Uint8Array {
  return concatBytes(
    parts.map((part) => {
      if (typeof part === 'string') return new TextEncoder().encode(part)
      if (typeof part !== 'number') return part
      const bytes = new Uint8Array(8)
      return bytes.subarray(0, writeVarint(bytes, 0, part))
    }),
  )
}

export function record(...parts: (number | string | Uint8Array)[]): Uint8Array {
  const body = packed(...parts)
  return packed(body.length, body)
}

export function metaEntry(type: number, flags: number, content: Uint8Array, reserved = 0): Uint8Array {
  const header = new Uint8Array(8)
  header[0] = type
  header[1] = flags
  writeU16(header, 2, reserved)
  writeU32(header, 4, content.length)
  return concatBytes([header, content])
}

/** Cuts the batch down to `batchBytes` of it, header adjusted. */
export function shortened(batch: Uint8Array, batchBytes: number): Uint8Array {
  if (batchBytes > batchBytesOf(batch, 0)) throw new Error('nothing to cut')
  const bytes = batch.slice(0, batchBytes)
  writeU32(bytes, 28, batchBytes)
  return sealed(bytes)
}
