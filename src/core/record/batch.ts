// The batch: what is produced, stored, replicated and fetched, byte for byte the same. Little-endian.
//
//  0 u64 baseOffset    leader              40 i64 firstTimestamp   producer's, ms: data, never a clock
//  8 i64 appendedAt    leader, ms          48 i64 maxTimestamp
// 16 u32 leaderEpoch   leader              56 u64 producerId       all ones = none
// 20 u32 stampCrc      of 0–19 and 24–31   64 u32 producerEpoch
// 24 u32 bodyCrc       of 28…end           68 u32 baseSequence
// 28 u32 batchBytes    whole batch         72 u32 recordsBytes     inflated
// 32 u8  magic = 1                         76 u32 metaBytes
// 33 u8  codec         0 none 1 gzip 2 zstd   80 meta section (never compressed), then records
// 34 u16 attributes    1 control; other bits zero
// 36 u16 recordCount
// 38 u16 lastOffsetDelta   ≥ recordCount − 1: compaction leaves holes, offsets never change
//
// The leader writes its own fields under their own checksum (`stampBatch`), so the body passes from producer to disk to
// follower to consumer untouched. This comment is the authority for the layout; golden bytes in test/core/record hold it.

import { readI64, readU16, readU32, readU64, writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'

export const BATCH_HEADER_BYTES = 80
export const BATCH_MAGIC = 1
export const NO_PRODUCER = -1

export const BatchCodec = { none: 0, gzip: 1, zstd: 2 } as const
export const BatchAttribute = { control: 1 } as const

/** First and last offset are those of the batch's own span, which compaction never narrows. */
export const baseOffsetOf = (bytes: Uint8Array, at: number): number => readU64(bytes, at)
export const lastOffsetOf = (bytes: Uint8Array, at: number): number => readU64(bytes, at) + readU16(bytes, at + 38)
export const appendedAtOf = (bytes: Uint8Array, at: number): number => readI64(bytes, at + 8)
export const leaderEpochOf = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 16)
export const batchBytesOf = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 28)
export const magicOf = (bytes: Uint8Array, at: number): number => bytes[at + 32]!
export const codecOf = (bytes: Uint8Array, at: number): number => bytes[at + 33]!
export const attributesOf = (bytes: Uint8Array, at: number): number => readU16(bytes, at + 34)
export const isControl = (bytes: Uint8Array, at: number): boolean => (bytes[at + 34]! & BatchAttribute.control) !== 0
export const recordCountOf = (bytes: Uint8Array, at: number): number => readU16(bytes, at + 36)
export const lastOffsetDeltaOf = (bytes: Uint8Array, at: number): number => readU16(bytes, at + 38)
export const firstTimestampOf = (bytes: Uint8Array, at: number): number => readI64(bytes, at + 40)
export const maxTimestampOf = (bytes: Uint8Array, at: number): number => readI64(bytes, at + 48)
export const producerEpochOf = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 64)
export const baseSequenceOf = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 68)
export const recordsBytesOf = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 72)
export const metaBytesOf = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 76)

/** `NO_PRODUCER` when the field is all ones. */
export function producerIdOf(bytes: Uint8Array, at: number): number {
  const id = readU64(bytes, at + 56)
  return id > Number.MAX_SAFE_INTEGER ? NO_PRODUCER : id
}

/** Writes the leader's fields and their checksum in place. */
export function stampBatch(
  bytes: Uint8Array,
  at: number,
  baseOffset: number,
  appendedAt: number,
  leaderEpoch: number,
  codec: Codec,
): void {
  writeU64(bytes, at, baseOffset)
  writeU64(bytes, at + 8, appendedAt)
  writeU32(bytes, at + 16, leaderEpoch)
  writeU32(bytes, at + 20, stampCrcOf(bytes, at, codec))
}

/** The checksum the stamp should have: the leader's fields, and the body's checksum and length that bind them to it. */
function stampCrcOf(bytes: Uint8Array, at: number, codec: Codec): number {
  return codec.crc32(bytes.subarray(at + 24, at + 32), codec.crc32(bytes.subarray(at, at + 20)))
}

export function isStampGood(bytes: Uint8Array, at: number, codec: Codec): boolean {
  return readU32(bytes, at + 20) === stampCrcOf(bytes, at, codec)
}

/** The whole batch must lie in `bytes`. */
export function isBodyGood(bytes: Uint8Array, at: number, codec: Codec): boolean {
  return readU32(bytes, at + 24) === codec.crc32(bytes.subarray(at + 28, at + batchBytesOf(bytes, at)))
}
