// A finished batch, changed: whose it is and how its records are stored, for producers that learn either after the batch was
// made; and the empty batch that compaction leaves where no record is left. The checksums are set anew.

import { writeU16, writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BatchCodec,
  metaBytesOf,
  NO_PRODUCER,
  recordsBytesOf,
  stampBatch,
} from './batch.ts'
import { isInflationBounded } from './inflation.ts'

export interface ProducerPlace {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** In place. */
export function identifyBatch(batch: Uint8Array, place: ProducerPlace, codec: Pick<Codec, 'crc32'>): void {
  writeU64(batch, 56, place.producerId)
  writeU32(batch, 64, place.producerEpoch)
  writeU32(batch, 68, place.baseSequence)
  writeU32(batch, 24, codec.crc32(batch.subarray(28)))
}

/** `compressed` are the records of the plain `batch`; the batch itself where that does not pay, or looks like a bomb. */
export function withCompressedRecords(
  batch: Uint8Array,
  compressed: Uint8Array,
  codec: Pick<Codec, 'crc32'>,
  compression: 'gzip' | 'zstd' = 'gzip',
): Uint8Array {
  const recordsAt = BATCH_HEADER_BYTES + metaBytesOf(batch, 0)
  const recordsBytes = recordsBytesOf(batch, 0)
  if (compressed.length >= recordsBytes || !isInflationBounded(recordsBytes, compressed.length)) return batch
  const smaller = new Uint8Array(recordsAt + compressed.length)
  smaller.set(batch.subarray(0, recordsAt))
  smaller.set(compressed, recordsAt)
  writeU32(smaller, 28, smaller.length)
  smaller[33] = BatchCodec[compression]
  writeU32(smaller, 24, codec.crc32(smaller.subarray(28)))
  return smaller
}

/** Stands for offsets whose records are all gone, so that each batch still begins where the one before it ends. */
export function emptyBatch(
  baseOffset: number,
  lastOffsetDelta: number,
  appendedAt: number,
  leaderEpoch: number,
  codec: Codec,
): Uint8Array {
  const batch = new Uint8Array(BATCH_HEADER_BYTES)
  writeU32(batch, 28, BATCH_HEADER_BYTES)
  batch[32] = BATCH_MAGIC
  writeU16(batch, 38, lastOffsetDelta)
  writeU64(batch, 40, appendedAt)
  writeU64(batch, 48, appendedAt)
  writeU64(batch, 56, NO_PRODUCER)
  writeU32(batch, 24, codec.crc32(batch.subarray(28)))
  stampBatch(batch, 0, baseOffset, appendedAt, leaderEpoch, codec)
  return batch
}
