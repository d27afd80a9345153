// GET …/records/{offset}: one value as it was sent, with what else is known of it in headers.

import { limits } from '../../core/base/index.ts'
import { FetchSession } from '../../core/broker/index.ts'
import type { Codec } from '../../core/ports/index.ts'
import {
  appendedAtOf,
  batchBytesOf,
  lastOffsetOf,
  RecordAttribute,
  RecordReader,
  type RecordSpans,
} from '../../core/record/index.ts'
import { Problem, problemOf } from '../wire/index.ts'
import type { DataAddress } from './address.ts'
import { bodyAnswer, problemAnswer } from './answer.ts'
import type { Call, DataPath } from './call.ts'
import { Query } from './query.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

export async function fetchValue(path: DataPath, address: DataAddress, call: Call): Promise<Response> {
  const query = Query.parse(call.queryText, [])
  if (query instanceof Problem) return problemAnswer(query)
  const { topic, partition, offset } = address
  const session = await path.broker.openFetch({
    topics: [topic],
    partition,
    start: { kind: 'offset', offset },
    until: null,
    clamp: false,
  })
  if (!(session instanceof FetchSession)) return problemAnswer(problemOf(session))
  const position = session.positions[0]!
  const slice = await session.next(limits.BATCH_BYTES_MAX)
  if (slice === null || slice.bytes.length === 0) {
    const { highWatermark } = position.replica.live
    const refusal = position.problem ?? { kind: 'beyond-end', topic, partition: partition!, offset, highWatermark }
    return problemAnswer(problemOf(refusal))
  }
  return valueAnswer(slice.bytes, offset, path.broker.codec) ?? problemAnswer(gone(topic, partition!, offset))
}

/** Null: there is no such record any more. */
function valueAnswer(batches: Uint8Array, offset: number, codec: Codec): Response | null {
  let at = 0
  while (at < batches.length && lastOffsetOf(batches, at) < offset) at += batchBytesOf(batches, at)
  const reader = new RecordReader()
  if (at >= batches.length || !reader.open(batches, at, codec)) return null
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record.offset === offset) return recordAnswer(record, appendedAtOf(batches, at))
    if (record.offset > offset) return null
  }
  return null
}

function recordAnswer(record: RecordSpans, appendedAt: number): Response {
  const headers: Record<string, string> = {
    'naru-timestamp': String(record.timestamp),
    'naru-appended-at': String(appendedAt),
  }
  if (record.keyStart >= 0) headers['naru-key'] = keyText(record)
  if ((record.attributes & RecordAttribute.tombstone) !== 0) {
    return new Response(null, {
      status: 204,
      headers: { ...headers, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    })
  }
  const isJson = (record.attributes & RecordAttribute.json) !== 0
  const value = record.value.subarray(record.valueStart, record.valueEnd)
  return bodyAnswer(value, isJson ? 'application/json' : 'application/octet-stream', headers)
}

/** Percent-encoded, as a header cannot hold any text; bytes that are no text are `base64:`. */
function keyText(record: RecordSpans): string {
  const bytes = record.key.subarray(record.keyStart, record.keyEnd)
  try {
    return encodeURIComponent(decoder.decode(bytes))
  } catch {
    return `base64:${bytes.toBase64()}`
  }
}

function gone(topic: string, partition: number, offset: number): Problem {
  return new Problem('not-found', `Offset ${offset} holds no record any more`, { topic, partition, offset })
}
