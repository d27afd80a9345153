// A stored batch passed record by record, some of them left out. What stays is byte for byte what it was, and so is the header
// but for the counts: offsets, times, producer, sequence and keys of the batch are those it was appended with, and its span
// does not narrow. The batch's checksums are the caller's to have checked.

import { limits, writeU16, writeU32 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import {
  appendedAtOf,
  BATCH_HEADER_BYTES,
  BatchCodec,
  baseOffsetOf,
  batchBytesOf,
  codecOf,
  firstTimestampOf,
  leaderEpochOf,
  metaBytesOf,
  recordCountOf,
  stampBatch,
} from './batch.ts'
import { inflateRecords } from './inflation.ts'
import { readDeleteHorizon, sievedMetaSection } from './meta.ts'
import { readRecord, RecordSpans } from './record.ts'

const NO_BYTES = new Uint8Array(0)

/** One serves any number of batches. */
export class BatchSieve {
  keptCount = 0
  droppedCount = 0
  /** From when on the batch's tombstones may be left out; null: not said yet. */
  deleteHorizon: number | null = null
  readonly #record = new RecordSpans()
  readonly #isKept = new Uint8Array(limits.BATCH_RECORDS_MAX)
  #batch: Uint8Array = NO_BYTES
  #batchAt = 0
  #baseOffset = 0
  #firstTimestamp = 0
  #recordCount = 0
  #records: Uint8Array = NO_BYTES
  /** Where the record that `next` gave last begins, and where the next one does. */
  #recordAt = 0
  #nextAt = 0
  #end = 0
  /** Of the records kept, places in `#records`, neighbours joined: start, end, start, end… */
  readonly #runs: number[] = []

  /** False: the records cannot be read. `records`: inflated elsewhere. */
  open(bytes: Uint8Array, at: number, codec: Codec, records: Uint8Array | null = null): boolean {
    const metaAt = at + BATCH_HEADER_BYTES
    const recordsAt = metaAt + metaBytesOf(bytes, at)
    this.#batch = bytes
    this.#batchAt = at
    this.#baseOffset = baseOffsetOf(bytes, at)
    this.#firstTimestamp = firstTimestampOf(bytes, at)
    this.#recordCount = recordCountOf(bytes, at)
    this.keptCount = 0
    this.droppedCount = 0
    this.deleteHorizon = readDeleteHorizon(bytes, metaAt, recordsAt)
    this.#runs.length = 0
    const isPlain = codecOf(bytes, at) === BatchCodec.none
    const opened = isPlain ? bytes : (records ?? inflateRecords(bytes, at, codec))
    if (!(opened instanceof Uint8Array)) return false
    this.#records = opened
    this.#nextAt = isPlain ? recordsAt : 0
    this.#end = isPlain ? at + batchBytesOf(bytes, at) : opened.length
    return true
  }

  /** The next record, the same object each time; kept, unless `drop` is called before the next one. Null behind the last. */
  next(): RecordSpans | null {
    const ordinal = this.keptCount + this.droppedCount
    if (ordinal >= this.#recordCount) return null
    const record = this.#record
    const next = readRecord(this.#records, this.#nextAt, this.#end, this.#baseOffset, this.#firstTimestamp, record)
    if (next < 0) return null
    this.#recordAt = this.#nextAt
    this.#nextAt = next
    this.#isKept[ordinal] = 1
    this.keptCount++
    if (this.#runs.at(-1) === this.#recordAt) this.#runs.pop()
    else this.#runs.push(this.#recordAt)
    this.#runs.push(next)
    return record
  }

  /** The record that `next` gave last stays out. */
  drop(): void {
    this.keptCount--
    this.#isKept[this.keptCount + this.droppedCount] = 0
    this.droppedCount++
    this.#runs.pop()
    if (this.#runs.at(-1) === this.#recordAt) this.#runs.pop()
    else this.#runs.push(this.#recordAt)
  }

  /** Whether every record there should be has been given. */
  get isThrough(): boolean {
    return this.keptCount + this.droppedCount === this.#recordCount && this.#nextAt === this.#end
  }

  /** What was kept as a batch of its own memory, not compressed and without checksums: then `seal`. */
  finish(deleteHorizon: number | null): Uint8Array {
    const metaAt = this.#batchAt + BATCH_HEADER_BYTES
    const metaEnd = metaAt + metaBytesOf(this.#batch, this.#batchAt)
    const meta = sievedMetaSection(this.#batch, metaAt, metaEnd, this.#isKept, this.keptCount, deleteHorizon)
    let recordsBytes = 0
    for (let i = 0; i < this.#runs.length; i += 2) recordsBytes += this.#runs[i + 1]! - this.#runs[i]!
    const batch = new Uint8Array(BATCH_HEADER_BYTES + meta.length + recordsBytes)
    batch.set(this.#batch.subarray(this.#batchAt, metaAt))
    batch.set(meta, BATCH_HEADER_BYTES)
    let at = BATCH_HEADER_BYTES + meta.length
    for (let i = 0; i < this.#runs.length; i += 2) {
      const run = this.#records.subarray(this.#runs[i], this.#runs[i + 1])
      batch.set(run, at)
      at += run.length
    }
    writeU32(batch, 28, batch.length)
    batch[33] = BatchCodec.none
    writeU16(batch, 36, this.keptCount)
    writeU32(batch, 72, recordsBytes)
    writeU32(batch, 76, meta.length)
    return batch
  }
}

/** Sets both checksums of a batch that was stamped before it was changed; its leader's fields stay. */
export function sealBatch(batch: Uint8Array, codec: Codec): void {
  writeU32(batch, 24, codec.crc32(batch.subarray(28)))
  stampBatch(batch, 0, baseOffsetOf(batch, 0), appendedAtOf(batch, 0), leaderEpochOf(batch, 0), codec)
}
