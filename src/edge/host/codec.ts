// The codec port on what Bun and its zlib do natively. Nothing here trusts its input: `inflate` gets bytes of clients.

import { Buffer, isUtf8 } from 'node:buffer'
import { crc32, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Codec } from '../../core/ports/index.ts'
import { isWholeZstdFrame } from './zstd-frame.ts'

/** Batches are small and inflated often: level 3 of zstd and 6 of gzip are the points past which time buys little. */
const GZIP = { level: 6 }
const nativeCopy = Buffer.prototype.copy

export const hostCodec: Codec = {
  crc32: (bytes, seed = 0) => crc32(bytes, seed),
  xxHash64: (bytes, seed) => Bun.hash.xxHash64(bytes, seed),
  isUtf8: (bytes) => isUtf8(bytes),
  copy: (into, at, from, start, end) => void nativeCopy.call(from, into, at, start, end),
  sha256: (bytes) => new Uint8Array(new Bun.CryptoHasher('sha256').update(bytes).digest()),
  compress: (codec, bytes) => plain(codec === 'gzip' ? gzipSync(bytes, GZIP) : zstdCompressSync(bytes)),
  inflate(codec, bytes, bytesMax) {
    // zlib refuses a limit of zero
    const limit = { maxOutputLength: Math.max(bytesMax, 1) }
    let inflated: Buffer
    try {
      if (codec === 'gzip') inflated = gunzipSync(bytes, limit)
      // a cut zstd frame inflates to a part of it without an error
      else if (isWholeZstdFrame(bytes, bytesMax)) inflated = zstdDecompressSync(bytes, limit)
      else return null
    } catch {
      return null
    }
    return inflated.length > bytesMax ? null : plain(inflated)
  },
}

/** A Buffer seen as the plain array it is over, so that nobody meets Buffer's different `slice`. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
