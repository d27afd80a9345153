// One record inside a batch, and its stored form:
//
//   varint bytes of what follows · u8 attributes (1 value is JSON, 2 tombstone) · zigzag varint timestamp − firstTimestamp
//   varint offset − baseOffset · varint key bytes + 1 (0 = no key) · key · varint value bytes · value
//   varint header count · { varint name bytes · name · varint value bytes · value }…
//
// `RecordSpans` is how a record is handed from a reader to a writer: places in byte arrays, filled anew for each record
// and never kept, so that a stream of records costs no objects.

import { readVarint, unzigzag, varintBytes, varintEnd, writeVarint, zigzag } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'

export const RecordAttribute = { json: 1, tombstone: 2 } as const
const KNOWN_ATTRIBUTES = 3
const NATIVE_COPY_BYTES = 32
const NO_BYTES = new Uint8Array(0)
const NO_TAGS: readonly string[] = []

export class RecordSpans {
  attributes = 0
  /** Milliseconds; NaN: none given, the builder takes its own. */
  timestamp = Number.NaN
  /** Set by readers only. */
  offset = 0
  key: Uint8Array = NO_BYTES
  /** -1: no key. */
  keyStart = -1
  keyEnd = -1
  value: Uint8Array = NO_BYTES
  valueStart = 0
  valueEnd = 0
  /** Headers in stored form, behind the count. */
  headers: Uint8Array = NO_BYTES
  headersStart = 0
  headersEnd = 0
  headerCount = 0
  tags: readonly string[] = NO_TAGS

  clear(): void {
    this.attributes = 0
    this.timestamp = Number.NaN
    this.keyStart = -1
    this.keyEnd = -1
    this.valueStart = 0
    this.valueEnd = 0
    this.headersStart = 0
    this.headersEnd = 0
    this.headerCount = 0
    this.tags = NO_TAGS
  }

  /** Key, value and headers: what `recordBytesMax` bounds. */
  get payloadBytes(): number {
    const key = this.keyStart < 0 ? 0 : this.keyEnd - this.keyStart
    return key + this.valueEnd - this.valueStart + this.headersEnd - this.headersStart
  }
}

/** An upper bound of the stored size, without measuring each varint. */
export function recordBytesBound(record: RecordSpans): number {
  return record.payloadBytes + 40
}

/** `into` must have room for `recordBytesBound`. Returns the position behind the record. */
export function writeRecord(
  into: Uint8Array,
  at: number,
  record: RecordSpans,
  timestampDelta: number,
  offsetDelta: number,
  codec: Pick<Codec, 'copy'>,
): number {
  const stamp = zigzag(timestampDelta)
  const keyStart = record.keyStart
  const keyBytes = keyStart < 0 ? 0 : record.keyEnd - keyStart
  const keyMark = keyStart < 0 ? 0 : keyBytes + 1
  const valueStart = record.valueStart
  const valueEnd = record.valueEnd
  const valueBytes = valueEnd - valueStart
  const headersBytes = record.headersEnd - record.headersStart
  const bodyBytes =
    1 +
    varintBytes(stamp) +
    varintBytes(offsetDelta) +
    varintBytes(keyMark) +
    keyBytes +
    varintBytes(valueBytes) +
    valueBytes +
    varintBytes(record.headerCount) +
    headersBytes
  at = writeVarint(into, at, bodyBytes)
  into[at++] = record.attributes
  at = writeVarint(into, at, stamp)
  at = writeVarint(into, at, offsetDelta)
  at = writeVarint(into, at, keyMark)
  if (keyBytes > 0) {
    copySpan(into, at, record.key, keyStart, record.keyEnd, codec)
    at += keyBytes
  }
  at = writeVarint(into, at, valueBytes)
  copySpan(into, at, record.value, valueStart, valueEnd, codec)
  at = writeVarint(into, at + valueBytes, record.headerCount)
  if (headersBytes > 0) {
    copySpan(into, at, record.headers, record.headersStart, record.headersEnd, codec)
    at += headersBytes
  }
  return at
}

/** A native copy has a fixed price that pays from about 32 bytes; `set` of a `subarray` would cost twice that. */
function copySpan(
  into: Uint8Array,
  at: number,
  from: Uint8Array,
  start: number,
  end: number,
  codec: Pick<Codec, 'copy'>,
): void {
  if (end - start >= NATIVE_COPY_BYTES) codec.copy(into, at, from, start, end)
  else while (start < end) into[at++] = from[start++]!
}

/** Whether the record at `at`, of which at least the beginning is there, has attributes of a newer version. */
export function hasUnknownAttributes(bytes: Uint8Array, at: number, end: number): boolean {
  return readVarint(bytes, at, end) >= 0 && varintEnd < end && bytes[varintEnd]! > KNOWN_ATTRIBUTES
}

/**
 * Reads the record at `at` into `record`, offsets and timestamps absolute. Returns the position behind it, or -1 when
 * the bytes are not a record that ends at or before `end`.
 */
export function readRecord(
  bytes: Uint8Array,
  at: number,
  end: number,
  baseOffset: number,
  firstTimestamp: number,
  record: RecordSpans,
): number {
  const bodyBytes = readVarint(bytes, at, end)
  if (bodyBytes < 0) return -1
  at = varintEnd
  const recordEnd = at + bodyBytes
  if (recordEnd > end || bodyBytes < 6) return -1
  const attributes = bytes[at++]!
  if (attributes > KNOWN_ATTRIBUTES) return -1
  const stamp = readVarint(bytes, at, recordEnd)
  if (stamp < 0) return -1
  const offsetDelta = readVarint(bytes, varintEnd, recordEnd)
  if (offsetDelta < 0) return -1
  const keyBytes = readVarint(bytes, varintEnd, recordEnd) - 1
  if (keyBytes < -1) return -1
  at = varintEnd
  record.key = bytes
  record.keyStart = keyBytes < 0 ? -1 : at
  record.keyEnd = keyBytes < 0 ? -1 : at + keyBytes
  if (keyBytes > 0) at += keyBytes
  const valueBytes = readVarint(bytes, at, recordEnd)
  if (valueBytes < 0) return -1
  record.value = bytes
  record.valueStart = varintEnd
  record.valueEnd = varintEnd + valueBytes
  const headerCount = readVarint(bytes, record.valueEnd, recordEnd)
  if (headerCount < 0) return -1
  record.headers = bytes
  record.headerCount = headerCount
  record.headersStart = varintEnd
  record.headersEnd = recordEnd
  record.attributes = attributes
  record.timestamp = firstTimestamp + unzigzag(stamp)
  record.offset = baseOffset + offsetDelta
  return recordEnd
}
