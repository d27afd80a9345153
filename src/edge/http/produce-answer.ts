// The answer to a produce: one body for what was kept, or a problem that says what was kept nevertheless.

import type { Broker, PartitionResult, ProduceOutcome } from '../../core/broker/index.ts'
import type { TopicId } from '../../core/base/index.ts'
import { type Outcome, type Problem, problemOf, writeCursor } from '../wire/index.ts'
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
  const { topic, count, created, partitions } = outcome
  let results = ''
  for (const result of partitions) results += results === '' ? partitionText(result) : `,${partitionText(result)}`
  const cursor = cursorBehind(broker, topic.id, partitions)
  const madeNow = created ? ',"created":true' : ''
  return `{"topic":"${topic.name}","count":${count},"as":"${as}"${madeNow},"partitions":[${results}],"cursor":"${cursor}"}`
}

function partitionText(result: PartitionResult): string {
  const { partition, baseOffset, lastOffset, count, appendedAt } = result
  return `{"partition":${partition},"baseOffset":${baseOffset},"lastOffset":${lastOffset},"count":${count},"appendedAt":${appendedAt}}`
}

/** Behind the last record kept, in the partitions that were written to. */
export function cursorBehind(broker: Broker, topicId: TopicId, partitions: readonly PartitionResult[]): string {
  const replicas = broker.route(topicId)?.replicas
  return writeCursor(
    partitions.map(({ partition, lastOffset }) => ({
      topicId,
      partition,
      offset: lastOffset + 1,
      epoch: replicas?.[partition]?.live.leaderEpoch ?? null,
    })),
  )
}

export interface NotAccepted {
  /** Place in the body of the first record that was not kept; its line where the body has lines. */
  record: number | null
  line: number | null
}

/** A refusal, with whatever was kept before it. `kept` is by this request: what a repeat found held is not told as partial. */
export function partialProblem(
  broker: Broker,
  problem: Problem,
  outcome: ProduceOutcome | null,
  kept: number,
  first: NotAccepted,
): Problem {
  const place = {
    ...(first.record === null ? null : { firstUnacceptedRecord: first.record }),
    ...(first.line === null ? null : { firstUnacceptedLine: first.line }),
  }
  if (outcome === null || kept === 0) return problem.with(outcome === null ? {} : place)
  const { topic, partitions } = outcome
  const told: Outcome = problem.outcome === 'unknown' ? 'unknown' : 'partial'
  const cursor = cursorBehind(broker, topic.id, partitions)
  return problem.with({ topic: topic.name, accepted: kept, ...place, partitions, cursor }, told)
}

export function refusedAnswer(broker: Broker, outcome: ProduceOutcome): Response {
  const first = { record: outcome.firstUnaccepted, line: null }
  const kept = outcome.refusal!.kind === 'key-conflict' ? 0 : outcome.count
  return problemAnswer(partialProblem(broker, problemOf(outcome.refusal!), outcome, kept, first))
}
