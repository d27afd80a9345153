// Walks the records of one stored batch, inflating it first where it is compressed. One reader and one `RecordSpans` serve
// any number of batches, so that reading costs no object a record. The batch's checksums are the caller's to have checked;
// spans point into the bytes given to `open`, or into memory of the reader's own until the next `open`.

import { readVarint, varintEnd } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BatchCodec,
  baseOffsetOf,
  batchBytesOf,
  codecOf,
  firstTimestampOf,
  magicOf,
  metaBytesOf,
  recordCountOf,
} from './batch.ts'
import { inflateRecords } from './inflation.ts'
import { findMeta, MetaType } from './meta.ts'
import { readRecord, RecordSpans } from './record.ts'
import { TagReader } from './tag-reader.ts'

const NO_BYTES = new Uint8Array(0)

export class RecordReader {
  /** Place in the batch of the record `next` gave last, -1 before the first: what `tags` goes by. */
  ordinal = -1
  /** `next` came upon something that is not a record: there are fewer than the header says. */
  isDamaged = false
  readonly #record = new RecordSpans()
  #recordCount = 0
  #records: Uint8Array = NO_BYTES
  #at = 0
  #end = 0
  #baseOffset = 0
  #firstTimestamp = 0
  #meta: Uint8Array = NO_BYTES
  #metaStart = 0
  #metaEnd = 0
  #tags: TagReader | null | undefined = null

  /** False: not a batch that can be read; there is no record then. */
  open(bytes: Uint8Array, at: number, codec: Codec): boolean {
    this.ordinal = -1
    this.isDamaged = true
    this.#recordCount = 0
    this.#tags = null
    const left = bytes.length - at
    if (left < BATCH_HEADER_BYTES || magicOf(bytes, at) !== BATCH_MAGIC) return false
    const batchBytes = batchBytesOf(bytes, at)
    const metaBytes = metaBytesOf(bytes, at)
    if (batchBytes > left || BATCH_HEADER_BYTES + metaBytes > batchBytes) return false
    if (!this.#openRecords(bytes, at, codec)) return false
    this.isDamaged = false
    this.#recordCount = recordCountOf(bytes, at)
    this.#baseOffset = baseOffsetOf(bytes, at)
    this.#firstTimestamp = firstTimestampOf(bytes, at)
    this.#meta = bytes
    this.#metaStart = at + BATCH_HEADER_BYTES
    this.#metaEnd = this.#metaStart + metaBytes
    this.#tags = metaBytes === 0 ? null : undefined
    return true
  }

  /** The next record, the same object each time, its `tags` not filled; null behind the last. */
  next(): RecordSpans | null {
    if (this.ordinal + 1 >= this.#recordCount) return null
    const record = this.#record
    const next = readRecord(this.#records, this.#at, this.#end, this.#baseOffset, this.#firstTimestamp, record)
    if (next < 0) return this.#stop()
    this.#at = next
    this.ordinal++
    return record
  }

  /** Lets `next` go on with the first record at or above `offset`, stepping over the others by their lengths. */
  skipTo(offset: number): void {
    const wantedDelta = offset - this.#baseOffset
    while (this.ordinal + 1 < this.#recordCount) {
      const bodyBytes = readVarint(this.#records, this.#at, this.#end)
      const next = varintEnd + bodyBytes
      if (bodyBytes < 0 || next > this.#end || readVarint(this.#records, varintEnd + 1, next) < 0)
        return void this.#stop()
      const offsetDelta = readVarint(this.#records, varintEnd, next)
      if (offsetDelta < 0) return void this.#stop()
      if (offsetDelta >= wantedDelta) return
      this.#at = next
      this.ordinal++
    }
  }

  /** The batch's tags, by `ordinal`; null when no record of it has any. */
  get tags(): TagReader | null {
    if (this.#tags === undefined) {
      const at = findMeta(this.#meta, this.#metaStart, this.#metaEnd, MetaType.tags)
      this.#tags = at < 0 ? null : new TagReader(this.#meta, at)
    }
    return this.#tags
  }

  #stop(): null {
    this.isDamaged = true
    this.#recordCount = 0
    return null
  }

  #openRecords(bytes: Uint8Array, at: number, codec: Codec): boolean {
    const codecId = codecOf(bytes, at)
    if (codecId === BatchCodec.none) {
      this.#records = bytes
      this.#at = at + BATCH_HEADER_BYTES + metaBytesOf(bytes, at)
      this.#end = at + batchBytesOf(bytes, at)
      return true
    }
    if (codecId > BatchCodec.zstd) return false
    const inflated = inflateRecords(bytes, at, codec)
    if (!(inflated instanceof Uint8Array)) return false
    this.#records = inflated
    this.#at = 0
    this.#end = inflated.length
    return true
  }
}
