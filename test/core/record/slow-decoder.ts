// The twin of admission and reader that is too dumb to be wrong: one pass over a DataView, BigInt integers, an object for
// everything, JSON.parse for JSON. It reads the drawing in batch.ts and shares no code with src/core/record. Throws on
// whatever a client's batch may not be.

import { crc32, gunzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { PlainRecord } from './plain-record.ts'

const NEXT = Buffer.from('what stands behind it')
const NEXT_FRAME = zstdCompressSync(NEXT)
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

class Cursor {
  #at = 0
  constructor(readonly bytes: Uint8Array) {}

  take(count: number): Uint8Array {
    must(this.#at + count <= this.bytes.length, 'cut off')
    this.#at += count
    return this.bytes.slice(this.#at - count, this.#at)
  }

  varint(): number {
    const digits: number[] = []
    do digits.push(this.take(1)[0]!)
    while (digits.at(-1)! >= 128)
    must(digits.length === 1 || digits.at(-1) !== 0, 'longer than need be')
    const value = digits.reduceRight((sum, digit) => sum * 128n + BigInt(digit % 128), 0n)
    must(value < 2n ** 53n, 'beyond 2^53')
    return Number(value)
  }

  get isAtEnd(): boolean {
    return this.#at === this.bytes.length
  }
}

/** The records of a batch that fills `bytes`. The leader's fields are not looked at, but for the base offset. */
export function decodeSlowly(bytes: Uint8Array): PlainRecord[] {
  must(bytes.length >= 80, 'no header')
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const u16 = (at: number): number => header.getUint16(at, true)
  const u32 = (at: number): number => header.getUint32(at, true)
  const i64 = (at: number): number => Number(header.getBigInt64(at, true))
  must(u32(28) === bytes.length && bytes.length <= 2 * 1024 * 1024, 'batchBytes')
  must(u32(24) === crc32(bytes.subarray(28)), 'bodyCrc')
  must(bytes[32] === 1 && bytes[33]! <= 2 && u16(34) === 0, 'version')
  const recordCount = u16(36)
  must(recordCount >= 1 && recordCount <= 10_000 && u16(38) === recordCount - 1, 'counts')
  const producerId = header.getBigUint64(56, true)
  if (producerId === 2n ** 64n - 1n) must(u32(64) === 0 && u32(68) === 0, 'no producer')
  else must(producerId < 2n ** 53n, 'producer id')
  const metaBytes = u32(76)
  must(80 + metaBytes <= bytes.length, 'metaBytes')
  const tags = decodeMeta(bytes.slice(80, 80 + metaBytes), recordCount)
  const plain = inflate(bytes.slice(80 + metaBytes), bytes[33]!, u32(72))
  must(plain.length === u32(72), 'recordsBytes')

  const cursor = new Cursor(plain)
  const records: PlainRecord[] = []
  for (let ordinal = 0; ordinal < recordCount; ordinal++) {
    const body = new Cursor(cursor.take(cursor.varint()))
    const record = decodeRecord(body, i64(40), tags[ordinal]!)
    must(body.isAtEnd && record.offset === ordinal, 'record')
    records.push({ ...record, offset: i64(0) + ordinal })
  }
  must(cursor.isAtEnd, 'bytes behind the records')
  must(records[0]!.timestamp === i64(40), 'firstTimestamp')
  must(Math.max(...records.map((record) => record.timestamp)) === i64(48), 'maxTimestamp')
  return records
}

function inflate(bytes: Uint8Array, codec: number, size: number): Uint8Array {
  if (codec === 0) return bytes
  must(size <= 8 * 1024 * 1024 && size <= bytes.length * (size <= 65_536 ? 1_000 : 100), 'bomb')
  if (codec === 1) return gunzipSync(bytes)
  // Alone, a frame that is cut or lacks its checksum passes: in front of another it takes a part of that for its own.
  const both = zstdDecompressSync(Buffer.concat([bytes, NEXT_FRAME]))
  must(both.subarray(-NEXT.length).equals(NEXT), 'a whole frame')
  return both.subarray(0, -NEXT.length)
}

function decodeRecord(body: Cursor, firstTimestamp: number, tags: string[]): PlainRecord {
  const attributes = body.take(1)[0]!
  const zigzag = body.varint()
  const offset = body.varint()
  const keyMark = body.varint()
  const key = keyMark === 0 ? null : body.take(keyMark - 1)
  const value = body.take(body.varint())
  const timestamp = firstTimestamp + Number(zigzag % 2 === 0 ? BigInt(zigzag) / 2n : -(BigInt(zigzag) + 1n) / 2n)
  const headers: PlainRecord['headers'] = []
  let left = body.varint()
  const headerCount = left
  while (left-- > 0) headers.push([utf8.decode(body.take(body.varint())), utf8.decode(body.take(body.varint()))])

  must(headerCount <= 64 && (key?.length ?? 0) <= 32 * 1024, 'limits')
  must(timestamp >= -62_167_219_200_000 && timestamp <= 253_402_300_799_999, 'timestamp')
  must(attributes <= 2, 'attributes')
  if (attributes === 1) {
    must(!value.includes(10) && !value.includes(13), 'line breaks')
    JSON.parse(utf8.decode(value))
  }
  if (attributes === 2) must(key !== null && value.length === 0, 'tombstone')
  return { offset, timestamp, attributes, key, value, headers, tags }
}

function decodeMeta(section: Uint8Array, recordCount: number): string[][] {
  const tagsOf: string[][] = Array.from({ length: recordCount }, () => [])
  if (section.length === 0) return tagsOf
  const cursor = new Cursor(section)
  const entry = cursor.take(8)
  must(entry.subarray(0, 4).join() === '1,1,0,0', 'entry')
  const content = new Cursor(cursor.take(new DataView(entry.buffer).getUint32(4, true)))
  must(cursor.isAtEnd, 'one entry')
  const tags = Array.from({ length: content.take(1)[0]! }, () => utf8.decode(content.take(content.take(1)[0]!)))
  must(tags.length >= 1 && tags.length <= 64 && new Set(tags).size === tags.length, 'tags')
  must(
    tags.every((tag) => tag !== '' && Buffer.byteLength(tag) <= 128),
    'tag',
  )
  for (const its of tagsOf) {
    const bits = [...content.take(Math.ceil(tags.length / 8))].flatMap((byte) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => (byte >> bit) & 1),
    )
    must(!bits.slice(tags.length).includes(1), 'a tag that is not there')
    its.push(...tags.filter((_, index) => bits[index] === 1))
  }
  must(content.isAtEnd, 'masks')
  return tagsOf
}
