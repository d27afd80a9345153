// One entry of the shared journal: what a set of files got since each was last durable.
//
//   entry, from a block boundary:  0 u32 magic  4 u32 crc of 8…end  8 8 B salt  16 u64 sequence  24 u64 oldestSequence
//                                 32 u32 bodyBytes  36 u32 itemCount  40 items
//   item:   u16 kind  u16 pathBytes  u32 rangeCount  u64 size  u64 truncatedTo  path  ranges
//   range:  u64 position  u32 bytes  data
//
// Sequences rise by one. `oldestSequence` is where a replay starts: what is older is durable in the files themselves. The salt
// is drawn anew at each start and known to nobody outside, so neither an entry of an earlier start nor bytes that a client had
// stored are ever taken for an entry of this one.

import { assert, equalBytes, readU16, readU32, readU64, writeU16, writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'

/** The unit a device writes whole: entries never share one, so writing an entry cannot tear an older one. */
export const BLOCK_BYTES = 4096
export const SALT_BYTES = 8

const MAGIC = 0x314c4a4e
const HEADER_BYTES = 40
const ITEM_BYTES = 24
const RANGE_BYTES = 12
const PATH_BYTES_MAX = 0xffff
/** Of one UTF-16 unit. */
const UTF8_BYTES_MAX = 3
const KIND_WRITTEN = 1
const KIND_FORGOTTEN = 2

export interface Range {
  position: number
  end: number
}

/** In this order: cut to `truncatedTo` if that is shorter, write the ranges, then the file is `size` long. */
export interface WrittenItem {
  kind: 'written'
  path: string
  truncatedTo: number
  size: number
  ranges: readonly Range[]
}

/** The file was removed: no earlier entry speaks of what may now have its path. */
export interface ForgottenItem {
  kind: 'forgotten'
  path: string
}

export type JournalItem = WrittenItem | ForgottenItem

export interface JournalEntry {
  sequence: number
  oldestSequence: number
  /** With the padding to the next block. */
  blockBytes: number
  items: readonly (JournalItem & { data: readonly Uint8Array[] })[]
}

/** At most. */
export function entryBytesOf(items: readonly JournalItem[]): number {
  let bytes = HEADER_BYTES
  for (const item of items) {
    bytes += ITEM_BYTES + item.path.length * UTF8_BYTES_MAX
    if (item.kind === 'written') for (const { position, end } of item.ranges) bytes += RANGE_BYTES + end - position
  }
  return inBlocks(bytes)
}

export function inBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

/** Writes an entry to the start of `into` (of at least `entryBytesOf`); returns its bytes, whole blocks. `fill` gives a range's data. */
export function encodeEntry(
  into: Uint8Array,
  items: readonly JournalItem[],
  stamp: { sequence: number; oldestSequence: number; salt: Uint8Array },
  codec: Codec,
  fill: (path: string, position: number, data: Uint8Array) => void,
): number {
  let at = HEADER_BYTES
  for (const item of items) at = encodeItem(into, at, item, fill)
  writeU32(into, 0, MAGIC)
  into.set(stamp.salt, 8)
  writeU64(into, 16, stamp.sequence)
  writeU64(into, 24, stamp.oldestSequence)
  writeU32(into, 32, at - HEADER_BYTES)
  writeU32(into, 36, items.length)
  writeU32(into, 4, codec.crc32(into.subarray(8, at)))
  const bytes = inBlocks(at)
  into.fill(0, at, bytes)
  return bytes
}

function encodeItem(
  into: Uint8Array,
  start: number,
  item: JournalItem,
  fill: (path: string, position: number, data: Uint8Array) => void,
): number {
  const path = new TextEncoder().encode(item.path)
  assert(path.length <= PATH_BYTES_MAX, 'a path too long for the journal')
  const ranges = item.kind === 'written' ? item.ranges : []
  writeU16(into, start, item.kind === 'written' ? KIND_WRITTEN : KIND_FORGOTTEN)
  writeU16(into, start + 2, path.length)
  writeU32(into, start + 4, ranges.length)
  writeU64(into, start + 8, item.kind === 'written' ? item.size : 0)
  writeU64(into, start + 16, item.kind === 'written' ? item.truncatedTo : 0)
  into.set(path, start + ITEM_BYTES)
  let at = start + ITEM_BYTES + path.length
  for (const { position, end } of ranges) {
    writeU64(into, at, position)
    writeU32(into, at + 8, end - position)
    at += RANGE_BYTES
    fill(item.path, position, into.subarray(at, at + end - position))
    at += end - position
  }
  return at
}

/** The entry that starts at `at`, or null when there is no whole one of this salt. */
export function decodeEntry(bytes: Uint8Array, at: number, salt: Uint8Array, codec: Codec): JournalEntry | null {
  if (at + HEADER_BYTES > bytes.length || readU32(bytes, at) !== MAGIC) return null
  if (!equalBytes(bytes.subarray(at + 8, at + 8 + SALT_BYTES), salt)) return null
  const end = at + HEADER_BYTES + readU32(bytes, at + 32)
  if (end > bytes.length || codec.crc32(bytes.subarray(at + 8, end)) !== readU32(bytes, at + 4)) return null
  const items: JournalEntry['items'][number][] = []
  let next = at + HEADER_BYTES
  for (let i = readU32(bytes, at + 36); i > 0; i--) {
    const ranges: Range[] = []
    const data: Uint8Array[] = []
    const pathEnd = next + ITEM_BYTES + readU16(bytes, next + 2)
    const path = new TextDecoder().decode(bytes.subarray(next + ITEM_BYTES, pathEnd))
    let dataAt = pathEnd
    for (let left = readU32(bytes, next + 4); left > 0; left--) {
      const position = readU64(bytes, dataAt)
      const length = readU32(bytes, dataAt + 8)
      dataAt += RANGE_BYTES
      ranges.push({ position, end: position + length })
      data.push(bytes.subarray(dataAt, dataAt + length))
      dataAt += length
    }
    if (readU16(bytes, next) === KIND_FORGOTTEN) items.push({ kind: 'forgotten', path, data })
    else
      items.push({
        kind: 'written',
        path,
        size: readU64(bytes, next + 8),
        truncatedTo: readU64(bytes, next + 16),
        ranges,
        data,
      })
    next = dataAt
  }
  return {
    sequence: readU64(bytes, at + 16),
    oldestSequence: readU64(bytes, at + 24),
    blockBytes: inBlocks(end - at),
    items,
  }
}
