// POST …/batches: stored bytes, one or more batches, admitted all or none, kept as sent.

import type { ProduceRequest } from '../../core/broker/index.ts'
import {
  BATCH_HEADER_BYTES,
  baseSequenceOf,
  batchBytesOf,
  producerEpochOf,
  producerIdOf,
} from '../../core/record/index.ts'
import { Problem, problemOf } from '../wire/index.ts'
import type { DataAddress } from './address.ts'
import { problemAnswer } from './answer.ts'
import { declaredBytes } from './body.ts'
import type { Call, DataPath } from './call.ts'
import { mediaTypeOf } from './media-type.ts'
import { producedAnswer, refusedAnswer } from './produce-answer.ts'
import { produceRequest } from './produce-call.ts'
import { Query } from './query.ts'

const BATCH_TYPE = 'application/vnd.naru.batch'

export async function produceBatches(path: DataPath, address: DataAddress, call: Call): Promise<Response> {
  const declared = declaredBytes(call.headers['content-length'])
  const request = readRequest(address, call)
  if (request instanceof Problem) return path.bodies.refuse(call.request, declared, request)
  const share = path.room.share()
  try {
    const body = await path.bodies.whole(call.request, declared, path.bodies.requestBytesMax, share)
    if (body instanceof Problem) return await path.bodies.refuse(call.request, declared, body)
    return await admit(path, address, request, body)
  } finally {
    share.end()
  }
}

async function admit(
  path: DataPath,
  address: DataAddress,
  request: ProduceRequest,
  body: Uint8Array,
): Promise<Response> {
  const fault = producerFault(request, body)
  if (fault !== null) return problemAnswer(fault)
  const outcome = await path.broker.produceBatches({ ...request, partition: address.partition! }, body)
  if ('kind' in outcome) return problemAnswer(problemOf(outcome))
  if (outcome.refusal !== null) return refusedAnswer(path.broker, outcome)
  return producedAnswer(path.broker, outcome, 'records', request.acks === '0' ? outcome.count : null)
}

function readRequest(address: DataAddress, call: Call): ProduceRequest | Problem {
  const { headers, queryText } = call
  const contentType = headers['content-type']
  if (contentType === undefined || mediaTypeOf(contentType) !== BATCH_TYPE) {
    return new Problem('unsupported-media-type', `Stored batches are sent as ${BATCH_TYPE}`)
  }
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    return new Problem(
      'unsupported-media-type',
      'Batches compress their own records: Content-Encoding is not undone here',
    )
  }
  if (headers['idempotency-key'] !== undefined) {
    return new Problem('malformed', 'Batches carry their own sequence: Idempotency-Key goes with records')
  }
  const query = Query.parse(queryText, ['acks', 'timeout'])
  return query instanceof Problem ? query : produceRequest(address, query, headers)
}

/** Where the headers name a producer, the first batch must be its. */
function producerFault({ producer }: ProduceRequest, body: Uint8Array): Problem | null {
  if (producer === null || body.length < BATCH_HEADER_BYTES || batchBytesOf(body, 0) > body.length) return null
  const { id, epoch, sequence } = producer
  if (producerIdOf(body, 0) === id && producerEpochOf(body, 0) === epoch && baseSequenceOf(body, 0) === sequence)
    return null
  return new Problem('invalid', 'Producer-Id, Producer-Epoch and Producer-Seq differ from what the first batch says')
}
