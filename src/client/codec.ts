// The bytes' work that writing batches takes, with what the runtime has: native in Node and Bun, plain arrays in a browser.

import { type BatchWriterCodec, withCompressedRecords, metaBytesOf, BATCH_HEADER_BYTES } from '../core/record/index.ts'
import { nativeCrc32, tableCrc32 } from './crc32.ts'

type Copy = (this: Uint8Array, into: Uint8Array, at: number, start: number, end: number) => unknown

export function clientCodec(): BatchWriterCodec {
  const crc32 = nativeCrc32() ?? tableCrc32()
  const { Buffer } = globalThis as { Buffer?: { prototype: { copy: Copy } } }
  const nativeCopy = Buffer?.prototype.copy
  if (nativeCopy === undefined) {
    return { crc32, copy: (into, at, from, start, end) => into.set(from.subarray(start, end), at) }
  }
  return { crc32, copy: (into, at, from, start, end) => void nativeCopy.call(from, into, at, start, end) }
}

export function canCompress(): boolean {
  return typeof CompressionStream === 'function'
}

/** The batch with its records as gzip, or as it is where that does not pay. */
export async function gzipped(batch: Uint8Array, codec: BatchWriterCodec): Promise<Uint8Array> {
  const records = batch.subarray(BATCH_HEADER_BYTES + metaBytesOf(batch, 0)) as Uint8Array<ArrayBuffer>
  const stream = new Blob([records]).stream().pipeThrough(new CompressionStream('gzip'))
  return withCompressedRecords(batch, new Uint8Array(await new Response(stream).arrayBuffer()), codec)
}
