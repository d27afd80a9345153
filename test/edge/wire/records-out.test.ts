import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { concatBytes } from '../../../src/core/base/index.ts'
import {
  BatchAttribute,
  BatchBuilder,
  type BatchCompression,
  RecordAttribute,
  RecordSpans,
  stampBatch,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { ByteWriter } from '../../../src/edge/wire/byte-writer.ts'
import { encodeHeaders } from '../../../src/edge/wire/record-headers.ts'
import { RecordsWriter, type WriteOptions } from '../../../src/edge/wire/records-out.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const APPENDED_AT = 1_790_000_000_123

interface Given {
  key?: string | Uint8Array
  /** Text or bytes as they are; objects as JSON; absent: a tombstone. */
  value?: string | Uint8Array | { json: string }
  headers?: [string, string][]
  tags?: string[]
  timestamp?: number
}

const bytesOf = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? encoder.encode(value) : value)

function spansOf(given: Given): RecordSpans {
  const record = new RecordSpans()
  if (given.key !== undefined) {
    record.key = bytesOf(given.key)
    record.keyStart = 0
    record.keyEnd = record.key.length
  }
  const { value } = given
  if (value === undefined) {
    record.attributes = RecordAttribute.tombstone
  } else {
    const isJson = typeof value === 'object' && 'json' in value
    if (isJson) record.attributes = RecordAttribute.json
    record.value = isJson ? encoder.encode(value.json) : bytesOf(value)
    record.valueEnd = record.value.length
  }
  if (given.headers !== undefined) expect(encodeHeaders(given.headers, record, new ByteWriter())).toBeNull()
  if (given.tags !== undefined) record.tags = given.tags
  if (given.timestamp !== undefined) record.timestamp = given.timestamp
  return record
}

function batchOf(
  baseOffset: number,
  records: readonly Given[],
  o: { compression?: BatchCompression; attributes?: number; appendedAt?: number } = {},
): Uint8Array {
  const builder = new BatchBuilder(hostCodec)
  for (const record of records) expect(builder.add(spansOf(record), 1_700_000_000_000)).toBe(true)
  const batch = builder.finish({ compression: o.compression ?? 'none', attributes: o.attributes ?? 0 })
  stampBatch(batch, 0, baseOffset, o.appendedAt ?? APPENDED_AT, 1, hostCodec)
  return batch
}

const everything: WriteOptions = {
  form: 'records',
  topic: null,
  partition: 3,
  fromOffset: 0,
  untilOffset: Infinity,
  recordsMax: Infinity,
  bytesMax: Infinity,
  recordsBefore: 0,
  wantedTags: null,
}

function write(batches: Uint8Array, options: Partial<WriteOptions> = {}, writer = new RecordsWriter(hostCodec)) {
  const out = new ByteWriter(1)
  const written = writer.write(out, batches, { ...everything, ...options })
  return { ...written, text: decoder.decode(out.view()) }
}

const recordsOf = (text: string) => JSON.parse(`[${text}]`) as Record<string, unknown>[]
const offsetsOf = (text: string) => recordsOf(text).map((record) => record['offset'])

describe('a record', () => {
  test('has its members in order, and none that it lacks', () => {
    const full: Given = {
      key: 'k',
      value: { json: '{"a":1.0}' },
      headers: [
        ['h', 'v'],
        ['"é"', '\n'],
      ],
      tags: ['a', 'b"'],
      timestamp: 1_700_000_000_001,
    }
    const { text } = write(batchOf(41, [full, { value: { json: 'null' } }]), { topic: 'orders' })
    expect(text).toBe(
      '{"topic":"orders","partition":3,"offset":41,"timestamp":1700000000001,"appendedAt":1790000000123,"key":"k",' +
        '"value":{"a":1.0},"headers":{"h":"v","\\"é\\"":"\\n"},"tags":["a","b\\""]},' +
        '{"topic":"orders","partition":3,"offset":42,"timestamp":1700000000000,"appendedAt":1790000000123,"value":null}',
    )
  })

  test.each([
    [{ value: { json: '12345678901234567890' } }, '"value":12345678901234567890'],
    [{ value: 'text' }, '"value":"text"'],
    [{ value: '' }, '"value":""'],
    [{ value: '{"a":1}' }, '"value":"{\\"a\\":1}"'],
    [
      { value: 'a"b\\c\b\f\n\r\t\u0000\u001f\u007f/é€😀"' },
      '"value":"a\\"b\\\\c\\b\\f\\n\\r\\t\\u0000\\u001f\u007f/é€😀\\""',
    ],
    [{ value: '\ufeff' }, '"value":"\ufeff"'],
    [{ value: Uint8Array.of(0xff, 0x00) }, '"valueBase64":"/wA="'],
    [{ value: Uint8Array.of(0x61, 0x22, 0xc3) }, '"valueBase64":"YSLD"'],
    [{ key: 'k' }, '"key":"k","tombstone":true'],
    [{ key: '', value: 'x' }, '"key":"","value":"x"'],
    [{ key: 'a"é\n', value: { json: '1' } }, '"key":"a\\"é\\n","value":1'],
    [{ key: Uint8Array.of(0xfe), value: { json: '1' } }, '"keyBase64":"/g==","value":1'],
    [{ key: Uint8Array.of(0xfe), value: Uint8Array.of(0xfe) }, '"keyBase64":"/g==","valueBase64":"/g=="'],
    [{ key: Uint8Array.of(0xfe) }, '"keyBase64":"/g==","tombstone":true'],
  ] as [Given, string][])('%j becomes %s', (given, expected) => {
    const { text } = write(batchOf(0, [given]))
    expect(text).toBe(`{"partition":3,"offset":0,"timestamp":1700000000000,"appendedAt":1790000000123,${expected}}`)
  })

  test('takes any text and bytes, at any place of the array', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ maxLength: 60 }),
    )
    fc.assert(
      fc.property(fc.array(fc.record({ key: value, value }), { minLength: 1, maxLength: 5 }), (given) => {
        const seen = recordsOf(write(batchOf(0, given)).text)
        const back = (text: unknown, base64: unknown) =>
          (text === undefined ? Uint8Array.fromBase64(base64 as string) : encoder.encode(text as string)).toHex()
        expect(
          seen.flatMap((record) => [
            back(record['key'], record['keyBase64']),
            back(record['value'], record['valueBase64']),
          ]),
        ).toEqual(given.flatMap((record) => [bytesOf(record.key).toHex(), bytesOf(record.value).toHex()]))
      }),
    )
  })
})

describe('lines', () => {
  const batch = batchOf(7, [
    { value: { json: '{"a": 1}' } },
    { value: 'te"xt' },
    { value: Uint8Array.of(0xff) },
    { key: 'k' },
    { key: 'k', value: '' },
  ])

  test('of values are JSON each', () => {
    const { text } = write(batch, { form: 'ndjson-values' })
    expect(text).toBe('{"a": 1}\n"te\\"xt"\n{"valueBase64":"/w=="}\nnull\n""\n')
  })

  test('of records have no commas', () => {
    const { text } = write(batch, { form: 'ndjson-records', recordsBefore: 5 })
    const lines = text.split('\n')
    expect(lines.pop()).toBe('')
    expect(`${lines}`).toBe(write(batch).text)
  })
})

describe('counting', () => {
  test('offsets and timestamps of every length, in steps and jumps', () => {
    const writer = new RecordsWriter(hostCodec)
    const random = [
      1, 0, 9, 10, -1, -5000, 999, 1000, 1_699_999_999_999, 1_700_000_000_000, 9_999_999_999_999, 10_000_000_000_000,
    ]
    for (const base of [0, 8, 97, 9_990, 99_999_998, 9_999_999_999, 2 ** 53 - 20]) {
      const given = random.map((timestamp) => ({ value: { json: '1' }, timestamp }))
      const seen = recordsOf(write(batchOf(base, given, { appendedAt: base }), {}, writer).text)
      expect(seen.map((record) => [record['offset'], record['timestamp'], record['appendedAt']])).toEqual(
        random.map((timestamp, i) => [base + i, timestamp, base]),
      )
    }
  })

  test('one writer for many topics, partitions and kinds of record', () => {
    const writer = new RecordsWriter(hostCodec)
    for (const [topic, partition] of [
      ['a', 0],
      ['a', 1],
      [null, 1],
      ['a'.repeat(249), 1023],
      ['a', 1],
    ] as const) {
      const { text } = write(
        batchOf(9, [{ key: 'k', value: { json: '1' } }, { value: 'x' }]),
        { topic, partition },
        writer,
      )
      const common = {
        ...(topic === null ? {} : { topic }),
        partition,
        timestamp: 1_700_000_000_000,
        appendedAt: APPENDED_AT,
      }
      expect(recordsOf(text)).toEqual([
        { ...common, offset: 9, key: 'k', value: 1 },
        { ...common, offset: 10, value: 'x' },
      ])
    }
  })

  test('a later answer does not see the earlier one, though the records lie in the same place', () => {
    const writer = new RecordsWriter(hostCodec)
    const place = new Uint8Array(4096)
    for (const value of ['first', 'other']) {
      const batch = batchOf(0, [{ value }])
      place.set(batch)
      expect(recordsOf(write(place.subarray(0, batch.length), {}, writer).text)[0]!['value']).toBe(value)
    }
  })
})

describe('which records', () => {
  const batches = concatBytes([
    batchOf(10, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]),
    batchOf(13, [{ value: 'control' }], { attributes: BatchAttribute.control }),
    batchOf(14, [{ value: 'd' }, { value: 'e' }], { compression: 'gzip' }),
    batchOf(16, [{ value: 'f' }], { appendedAt: APPENDED_AT + 1 }),
  ])

  test('all of them, control batches passed by', () => {
    const { text, ...rest } = write(batches)
    expect(offsetsOf(text)).toEqual([10, 11, 12, 14, 15, 16])
    expect(rest).toEqual({ nextOffset: 17, recordCount: 6, isFull: false, damagedUntil: -1 })
  })

  test.each([
    [{ fromOffset: 11 }, [11, 12, 14, 15, 16], 17, false],
    [{ fromOffset: 13 }, [14, 15, 16], 17, false],
    [{ fromOffset: 15 }, [15, 16], 17, false],
    [{ fromOffset: 17 }, [], 17, false],
    [{ untilOffset: 12 }, [10, 11], 12, false],
    [{ untilOffset: 13 }, [10, 11, 12], 13, false],
    [{ untilOffset: 14 }, [10, 11, 12], 14, false],
    [{ untilOffset: 15 }, [10, 11, 12, 14], 15, false],
    [{ fromOffset: 11, untilOffset: 11 }, [], 11, false],
    [{ recordsMax: 2 }, [10, 11], 12, true],
    [{ recordsMax: 3 }, [10, 11, 12], 14, true],
    [{ recordsMax: 6 }, [10, 11, 12, 14, 15, 16], 17, false],
    [{ recordsMax: 0 }, [], 10, true],
  ] as [Partial<WriteOptions>, number[], number, boolean][])('%j', (options, offsets, nextOffset, isFull) => {
    const { text, ...rest } = write(batches, options)
    expect(offsetsOf(text)).toEqual(offsets)
    expect(rest).toEqual({ nextOffset, recordCount: offsets.length, isFull, damagedUntil: -1 })
  })

  test('as many bytes as allowed, but one record always', () => {
    const line = write(batchOf(10, [{ value: 'a' }])).text.length
    expect(write(batches, { bytesMax: 0 })).toMatchObject({ recordCount: 1, nextOffset: 11, isFull: true })
    expect(write(batches, { bytesMax: 0, recordsBefore: 1 })).toMatchObject({
      recordCount: 0,
      nextOffset: 10,
      text: '',
    })
    expect(write(batches, { bytesMax: 2 * line })).toMatchObject({ recordCount: 1, nextOffset: 11, isFull: true })
    expect(write(batches, { bytesMax: 2 * line + 1 })).toMatchObject({ recordCount: 2, nextOffset: 12, isFull: true })
    expect(write(batches, { bytesMax: 1e6 })).toMatchObject({ recordCount: 6, isFull: false })
  })

  test('parts of an answer join', () => {
    const first = write(batches, { recordsMax: 2 })
    const second = write(batches, { fromOffset: first.nextOffset, recordsBefore: first.recordCount })
    expect(first.text + second.text).toBe(write(batches).text)
  })

  test('offsets with holes', () => {
    const batch = batchOf(20, [{ value: 'a' }, { value: 'b' }])
    // As compaction leaves it: the span is wider than its records.
    batch[38] = 9
    expect(write(batch)).toMatchObject({ recordCount: 2, nextOffset: 30 })
    expect(write(batch, { untilOffset: 25 })).toMatchObject({ recordCount: 2, nextOffset: 25 })
    expect(write(batch, { fromOffset: 22 })).toMatchObject({ recordCount: 0, nextOffset: 30, text: '' })
  })

  test('none of a batch that is damaged, nor behind it', () => {
    const bad = batchOf(14, [{ value: 'd'.repeat(300) }], { compression: 'gzip' })
    bad.fill(0, 90)
    const after = batchOf(15, [{ value: 'e' }])
    const { text, ...rest } = write(concatBytes([batchOf(13, [{ value: 'c' }]), bad, after]))
    expect(offsetsOf(text)).toEqual([13])
    expect(rest).toEqual({ nextOffset: 14, recordCount: 1, isFull: false, damagedUntil: 15 })
    expect(write(concatBytes([bad, after]), { fromOffset: 15 })).toMatchObject({ recordCount: 1, damagedUntil: -1 })
  })
})

describe('by tag', () => {
  const many = Array.from({ length: 60 }, (_, i) => ({ value: `${i}`, tags: [`t${i}`, 'all'] }))
  const batches = concatBytes([
    batchOf(0, [{ value: 'a', tags: ['x'] }, { value: 'b' }, { value: 'c', tags: ['x', 'y'] }]),
    batchOf(3, [{ value: 'd' }, { value: 'e' }]),
    batchOf(
      5,
      [
        { value: 'f', tags: ['z'] },
        { value: 'g', tags: ['y'] },
      ],
      { compression: 'zstd' },
    ),
    batchOf(7, many),
  ])
  const wanted = (...tags: string[]) => write(batches, { wantedTags: new Set(tags) })

  test.each([
    [['x'], [0, 2]],
    [['y'], [2, 6]],
    [
      ['x', 'z'],
      [0, 2, 5],
    ],
    [['t0'], [7]],
    [
      ['t59', 't31', 't32'],
      [38, 39, 66],
    ],
    [['X'], []],
    [[], []],
  ])('%j', (tags, offsets) => {
    const { text, nextOffset } = wanted(...tags)
    expect(offsetsOf(text)).toEqual(offsets)
    expect(nextOffset).toBe(67)
  })

  test('records tell all their tags', () => {
    expect(recordsOf(wanted('y').text).map((record) => record['tags'])).toEqual([['x', 'y'], ['y']])
    const tags = recordsOf(write(batches).text).map((record) => record['tags'])
    expect(tags.slice(0, 7)).toEqual([['x'], undefined, ['x', 'y'], undefined, undefined, ['z'], ['y']])
    for (const [i, of] of tags.slice(7).entries()) expect([...(of as string[])].sort()).toEqual(['all', `t${i}`])
  })

  test('a limit stops at a record that would have gone, not at one passed by', () => {
    const options = { wantedTags: new Set(['x']), recordsMax: 1 }
    expect(write(batches, options)).toMatchObject({ nextOffset: 2, recordCount: 1, isFull: true })
    expect(write(batches, { ...options, wantedTags: new Set(['z']) })).toMatchObject({ nextOffset: 67, isFull: false })
  })

  test('batches without a wanted tag are not opened', () => {
    const bad = batchOf(0, [{ value: 'd'.repeat(300), tags: ['x'] }], { compression: 'gzip' })
    bad.fill(0, bad.length - 20)
    expect(write(bad, { wantedTags: new Set(['y']) })).toMatchObject({ nextOffset: 1, damagedUntil: -1 })
    expect(write(bad, { wantedTags: new Set(['x']) })).toMatchObject({ nextOffset: 0, damagedUntil: 1 })
  })
})
