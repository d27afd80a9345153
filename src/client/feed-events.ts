// Records over an event stream, for runtimes and networks without WebSockets. Who takes slowly is told by reading slowly.
//
// The generated client's own reader of events is not used: it leaves a rejection that nobody handles when it is stopped, which ends
// a process, and does not tell why a stream was refused.

import type { Event } from '../../openapi/client/index.ts'
import { answerOf } from './brokers.ts'
import { eventData } from './event-lines.ts'
import { deliver, type FeedWorld, placeOf } from './feed.ts'
import { NaruError } from './naru-error.ts'

/** The broker says something every 15 s. */
const SILENCE_MS_MAX = 40_000
/** For the first event: who gathers an answer before passing it on never gives it. */
const OPENING_MS_MAX = 10_000

export async function followEvents(world: FeedWorld, signal: AbortSignal): Promise<void> {
  const leaving = new AbortController()
  const leave = (): void => leaving.abort()
  signal.addEventListener('abort', leave)
  let watch = setTimeout(leave, OPENING_MS_MAX)
  try {
    for await (const data of eventData(await bodyOf(world, leaving.signal))) {
      clearTimeout(watch)
      take(world, world.read(data) as Event, data.length)
      await world.inbox.whenRoom(leaving.signal)
      watch = setTimeout(leave, SILENCE_MS_MAX)
    }
  } finally {
    clearTimeout(watch)
    signal.removeEventListener('abort', leave)
    leave()
  }
}

async function bodyOf(world: FeedWorld, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const { brokers, topics, partition, tags } = world
  const place = { ...placeOf(world), ...(tags === null ? null : { tags: tags.join(',') }) }
  const isOne = topics.length === 1
  const answer = await answerOf(
    brokers.client().get<{ 200: ReadableStream<Uint8Array> }>({
      url:
        partition !== null
          ? '/v1/topics/{topic}/partitions/{partition}/records'
          : isOne
            ? '/v1/topics/{topic}/records/stream'
            : '/v1/records/stream',
      path: { topic: topics[0]!, partition },
      query: isOne ? place : { ...place, topics: topics.join(',') },
      headers: { accept: 'text/event-stream' },
      parseAs: 'stream',
      signal,
    }),
  )
  if (answer.kind === 'refused') throw NaruError.of(answer.problem)
  if (answer.kind === 'lost') throw brokers.lost(answer.error)
  return answer.data
}

function take(world: FeedWorld, event: Event, bytes: number): void {
  switch (event.type) {
    case 'position':
      return world.opened(event.cursor)
    case 'records':
      return deliver(world, event, bytes)
    case 'reset': {
      const { topic, partition, from, to, reason, cursor } = event
      return world.inbox.push({ kind: 'reset', reset: { topic, partition, from, to, reason, cursor } })
    }
    case 'problem':
      throw NaruError.of(event.problem)
    case 'drain':
      throw new Error('the broker is going away')
  }
}
