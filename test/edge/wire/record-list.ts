// Records as plain objects, for tests of the readers of bodies: each keeps what the reader lends only for a moment.

import { readVarint, varintEnd } from '../../../src/core/base/index.ts'
import { RecordAttribute, type RecordSpans } from '../../../src/core/record/index.ts'
import type { RecordSink } from '../../../src/edge/wire/records-in.ts'

export interface SeenRecord {
  key?: string
  value?: string
  isJson?: true
  tombstone?: true
  headers?: [string, string][]
  tags?: string[]
  timestamp?: number
}

/** Bytes shown as a character each, so that what is not UTF-8 can be compared too. */
function shown(bytes: Uint8Array, start: number, end: number): string {
  const span = bytes.slice(start, end)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(span)
  } catch {
    return `bytes:${span.toHex()}`
  }
}

function seenRecord(record: RecordSpans): SeenRecord {
  const seen: SeenRecord = {}
  if (record.keyStart >= 0) seen.key = shown(record.key, record.keyStart, record.keyEnd)
  if (record.attributes === RecordAttribute.tombstone) seen.tombstone = true
  else seen.value = shown(record.value, record.valueStart, record.valueEnd)
  if (record.attributes === RecordAttribute.json) seen.isJson = true
  if (record.headerCount > 0) seen.headers = headersOf(record)
  if (record.tags.length > 0) seen.tags = [...record.tags]
  if (!Number.isNaN(record.timestamp)) seen.timestamp = record.timestamp
  return seen
}

function headersOf(record: RecordSpans): [string, string][] {
  const texts: string[] = []
  let at = record.headersStart
  while (at < record.headersEnd) {
    const bytes = readVarint(record.headers, at, record.headersEnd)
    at = varintEnd + bytes
    texts.push(shown(record.headers, varintEnd, at))
  }
  if (texts.length !== record.headerCount * 2) throw new Error('the header count is another')
  return Array.from({ length: record.headerCount }, (_, i) => [texts[i * 2]!, texts[i * 2 + 1]!])
}

export class RecordList implements RecordSink {
  readonly records: SeenRecord[] = []
  readonly sources: string[] = []

  add(record: RecordSpans, source: Uint8Array, start: number, end: number): void {
    this.records.push(seenRecord(record))
    this.sources.push(shown(source, start, end))
  }
}
