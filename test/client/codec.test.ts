// The client's own checksum and its rewriting of batches, against what the broker does natively.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import { clientCodec, gzipped } from '../../src/client/codec.ts'
import { nativeCrc32, tableCrc32 } from '../../src/client/crc32.ts'
import { admitBatch, BatchBuilder, identifyBatch, producerIdOf, RecordSpans } from '../../src/core/record/index.ts'
import { hostCodec } from '../../src/edge/host/index.ts'

test('the tables agree with the native checksum, also when continued', () => {
  const table = tableCrc32()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
      expect(table(a)).toBe(crc32(a))
      expect(table(b, table(a))).toBe(crc32(b, crc32(a)))
    }),
  )
})

test('the native one is found here', () => {
  expect(nativeCrc32()).not.toBeNull()
})

function batchOf(value: Uint8Array, count: number): Uint8Array {
  const builder = new BatchBuilder(clientCodec())
  const spans = new RecordSpans()
  spans.value = value
  spans.valueEnd = value.length
  for (let i = 0; i < count; i++) builder.add(spans, 1_000)
  return builder.finish()
}

test('compressed and given to a producer, a batch is still one', async () => {
  const plain = batchOf(
    new Uint8Array(500).map((_, i) => i),
    20,
  )
  const batch = await gzipped(plain, clientCodec())
  expect(batch.length).toBeLessThan(plain.length / 4)
  identifyBatch(batch, { producerId: 7, producerEpoch: 1, baseSequence: 3 }, clientCodec())
  expect(producerIdOf(batch, 0)).toBe(7)
  expect(admitBatch(batch, 0, batch.length, hostCodec, 1_000)).toBeNull()
})

test('what does not compress, or too well, stays as it is', async () => {
  const noise = batchOf(crypto.getRandomValues(new Uint8Array(1_000)), 1)
  expect(await gzipped(noise, clientCodec())).toBe(noise)
  const zeros = batchOf(new Uint8Array(500_000), 1)
  expect(await gzipped(zeros, clientCodec())).toBe(zeros)
})
