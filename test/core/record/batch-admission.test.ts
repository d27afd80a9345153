import { describe, expect, test } from 'bun:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { limits, writeU16, writeU32, writeU64 } from '../../../src/core/base/index.ts'
import { admitBatch, type BatchFault } from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { builtBatch, type Draft, draftBatch, edited, metaEntry, packed, record, sampleBatch } from './batch-draft.ts'
import { plainRecord } from './plain-record.ts'

const admit = (batch: Uint8Array): BatchFault | null => admitBatch(batch, 0, batch.length, hostCodec)
const header = (edit: (bytes: Uint8Array) => void): Uint8Array => edited(sampleBatch(), edit)
const draft = (records: Uint8Array, rest: Omit<Draft, 'records'> = {}): Uint8Array => draftBatch({ records, ...rest })
/** attributes 0 · timestamp delta 0 · offset delta 0 · no key · no value · no headers */
const EMPTY = [0, 0, 0, 0, 0, 0] as const
const ONE = record(...EMPTY)
const tags = (...parts: (number | string | Uint8Array)[]): Uint8Array => metaEntry(1, 1, packed(...parts))

test('a batch among others is judged alone, whatever its stamp holds', () => {
  const batch = sampleBatch({ producerId: 2 ** 53 - 1, producerEpoch: 0xffff_ffff, baseSequence: 0xffff_ffff })
  batch.fill(0xee, 0, 24)
  const bytes = new Uint8Array(batch.length + 300).fill(0xdd)
  bytes.set(batch, 100)
  expect(admitBatch(bytes, 100, bytes.length, hostCodec)).toBeNull()
  expect(admitBatch(bytes, 100, 100 + batch.length, hostCodec)).toBeNull()
  expect(admitBatch(bytes, 100, 99 + batch.length, hostCodec)?.kind).toBe('cut')
  expect(admit(draft(ONE))).toBeNull()
})

const table: [what: string, batch: Uint8Array, kind: BatchFault['kind'], detail: RegExp][] = [
  ['nothing', new Uint8Array(0), 'cut', /no batch header/],
  ['half a header', sampleBatch().subarray(0, 79), 'cut', /no batch header/],
  ['a cut batch', sampleBatch().subarray(0, 100), 'cut', /are here/],
  ['a size below the header', header((bytes) => writeU32(bytes, 28, 79)), 'structure', /cannot have 79 bytes/],
  ['a huge size', header((bytes) => writeU32(bytes, 28, 0xffff_ffff)), 'structure', /cannot have 4294967295/],
  ['text', new TextEncoder().encode('{"records":[1]}'.repeat(9)), 'structure', /cannot have/],
  ['another magic and checksum', sampleBatch().map((byte, i) => (i === 32 ? 9 : byte)), 'magic', /not a batch/],
  ['a bad checksum', sampleBatch().map((byte, i) => (i === 24 ? byte ^ 1 : byte)), 'body', /checksum/],
  ['a later magic', header((bytes) => (bytes[32] = 2)), 'version', /magic 2/],
  ['a later compression', header((bytes) => (bytes[33] = 3)), 'version', /compression 3/],
  ['a later attribute', header((bytes) => (bytes[35] = 0x80)), 'version', /0x8000/],
  ['a control batch', header((bytes) => (bytes[34] = 1)), 'structure', /control/],
  ['no records', draft(new Uint8Array(0), { recordCount: 0, lastOffsetDelta: 0 }), 'structure', /without records/],
  ['fewer records than said', header((bytes) => (writeU16(bytes, 36, 1), writeU16(bytes, 38, 0))), 'structure', /tags/],
  ['more records than are there', draft(ONE, { recordCount: 2 }), 'structure', /record 1 is cut off/],
  ['bytes behind the last record', draft(packed(ONE, 'x')), 'structure', /1 bytes behind/],
  ['10 001 records', header((bytes) => writeU16(bytes, 36, 10_001)), 'structure', /10001 records/],
  ['holes', header((bytes) => writeU16(bytes, 38, 2)), 'structure', /lastOffsetDelta/],
  ['fewer offsets than records', header((bytes) => writeU16(bytes, 38, 0)), 'structure', /fewer offsets/],
  ['another recordsBytes', header((bytes) => writeU32(bytes, 72, 1)), 'structure', /recordsBytes says 1/],
  ['a meta section too long', header((bytes) => writeU32(bytes, 76, 0xffff_fff0)), 'structure', /meta section/],
  ['a producer id beyond 2^53', header((bytes) => bytes.fill(0xee, 56, 64)), 'structure', /producer id/],
  ['a sequence without a producer', header((bytes) => (bytes[68] = 1)), 'structure', /without a producer/],
  ['firstTimestamp not the first', header((bytes) => writeU64(bytes, 40, 1)), 'structure', /maxTimestamp/],
  ['maxTimestamp too high', header((bytes) => writeU64(bytes, 48, 1_700_000_000_006)), 'structure', /maxTimestamp/],
  ['a first record elsewhere', draft(record(0, 2, 0, 0, 0, 0)), 'structure', /not at firstTimestamp/],
  ['a time before the year 0', draft(ONE, { firstTimestamp: -62_167_219_200_001 }), 'structure', /years/],
  ['a time beyond the year 9999', draft(ONE, { firstTimestamp: 253_402_300_800_000 }), 'structure', /years/],
  ['a time beyond all numbers', edited(draft(ONE), (bytes) => bytes.fill(0x7f, 40, 56)), 'structure', /years/],

  ['an unknown entry', draft(ONE, { meta: metaEntry(9, 0, packed('x')) }), 'version', /meta entry 9/],
  ['an unknown critical entry', draft(ONE, { meta: metaEntry(9, 1, packed('x')) }), 'version', /critical meta entry 9/],
  ['unknown meta flags', draft(ONE, { meta: metaEntry(1, 3, packed(1, 1, 'a', 1)) }), 'version', /meta flags/],
  ['reserved meta bits', draft(ONE, { meta: metaEntry(1, 1, packed(1, 1, 'a', 1), 1) }), 'version', /meta flags/],
  ['an idempotency entry', draft(ONE, { meta: metaEntry(2, 1, new Uint8Array(32)) }), 'structure', /for brokers/],
  [
    'a short idempotency entry',
    draft(ONE, { meta: metaEntry(2, 1, new Uint8Array(31)) }),
    'structure',
    /another length/,
  ],
  ['a cut entry', draft(ONE, { meta: packed('\u0001\u0001') }), 'structure', /entry cut off/],
  [
    'an entry that overruns',
    draft(ONE, { meta: tags(1, 1, 'a', 1).slice(0, -1) }),
    'structure',
    /longer than its section/,
  ],
  ['tags twice', draft(ONE, { meta: packed(tags(1, 1, 'a', 1), tags(1, 1, 'a', 1)) }), 'structure', /given twice/],
  ['tags not critical', draft(ONE, { meta: metaEntry(1, 0, packed(1, 1, 'a', 1)) }), 'structure', /not marked/],
  ['an empty tags entry', draft(ONE, { meta: tags() }), 'structure', /empty/],
  ['no tags', draft(ONE, { meta: tags(0) }), 'structure', /number of tags/],
  ['65 tags', draft(ONE, { meta: tags(65) }), 'structure', /number of tags/],
  ['a tag of no bytes', draft(ONE, { meta: tags(1, 0, 0) }), 'structure', /wrong length/],
  ['a tag of 129 bytes', draft(ONE, { meta: metaEntry(1, 1, new Uint8Array(132).fill(129)) }), 'structure', /wrong/],
  ['a cut tag', draft(ONE, { meta: tags(1, 5, 'abcd') }), 'structure', /wrong length/],
  ['a cut dictionary', draft(ONE, { meta: tags(2, 1, 'a') }), 'structure', /cut off/],
  ['a tag named twice', draft(ONE, { meta: tags(2, 1, 'a', 1, 'a', 1) }), 'structure', /named twice/],
  ['a tag not UTF-8', draft(ONE, { meta: tags(1, 1, Uint8Array.of(0xff), 1) }), 'structure', /not UTF-8/],
  ['a mask too few', draft(ONE, { meta: tags(1, 1, 'a') }), 'structure', /record count/],
  ['a mask with a tag too many', draft(ONE, { meta: tags(1, 1, 'a', 2) }), 'structure', /not there/],

  ['an unknown attribute', draft(record(4, 0, 0, 0, 0, 0)), 'version', /record 0 has attributes/],
  ['offsets out of order', draft(packed(record(0, 0, 1, 0, 0, 0), ONE), { recordCount: 2 }), 'structure', /order/],
  ['a length with a needless byte', draft(packed(Uint8Array.of(0x86, 0), ...EMPTY)), 'structure', /one form/],
  ['a record that overruns', draft(packed(7, ...EMPTY)), 'structure', /cut off/],
  ['a key that overruns', draft(record(0, 0, 0, 100, 0, 0)), 'structure', /cut off/],
  ['a value that overruns', draft(record(0, 0, 0, 0, 0x1_0000_0000, 0)), 'structure', /cut off/],
  ['a record of nothing', draft(packed(0)), 'structure', /cut off/],
  [
    'a key too long',
    draft(record(0, 0, 0, limits.KEY_BYTES_MAX + 2, new Uint8Array(limits.KEY_BYTES_MAX + 1), 0, 0)),
    'structure',
    /key/,
  ],
  [
    'a value too long',
    draft(record(0, 0, 0, 0, limits.RECORD_BYTES_MAX + 1, new Uint8Array(limits.RECORD_BYTES_MAX + 1), 0)),
    'structure',
    /1048577 bytes/,
  ],
  ['a tombstone without a key', draft(record(2, 0, 0, 0, 0, 0)), 'structure', /without a key/],
  ['a tombstone with a value', draft(record(2, 0, 0, 2, 'k', 1, 'v', 0)), 'structure', /with a value/],
  ['a tombstone said to be JSON', draft(record(3, 0, 0, 2, 'k', 0, 0)), 'structure', /with a value/],
  ['a header missing', draft(record(0, 0, 0, 0, 0, 1)), 'structure', /header that is cut off/],
  ['a header that overruns', draft(record(0, 0, 0, 0, 0, 1, 1, 'n', 2, 'v')), 'structure', /header that is cut off/],
  ['bytes behind the headers', draft(record(0, 0, 0, 0, 0, 1, 1, 'n', 1, 'v', 0)), 'structure', /behind its headers/],
  ['bytes and no headers', draft(record(0, 0, 0, 0, 0, 0, 0)), 'structure', /behind its headers/],
  ['65 headers', draft(record(0, 0, 0, 0, 0, 65, new Uint8Array(130))), 'structure', /too many headers/],
  ['headers too long', draft(record(0, 0, 0, 0, 0, 1, 0, 8_192, new Uint8Array(8_192))), 'structure', /too long/],
  ['a header not UTF-8', draft(record(0, 0, 0, 0, 0, 1, 1, Uint8Array.of(0x80), 0)), 'structure', /not UTF-8/],
]

test.each(table)('refuses %s', (_, batch, kind, detail) => {
  const fault = admit(batch)
  expect(fault?.kind).toBe(kind)
  expect(fault?.detail).toMatch(detail)
})

describe('a value flagged JSON', () => {
  const json = (value: string | Uint8Array): Uint8Array => draft(record(1, 0, 0, 0, packed(value).length, value, 0))

  test.each(['1', '"é"', '{"a":[true,null,-1.5e3]}', ' [ 1 , 2 ]\t', '"\\ud800"'])('may be %p', (text) => {
    expect(admit(json(text))).toBeNull()
  })

  test.each([
    ['nothing', '', /not$/],
    ['no JSON', '{a:1}', /not$/],
    ['two values', '1 2', /not$/],
    ['half a value', '{"a":', /not$/],
    ['a value that ends in the next record', '"abc', /not$/],
    ['a line feed between tokens', '{"a":\n1}', /line breaks/],
    ['a carriage return behind it', '1\r', /line breaks/],
    ['not UTF-8', Uint8Array.of(0x22, 0xc3, 0x28, 0x22), /not UTF-8/],
    ['a surrogate in UTF-8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), /not UTF-8/],
    ['257 arrays', '['.repeat(257) + ']'.repeat(257), /not$/],
  ])('may not be %s', (_, value, detail) => {
    expect(admit(json(value))?.detail).toMatch(detail)
  })

  test('is looked at in every place', () => {
    for (let before = 0; before < 12; before++) {
      for (let behind = 0; behind < 12; behind++) {
        const around = (...middle: number[]): Uint8Array =>
          json(packed(' '.repeat(before), '"é', Uint8Array.from(middle), '"', ' '.repeat(behind)))
        expect(admit(around(0x61))).toBeNull()
        expect(admit(around(0xc3))?.detail).toMatch(/not UTF-8/)
        expect(admit(json(packed('1', ' '.repeat(before), '\n', ' '.repeat(behind))))?.detail).toMatch(/line breaks/)
        expect(admit(json(packed('1', ' '.repeat(before), '\r', ' '.repeat(behind))))?.detail).toMatch(/line breaks/)
        expect(admit(json(packed(' '.repeat(before), '"\u008a\u008d\u010a"', ' '.repeat(behind))))).toBeNull()
      }
    }
  })
})

test('the topic may bound records more tightly', () => {
  const batch = builtBatch([plainRecord({ key: 'abc', value: 'x'.repeat(97) })])
  expect(admitBatch(batch, 0, batch.length, hostCodec, 100)).toBeNull()
  expect(admitBatch(batch, 0, batch.length, hostCodec, 99)?.detail).toBe('record 0 has 100 bytes, the limit is 99')
})

describe('compressed records', () => {
  const compressed = (codec: number, plain: Uint8Array, recordsBytes = plain.length): Uint8Array =>
    draft(codec === 1 ? gzipSync(plain) : zstdCompressSync(plain), { codec, recordsBytes })
  const value = (bytes: number): Uint8Array =>
    record(
      0,
      0,
      0,
      0,
      bytes,
      new Uint8Array(bytes).map((_, i) => (i * i) >> 3),
      0,
    )

  test.each([1, 2])('codec %i is looked into', (codec) => {
    expect(admit(compressed(codec, value(10_000)))).toBeNull()
    expect(admit(compressed(codec, packed(value(10_000), 'x')))?.detail).toMatch(/1 bytes behind/)
    expect(admit(compressed(codec, value(10_000), 9_999))?.detail).toMatch(/compressed records are not 9999 bytes/)
    expect(admit(compressed(codec, value(10_000), 10_100))?.detail).toMatch(/compressed records are not 10100 bytes/)
  })

  test('small repetitive batches may shrink a thousandfold, large ones a hundredfold', () => {
    const flat = (bytes: number): Uint8Array => record(0, 0, 0, 0, bytes, new Uint8Array(bytes), 0)
    expect(admit(compressed(2, flat(20_000)))).toBeNull()
    expect(admit(compressed(2, flat(100_000)))?.detail).toMatch(/may not become/)
  })

  test('bombs cost nothing, whatever they declare', () => {
    const zeros = new Uint8Array(200 * 1024 * 1024)
    const bombs = [
      [1, gzipSync(zeros, { level: 1 })],
      [2, zstdCompressSync(zeros)],
    ] as const
    const before = process.memoryUsage().rss
    const start = performance.now()
    for (const [codec, bytes] of bombs) {
      for (const recordsBytes of [0, 1, 60_000, bytes.length * 100, 8 * 1024 * 1024, 0xffff_ffff]) {
        expect(admit(draft(bytes, { codec, recordsBytes }))?.kind).toBe('structure')
      }
    }
    expect(performance.now() - start).toBeLessThan(1_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
  })
})
