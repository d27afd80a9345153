// The deep check of a batch that a client made, before a leader stamps it and everyone after trusts it: every record is
// walked, compressed ones inflated within bounds, every count, length, delta and claim compared with what is there. What
// passes can be read, spliced into JSON, SSE and NDJSON, and stored without another look. Never throws.
//
// Clients have one way to write a batch: offset deltas from 0 without holes, `firstTimestamp` the first record's. Control
// batches and idempotency entries are the broker's to write; the leader's fields are overwritten and may hold anything.

import { limits, readVarint, varintEnd } from '../base/index.ts'
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
import { isJson } from './json.ts'
import { clientMetaFault } from './meta.ts'
import { hasUnknownAttributes, readRecord, RecordAttribute, RecordSpans } from './record.ts'

const LINE_BREAK = 1
const NOT_ASCII = 2
const TRAITS = new Uint8Array(256).fill(NOT_ASCII, 0x80)
TRAITS[0x0a] = LINE_BREAK
TRAITS[0x0d] = LINE_BREAK

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
  let maxTimestamp = Number.NEGATIVE_INFINITY
  let at = start
  for (let ordinal = 0; ordinal < recordCount; ordinal++) {
    const next = readRecord(records, at, end, 0, firstTimestamp, record)
    if (next < 0) return unreadableFault(records, at, end, ordinal)
    if (record.offset !== ordinal) return recordFault(ordinal, 'has an offset delta out of order')
    if (ordinal === 0 && record.timestamp !== firstTimestamp) return recordFault(0, 'is not at firstTimestamp')
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp
    const claim = claimFault(record, codec, recordBytesMax)
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

/** What a record says of itself that is not so. */
function claimFault(record: RecordSpans, codec: Codec, recordBytesMax: number): string | null {
  if (!(record.timestamp >= limits.TIMESTAMP_MS_MIN && record.timestamp <= limits.TIMESTAMP_MS_MAX)) {
    return 'has a timestamp outside the years 0000 to 9999'
  }
  if (record.payloadBytes > recordBytesMax) return `has ${record.payloadBytes} bytes, the limit is ${recordBytesMax}`
  if (record.keyEnd - record.keyStart > limits.KEY_BYTES_MAX) return 'has a key that is too long'
  if (record.headersEnd !== record.headersStart || record.headerCount !== 0) {
    const headers = headersFault(record, codec)
    if (headers !== null) return headers
  }
  if (record.attributes === 0) return null
  const valueBytes = record.valueEnd - record.valueStart
  if ((record.attributes & RecordAttribute.tombstone) !== 0) {
    if (record.keyStart < 0) return 'is a tombstone without a key'
    return valueBytes > 0 || record.attributes !== RecordAttribute.tombstone ? 'is a tombstone with a value' : null
  }
  return jsonFault(record, codec)
}

/** JSON is spliced into lines as it is: line breaks between tokens would cut them. */
function jsonFault(record: RecordSpans, codec: Codec): string | null {
  const { value, valueStart, valueEnd } = record
  const traits = traitsOf(value, valueStart, valueEnd)
  if ((traits & LINE_BREAK) !== 0) return 'has line breaks in a value said to be JSON'
  if ((traits & NOT_ASCII) !== 0 && !codec.isUtf8(value.subarray(valueStart, valueEnd))) {
    return 'has JSON that is not UTF-8'
  }
  return isJson(value, valueStart, valueEnd) ? null : 'has a value said to be JSON that is not'
}

function traitsOf(bytes: Uint8Array, at: number, end: number): number {
  let traits = 0
  for (; at + 3 < end; at += 4) {
    traits |= TRAITS[bytes[at]!]! | TRAITS[bytes[at + 1]!]! | TRAITS[bytes[at + 2]!]! | TRAITS[bytes[at + 3]!]!
  }
  while (at < end) traits |= TRAITS[bytes[at++]!]!
  return traits
}

/** Pairs of name and value, all UTF-8, filling their place exactly. */
function headersFault(record: RecordSpans, codec: Codec): string | null {
  const { headers, headersStart, headersEnd } = record
  if (record.headerCount > limits.RECORD_HEADERS_MAX) return 'has too many headers'
  if (headersEnd - headersStart > limits.RECORD_HEADERS_BYTES_MAX) return 'has headers that are too long'
  let at = headersStart
  for (let part = 0; part < record.headerCount * 2; part++) {
    const partBytes = readVarint(headers, at, headersEnd)
    if (partBytes < 0 || partBytes > headersEnd - varintEnd) return 'has a header that is cut off'
    const start = varintEnd
    at = start + partBytes
    if (!codec.isUtf8(headers.subarray(start, at))) return 'has a header that is not UTF-8'
  }
  return at === headersEnd ? null : 'has bytes behind its headers'
}
