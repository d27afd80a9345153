// Records by asking again and again, each time waiting for a while: what gets through where nothing else does.

import type { Fetched, Problem } from '../../openapi/client/index.ts'
import { type Answer, answerOf } from './brokers.ts'
import { deliver, type FeedWorld, placeOf } from './feed.ts'
import { NaruError } from './naru-error.ts'
import { withinMs } from './within.ts'

const WAIT_S = 20
/** Records at the place asked for are not there: reading goes on at the nearest that are. */
const MOVED: ReadonlySet<string> = new Set(['below-log-start', 'beyond-end', 'diverged'])

export async function followPolls(world: FeedWorld, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await world.inbox.whenRoom(signal)
    if (!signal.aborted) await pollOnce(world, signal)
  }
}

/** One answer, maybe of a single record that no frame holds. */
export async function pollOnce(world: FeedWorld, signal: AbortSignal): Promise<void> {
  const answer = await ask(world, signal, false)
  if (answer.kind === 'done') return take(world, answer.data)
  if (answer.kind === 'lost') throw world.brokers.lost(answer.error)
  const { problem } = answer
  if (!MOVED.has(problem.code)) throw NaruError.of(problem)
  const clamped = await ask(world, signal, true)
  if (clamped.kind === 'lost') throw world.brokers.lost(clamped.error)
  if (clamped.kind === 'refused') throw NaruError.of(clamped.problem)
  tellMoved(world, problem, clamped.data)
  take(world, clamped.data)
}

async function ask(world: FeedWorld, signal: AbortSignal, clamp: boolean): Promise<Answer<Fetched>> {
  const { brokers, topics, partition, tags, inbox, requestTimeoutMs } = world
  const query = {
    ...placeOf(world),
    ...(tags === null ? null : { tags: tags.join(',') }),
    ...(clamp ? { clamp } : null),
    limit: inbox.bounds.records,
    // At first it is asked where that is, which is answered at once.
    ...(inbox.cursor === null ? null : { wait: `${WAIT_S}s` }),
  }
  const isOne = topics.length === 1
  // As text: not all that reads it is JSON.parse.
  const answer = await withinMs(requestTimeoutMs + WAIT_S * 1000, signal, (limited) =>
    answerOf(
      brokers.client().get<{ 200: string }>({
        url:
          partition !== null
            ? '/v1/topics/{topic}/partitions/{partition}/records'
            : isOne
              ? '/v1/topics/{topic}/records'
              : '/v1/records',
        path: { topic: topics[0]!, partition },
        query: isOne ? query : { ...query, topics: topics.join(',') },
        headers: { accept: 'application/json' },
        parseAs: 'text',
        signal: limited,
      }),
    ),
  )
  return answer.kind === 'done' ? { ...answer, data: world.read(answer.data) as Fetched } : answer
}

function take(world: FeedWorld, { records, cursor, caughtUp, partitions }: Fetched): void {
  const before = world.inbox.cursor ?? cursor
  world.opened(before)
  for (let start = 0; start < records.length;) {
    const topic = records[start]!.topic ?? world.topics[0]!
    let end = start + 1
    while (end < records.length && (records[end]!.topic ?? topic) === topic) end++
    // What is behind all of them is known, behind some is not.
    const isLast = end === records.length
    const part = {
      topic,
      records: records.slice(start, end),
      cursor: isLast ? cursor : before,
      caughtUp: isLast && caughtUp,
    }
    deliver(world, part, JSON.stringify(part.records).length)
    start = end
  }
  world.passed(cursor)
  const problem = partitions.find((partition) => partition.problem !== undefined)?.problem
  if (problem !== undefined && records.length === 0) throw NaruError.of(problem)
}

function tellMoved(world: FeedWorld, problem: Problem, { cursor }: Fetched): void {
  const number = (name: string): number | null => (typeof problem[name] === 'number' ? problem[name] : null)
  const to = number('logStartOffset') ?? number('highWatermark') ?? number('nearestOffset')
  const topic = typeof problem['topic'] === 'string' ? problem['topic'] : world.topics[0]!
  const place = { topic, partition: number('partition'), from: number('offset'), to }
  world.inbox.push({ kind: 'reset', reset: { ...place, reason: problem.code, cursor } })
}
