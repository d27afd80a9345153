// What can be said of a batch without walking its records.
//
// The order carries the meaning. `frameFault` needs no checksum: it tells whether there is a whole batch to sum. Only when
// both sums are good is the header believed, so an unknown magic, attribute or critical meta entry then means that a newer
// version wrote it (`version`: refuse to go on, never cut), while the same under a bad sum is damage. The stamp's layout,
// bytes 0 to 31, is the same in every version.

import { limits, readU32 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import {
  attributesOf,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BatchAttribute,
  BatchCodec,
  batchBytesOf,
  codecOf,
  isBodyGood,
  isStampGood,
  lastOffsetDeltaOf,
  magicOf,
  metaBytesOf,
  NO_PRODUCER,
  producerIdOf,
  recordCountOf,
  recordsBytesOf,
} from './batch.ts'
import { type BatchFault, structureFault, versionFault } from './batch-fault.ts'
import { metaFault } from './meta.ts'

const KNOWN_ATTRIBUTES = BatchAttribute.control

/** Whether a whole batch of a possible size lies at `at` and ends by `end`. */
export function frameFault(bytes: Uint8Array, at: number, end: number): BatchFault | null {
  const left = end - at
  if (left < BATCH_HEADER_BYTES) return { kind: 'cut', detail: `${left} bytes are no batch header` }
  const batchBytes = batchBytesOf(bytes, at)
  if (batchBytes < BATCH_HEADER_BYTES || batchBytes > limits.BATCH_BYTES_MAX) {
    return structureFault(`a batch cannot have ${batchBytes} bytes`)
  }
  if (batchBytes > left) return { kind: 'cut', detail: `the batch has ${batchBytes} bytes, ${left} are here` }
  return null
}

/** Everything a stored batch must satisfy but its records: frame, stamp, body, header and meta section, in that order. */
export function storedFault(bytes: Uint8Array, at: number, end: number, codec: Codec): BatchFault | null {
  const frame = frameFault(bytes, at, end)
  if (frame !== null) return frame
  if (!isStampGood(bytes, at, codec)) return { kind: 'stamp', detail: "the leader's fields fail their checksum" }
  if (!isBodyGood(bytes, at, codec)) return { kind: 'body', detail: 'the body fails its checksum' }
  return headerFault(bytes, at)
}

/** Header and meta section of a batch whose frame and body checksum are good. */
export function headerFault(bytes: Uint8Array, at: number): BatchFault | null {
  if (magicOf(bytes, at) !== BATCH_MAGIC) return versionFault(`magic ${magicOf(bytes, at)} is not known here`)
  if (codecOf(bytes, at) > BatchCodec.zstd) return versionFault(`compression ${codecOf(bytes, at)} is not known here`)
  const unknown = attributesOf(bytes, at) & ~KNOWN_ATTRIBUTES
  if (unknown !== 0) return versionFault(`attributes 0x${unknown.toString(16)} are not known here`)
  const batchBytes = batchBytesOf(bytes, at)
  const metaBytes = metaBytesOf(bytes, at)
  if (metaBytes > batchBytes - BATCH_HEADER_BYTES) return structureFault('the meta section is longer than the batch')
  return (
    countsFault(bytes, at, batchBytes - BATCH_HEADER_BYTES - metaBytes) ??
    producerFault(bytes, at) ??
    metaFault(bytes, at + BATCH_HEADER_BYTES, at + BATCH_HEADER_BYTES + metaBytes, recordCountOf(bytes, at))
  )
}

function countsFault(bytes: Uint8Array, at: number, storedBytes: number): BatchFault | null {
  const recordCount = recordCountOf(bytes, at)
  if (recordCount > limits.BATCH_RECORDS_MAX) {
    return structureFault(`${recordCount} records, the limit is ${limits.BATCH_RECORDS_MAX}`)
  }
  if (lastOffsetDeltaOf(bytes, at) < recordCount - 1) return structureFault('fewer offsets than records')
  const recordsBytes = recordsBytesOf(bytes, at)
  if (codecOf(bytes, at) === BatchCodec.none && recordsBytes !== storedBytes) {
    return structureFault(`recordsBytes says ${recordsBytes}, there are ${storedBytes}`)
  }
  return null
}

function producerFault(bytes: Uint8Array, at: number): BatchFault | null {
  if (producerIdOf(bytes, at) !== NO_PRODUCER) return null
  const isAllOnes = readU32(bytes, at + 56) === 0xffff_ffff && readU32(bytes, at + 60) === 0xffff_ffff
  if (!isAllOnes) return structureFault('a producer id beyond 2^53')
  if (readU32(bytes, at + 64) !== 0 || readU32(bytes, at + 68) !== 0) {
    return structureFault('a producer epoch or sequence without a producer')
  }
  return null
}
