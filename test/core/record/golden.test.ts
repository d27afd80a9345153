// The stored format, held still: a change that turns one of these red would leave people's data unreadable.

import { describe, expect, test } from 'bun:test'
import {
  admitBatch,
  BatchBuilder,
  findMeta,
  metaBytesOf,
  MetaType,
  readIdempotency,
  stampBatch,
  storedFault,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { type GoldenBatch, goldenBatches } from './golden-batches.ts'
import { addAll } from './plain-record.ts'
import { readBatch } from './read-batch.ts'
import { decodeSlowly } from './slow-decoder.ts'

/** `#` begins a comment; all else is hex. */
async function goldenBytes(name: string): Promise<Uint8Array> {
  const text = await Bun.file(new URL(`golden/${name}.hex`, import.meta.url)).text()
  return Uint8Array.fromHex(text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''))
}

function built(golden: GoldenBatch): Uint8Array {
  const builder = new BatchBuilder(hostCodec)
  addAll(builder, golden.records)
  const batch = builder.finish(golden.fields)
  stampBatch(batch, 0, golden.baseOffset, golden.appendedAt, golden.leaderEpoch, hostCodec)
  return batch
}

describe.each(goldenBatches.map((golden) => [golden.name, golden] as const))('golden %s', (name, golden) => {
  const expected = golden.records.map((record, i) => ({ ...record, offset: golden.baseOffset + i }))

  test('reads as the records it was made of', async () => {
    const bytes = await goldenBytes(name)
    expect(storedFault(bytes, 0, bytes.length, hostCodec)).toBeNull()
    expect(readBatch(bytes)).toEqual(expected)
    const { idempotency, attributes, compression } = golden.fields
    if (idempotency !== undefined) {
      const entry = findMeta(bytes, 80, 80 + metaBytesOf(bytes, 0), MetaType.idempotency)
      expect(readIdempotency(bytes, entry)).toEqual(idempotency)
    } else if (attributes === undefined) {
      expect(admitBatch(bytes, 0, bytes.length, hostCodec)).toBeNull()
      expect(decodeSlowly(bytes)).toEqual(expected)
    }
    // Compressors change from version to version; what they make must read the same.
    if (compression === undefined) expect(built(golden).toHex()).toBe(bytes.toHex())
    else expect(readBatch(built(golden))).toEqual(expected)
  })
})
