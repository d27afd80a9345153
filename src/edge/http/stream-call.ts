// What a stream of events is to read, from its address, query and headers. Where it begins: Last-Event-ID, which a browser sends
// when it comes back, beats `cursor`, and that beats `from`; both may be in a URL that is asked for again and again.

import { Problem } from '../wire/index.ts'
import type { DataAddress } from './address.ts'
import { accepts, type Call, type HeaderBag, type StreamRequest } from './call.ts'
import { startAt, startOf, tagsOf, topicsOf } from './fetch-call.ts'
import { Query } from './query.ts'

const OF_TOPIC = ['cursor', 'from', 'tags']
const OF_TOPICS = [...OF_TOPIC, 'topics']

/** On the addresses of records. */
export function asksForEvents(headers: HeaderBag): boolean {
  return accepts(headers, 'text/event-stream')
}

export function readStreamCall(address: DataAddress, call: Call, nowMs: number): StreamRequest | Problem {
  const isManyTopics = address.topic === ''
  const query = Query.parse(call.queryText, isManyTopics ? OF_TOPICS : OF_TOPIC)
  if (query instanceof Problem) return query
  const topics = isManyTopics ? topicsOf(query) : [address.topic]
  if (topics instanceof Problem) return topics
  const oneTopic = topics.length === 1
  const lastEventId = call.headers['last-event-id'] ?? ''
  const cursor = query.get('cursor')
  const start =
    lastEventId !== ''
      ? startAt(lastEventId, 'Last-Event-ID', oneTopic)
      : cursor !== undefined
        ? startAt(cursor, 'cursor', oneTopic)
        : startOf(query, oneTopic, address.partition !== null, nowMs)
  if (start instanceof Problem) return start
  const tags = tagsOf(query)
  if (tags instanceof Problem) return tags
  return { topics, partition: address.partition, start, tags }
}
