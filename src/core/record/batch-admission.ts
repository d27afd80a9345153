// The deep check of a batch that a client made, before a leader stamps it and everyone after trusts it: every record is
// walked, compressed ones inflated within bounds, every count, length, delta and claim compared with what is there. What
// passes can be read, spliced into JSON, SSE and NDJSON, and stored without another look. Never throws.
//
// Clients have one way to write a batch: offset deltas from 0 without holes, `firstTimestamp` the first record's. Control
// batches and idempotency entries are the broker's to write; the leader's fields are overwritten and may hold anything.

import { limits } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BatchCodec,
  batchBytesOf,
  codecOf,
  firstTimestampOf,
  isBodyGood,
  isControl,
  lastOffsetDeltaOf,
  magicOf,
  maxTimestampOf,
  metaBytesOf,
  recordCountOf,
} from './batch.ts'
import { frameFault, headerFault } from './batch-check.ts'
import { type BatchFault, structureFault, versionFault } from './batch-fault.ts'
import { inflateRecords } from './inflation.ts'
import { clientMetaFault } from './meta.ts'
import { hasUnknownAttributes, readRecord, RecordSpans } from './record.ts'
import { RecordClaims } from './record-claims.ts'

/** Null: sound. Looks only at the batch that starts at `at`; it may be followed by others up to `end`. */
export function admitBatch(
  bytes: Uint8Array,
  at: number,
  end: number,
  codec: Codec,
  recordBytesMax: number = limits.RECORD_BYTES_MAX,
): BatchFault | null {
  const frame = frameFault(bytes, at, end)
  if (frame !== null) return frame
  if (!isBodyGood(bytes, at, codec)) {
    if (magicOf(bytes, at) !== BATCH_MAGIC) return { kind: 'magic', detail: 'these bytes are not a batch' }
    return { kind: 'body', detail: 'the body fails its checksum' }
  }
  return (
    headerFault(bytes, at) ??
    clientHeaderFault(bytes, at, codec) ??
    openedRecordsFault(bytes, at, codec, recordBytesMax)
  )
}

function clientHeaderFault(bytes: Uint8Array, at: number, codec: Codec): BatchFault | null {
  if (isControl(bytes, at)) return structureFault('control batches are for brokers to write')
  const recordCount = recordCountOf(bytes, at)
  if (recordCount === 0) return structureFault('a batch without records')
  if (lastOffsetDeltaOf(bytes, at) !== recordCount - 1) return structureFault('lastOffsetDelta is not recordCount - 1')
  const metaStart = at + BATCH_HEADER_BYTES
  return clientMetaFault(bytes, metaStart, metaStart + metaBytesOf(bytes, at), codec)
}

function openedRecordsFault(bytes: Uint8Array, at: number, codec: Codec, recordBytesMax: number): BatchFault | null {
  if (codecOf(bytes, at) === BatchCodec.none) {
    const start = at + BATCH_HEADER_BYTES + metaBytesOf(bytes, at)
    return recordsFault(bytes, at, bytes, start, at + batchBytesOf(bytes, at), codec, recordBytesMax)
  }
  const records = inflateRecords(bytes, at, codec)
  if (!(records instanceof Uint8Array)) return records
  return recordsFault(bytes, at, records, 0, records.length, codec, recordBytesMax)
}

function recordsFault(
  batch: Uint8Array,
  batchAt: number,
  records: Uint8Array,
  start: number,
  end: number,
  codec: Codec,
  recordBytesMax: number,
): BatchFault | null {
  const recordCount = recordCountOf(batch, batchAt)
  const firstTimestamp = firstTimestampOf(batch, batchAt)
  const record = new RecordSpans()
  const claims = new RecordClaims(records, codec, recordBytesMax)
  let maxTimestamp = Number.NEGATIVE_INFINITY
  let at = start
  for (let ordinal = 0; ordinal < recordCount; ordinal++) {
    const next = readRecord(records, at, end, 0, firstTimestamp, record)
    if (next < 0) return unreadableFault(records, at, end, ordinal)
    if (record.offset !== ordinal) return recordFault(ordinal, 'has an offset delta out of order')
    if (ordinal === 0 && record.timestamp !== firstTimestamp) return recordFault(0, 'is not at firstTimestamp')
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp
    const claim = claims.faultOf(record)
    if (claim !== null) return recordFault(ordinal, claim)
    at = next
  }
  if (at !== end) return structureFault(`${end - at} bytes behind the last record`)
  if (maxTimestamp !== maxTimestampOf(batch, batchAt)) return structureFault('maxTimestamp is not the highest')
  return null
}

const recordFault = (ordinal: number, detail: string): BatchFault => structureFault(`record ${ordinal} ${detail}`)

function unreadableFault(records: Uint8Array, at: number, end: number, ordinal: number): BatchFault {
  if (hasUnknownAttributes(records, at, end)) return versionFault(`record ${ordinal} has attributes not known here`)
  return recordFault(ordinal, 'is cut off, missing or not in its one form')
}
