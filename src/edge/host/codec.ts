// The codec port on what Bun and its zlib do natively. Nothing here trusts its input: `inflate` gets bytes of clients.

import { Buffer, isUtf8 } from 'node:buffer'
import { promisify } from 'node:util'
import {
  crc32,
  gunzip,
  gunzipSync,
  gzip,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import type { Codec } from '../../core/ports/index.ts'
import { isWholeZstdFrame } from './zstd-frame.ts'

/** Batches are small and inflated often: level 3 of zstd and 6 of gzip are the points past which time buys little. */
const GZIP = { level: 6 }
const gzipLater = promisify<Uint8Array, { level: number }, Buffer>(gzip)
const gunzipLater = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip)
const zstdCompressLater = promisify<Uint8Array, Buffer>(zstdCompress)
const zstdDecompressLater = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(zstdDecompress)
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
  async compressLater(codec, bytes) {
    return plain(await (codec === 'gzip' ? gzipLater(bytes, GZIP) : zstdCompressLater(bytes)))
  },
  async inflateLater(codec, bytes, bytesMax) {
    const limit = { maxOutputLength: Math.max(bytesMax, 1) }
    if (codec === 'zstd' && !isWholeZstdFrame(bytes, bytesMax)) return null
    const inflated = await (codec === 'gzip' ? gunzipLater : zstdDecompressLater)(bytes, limit).catch(() => null)
    return inflated === null || inflated.length > bytesMax ? null : plain(inflated)
  },
}

/** A Buffer seen as the plain array it is over, so that nobody meets Buffer's different `slice`. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
