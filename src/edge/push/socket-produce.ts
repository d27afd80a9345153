// `produce` over a socket: what POST …/records does with a JSON array, answered when it is kept.

import {
  type Broker,
  type ProduceOutcome,
  type ProduceRefusal,
  type ProduceRequest,
  ProduceSession,
} from '../../core/broker/index.ts'
import {
  keptMembers,
  partialProblem,
  problemOf,
  problemOfFault,
  type ProduceOp,
  readJsonBody,
  requestKeyOf,
} from '../wire/index.ts'
import { errorMessage } from './messages.ts'

/** What a JSON body is taken for over HTTP too: a repeat may come either way. */
const MEANING = JSON.stringify(['json', 'none', null, null, null])

/**
 * Returns, or resolves, when the records have their places, so that the next may be appended behind them; calls `answer` once,
 * when it is known what became of them.
 */
export function produceOver(
  broker: Broker,
  op: ProduceOp,
  answer: (text: string) => void,
  onFailure: (error: unknown) => void,
): void | Promise<void> {
  const opened = broker.openProduce(requestOf(broker, op))
  if (opened instanceof Promise) return opened.then((late) => append(broker, op, late, answer, onFailure))
  append(broker, op, opened, answer, onFailure)
}

function requestOf(broker: Broker, { topic, partition, acks, idempotencyKey, records }: ProduceOp): ProduceRequest {
  const { codec } = broker
  const key = idempotencyKey === undefined ? null : requestKeyOf(topic, idempotencyKey, MEANING, codec)
  if (key !== null) key.bodySeed = codec.xxHash64(records, key.bodySeed)
  return {
    topic,
    partition: partition ?? null,
    acks,
    timeoutMs: null,
    streaming: false,
    expectOffset: null,
    producer: null,
    idempotency: key,
  }
}

function append(
  broker: Broker,
  op: ProduceOp,
  session: ProduceSession | ProduceRefusal,
  answer: (text: string) => void,
  onFailure: (error: unknown) => void,
): void {
  const { id } = op
  if (!(session instanceof ProduceSession)) return answer(errorMessage({ id }, problemOf(session)))
  const fault = readJsonBody(op.records, session, broker.codec)
  if (fault !== null) {
    session.abandon()
    return answer(errorMessage({ id }, problemOfFault({ ...fault, pointer: `/records${fault.pointer}` })))
  }
  const taken = op.acks === '0' ? session.recordCount : null
  session.finish().then((outcome) => answer(outcomeMessage(broker, id, outcome, taken)), onFailure)
}

function outcomeMessage(broker: Broker, id: string, outcome: ProduceOutcome, taken: number | null): string {
  const { refusal, topic, created, replayed } = outcome
  if (refusal !== null) {
    const kept = refusal.kind === 'key-conflict' ? 0 : outcome.count
    const first = { record: outcome.firstUnaccepted, line: null }
    return errorMessage({ id }, partialProblem(broker, problemOf(refusal), outcome, kept, first))
  }
  const head = `{"op":"produced","id":${JSON.stringify(id)},"topic":"${topic.name}"${created ? ',"created":true' : ''}`
  if (taken !== null) return `${head},"count":${taken}}`
  const repeated = replayed ? ',"replayed":true' : ''
  return `${head},"count":${outcome.count}${repeated},${keptMembers(broker, outcome)}}`
}
