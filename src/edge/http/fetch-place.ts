// Where a fetch has come to: as the end of a JSON answer, and as headers.

import type { FetchPosition, FetchRefusal, FetchSession } from '../../core/broker/index.ts'
import { cursorOf, problemOf } from '../wire/index.ts'

/** Closes what began with `{"records":[`. */
export function placeText(session: FetchSession, isManyTopics: boolean): string {
  let partitions = ''
  for (const position of session.positions) {
    if (partitions !== '') partitions += ','
    partitions += partitionText(position, isManyTopics)
  }
  return `],"cursor":"${cursorOf(session)}","caughtUp":${isAtEnd(session)},"partitions":[${partitions}]}`
}

/** Of one partition its offsets too. */
export function placeHeaders(session: FetchSession): Record<string, string> {
  const headers: Record<string, string> = {
    'naru-cursor': cursorOf(session),
    'naru-caught-up': String(isAtEnd(session)),
  }
  const only = session.positions.length === 1 ? session.positions[0]! : null
  if (only !== null) {
    headers['naru-next-offset'] = String(only.offset)
    headers['naru-high-watermark'] = String(only.replica.live.highWatermark)
    headers['naru-log-start-offset'] = String(only.replica.live.startOffset)
  }
  return headers
}

/** A partition that cannot be read on is not read to its end: whoever stops here would miss what lies behind. */
function isAtEnd(session: FetchSession): boolean {
  return session.isCaughtUp && session.positions.every(({ problem }) => problem === null)
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
