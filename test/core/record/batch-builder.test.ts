import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../../src/core/base/index.ts'
import {
  admitBatch,
  BatchBuilder,
  type BatchCompression,
  BatchCodec,
  batchBytesOf,
  codecOf,
  findMeta,
  MetaType,
  readIdempotency,
  RecordSpans,
  recordCountOf,
  recordsBytesOf,
  stampBatch,
  storedFault,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { addAll, plainRecord, plainRecords, spansOf } from './plain-record.ts'
import { readBatch } from './read-batch.ts'
import { decodeSlowly } from './slow-decoder.ts'

const compression = fc.constantFrom<BatchCompression>('none', 'gzip', 'zstd')
const OFFSETS = [0, 1, 0xffff_ffff, 2 ** 32, Number.MAX_SAFE_INTEGER - 100]

test('what is built is admitted, and reader and slow twin give it back; one builder serves many batches', () => {
  const builder = new BatchBuilder(hostCodec)
  fc.assert(
    fc.property(plainRecords, compression, fc.constantFrom(...OFFSETS), (records, codec, base) => {
      addAll(builder, records)
      const bytesBefore = builder.batchBytes
      const batch = builder.finish({ compression: codec })
      if (codecOf(batch, 0) === BatchCodec.none) expect(batch.length).toBe(bytesBefore)
      expect(admitBatch(batch, 0, batch.length, hostCodec)).toBeNull()
      stampBatch(batch, 0, base, 1_800_000_000_000, 0xffff_ffff, hostCodec)
      expect(storedFault(batch, 0, batch.length, hostCodec)).toBeNull()
      const expected = records.map((record) => ({ ...record, offset: base + record.offset }))
      const sorted = (tags: string[]): string[] => tags.toSorted()
      const tagsSorted = (some: typeof records) => some.map((record) => ({ ...record, tags: sorted(record.tags) }))
      expect(tagsSorted(readBatch(batch))).toEqual(tagsSorted(expected))
      expect(tagsSorted(decodeSlowly(batch))).toEqual(tagsSorted(expected))
      const from = base + Math.floor(records.length / 2)
      expect(readBatch(batch, 0, from).map((record) => record.offset)).toEqual(
        expected.map((record) => record.offset).filter((offset) => offset >= from),
      )
    }),
    { numRuns: 400 },
  )
})

describe('a full batch', () => {
  test('never exceeds its bytes, whatever tags a record brings, and loses nothing by saying no', () => {
    fc.assert(
      fc.property(
        fc.array(plainRecords, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 400, max: 2_000 }),
        (groups, bytesMax) => {
          const records = groups.flat()
          const builder = new BatchBuilder(hostCodec, bytesMax)
          const batches: Uint8Array[] = []
          const idempotency = { keyHash: new Uint8Array(16), firstOrdinal: 0, partitionCount: 1, digest: 0n }
          for (const record of records) {
            if (builder.add(spansOf(record), 0)) continue
            batches.push(builder.finish({ idempotency }))
            expect(builder.add(spansOf(record), 0)).toBe(true)
          }
          batches.push(builder.finish({ idempotency }))
          for (const batch of batches)
            if (recordCountOf(batch, 0) > 1) expect(batch.length).toBeLessThanOrEqual(bytesMax)
          const values = batches.flatMap((batch) => readBatch(batch).map((record) => record.value))
          expect(values).toEqual(records.map((record) => record.value))
        },
      ),
      { numRuns: 100 },
    )
  })

  test('holds 10 000 records', () => {
    const builder = new BatchBuilder(hostCodec)
    const spans = spansOf(plainRecord({ value: 'x' }))
    for (let i = 0; i < limits.BATCH_RECORDS_MAX; i++) expect(builder.add(spans, 0)).toBe(true)
    expect(builder.add(spans, 0)).toBe(false)
    const batch = builder.finish()
    expect(recordCountOf(batch, 0)).toBe(limits.BATCH_RECORDS_MAX)
    expect(admitBatch(batch, 0, batch.length, hostCodec)).toBeNull()
    expect(readBatch(batch, 0, 9_999).map((record) => record.offset)).toEqual([9_999])
  })

  test('holds 64 tags', () => {
    const builder = new BatchBuilder(hostCodec)
    for (let i = 0; i < 64; i++) expect(builder.add(spansOf(plainRecord({ tags: [`t${i}`] })), 0)).toBe(true)
    expect(builder.add(spansOf(plainRecord({ tags: ['t64'] })), 0)).toBe(false)
    expect(builder.add(spansOf(plainRecord({ tags: ['t0', 't63'] })), 0)).toBe(true)
    const batch = builder.finish()
    expect(readBatch(batch).at(-1)!.tags).toEqual(['t0', 't63'])
    expect(admitBatch(batch, 0, batch.length, hostCodec)).toBeNull()
  })

  test('holds two records of the largest size, tags and all', () => {
    const builder = new BatchBuilder(hostCodec)
    const tags = Array.from({ length: 64 }, (_, i) => `${i}`.padStart(limits.TAG_BYTES_MAX, '-'))
    const spans = spansOf(plainRecord({ value: 'x'.repeat(limits.RECORD_BYTES_MAX), tags }))
    expect(builder.add(spans, 0)).toBe(true)
    expect(builder.add(spans, 0)).toBe(false)
    const batch = builder.finish()
    expect(admitBatch(batch, 0, batch.length, hostCodec)).toBeNull()
  })
})

test('a record without a timestamp takes the time given, and a later one may be earlier', () => {
  const builder = new BatchBuilder(hostCodec)
  const spans = new RecordSpans()
  builder.add(spans, 5_000)
  spans.timestamp = 4_000
  builder.add(spans, 6_000)
  expect(readBatch(builder.finish()).map((record) => record.timestamp)).toEqual([5_000, 4_000])
})

test('tags that differ only in lone surrogates are one tag', () => {
  const builder = new BatchBuilder(hostCodec)
  addAll(builder, [plainRecord({ tags: ['\ud800', '\ufffd'] }), plainRecord({ tags: ['\udfff'] })])
  const batch = builder.finish()
  expect(admitBatch(batch, 0, batch.length, hostCodec)).toBeNull()
  expect(readBatch(batch).map((record) => record.tags)).toEqual([['\ufffd'], ['\ufffd']])
})

test('an idempotency entry comes back', () => {
  const builder = new BatchBuilder(hostCodec)
  const entry = {
    keyHash: Uint8Array.from({ length: 16 }, (_, i) => i + 240),
    firstOrdinal: 0xffff_fffe,
    partitionCount: 1_024,
    digest: 0xfedc_ba98_7654_3210n,
  }
  addAll(builder, [plainRecord({ tags: ['a'] })])
  const batch = builder.finish({ idempotency: entry })
  const section = [80, 80 + 8 + 4 + 8 + 32] as const
  expect(readIdempotency(batch, findMeta(batch, ...section, MetaType.idempotency))).toEqual(entry)
})

describe('compression', () => {
  const text = JSON.stringify(Array.from({ length: 200 }, (_, i) => ({ id: i * 7919, name: `customer ${i}` })))

  test.each(['gzip', 'zstd'] as const)('%s makes a batch smaller', (codec) => {
    const builder = new BatchBuilder(hostCodec)
    addAll(builder, [plainRecord({ value: text })])
    const batch = builder.finish({ compression: codec })
    expect(codecOf(batch, 0)).toBe(BatchCodec[codec])
    expect(batchBytesOf(batch, 0)).toBeLessThan(recordsBytesOf(batch, 0) / 3)
  })

  test.each(['gzip', 'zstd'] as const)('%s leaves alone what would not shrink or would look like a bomb', (codec) => {
    const builder = new BatchBuilder(hostCodec)
    for (const value of ['x', 'x'.repeat(1_000_000)]) {
      addAll(builder, [plainRecord({ value })])
      const batch = builder.finish({ compression: codec })
      expect(codecOf(batch, 0)).toBe(BatchCodec.none)
      expect(admitBatch(batch, 0, batch.length, hostCodec)).toBeNull()
    }
  })
})
