// The meta section between header and records, never compressed: what the broker must see without touching a payload.
//
//   entry: u8 type · u8 flags (1 critical) · u16 zero · u32 bytes · bytes
//   1 tags          u8 tag count · { u8 bytes · UTF-8 }… · then a mask of ⌈tag count ÷ 8⌉ bytes for each record, in order
//   2 idempotency   16 B key hash · u32 firstOrdinal · u32 partitionCount · u64 digest          (32 bytes)
//   3 deleteHorizon i64 ms: from then on compaction may leave out the batch's tombstones        (8 bytes)
//
// An ordinal is a record's place among its request's records for this partition; the digest rolls over them, up to and
// including this batch's last. `partitionCount` is the topic's when the key was first seen: a repeat routes by it.
// The delete horizon is written when compaction first passes the tombstones; what they delete is gone by then.
// A critical entry of unknown type means a newer version wrote it: refuse, never skip.

import { limits, readI64, readU16, readU32, writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { type BatchFault, structureFault, versionFault } from './batch-fault.ts'
import type { TagTable } from './tag-table.ts'

export const MetaType = { tags: 1, idempotency: 2, deleteHorizon: 3 } as const
const MetaFlag = { critical: 1 } as const
export const META_ENTRY_HEADER_BYTES = 8
const IDEMPOTENCY_BYTES = 32
const DELETE_HORIZON_BYTES = 8
export const IDEMPOTENCY_ENTRY_BYTES = META_ENTRY_HEADER_BYTES + IDEMPOTENCY_BYTES

export interface IdempotencyEntry {
  /** 16 bytes. */
  keyHash: Uint8Array
  firstOrdinal: number
  partitionCount: number
  digest: bigint
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function metaSectionBytes(tagsBytes: number, idempotency: IdempotencyEntry | undefined): number {
  return (
    (tagsBytes === 0 ? 0 : META_ENTRY_HEADER_BYTES + tagsBytes) +
    (idempotency === undefined ? 0 : IDEMPOTENCY_ENTRY_BYTES)
  )
}

export function writeMetaSection(
  into: Uint8Array,
  at: number,
  tags: TagTable,
  recordCount: number,
  idempotency: IdempotencyEntry | undefined,
): void {
  const tagsBytes = tags.bytesFor(recordCount)
  if (tagsBytes > 0) {
    at = writeEntryHeader(into, at, MetaType.tags, tagsBytes)
    tags.write(into, at, recordCount)
    at += tagsBytes
  }
  if (idempotency !== undefined) {
    at = writeEntryHeader(into, at, MetaType.idempotency, IDEMPOTENCY_BYTES)
    into.set(idempotency.keyHash, at)
    writeU32(into, at + 16, idempotency.firstOrdinal)
    writeU32(into, at + 20, idempotency.partitionCount)
    writeU32(into, at + 24, Number(idempotency.digest & 0xffff_ffffn))
    writeU32(into, at + 28, Number(idempotency.digest >> 32n))
  }
}

function writeEntryHeader(into: Uint8Array, at: number, type: number, bytes: number): number {
  into[at] = type
  into[at + 1] = MetaFlag.critical
  writeU32(into, at + 4, bytes)
  return at + META_ENTRY_HEADER_BYTES
}

/** Position of the entry's payload in the section, or -1. The section must have been checked. */
export function findMeta(bytes: Uint8Array, sectionStart: number, sectionEnd: number, type: number): number {
  let at = sectionStart
  while (at < sectionEnd) {
    if (bytes[at] === type) return at + META_ENTRY_HEADER_BYTES
    at += META_ENTRY_HEADER_BYTES + readU32(bytes, at + 4)
  }
  return -1
}

/** `at` is the entry's payload. */
export function readIdempotency(bytes: Uint8Array, at: number): IdempotencyEntry {
  return {
    keyHash: bytes.slice(at, at + 16),
    firstOrdinal: readU32(bytes, at + 16),
    partitionCount: readU32(bytes, at + 20),
    digest: BigInt(readU32(bytes, at + 24)) | (BigInt(readU32(bytes, at + 28)) << 32n),
  }
}

/** Null: none; then none of the batch's tombstones may go. The section must have been checked. */
export function readDeleteHorizon(bytes: Uint8Array, sectionStart: number, sectionEnd: number): number | null {
  const at = findMeta(bytes, sectionStart, sectionEnd, MetaType.deleteHorizon)
  return at < 0 ? null : readI64(bytes, at)
}

/** The section for those records of the batch that `isKept` names by ordinal, with the horizon given, or the one it has. */
export function sievedMetaSection(
  bytes: Uint8Array,
  sectionStart: number,
  sectionEnd: number,
  isKept: Uint8Array,
  keptCount: number,
  deleteHorizon: number | null,
): Uint8Array {
  const hasHorizon = findMeta(bytes, sectionStart, sectionEnd, MetaType.deleteHorizon) >= 0
  const section = new Uint8Array(sectionEnd - sectionStart + META_ENTRY_HEADER_BYTES + DELETE_HORIZON_BYTES)
  let to = 0
  for (let at = sectionStart; at < sectionEnd;) {
    const end = at + META_ENTRY_HEADER_BYTES + readU32(bytes, at + 4)
    if (bytes[at] === MetaType.tags) {
      if (keptCount > 0) to = sieveTags(bytes, at, end, isKept, section, to)
    } else if (keptCount > 0 || bytes[at] === MetaType.idempotency) {
      section.set(bytes.subarray(at, end), to)
      to += end - at
    }
    at = end
  }
  if (deleteHorizon !== null && !hasHorizon) {
    to = writeEntryHeader(section, to, MetaType.deleteHorizon, DELETE_HORIZON_BYTES)
    writeU64(section, to, deleteHorizon)
    to += DELETE_HORIZON_BYTES
  }
  return section.subarray(0, to)
}

/** The dictionary stays as it is, the masks are those of the records kept. */
function sieveTags(
  bytes: Uint8Array,
  entryStart: number,
  entryEnd: number,
  isKept: Uint8Array,
  into: Uint8Array,
  to: number,
): number {
  let at = entryStart + META_ENTRY_HEADER_BYTES
  const tagCount = bytes[at++]!
  for (let i = 0; i < tagCount; i++) at += 1 + bytes[at]!
  const maskBytes = (tagCount + 7) >> 3
  const payload = to + META_ENTRY_HEADER_BYTES
  into.set(bytes.subarray(entryStart, at), to)
  let end = to + at - entryStart
  for (let ordinal = 0; at < entryEnd; ordinal++, at += maskBytes) {
    if (isKept[ordinal] === 0) continue
    into.set(bytes.subarray(at, at + maskBytes), end)
    end += maskBytes
  }
  writeU32(into, to + 4, end - payload)
  return end
}

/** What is wrong with a meta section, or null. `sectionEnd` is within `bytes`. */
export function metaFault(
  bytes: Uint8Array,
  sectionStart: number,
  sectionEnd: number,
  recordCount: number,
): BatchFault | null {
  let at = sectionStart
  let seen = 0
  while (at < sectionEnd) {
    if (at + META_ENTRY_HEADER_BYTES > sectionEnd) return structureFault('meta entry cut off')
    const type = bytes[at]!
    const flags = bytes[at + 1]!
    const payload = at + META_ENTRY_HEADER_BYTES
    const end = payload + readU32(bytes, at + 4)
    if ((flags & ~MetaFlag.critical) !== 0 || readU16(bytes, at + 2) !== 0) {
      return versionFault('meta flags that are not known here')
    }
    if (end > sectionEnd) return structureFault('meta entry longer than its section')
    if (isKnownType(type)) {
      if ((flags & MetaFlag.critical) === 0) return structureFault('meta entry that is not marked critical')
      if ((seen & (1 << type)) !== 0) return structureFault('meta entry given twice')
      seen |= 1 << type
      const fault = entryFault(bytes, type, payload, end, recordCount)
      if (fault !== null) return structureFault(fault)
    } else if ((flags & MetaFlag.critical) !== 0) {
      return versionFault(`critical meta entry ${type} is not known here`)
    }
    at = end
  }
  return null
}

/**
 * What a client may not have in a meta section that is otherwise sound. Entries unknown here are refused although they can
 * be skipped: a later version would believe them to be a broker's.
 */
export function clientMetaFault(
  bytes: Uint8Array,
  sectionStart: number,
  sectionEnd: number,
  codec: Codec,
): BatchFault | null {
  for (let at = sectionStart; at < sectionEnd; at += META_ENTRY_HEADER_BYTES + readU32(bytes, at + 4)) {
    const type = bytes[at]!
    if (!isKnownType(type)) return versionFault(`meta entry ${type} is not known here`)
    if (type === MetaType.idempotency) return structureFault('idempotency entries are for brokers to write')
    if (type === MetaType.deleteHorizon) return structureFault('delete horizons are for brokers to write')
    const fault = dictionaryFault(bytes, at + META_ENTRY_HEADER_BYTES, codec)
    if (fault !== null) return structureFault(fault)
  }
  return null
}

const isKnownType = (type: number): boolean => type >= MetaType.tags && type <= MetaType.deleteHorizon

function entryFault(bytes: Uint8Array, type: number, at: number, end: number, recordCount: number): string | null {
  if (type === MetaType.tags) return tagsFault(bytes, at, end, recordCount)
  if (type === MetaType.idempotency) {
    return end - at === IDEMPOTENCY_BYTES ? null : 'idempotency entry of another length'
  }
  return end - at === DELETE_HORIZON_BYTES ? null : 'delete horizon of another length'
}

/** Tags are matched as text, so they must be UTF-8, and each named once. */
function dictionaryFault(bytes: Uint8Array, at: number, codec: Codec): string | null {
  const seen = new Set<string>()
  for (let left = bytes[at++]!; left > 0; left--) {
    const tagBytes = bytes[at++]!
    const tag = bytes.subarray(at, at + tagBytes)
    if (!codec.isUtf8(tag)) return 'tag that is not UTF-8'
    const text = decoder.decode(tag)
    if (seen.has(text)) return 'tag named twice'
    seen.add(text)
    at += tagBytes
  }
  return null
}

function tagsFault(bytes: Uint8Array, at: number, end: number, recordCount: number): string | null {
  if (at >= end) return 'tags entry is empty'
  const tagCount = bytes[at++]!
  if (tagCount === 0 || tagCount > limits.BATCH_TAGS_MAX) return 'tags entry with a wrong number of tags'
  for (let i = 0; i < tagCount; i++) {
    if (at >= end) return 'tags entry cut off'
    const tagBytes = bytes[at++]!
    if (tagBytes === 0 || tagBytes > limits.TAG_BYTES_MAX || at + tagBytes > end) return 'tag with a wrong length'
    at += tagBytes
  }
  const maskBytes = (tagCount + 7) >> 3
  if (end - at !== recordCount * maskBytes) return 'tags entry does not fit the record count'
  const spare = maskBytes * 8 - tagCount
  if (spare > 0) {
    for (let last = at + maskBytes - 1; last < end; last += maskBytes) {
      if (bytes[last]! >> (8 - spare) !== 0) return 'tag mask names a tag that is not there'
    }
  }
  return null
}
