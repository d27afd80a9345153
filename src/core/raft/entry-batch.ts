// An entry as bytes, the same on every disk and on the wire: one batch of `core/record`. The index is its base offset, the term
// its leader epoch. What is not records is a control batch with one record, whose value is a line of JSON:
//
//   {"kind":"noop"}        {"kind":"voters","voters":["1.…","2.…"]}
//
// A control batch carries no time: every replica makes the same bytes of the same entry.

import { assert } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import {
  BatchAttribute,
  BatchBuilder,
  baseOffsetOf,
  batchBytesOf,
  isControl,
  lastOffsetDeltaOf,
  leaderEpochOf,
  RecordReader,
  RecordSpans,
  stampBatch,
  storedFault,
} from '../record/index.ts'
import type { Entry, EntryBody } from './entry.ts'
import { isReplicaId, type ReplicaId } from './replica-id.ts'

export const TERM_MAX = 0xffff_ffff

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function batchOf(entry: Entry, codec: Codec): Uint8Array {
  const { body } = entry
  if (body.kind === 'records') return body.bytes
  return controlBatch(body, entry.index, entry.term, codec)
}

export function controlBatch(value: object, index: number, term: number, codec: Codec): Uint8Array {
  const spans = new RecordSpans()
  spans.value = encoder.encode(JSON.stringify(value))
  spans.valueEnd = spans.value.length
  const builder = new BatchBuilder(codec)
  assert(builder.add(spans, 0), 'a control record fits a batch')
  const batch = builder.finish({ attributes: BatchAttribute.control })
  stampBatch(batch, 0, index, 0, term, codec)
  return batch
}

/** What the control batch at `at` says; null when it is not one that can be read. */
export function controlValue(bytes: Uint8Array, at: number, codec: Codec): Record<string, unknown> | null {
  const reader = new RecordReader()
  if (!isControl(bytes, at) || !reader.open(bytes, at, codec)) return null
  const record = reader.next()
  if (record === null) return null
  try {
    const value: unknown = JSON.parse(decoder.decode(record.value.subarray(record.valueStart, record.valueEnd)))
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    return null
  }
}

/** The entry that the batch at `at` is, in memory of its own; null when it is none that this version knows. */
export function entryOf(bytes: Uint8Array, at: number, codec: Codec): Entry | null {
  const index = baseOffsetOf(bytes, at)
  const count = lastOffsetDeltaOf(bytes, at) + 1
  if (!Number.isSafeInteger(index + count)) return null
  const body = bodyOf(bytes, at, codec)
  if (body === null || (body.kind !== 'records' && count !== 1)) return null
  return { index, count, term: leaderEpochOf(bytes, at), body }
}

function bodyOf(bytes: Uint8Array, at: number, codec: Codec): EntryBody | null {
  if (!isControl(bytes, at)) return { kind: 'records', bytes: bytes.slice(at, at + batchBytesOf(bytes, at)) }
  const value = controlValue(bytes, at, codec)
  if (value === null) return null
  if (value['kind'] === 'noop') return { kind: 'noop' }
  const voters = value['kind'] === 'voters' ? votersOf(value['voters']) : null
  return voters === null ? null : { kind: 'voters', voters }
}

export function votersOf(value: unknown): readonly ReplicaId[] | null {
  if (!Array.isArray(value)) return null
  const voters = value.filter((it): it is string => typeof it === 'string').filter(isReplicaId)
  return voters.length === value.length ? voters : null
}

/** Entries back to back, checked as what a stranger sent; null when one of them is not good. */
export function entriesOf(bytes: Uint8Array, from: number, codec: Codec): Entry[] | null {
  const entries: Entry[] = []
  for (let at = from; at < bytes.length; at += batchBytesOf(bytes, at)) {
    if (storedFault(bytes, at, bytes.length, codec) !== null) return null
    const entry = entryOf(bytes, at, codec)
    if (entry === null) return null
    entries.push(entry)
  }
  return entries
}
