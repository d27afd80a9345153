// What a produce request kept, as every answer tells it: by partition, and the cursor behind it.

import type { TopicId } from '../../core/base/index.ts'
import type { Broker, PartitionResult, ProduceOutcome } from '../../core/broker/index.ts'
import { writeCursor } from './cursor.ts'
import type { Outcome, Problem } from './problem.ts'

/** The members `partitions` and `cursor` of a JSON object. */
export function keptMembers(broker: Broker, { topic, partitions }: ProduceOutcome): string {
  let results = ''
  for (const result of partitions) results += results === '' ? partitionText(result) : `,${partitionText(result)}`
  return `"partitions":[${results}],"cursor":"${cursorBehind(broker, topic.id, partitions)}"`
}

function partitionText(result: PartitionResult): string {
  const { partition, baseOffset, lastOffset, count, appendedAt } = result
  return `{"partition":${partition},"baseOffset":${baseOffset},"lastOffset":${lastOffset},"count":${count},"appendedAt":${appendedAt}}`
}

/** Behind the last record kept, in the partitions that were written to. */
function cursorBehind(broker: Broker, topicId: TopicId, partitions: readonly PartitionResult[]): string {
  const route = broker.route(topicId)
  if (partitions.length === 1) {
    // What nearly every request gets: `writeCursor` of one place, as one string.
    const { partition, lastOffset } = partitions[0]!
    const epoch = route?.replica(partition)?.live.leaderEpoch
    if (epoch !== undefined) return `${topicId}_${partition}.${lastOffset + 1}.${epoch}`
  }
  return writeCursor(
    partitions.map(({ partition, lastOffset }) => ({
      topicId,
      partition,
      offset: lastOffset + 1,
      epoch: route?.replica(partition)?.live.leaderEpoch ?? null,
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
