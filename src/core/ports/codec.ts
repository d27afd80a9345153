// Byte work that is best done natively: checksums, digests, compression, UTF-8 validation.

export interface Codec {
  /** CRC-32 (IEEE 802.3), as unsigned 32 bits. `seed` continues an earlier sum. */
  crc32(bytes: Uint8Array, seed?: number): number
  /** xxHash64 of `bytes`, seeded; stored in batches, so the algorithm never changes. */
  xxHash64(bytes: Uint8Array, seed: bigint): bigint
  isUtf8(bytes: Uint8Array): boolean
  /** SHA-256, 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array
  compress(codec: 'gzip' | 'zstd', bytes: Uint8Array): Uint8Array
  /** Inflates at most `bytesMax` bytes; null when there is more, or when the input is not valid. */
  inflate(codec: 'gzip' | 'zstd', bytes: Uint8Array, bytesMax: number): Uint8Array | null
  /** The two above off the event loop, for what takes longer than a few milliseconds. */
  compressLater(codec: 'gzip' | 'zstd', bytes: Uint8Array): Promise<Uint8Array>
  inflateLater(codec: 'gzip' | 'zstd', bytes: Uint8Array, bytesMax: number): Promise<Uint8Array | null>
  /** Copies `start…end` of `from` to `at` in `into`, another array with room for it, and makes no object for that. */
  copy(into: Uint8Array, at: number, from: Uint8Array, start: number, end: number): void
}
