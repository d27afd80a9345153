// Where a reader stands, as text that passes through URLs and headers unescaped:
//
//   <topicId>_<partition>.<offset>.<epoch>_<partition>.<offset>_…    and the next topic's id, and so on
//   0.42_1.17                                                        by hand, on an address of one topic
//
// `offset` is the next to be read; `epoch` that of the record before it, which shows when the log took another course since.
// A partition that is not named starts at its first record, so a place at offset 0 may be left out: only the first of
// each topic is always written, to name the topic.

import { isTopicId, limits, type TopicId } from '../../core/base/index.ts'
import type { CursorEntry } from '../../core/broker/index.ts'
import { Problem } from './problem.ts'

const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/

export interface CursorPlace {
  readonly topicId: TopicId
  readonly partition: number
  readonly offset: number
  /** Null: nothing has been read there. */
  readonly epoch: number | null
}

/** Places of one topic stand together. */
export function writeCursor(places: Iterable<CursorPlace>): string {
  let text = ''
  let topicId: TopicId | null = null
  for (const place of places) {
    if (place.topicId !== topicId) {
      topicId = place.topicId
      text += text === '' ? topicId : `_${topicId}`
    } else if (place.offset === 0) {
      continue
    }
    text += `_${place.partition}.${place.offset}`
    if (place.epoch !== null) text += `.${place.epoch}`
  }
  return text
}

export function readCursor(text: string, parameter = 'cursor'): CursorEntry[] | Problem {
  if (text.length > limits.CURSOR_BYTES_MAX) return notACursor(parameter, 'is longer than 8 KiB')
  const entries: CursorEntry[] = []
  const seen = new Set<string>()
  let topicId: TopicId | null = null
  let isNamed = true
  for (const part of text.split('_')) {
    if (isTopicId(part)) {
      if (!isNamed || (topicId === null && entries.length > 0)) return notACursor(parameter, 'is cut or mixed up')
      topicId = part
      isNamed = false
      continue
    }
    const entry = readPlace(part, topicId)
    if (entry === null) return notACursor(parameter, 'is cut or mixed up')
    const place = `${topicId ?? ''}/${entry.partition}`
    if (seen.has(place)) return notACursor(parameter, `names partition ${entry.partition} twice`)
    seen.add(place)
    entries.push(entry)
    isNamed = true
  }
  return isNamed ? entries : notACursor(parameter, 'is cut')
}

function readPlace(part: string, topicId: TopicId | null): CursorEntry | null {
  const numbers = part.split('.')
  if (numbers.length < 2 || numbers.length > 3 || !numbers.every((text) => INTEGER.test(text))) return null
  const [partition, offset, epoch] = numbers.map(Number)
  if (!Number.isSafeInteger(offset!) || partition! >= limits.PARTITIONS_PER_TOPIC_MAX) return null
  return { topicId, partition: partition!, offset: offset!, epoch: epoch ?? null }
}

function notACursor(parameter: string, what: string): Problem {
  return new Problem('malformed', `${parameter} ${what}; use one from an answer, or 0.42_1.17 by hand`, { parameter })
}
