// POST …/records. A body with a length that fits memory is read wholly, turned into records and appended at the end of it; a
// body of lines that is long, or of unknown length, is taken as it comes (produce-stream.ts).

import { limits } from '../../core/base/index.ts'
import { type ProduceOutcome, ProduceSession } from '../../core/broker/index.ts'
import {
  type BodyFault,
  Problem,
  problemOf,
  problemOfFault,
  readFormBody,
  readJsonBody,
  readRawBody,
  type RecordSink,
} from '../wire/index.ts'
import type { DataAddress } from './address.ts'
import { problemAnswer } from './answer.ts'
import { declaredBytes } from './body.ts'
import { accepts, type Call, type DataPath } from './call.ts'
import type { BodyKinds } from './media-type.ts'
import { producedAnswer, refusedAnswer, type TakenAs } from './produce-answer.ts'
import { type ProduceCall, readProduceCall } from './produce-call.ts'
import { linedBody, takenAs } from './produce-lines.ts'
import { streamProduce } from './produce-stream.ts'

/** Bodies of lines up to this length are taken whole: all of it or nothing, a batch a partition. */
const LINES_WHOLE_BYTES_MAX = limits.BATCH_BYTES_MAX

export async function produce(path: DataPath, kinds: BodyKinds, address: DataAddress, call: Call): Promise<Response> {
  const { headers } = call
  const declared = declaredBytes(headers['content-length'])
  const asked = readCall(path, kinds, address, call)
  if (asked instanceof Problem) return path.bodies.refuse(call.request, declared, asked)
  const { request } = asked
  if (asked.lines !== 'none') {
    const isWhole = declared >= 0 && declared <= LINES_WHOLE_BYTES_MAX
    if (!isWhole || accepts(headers, 'application/x-ndjson')) {
      if (request.producer !== null) return path.bodies.refuse(call.request, declared, unnumbered())
      request.streaming = true
      return streamProduce(path, asked, call, declared)
    }
  }
  const place = path.broker.routeOf(request.topic)
  const isThere = !('kind' in place)
  if (!isThere && place.kind !== 'unknown-topic' && place.kind !== 'loading')
    return path.bodies.refuse(call.request, declared, problemOf(place))
  const share = path.room.share()
  try {
    const body = await path.bodies.whole(call.request, declared, path.bodies.requestBytesMax, share)
    if (body instanceof Problem) return await path.bodies.refuse(call.request, declared, body)
    return await append(path, asked, body, isThere)
  } finally {
    share.end()
  }
}

async function append(path: DataPath, asked: ProduceCall, body: Uint8Array, isThere: boolean): Promise<Response> {
  const { request } = asked
  if (request.idempotency !== null && asked.lines === 'none') {
    request.idempotency.bodySeed = path.broker.codec.xxHash64(body, request.idempotency.bodySeed)
  }
  if (!isThere) {
    const fault = faultOf(path, asked, body)
    if (fault !== null) return problemAnswer(fault)
  }
  const opened = path.broker.openProduce(request)
  const session = opened instanceof Promise ? await opened : opened
  if (!(session instanceof ProduceSession)) return problemAnswer(problemOf(session))
  const taken = readBody(path, asked, body, session)
  if (typeof taken !== 'string') {
    session.abandon()
    return problemAnswer(problemOfFault(taken))
  }
  const outcome: ProduceOutcome = await session.finish()
  if (outcome.refusal !== null) return refusedAnswer(path.broker, outcome)
  return producedAnswer(path.broker, outcome, taken, request.acks === '0' ? session.recordCount : null)
}

/** The batches of a stream depend on when its pieces come, so that a repeat would be cut otherwise. */
function unnumbered(): Problem {
  return new Problem(
    'malformed',
    `Producer-* headers go with bodies taken whole: with a Content-Length of at most ${LINES_WHOLE_BYTES_MAX}, without lines as answer`,
    { bytesMax: LINES_WHOLE_BYTES_MAX },
  )
}

function readCall(path: DataPath, kinds: BodyKinds, address: DataAddress, call: Call): ProduceCall | Problem {
  const encoding = call.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    return new Problem(
      'unsupported-media-type',
      `Content-Encoding ${encoding.slice(0, 32)} is not undone here: send the body as it is`,
    )
  }
  const kind = kinds.of(call.headers['content-type'])
  if (kind instanceof Problem) return kind
  return readProduceCall(address, kind, call.queryText, call.headers, path.broker.codec)
}

/** A body that is not taken must not create a topic either: it is read once for nothing where that may happen. */
function faultOf(path: DataPath, asked: ProduceCall, body: Uint8Array): Problem | null {
  let problem: Problem | null = null
  let count = 0
  const fault = readBody(path, asked, body, {
    add({ payloadBytes }) {
      const bytesMax = limits.RECORD_BYTES_MAX
      const record = count++
      if (payloadBytes <= bytesMax) return
      problem ??= problemOf({ kind: 'record-too-large', bytes: payloadBytes, bytesMax, record })
    },
  })
  return typeof fault === 'string' ? problem : problemOfFault(fault)
}

function readBody(path: DataPath, asked: ProduceCall, body: Uint8Array, sink: RecordSink): TakenAs | BodyFault {
  const { codec } = path.broker
  if (asked.lines !== 'none') {
    const lined = linedBody(path, asked, sink)
    return lined.push(body) ?? lined.end() ?? takenAs(asked)
  }
  switch (asked.kind) {
    case 'json':
      return readJsonBody(body, sink, codec) ?? 'records'
    case 'form': {
      const taken = readFormBody(body, asked.parameters, sink, codec)
      return 'as' in taken ? taken.as : taken
    }
    default:
      return readRawBody(body, asked.parameters, sink) ?? 'raw'
  }
}
