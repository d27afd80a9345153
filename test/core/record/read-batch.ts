// All records of a batch through the real reader, as plain objects.

import { readVarint, varintEnd } from '../../../src/core/base/index.ts'
import { RecordReader, type RecordSpans } from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { bytesText, type PlainRecord } from './plain-record.ts'

export function readBatch(bytes: Uint8Array, at = 0, from = 0): PlainRecord[] {
  const reader = new RecordReader()
  if (!reader.open(bytes, at, hostCodec)) throw new Error('not a readable batch')
  if (from > 0) reader.skipTo(from)
  const records: PlainRecord[] = []
  for (let record = reader.next(); record !== null; record = reader.next()) {
    records.push({
      offset: record.offset,
      timestamp: record.timestamp,
      attributes: record.attributes,
      key: record.keyStart < 0 ? null : record.key.slice(record.keyStart, record.keyEnd),
      value: record.value.slice(record.valueStart, record.valueEnd),
      headers: headersOf(record),
      tags: reader.tags?.tagsOf(reader.ordinal) ?? [],
    })
  }
  if (reader.isDamaged) throw new Error('fewer records than the header says')
  return records
}

function headersOf(record: RecordSpans): [string, string][] {
  let at = record.headersStart
  const text = (): string => {
    const end = readVarint(record.headers, at, record.headersEnd) + varintEnd
    const bytes = record.headers.slice(varintEnd, end)
    at = end
    return bytesText(bytes)
  }
  return Array.from({ length: record.headerCount }, () => [text(), text()])
}
