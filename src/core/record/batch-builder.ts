// Gathers records into batches of bytes that a leader can stamp. One builder is used for many batches: it writes into a
// buffer of its own that only grows, and `finish` hands out an exact copy. `add` says no when the batch is full, which
// leaves the builder as it was: the caller finishes the batch and adds again.

import { assert, limits, writeU16, writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { BATCH_HEADER_BYTES, BATCH_MAGIC, BatchCodec } from './batch.ts'
import { isInflationBounded } from './inflation.ts'
import {
  type IdempotencyEntry,
  IDEMPOTENCY_ENTRY_BYTES,
  META_ENTRY_HEADER_BYTES,
  metaSectionBytes,
  writeMetaSection,
} from './meta.ts'
import { type RecordSpans, recordBytesBound, writeRecord } from './record.ts'
import { TagTable } from './tag-table.ts'

export type BatchCompression = 'none' | 'gzip' | 'zstd'

export interface BatchFields {
  compression?: BatchCompression
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
  /** `BatchAttribute` bits. */
  attributes?: number
  idempotency?: IdempotencyEntry
}

/** Of the codec port, what writing batches takes; a runtime that cannot compress at once leaves that out, and asks for none. */
export type BatchWriterCodec = Pick<Codec, 'copy' | 'crc32'> & Partial<Pick<Codec, 'compress'>>

const ALL_ONES = 0xffff_ffff
/** What a batch has besides tags and records, at most. */
const FIXED_BYTES = BATCH_HEADER_BYTES + IDEMPOTENCY_ENTRY_BYTES + META_ENTRY_HEADER_BYTES

export class BatchBuilder {
  recordCount = 0
  #records = new Uint8Array(4096)
  #recordsBytes = 0
  #firstTimestamp = 0
  #maxTimestamp = 0
  readonly #tags = new TagTable()
  readonly #codec: BatchWriterCodec
  readonly #batchBytesMax: number

  constructor(codec: BatchWriterCodec, batchBytesMax: number = limits.BATCH_BYTES_MAX) {
    this.#codec = codec
    this.#batchBytesMax = batchBytesMax
  }

  /** Bytes the batch would have now, uncompressed. */
  get batchBytes(): number {
    return BATCH_HEADER_BYTES + metaSectionBytes(this.#tags.bytesFor(this.recordCount), undefined) + this.#recordsBytes
  }

  /** Of its buffer, which only grows. */
  get capacityBytes(): number {
    return this.#records.length
  }

  /** False: full. `nowMs` stands in where the record has no timestamp. The first record always fits. */
  add(record: RecordSpans, nowMs: number): boolean {
    const bound = recordBytesBound(record)
    if (this.recordCount > 0 && !this.#hasRoomFor(record, bound)) return false
    if (this.#recordsBytes + bound > this.#records.length) this.#grow(bound)
    const timestamp = Number.isNaN(record.timestamp) ? nowMs : record.timestamp
    if (this.recordCount === 0) {
      this.#firstTimestamp = timestamp
      this.#maxTimestamp = timestamp
    } else if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp
    }
    if (record.tags.length > 0) this.#tags.set(this.recordCount, record.tags)
    this.#recordsBytes = writeRecord(
      this.#records,
      this.#recordsBytes,
      record,
      timestamp - this.#firstTimestamp,
      this.recordCount,
      this.#codec,
    )
    this.recordCount++
    return true
  }

  /** A batch of its own memory, unstamped, body checksum set; the builder is empty again. */
  finish(fields: BatchFields = {}): Uint8Array {
    let codecId: number = BatchCodec.none
    let records = this.#records.subarray(0, this.#recordsBytes)
    if (fields.compression !== undefined && fields.compression !== 'none') {
      assert(this.#codec.compress !== undefined, 'this codec compresses')
      const compressed = this.#codec.compress(fields.compression, records)
      // What shrinks so far that readers must take it for a bomb stays as it is.
      if (compressed.length < records.length && isInflationBounded(records.length, compressed.length)) {
        records = compressed as Uint8Array<ArrayBuffer>
        codecId = BatchCodec[fields.compression]
      }
    }
    const metaBytes = metaSectionBytes(this.#tags.bytesFor(this.recordCount), fields.idempotency)
    const batch = new Uint8Array(BATCH_HEADER_BYTES + metaBytes + records.length)
    assert(this.recordCount > 0, 'a batch has a record')
    assert(batch.length <= limits.BATCH_BYTES_MAX, 'a batch keeps to its limit')
    writeMetaSection(batch, BATCH_HEADER_BYTES, this.#tags, this.recordCount, fields.idempotency)
    batch.set(records, BATCH_HEADER_BYTES + metaBytes)
    this.#writeHeader(batch, codecId, metaBytes, fields)
    this.clear()
    return batch
  }

  clear(): void {
    this.recordCount = 0
    this.#recordsBytes = 0
    this.#tags.clear()
  }

  #hasRoomFor(record: RecordSpans, bound: number): boolean {
    if (this.recordCount >= limits.BATCH_RECORDS_MAX) return false
    let bytes = FIXED_BYTES + this.#recordsBytes + bound
    if (record.tags.length > 0 || !this.#tags.isEmpty) bytes += this.#tags.bytesWith(record.tags, this.recordCount + 1)
    return bytes <= this.#batchBytesMax
  }

  #writeHeader(batch: Uint8Array, codecId: number, metaBytes: number, fields: BatchFields): void {
    writeU32(batch, 28, batch.length)
    batch[32] = BATCH_MAGIC
    batch[33] = codecId
    writeU16(batch, 34, fields.attributes ?? 0)
    writeU16(batch, 36, this.recordCount)
    writeU16(batch, 38, this.recordCount - 1)
    writeU64(batch, 40, this.#firstTimestamp)
    writeU64(batch, 48, this.#maxTimestamp)
    if (fields.producerId === undefined) {
      writeU32(batch, 56, ALL_ONES)
      writeU32(batch, 60, ALL_ONES)
    } else {
      writeU64(batch, 56, fields.producerId)
      writeU32(batch, 64, fields.producerEpoch ?? 0)
      writeU32(batch, 68, fields.baseSequence ?? 0)
    }
    writeU32(batch, 72, this.#recordsBytes)
    writeU32(batch, 76, metaBytes)
    writeU32(batch, 24, this.#codec.crc32(batch.subarray(28)))
  }

  #grow(room: number): void {
    const wider = new Uint8Array(Math.max(this.#records.length * 2, this.#recordsBytes + room))
    wider.set(this.#records.subarray(0, this.#recordsBytes))
    this.#records = wider
  }
}
