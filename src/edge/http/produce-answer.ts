// The answer to a produce: one body for what was kept, or a problem that says what was kept nevertheless.

import type { Broker, ProduceOutcome } from '../../core/broker/index.ts'
import { keptMembers, partialProblem, problemOf } from '../wire/index.ts'
import { jsonText, problemAnswer } from './answer.ts'

export type TakenAs = 'raw' | 'json' | 'records'

const REPLAYED = { 'idempotency-replayed': 'true' }

/** `unacknowledged`: with acks=0, how many records were taken; null: the outcome is known. */
export function producedAnswer(
  broker: Broker,
  outcome: ProduceOutcome,
  as: TakenAs,
  unacknowledged: number | null,
): Response {
  if (unacknowledged !== null) {
    const created = outcome.created ? ',"created":true' : ''
    const text = `{"topic":"${outcome.topic.name}","count":${unacknowledged},"as":"${as}"${created}}`
    return jsonText(text, 202)
  }
  const text = producedText(broker, outcome, as)
  return outcome.replayed ? jsonText(text, 200, REPLAYED) : jsonText(text)
}

/** Names are of [A-Za-z0-9._-], so that nothing here needs escaping. */
export function producedText(broker: Broker, outcome: ProduceOutcome, as: TakenAs): string {
  const madeNow = outcome.created ? ',"created":true' : ''
  return `{"topic":"${outcome.topic.name}","count":${outcome.count},"as":"${as}"${madeNow},${keptMembers(broker, outcome)}}`
}

export function refusedAnswer(broker: Broker, outcome: ProduceOutcome): Response {
  const first = { record: outcome.firstUnaccepted, line: null }
  const kept = outcome.refusal!.kind === 'key-conflict' ? 0 : outcome.count
  return problemAnswer(partialProblem(broker, problemOf(outcome.refusal!), outcome, kept, first))
}
