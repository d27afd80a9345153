// What is sent: the same records for every variant of a path.

import { BatchBuilder, RecordSpans } from '../../src/core/record/index.ts'
import { hostCodec } from '../../src/edge/host/index.ts'
import { request } from './load.ts'

export const RAW_BYTES = 100
export const JSON_RECORDS = 1_000

export const raw = new Uint8Array(RAW_BYTES).fill(97)

/** An order as a shop would log it, about 150 bytes. */
function orderOf(i: number): object {
  return {
    id: 100_000 + i * 7,
    customer: `customer-${(i * 7919) % 5000}`,
    status: ['placed', 'paid', 'packed', 'sent'][i % 4],
    total: ((i * 131) % 9973) / 100,
    items: (i % 5) + 1,
    express: i % 3 === 0,
    note: i % 10 === 0 ? 'leave it “at the door”, please' : null,
    at: `2026-11-22T08:${String(i % 60).padStart(2, '0')}:00Z`,
  }
}

export function jsonBody(records = JSON_RECORDS): string {
  const wrapped = Array.from({ length: records }, (_, i) => ({
    key: `customer-${(i * 7919) % 5000}`,
    value: orderOf(i),
  }))
  return JSON.stringify({ records: wrapped })
}

export function linesBody(records = JSON_RECORDS): string {
  return Array.from({ length: records }, (_, i) => `${JSON.stringify(orderOf(i))}\n`).join('')
}

/** A batch just below `bytes`, of records of that size. */
export function batchOf(bytes: number, recordBytes = 1_000): Uint8Array {
  const builder = new BatchBuilder(hostCodec, bytes)
  const record = new RecordSpans()
  record.value = new Uint8Array(recordBytes).fill(97)
  record.valueEnd = recordBytes
  while (builder.batchBytes + recordBytes + 64 < bytes && builder.add(record, 1_800_000_000_000));
  return builder.finish()
}

export const BATCH_TYPE = { 'content-type': 'application/vnd.naru.batch' }
export const JSON_TYPE = { 'content-type': 'application/json' }
export const LINES_TYPE = { 'content-type': 'application/x-ndjson' }

export function rawPost(path: string): Uint8Array {
  return request('POST', path, raw)
}
