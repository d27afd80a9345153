// The outline of a zstd frame (RFC 8878 §3.1.1): enough to know that it is one whole frame, ends where the bytes end, and
// asks for no more memory than a batch may. Its blocks are the decompressor's.
//
//   u32 magic · u8 descriptor · [u8 window] · [dictionary id 0 1 2 4] · [content size 0 1 2 4 8] · blocks · [u32 checksum]
//   block: u24 = last(1) type(2) size(21), then size bytes, or one byte where type is "repeat"

import { readU16, readU32, readU64 } from '../../core/base/index.ts'

const MAGIC = 0xfd2fb528
/** What RFC 8878 asks every decoder to support, and what our own frames stay below. */
const WINDOW_BYTES_MAX = 8 * 1024 * 1024
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const
const BLOCK_REPEAT = 1
const BLOCK_RESERVED = 3

export function isWholeZstdFrame(bytes: Uint8Array, contentBytesMax: number): boolean {
  if (bytes.length < 6 || readU32(bytes, 0) !== MAGIC) return false
  const descriptor = bytes[4]!
  const single = (descriptor & 0x20) !== 0
  let at = 5
  if (!single && windowBytes(bytes[at++]!) > WINDOW_BYTES_MAX) return false
  at += DICTIONARY_ID_BYTES[descriptor & 3]!
  const sizeBytes = descriptor >> 6 === 0 ? Number(single) : 1 << (descriptor >> 6)
  if (at + sizeBytes > bytes.length || contentBytes(bytes, at, sizeBytes) > contentBytesMax) return false
  const end = blocksEnd(bytes, at + sizeBytes)
  return end !== -1 && end + ((descriptor & 4) === 0 ? 0 : 4) === bytes.length
}

function windowBytes(field: number): number {
  const base = 2 ** (10 + (field >> 3))
  return base + (base / 8) * (field & 7)
}

function contentBytes(bytes: Uint8Array, at: number, sizeBytes: number): number {
  if (sizeBytes === 0) return 0
  if (sizeBytes === 1) return bytes[at]!
  if (sizeBytes === 2) return readU16(bytes, at) + 256
  return sizeBytes === 4 ? readU32(bytes, at) : readU64(bytes, at)
}

/** Where the last block ends, or -1. */
function blocksEnd(bytes: Uint8Array, start: number): number {
  let at = start
  while (at + 3 <= bytes.length) {
    const header = readU16(bytes, at) | (bytes[at + 2]! << 16)
    const type = (header >> 1) & 3
    if (type === BLOCK_RESERVED) return -1
    at += 3 + (type === BLOCK_REPEAT ? 1 : header >> 3)
    if ((header & 1) !== 0) return at <= bytes.length ? at : -1
  }
  return -1
}
