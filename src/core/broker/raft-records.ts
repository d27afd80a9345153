// A machine's records as the values of one ordinary batch, and back.

import { assert } from '../base/index.ts'
import type { StoredRecord } from '../machine/index.ts'
import type { Codec } from '../ports/index.ts'
import { type BatchBuilder, RecordAttribute, RecordSpans, stampBatch } from '../record/index.ts'

export interface BatchPlace {
  readonly index: number
  readonly term: number
  readonly nowMs: number
}

export function recordsBatch(
  records: readonly StoredRecord[],
  builder: BatchBuilder,
  { index, term, nowMs }: BatchPlace,
  codec: Codec,
): Uint8Array {
  const spans = new RecordSpans()
  spans.attributes = RecordAttribute.json
  for (const { key, value } of records) {
    assert(key === null && value !== null, 'what a snapshot stands for needs no keys')
    spans.value = value
    spans.valueStart = 0
    spans.valueEnd = value.length
    assert(builder.add(spans, nowMs), 'a decision fits one batch')
  }
  const batch = builder.finish()
  stampBatch(batch, 0, index, nowMs, term, codec)
  return batch
}

export function storedOf({ value, valueStart, valueEnd }: RecordSpans): StoredRecord {
  return { key: null, value: value.slice(valueStart, valueEnd) }
}
