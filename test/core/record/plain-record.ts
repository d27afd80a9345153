// Records as plain objects, as a test writes and compares them, and their way into a builder.

import fc from 'fast-check'
import { concatBytes, writeVarint } from '../../../src/core/base/index.ts'
import { type BatchBuilder, RecordAttribute, RecordSpans } from '../../../src/core/record/index.ts'

export interface PlainRecord {
  offset: number
  timestamp: number
  attributes: number
  key: Uint8Array | null
  value: Uint8Array
  headers: [name: string, value: string][]
  tags: string[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

const textBytes = (text: string): Uint8Array => encoder.encode(text)
export const bytesText = (bytes: Uint8Array): string => decoder.decode(bytes)

export function plainRecord(
  fields: Partial<Omit<PlainRecord, 'key' | 'value'>> & { key?: string; value?: string },
): PlainRecord {
  return {
    offset: fields.offset ?? 0,
    timestamp: fields.timestamp ?? 0,
    attributes: fields.attributes ?? 0,
    key: fields.key === undefined ? null : textBytes(fields.key),
    value: textBytes(fields.value ?? ''),
    headers: fields.headers ?? [],
    tags: fields.tags ?? [],
  }
}

function storedHeaders(headers: PlainRecord['headers']): Uint8Array {
  const parts: Uint8Array[] = []
  for (const text of headers.flat()) {
    const bytes = textBytes(text)
    const length = new Uint8Array(8)
    parts.push(length.subarray(0, writeVarint(length, 0, bytes.length)), bytes)
  }
  return concatBytes(parts)
}

/** Key, value and headers lie in one array behind bytes of no meaning, as they do in a request. */
export function spansOf(record: PlainRecord): RecordSpans {
  const headers = storedHeaders(record.headers)
  const source = concatBytes([textBytes('??'), record.key ?? new Uint8Array(0), record.value, headers, textBytes('?')])
  const spans = new RecordSpans()
  let at = 2
  if (record.key !== null) {
    spans.key = source
    spans.keyStart = at
    at += record.key.length
    spans.keyEnd = at
  }
  spans.value = source
  spans.valueStart = at
  at += record.value.length
  spans.valueEnd = at
  spans.headers = source
  spans.headersStart = at
  spans.headersEnd = at + headers.length
  spans.headerCount = record.headers.length
  spans.attributes = record.attributes
  spans.timestamp = record.timestamp
  spans.tags = record.tags
  return spans
}

export function addAll(builder: BatchBuilder, records: readonly PlainRecord[]): void {
  for (const record of records) if (!builder.add(spansOf(record), 0)) throw new Error('the batch is full')
}

const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }),
)
const bytes = fc.uint8Array({ maxLength: 40 })
const payload = fc.oneof(
  fc.record({ attributes: fc.constant(0), key: fc.option(bytes), value: bytes }),
  fc.record({
    attributes: fc.constant(0),
    key: fc.option(bytes),
    value: fc.uint8Array({ minLength: 120, maxLength: 300 }),
  }),
  fc.record({
    attributes: fc.constant<number>(RecordAttribute.json),
    key: fc.option(bytes),
    value: fc.json().map(textBytes),
  }),
  fc.record({
    attributes: fc.constant<number>(RecordAttribute.tombstone),
    key: bytes,
    value: fc.constant(new Uint8Array(0)),
  }),
)
const header = fc.tuple(fc.string({ unit: 'grapheme', maxLength: 9 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
const tag = fc.oneof(
  fc.constantFrom('vip', 'eu', 'é', 'a'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }),
)

export const plainRecords: fc.Arbitrary<PlainRecord[]> = fc
  .array(
    fc.record({
      timestamp,
      payload,
      headers: fc.oneof(
        { weight: 2, arbitrary: fc.constant<[string, string][]>([]) },
        { weight: 1, arbitrary: fc.array(header, { maxLength: 4 }) },
      ),
      tags: fc.oneof(
        { weight: 2, arbitrary: fc.constant<string[]>([]) },
        { weight: 1, arbitrary: fc.uniqueArray(tag, { maxLength: 3 }) },
      ),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((records) => records.map(({ payload: its, ...rest }, offset) => ({ offset, ...rest, ...its })))
