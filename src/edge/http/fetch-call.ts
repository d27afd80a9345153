// What a fetch asks for, read from its address, query and headers: where, how much, how long, in which form.

import { limits } from '../../core/base/index.ts'
import type { FetchRequest, FetchStart, FetchUntil } from '../../core/broker/index.ts'
import { Problem, readCursor, readStart, readUntil } from '../wire/index.ts'
import type { DataAddress } from './address.ts'
import type { HeaderBag } from './call.ts'
import { Query } from './query.ts'

export interface FetchCall {
  readonly request: FetchRequest
  readonly recordsMax: number
  readonly bytesMax: number
  readonly bytesMin: number
  readonly waitMs: number
  readonly follow: boolean
  readonly tags: ReadonlySet<string> | null
  /** Whether records tell their topic. */
  readonly isManyTopics: boolean
  /** json: one object · values, records: a line each. */
  readonly form: 'json' | 'values' | 'records'
}

const PLACE = ['cursor', 'from', 'until', 'clamp', 'maxBytes', 'minBytes', 'wait']
const OF_RECORDS = [...PLACE, 'limit', 'tags', 'follow', 'format']
const OF_TOPICS = [...OF_RECORDS, 'topics']
const EARLIEST: FetchStart = { kind: 'earliest' }
const ENCODER = new TextEncoder()

export function readFetchCall(
  address: DataAddress,
  queryText: string,
  headers: HeaderBag,
  nowMs: number,
): FetchCall | Problem {
  const isManyTopics = address.topic === ''
  const known = address.kind === 'batches' ? PLACE : isManyTopics ? OF_TOPICS : OF_RECORDS
  const query = queryText === '' ? Query.none : Query.parse(queryText, known)
  if (query instanceof Problem) return query
  const topics = isManyTopics ? topicsOf(query) : [address.topic]
  if (topics instanceof Problem) return topics
  const request = placeOf(query, topics, address.partition, nowMs)
  if (request instanceof Problem) return request
  const follow = query.flag('follow')
  if (follow instanceof Problem) return follow
  const form = address.kind === 'batches' ? 'json' : formOf(query, headers, follow)
  if (form instanceof Problem) return form
  const amounts = amountsOf(query, follow)
  if (amounts instanceof Problem) return amounts
  const tags = tagsOf(query)
  if (tags instanceof Problem) return tags
  return { request, ...amounts, follow, tags, isManyTopics, form }
}

export function topicsOf(query: Query): string[] | Problem {
  const text = query.get('topics')
  if (text === undefined || text === '') return new Problem('malformed', 'topics=a,b says which topics to read')
  const topics = text.split(',')
  if (topics.length > limits.FETCH_TOPICS_MAX) {
    return new Problem('malformed', `topics names at most ${limits.FETCH_TOPICS_MAX}`, { parameter: 'topics' })
  }
  if (new Set(topics).size < topics.length)
    return new Problem('malformed', 'topics names one twice', { parameter: 'topics' })
  return topics
}

function placeOf(
  query: Query,
  topics: readonly string[],
  partition: number | null,
  nowMs: number,
): FetchRequest | Problem {
  const start = startOf(query, topics.length === 1, partition !== null, nowMs)
  if (start instanceof Problem) return start
  const untilText = query.get('until')
  const until: FetchUntil | Problem | null = untilText === undefined ? null : readUntil(untilText, nowMs)
  if (until instanceof Problem) return until
  const clamp = query.flag('clamp')
  if (clamp instanceof Problem) return clamp
  return { topics, partition, start, until, clamp }
}

export function startOf(query: Query, oneTopic: boolean, onePartition: boolean, nowMs: number): FetchStart | Problem {
  const cursor = query.get('cursor')
  const from = query.get('from')
  if (cursor === undefined) return from === undefined ? EARLIEST : readStart(from, nowMs, onePartition)
  if (from !== undefined) return new Problem('malformed', 'cursor and from both say where to start')
  return startAt(cursor, 'cursor', oneTopic)
}

export function startAt(cursor: string, parameter: string, oneTopic: boolean): FetchStart | Problem {
  const entries = readCursor(cursor, parameter)
  if (entries instanceof Problem) return entries
  if (!oneTopic && entries.some((entry) => entry.topicId === null)) {
    return new Problem('malformed', 'A cursor by hand is of one topic; this address reads more')
  }
  return { kind: 'cursor', entries }
}

export function amountsOf(
  query: Query,
  follow: boolean,
): Pick<FetchCall, 'recordsMax' | 'bytesMax' | 'bytesMin' | 'waitMs'> | Problem {
  const recordsMax =
    follow && query.get('limit') === undefined
      ? Number.POSITIVE_INFINITY
      : query.integer('limit', limits.FETCH_RECORDS_DEFAULT, 1, limits.FETCH_RECORDS_MAX)
  if (recordsMax instanceof Problem) return recordsMax
  const bytesMax = query.size('maxBytes', limits.FETCH_BYTES_DEFAULT, limits.FETCH_BYTES_MAX)
  if (bytesMax instanceof Problem) return bytesMax
  const bytesMin = query.size('minBytes', 1, limits.FETCH_BYTES_MAX)
  if (bytesMin instanceof Problem) return bytesMin
  const waitMs = query.duration('wait', 0, limits.FETCH_WAIT_MS_MAX)
  if (waitMs instanceof Problem) return waitMs
  if (follow) {
    for (const name of ['wait', 'minBytes', 'maxBytes']) {
      if (query.get(name) !== undefined) return new Problem('malformed', `${name} does not go with follow=true`)
    }
  }
  return { recordsMax, bytesMax, bytesMin, waitMs }
}

export function tagsOf(query: Query): ReadonlySet<string> | Problem | null {
  const text = query.get('tags')
  if (text === undefined) return null
  const tags = text.split(',')
  const isGood = tags.every((tag) => tag !== '' && ENCODER.encode(tag).length <= limits.TAG_BYTES_MAX)
  if (isGood && tags.length <= limits.BATCH_TAGS_MAX) return new Set(tags)
  return new Problem('malformed', `tags are up to ${limits.BATCH_TAGS_MAX}, parted by commas, none empty`, {
    parameter: 'tags',
  })
}

/** The first of what the client accepts that there is; anything, where it says nothing. */
export function formOf(query: Query, headers: HeaderBag, follow: boolean): FetchCall['form'] | Problem {
  const format = query.oneOf('format', ['value', 'record'], 'value')
  if (format instanceof Problem) return format
  const accepted = acceptedForm(headers['accept'])
  if (accepted instanceof Problem) return accepted
  if (accepted === 'lines') return format === 'record' ? 'records' : 'values'
  if (follow) return new Problem('not-acceptable', 'follow=true answers in lines: send Accept: application/x-ndjson')
  if (query.get('format') !== undefined) {
    return new Problem('malformed', 'format is of lines: send Accept: application/x-ndjson', { parameter: 'format' })
  }
  return 'json'
}

function acceptedForm(accept: string | undefined): 'json' | 'lines' | Problem {
  if (accept === undefined || accept === '*/*') return 'json'
  if (accept.includes('application/x-ndjson')) return 'lines'
  for (const range of accept.split(',')) {
    const type = range.split(';', 1)[0]!.trim().toLowerCase()
    if (type === 'application/json' || type === 'application/*' || type === '*/*') return 'json'
  }
  return new Problem('not-acceptable', 'Records come as application/json, application/x-ndjson or text/event-stream')
}
