// Compressed records back to plain ones, within bounds: the size declared in the header is judged before anything is
// inflated, and nothing is inflated beyond it, so that a bomb costs its sender more than the broker.

import { limits } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { BATCH_HEADER_BYTES, BatchCodec, batchBytesOf, codecOf, metaBytesOf, recordsBytesOf } from './batch.ts'
import { type BatchFault, structureFault } from './batch-fault.ts'

/** Small batches of repetitive records are honest at ten times the ratio. */
export function isInflationBounded(recordsBytes: number, compressedBytes: number): boolean {
  if (recordsBytes > limits.BATCH_INFLATED_BYTES_MAX) return false
  const isFree = recordsBytes <= limits.INFLATE_RATIO_FREE_BYTES
  return recordsBytes <= compressedBytes * limits.INFLATE_RATIO_MAX * (isFree ? 10 : 1)
}

/** The plain records of a compressed batch whose header has been checked, in memory of their own. */
export function inflateRecords(bytes: Uint8Array, at: number, codec: Codec): Uint8Array | BatchFault {
  const stored = storedRecords(bytes, at)
  if ('kind' in stored) return stored
  return inflated(stored, codec.inflate(stored.name, stored.bytes, stored.recordsBytes))
}

/** The same off the event loop. The bytes must stay as they are until then. */
export async function inflateRecordsLater(
  bytes: Uint8Array,
  at: number,
  codec: Codec,
): Promise<Uint8Array | BatchFault> {
  const stored = storedRecords(bytes, at)
  if ('kind' in stored) return stored
  return inflated(stored, await codec.inflateLater(stored.name, stored.bytes, stored.recordsBytes))
}

interface StoredRecords {
  readonly name: 'gzip' | 'zstd'
  readonly bytes: Uint8Array
  readonly recordsBytes: number
}

function storedRecords(bytes: Uint8Array, at: number): StoredRecords | BatchFault {
  const start = at + BATCH_HEADER_BYTES + metaBytesOf(bytes, at)
  const end = at + batchBytesOf(bytes, at)
  const recordsBytes = recordsBytesOf(bytes, at)
  if (!isInflationBounded(recordsBytes, end - start)) {
    return structureFault(`${end - start} compressed bytes may not become ${recordsBytes}`)
  }
  const name = codecOf(bytes, at) === BatchCodec.gzip ? 'gzip' : 'zstd'
  return { name, bytes: bytes.subarray(start, end), recordsBytes }
}

function inflated({ name, recordsBytes }: StoredRecords, records: Uint8Array | null): Uint8Array | BatchFault {
  if (records !== null && records.length === recordsBytes) return records
  return structureFault(`the compressed records are not ${recordsBytes} bytes of ${name}`)
}
