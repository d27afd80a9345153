// A finished batch, changed before it is sent: whose it is, and how its records are stored. For producers that learn either
// after the batch was made. Its body checksum is set anew.

import { writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { BATCH_HEADER_BYTES, BatchCodec, metaBytesOf, recordsBytesOf } from './batch.ts'
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

/** `compressed` are the records of the plain `batch` as gzip; the batch itself where that does not pay, or looks like a bomb. */
export function withCompressedRecords(
  batch: Uint8Array,
  compressed: Uint8Array,
  codec: Pick<Codec, 'crc32'>,
): Uint8Array {
  const recordsAt = BATCH_HEADER_BYTES + metaBytesOf(batch, 0)
  const recordsBytes = recordsBytesOf(batch, 0)
  if (compressed.length >= recordsBytes || !isInflationBounded(recordsBytes, compressed.length)) return batch
  const smaller = new Uint8Array(recordsAt + compressed.length)
  smaller.set(batch.subarray(0, recordsAt))
  smaller.set(compressed, recordsAt)
  writeU32(smaller, 28, smaller.length)
  smaller[33] = BatchCodec.gzip
  writeU32(smaller, 24, codec.crc32(smaller.subarray(28)))
  return smaller
}
