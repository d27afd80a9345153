// Where a fetch has come to: as the end of a JSON answer, and as headers.

import type { FetchPosition, FetchRefusal, FetchSession } from '../../core/broker/index.ts'
import { type CursorPlace, problemOf, writeCursor } from '../wire/index.ts'

/** Closes what began with `{"records":[`. */
export function placeText(session: FetchSession, isManyTopics: boolean): string {
  let partitions = ''
  for (const position of session.positions) {
    if (partitions !== '') partitions += ','
    partitions += partitionText(position, isManyTopics)
  }
  return `],"cursor":"${cursorOf(session)}","caughtUp":${session.isCaughtUp},"partitions":[${partitions}]}`
}

/** Of one partition its offsets too. */
export function placeHeaders(session: FetchSession): Record<string, string> {
  const headers: Record<string, string> = {
    'naru-cursor': cursorOf(session),
    'naru-caught-up': String(session.isCaughtUp),
  }
  const only = session.positions.length === 1 ? session.positions[0]! : null
  if (only !== null) {
    headers['naru-next-offset'] = String(only.offset)
    headers['naru-high-watermark'] = String(only.replica.live.highWatermark)
    headers['naru-log-start-offset'] = String(only.replica.live.startOffset)
  }
  return headers
}

/** The refusal of the first, where no partition can be read on. */
export function refusalOfAll(session: FetchSession): FetchRefusal | null {
  for (const { problem } of session.positions) if (problem === null) return null
  return session.positions[0]?.problem ?? null
}

function partitionText(position: FetchPosition, isManyTopics: boolean): string {
  const { topic, replica, offset, problem } = position
  const { highWatermark, startOffset } = replica.live
  const named = isManyTopics ? `"topic":"${topic.name}",` : ''
  const told = problem === null ? '' : `,"problem":${JSON.stringify(problemOf(problem).body())}`
  return (
    `{${named}"partition":${replica.partition},"nextOffset":${offset},"highWatermark":${highWatermark},` +
    `"logStartOffset":${startOffset}${told}}`
  )
}

function cursorOf(session: FetchSession): string {
  return writeCursor(places(session))
}

function* places(session: FetchSession): Iterable<CursorPlace> {
  for (const { topic, replica, offset } of session.positions) {
    // The epoch of what was read last: where that ends elsewhere, the log took another course.
    const epoch = offset > replica.live.startOffset ? replica.live.epochAt(offset - 1) : null
    yield {
      topicId: topic.id,
      partition: replica.partition,
      offset,
      epoch: epoch !== null && epoch >= 0 ? epoch : null,
    }
  }
}
