// Stored batches → records as clients read them, appended to an answer under way.
//
//   records          {topic?, partition, offset, timestamp, appendedAt, key?, value, headers?, tags?}, comma-joined
//   ndjson-records   the same, a line each
//   ndjson-values    the value alone, a line each; every line is JSON: a tombstone is null
//
// JSON values are spliced as stored, text becomes JSON strings, other bytes base64: `valueBase64` and `keyBase64`, as a value
// line `{"valueBase64":"…"}`. A batch without a wanted tag is passed by without a look at its records, and control batches
// always. The checksums of the batches have been checked.

import { assert, readVarint, varintEnd } from '../../core/base/index.ts'
import type { Codec } from '../../core/ports/index.ts'
import {
  appendedAtOf,
  baseOffsetOf,
  batchBytesOf,
  BATCH_HEADER_BYTES,
  findMeta,
  isControl,
  jsonWords,
  lastOffsetOf,
  metaBytesOf,
  MetaType,
  RecordAttribute,
  RecordReader,
  type RecordSpans,
  type TagMask,
  TagReader,
} from '../../core/record/index.ts'
import { type ByteWriter, copyBytes } from './byte-writer.ts'
import { skipPlainAscii, writeText } from './json-string.ts'
import { RecordPrefix } from './record-prefix.ts'
import { TagMembers } from './tag-members.ts'

export interface WriteOptions {
  form: 'records' | 'ndjson-records' | 'ndjson-values'
  /** Null: the records do not tell it. */
  topic: string | null
  partition: number
  fromOffset: number
  /** Exclusive; infinite for none. */
  untilOffset: number
  recordsMax: number
  /** What may be appended; the first record of an answer always goes. */
  bytesMax: number
  /** Records the answer has already. */
  recordsBefore: number
  /** Null: all records. */
  wantedTags: ReadonlySet<string> | null
}

export interface Written {
  /** Where reading goes on: behind all that was written or passed by. */
  nextOffset: number
  recordCount: number
  /** A limit was reached: there may be more in the batches. */
  isFull: boolean
  /** The batch at `nextOffset` cannot be read, and ends before this offset; -1: all is well. */
  damagedUntil: number
}

const encoder = new TextEncoder()
const KEY = encoder.encode(',"key":"')
const KEY_BASE64 = encoder.encode(',"keyBase64":"')
const VALUE = encoder.encode(',"value":')
const TEXT_VALUE = encoder.encode(',"value":"')
const VALUE_BASE64 = encoder.encode(',"valueBase64":"')
const TOMBSTONE = encoder.encode(',"tombstone":true')
const HEADERS = encoder.encode(',"headers":{')
const NULL = encoder.encode('null')
const BASE64_LINE = encoder.encode('{"valueBase64":"')
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const CLOSE_OBJECT = 0x7d
const LINE_FEED = 0x0a

/** Keeps what can be used again: one writer serves any number of answers, one at a time. */
export class RecordsWriter {
  readonly #codec: Codec
  readonly #reader = new RecordReader()
  readonly #prefix = new RecordPrefix()
  readonly #tagMembers = new TagMembers()
  /** The array of the record under way, by words. */
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)
  #out!: ByteWriter
  #options!: WriteOptions
  #lengthMax = 0
  #recordCount = 0
  #nextOffset = 0
  #isFull = false

  constructor(codec: Codec) {
    this.#codec = codec
  }

  /** `batches`: whole batches in order. */
  write(out: ByteWriter, batches: Uint8Array, options: WriteOptions): Written {
    this.#out = out
    this.#options = options
    this.#lengthMax = out.length + options.bytesMax
    this.#recordCount = 0
    this.#nextOffset = options.fromOffset
    this.#isFull = false
    this.#prefix.begin(options.topic, options.partition)
    let damagedUntil = -1
    for (let at = 0; at < batches.length && !this.#isFull; at += batchBytesOf(batches, at)) {
      if (baseOffsetOf(batches, at) >= options.untilOffset) break
      const behind = lastOffsetOf(batches, at) + 1
      if (behind <= this.#nextOffset) continue
      if (!isControl(batches, at) && !this.#writeBatch(batches, at)) {
        damagedUntil = behind
        break
      }
      if (!this.#isFull) this.#nextOffset = Math.min(behind, options.untilOffset)
    }
    return { nextOffset: this.#nextOffset, recordCount: this.#recordCount, isFull: this.#isFull, damagedUntil }
  }

  /** False: damaged. */
  #writeBatch(batches: Uint8Array, at: number): boolean {
    const { fromOffset, untilOffset, wantedTags, form, recordsMax } = this.#options
    const tags = tagsOf(batches, at)
    let wanted: TagMask | null = null
    if (wantedTags !== null) {
      if (tags === null) return true
      wanted = tags.maskOf(wantedTags)
      if (wanted.low === 0 && wanted.high === 0) return true
    }
    const reader = this.#reader
    if (!reader.open(batches, at, this.#codec)) return false
    const appendedAt = appendedAtOf(batches, at)
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (record.offset < fromOffset) continue
      if (record.offset >= untilOffset) break
      if (wanted === null || tags!.matches(reader.ordinal, wanted)) {
        if (this.#recordCount >= recordsMax) return this.#stopBefore(record.offset)
        const before = this.#out.length
        if (record.value !== this.#bytes) this.#useBytes(record.value)
        if (form === 'ndjson-values') this.#writeValueLine(record)
        else this.#writeRecord(record, appendedAt, tags === null ? null : this.#tagMembers.of(tags, reader.ordinal))
        if (this.#out.length > this.#lengthMax && this.#recordCount + this.#options.recordsBefore > 0) {
          this.#out.length = before
          return this.#stopBefore(record.offset)
        }
        this.#recordCount++
      }
      this.#nextOffset = record.offset + 1
    }
    return !reader.isDamaged
  }

  #stopBefore(offset: number): true {
    this.#nextOffset = offset
    this.#isFull = true
    return true
  }

  #useBytes(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#words = jsonWords(bytes)
  }

  // --- records ---------------------------------------------------------------------------------------------------------

  #writeRecord(record: RecordSpans, appendedAt: number, tags: Uint8Array | null): void {
    const out = this.#out
    const isLine = this.#options.form === 'ndjson-records'
    const isFirst = isLine || this.#recordCount + this.#options.recordsBefore === 0
    const hasKey = record.keyStart >= 0
    const isJson = (record.attributes & RecordAttribute.json) !== 0
    const prefix = this.#prefix
    prefix.set(record.offset, record.timestamp, appendedAt, hasKey)
    if (isJson && record.headerCount === 0 && tags === null && !isLine) {
      if (this.#writePlainRecord(record, isFirst ? 1 : 0)) return
    }
    out.copy(prefix.bytes, isFirst ? 1 : 0, isJson || hasKey ? prefix.length : prefix.bareLength)
    if (hasKey) this.#writeKey(record, isJson)
    if (isJson) out.copy(record.value, record.valueStart, record.valueEnd)
    else this.#writeOtherValue(record)
    if (record.headerCount > 0) this.#writeHeaders(record)
    if (tags !== null) out.append(tags)
    out.reserve(2)
    out.bytes[out.length++] = CLOSE_OBJECT
    if (isLine) out.bytes[out.length++] = LINE_FEED
  }

  /** The usual record in one go: a JSON value, maybe a key without escapes. False: it is not, nothing is written. */
  #writePlainRecord(record: RecordSpans, prefixStart: number): boolean {
    const out = this.#out
    const prefix = this.#prefix
    const { key, keyStart, keyEnd, value, valueStart, valueEnd } = record
    if (keyStart >= 0 && skipPlainAscii(key, keyStart, keyEnd, this.#words) !== keyEnd) return false
    out.reserve(prefix.length + keyEnd - keyStart + valueEnd - valueStart + VALUE.length + 2)
    const bytes = out.bytes
    let at = copyBytes(bytes, out.length, prefix.bytes, prefixStart, prefix.length)
    if (keyStart >= 0) {
      at = copyBytes(bytes, at, key, keyStart, keyEnd)
      bytes[at++] = QUOTE
      for (let i = 0; i < VALUE.length; i++) bytes[at++] = VALUE[i]!
    }
    at = copyBytes(bytes, at, value, valueStart, valueEnd)
    bytes[at++] = CLOSE_OBJECT
    out.length = at
    return true
  }

  /** Behind `,"key":"`. */
  #writeKey(record: RecordSpans, isJson: boolean): void {
    const out = this.#out
    const { key, keyStart, keyEnd } = record
    if (!writeText(out, key, keyStart, keyEnd, this.#words, this.#codec)) {
      out.length -= KEY.length
      out.append(KEY_BASE64)
      this.#writeBase64(key, keyStart, keyEnd)
    }
    if (isJson) out.append(VALUE)
  }

  #writeOtherValue(record: RecordSpans): void {
    const out = this.#out
    const { value, valueStart, valueEnd } = record
    if ((record.attributes & RecordAttribute.tombstone) !== 0) {
      out.append(TOMBSTONE)
      return
    }
    out.append(TEXT_VALUE)
    if (writeText(out, value, valueStart, valueEnd, this.#words, this.#codec)) return
    out.length -= TEXT_VALUE.length
    out.append(VALUE_BASE64)
    this.#writeBase64(value, valueStart, valueEnd)
  }

  /** The opening quote is there already. */
  #writeBase64(bytes: Uint8Array, start: number, end: number): void {
    this.#out.text(bytes.subarray(start, end).toBase64())
    this.#out.byte(QUOTE)
  }

  #writeHeaders(record: RecordSpans): void {
    const out = this.#out
    const { headers, headersEnd } = record
    out.append(HEADERS)
    let at = record.headersStart
    for (let part = 0; part < record.headerCount * 2; part++) {
      const partBytes = readVarint(headers, at, headersEnd)
      const start = varintEnd
      at = start + partBytes
      out.reserve(2)
      if (part > 0) out.bytes[out.length++] = (part & 1) === 1 ? COLON : COMMA
      out.bytes[out.length++] = QUOTE
      const isUtf8 = writeText(out, headers, start, at, this.#words, this.#codec)
      assert(isUtf8, 'headers were checked to be UTF-8 when they were produced')
    }
    out.byte(CLOSE_OBJECT)
  }

  // --- values ----------------------------------------------------------------------------------------------------------

  #writeValueLine(record: RecordSpans): void {
    const out = this.#out
    const { value, valueStart, valueEnd } = record
    if ((record.attributes & RecordAttribute.json) !== 0) {
      out.copy(value, valueStart, valueEnd)
    } else if ((record.attributes & RecordAttribute.tombstone) !== 0) {
      out.append(NULL)
    } else {
      out.byte(QUOTE)
      if (!writeText(out, value, valueStart, valueEnd, this.#words, this.#codec)) {
        out.length--
        out.append(BASE64_LINE)
        this.#writeBase64(value, valueStart, valueEnd)
        out.byte(CLOSE_OBJECT)
      }
    }
    out.byte(LINE_FEED)
  }
}

/** Null: no record of the batch has any. */
function tagsOf(batches: Uint8Array, at: number): TagReader | null {
  const metaBytes = metaBytesOf(batches, at)
  if (metaBytes === 0) return null
  const metaStart = at + BATCH_HEADER_BYTES
  const tags = findMeta(batches, metaStart, metaStart + metaBytes, MetaType.tags)
  return tags < 0 ? null : new TagReader(batches, tags)
}
