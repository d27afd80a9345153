// What JSON costs the broker, as ratios of CPU time to what the engine's own JSON costs for the same bytes:
//
//   produce   a body of 1 000 records → a batch       to JSON.parse of its text, and to decoding and parsing the bytes
//   ndjson    1 000 lines → a batch                   to JSON.parse of each line's text
//   fetch     a batch of 1 000 records → an answer    to JSON.stringify of ready objects, and with encoding the text
//
// `bun test/bench/json.ts`. Both sides of a ratio run in turns, so that what else the machine does weighs on both.

import { BatchBuilder, type RecordSpans, stampBatch } from '../../src/core/record/index.ts'
import { hostCodec } from '../../src/edge/host/index.ts'
import { ByteWriter } from '../../src/edge/wire/byte-writer.ts'
import {
  NdjsonValues,
  pointerSteps,
  readJsonBody,
  RecordParameters,
  type RecordSink,
} from '../../src/edge/wire/records-in.ts'
import { RecordsWriter } from '../../src/edge/wire/records-out.ts'

const RECORDS = 1_000
const WARM_UP_ROUNDS = 200
const ROUNDS = 60
const RUNS_A_ROUND = 10
const NOW_MS = 1_790_000_000_000

interface Input {
  key?: string
  value: unknown
  headers?: Record<string, string>
  tags?: string[]
  timestamp?: number
}

const shapes: Record<string, (i: number) => Input> = {
  'event, 100 bytes': (i) => ({
    key: `user-${i % 97}`,
    value: { id: i, type: 'page.viewed', path: `/products/${i % 31}`, ms: i % 1000, ok: i % 7 > 0, ratio: i / 8 },
  }),
  'order, 300 bytes': (i) => ({
    key: `customer-${i % 97}`,
    value: {
      id: i,
      type: 'order.created',
      customer: { id: `c-${i}`, name: 'Alice Example', email: `alice${i}@example.com` },
      items: [
        { sku: `A-${i}`, quantity: 2, price: 12.5 },
        { sku: `B-${i}`, quantity: 1, price: 99 },
      ],
      note: 'leave it with the neighbours, please',
      total: 124 + i,
    },
  }),
  'reading, 40 bytes': (i) => ({ value: { sensor: i % 40, celsius: (i % 400) / 10, at: NOW_MS + i } }),
  'log line, 160 bytes': (i) => ({
    value: {
      time: new Date(NOW_MS + i).toISOString(),
      level: 'info',
      message: `request ${i} took ${i % 90} ms: GET /v1/topics/orders/records?from=latest answered 200`,
      host: 'web-7',
    },
  }),
  'with all fields': (i) => ({
    key: `user-${i % 97}`,
    value: { id: i, type: 'page.viewed' },
    headers: { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${(i + 0x1000_0000).toString(16)}69203331-01` },
    tags: ['web', `shard-${i % 3}`],
    timestamp: NOW_MS + i,
  }),
}

/** As a produce session takes records, without what comes behind it. */
class BatchSink implements RecordSink {
  readonly #builder = new BatchBuilder(hostCodec)

  add(record: RecordSpans): void {
    if (this.#builder.add(record, NOW_MS)) return
    throw new Error('one batch is enough here')
  }

  finish(): Uint8Array {
    return this.#builder.finish()
  }
}

/** Median over rounds of the time of one against the time of the other. */
function ratio(ours: () => unknown, theirs: () => unknown): { ours: number; theirs: number; ratio: number } {
  for (let i = 0; i < WARM_UP_ROUNDS; i++) {
    ours()
    theirs()
  }
  const rounds = Array.from({ length: ROUNDS }, () => ({ ours: timed(ours), theirs: timed(theirs) }))
  const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[ROUNDS >> 1]!
  return {
    ours: median(rounds.map((round) => round.ours)),
    theirs: median(rounds.map((round) => round.theirs)),
    ratio: median(rounds.map((round) => round.ours / round.theirs)),
  }
}

function timed(run: () => unknown): number {
  const start = Bun.nanoseconds()
  for (let i = 0; i < RUNS_A_ROUND; i++) run()
  return (Bun.nanoseconds() - start) / RUNS_A_ROUND
}

function report(what: string, shape: string, bytes: number, measured: ReturnType<typeof ratio>): void {
  const cells = [
    what.padEnd(26),
    shape.padEnd(20),
    `${Math.round(bytes / RECORDS)} B`.padStart(6),
    `${(measured.ours / RECORDS).toFixed(0)} ns`.padStart(7),
    `${(measured.theirs / RECORDS).toFixed(0)} ns`.padStart(7),
    measured.ratio.toFixed(2).padStart(6),
  ]
  console.log(cells.join(' '))
}

const encoder = new TextEncoder()
const sink = new BatchSink()
const writer = new RecordsWriter(hostCodec)
const out = new ByteWriter()
const noParameters = RecordParameters.of({}) as RecordParameters

function measureProduce(shape: string, records: readonly Input[]): Uint8Array {
  const text = JSON.stringify({ records })
  const body = encoder.encode(text)
  const produce = () => {
    const fault = readJsonBody(body, sink, hostCodec)
    if (fault !== null) throw new Error(fault.message)
    return sink.finish()
  }
  const parse = () => JSON.parse(text)
  report('produce / parse', shape, body.length, ratio(produce, parse))
  const decoder = new TextDecoder()
  const decode = () => JSON.parse(decoder.decode(body))
  report('produce / decode + parse', shape, body.length, ratio(produce, decode))
  return produce()
}

function measureNdjson(shape: string, records: readonly Input[], key: string | null): void {
  const lines = records.map((record) => JSON.stringify(record.value))
  const body = encoder.encode(`${lines.join('\n')}\n`)
  const path = key === null ? null : { text: key, steps: pointerSteps(key)! }
  const produce = () => {
    const reader = new NdjsonValues(sink, hostCodec, noParameters, { key: path, tag: null })
    const fault = reader.push(body) ?? reader.end()
    if (fault !== null) throw new Error(fault.message)
    return sink.finish()
  }
  const parse = () => {
    for (const line of lines) JSON.parse(line)
  }
  const what = key === null ? 'ndjson / parse' : `ndjson ${key} / parse`
  report(what, shape, body.length, ratio(produce, parse))
}

function measureFetch(shape: string, batch: Uint8Array): void {
  stampBatch(batch, 0, 123_456, NOW_MS, 1, hostCodec)
  const options = {
    topic: null,
    partition: 3,
    fromOffset: 0,
    untilOffset: Infinity,
    recordsMax: Infinity,
    bytesMax: Infinity,
    recordsBefore: 0,
    wantedTags: null,
  }
  const fetch = (form: 'records' | 'ndjson-values') => {
    out.clear()
    writer.write(out, batch, { ...options, form })
    return out.view()
  }
  const decoder = new TextDecoder()
  const objects = JSON.parse(`[${decoder.decode(fetch('records'))}]`) as { value: unknown }[]
  const { length } = fetch('records')
  report(
    'fetch / stringify',
    shape,
    length,
    ratio(
      () => fetch('records'),
      () => JSON.stringify(objects),
    ),
  )
  report(
    'fetch / stringify + encode',
    shape,
    length,
    ratio(
      () => fetch('records'),
      () => encoder.encode(JSON.stringify(objects)),
    ),
  )
  const values = objects.map((object) => object.value)
  report(
    'value lines / stringify',
    shape,
    fetch('ndjson-values').length,
    ratio(
      () => fetch('ndjson-values'),
      () => values.map((value) => JSON.stringify(value)).join('\n'),
    ),
  )
}

for (const [shape, make] of Object.entries(shapes)) {
  const records = Array.from({ length: RECORDS }, (_, i) => make(i))
  const batch = measureProduce(shape, records)
  measureNdjson(shape, records, null)
  measureNdjson(shape, records, '/id')
  measureFetch(shape, batch)
}
