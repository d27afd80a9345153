// The addresses of the data path, taken from a URL by hand: a URL object and a router would cost more than the append.
//
//   /v1/records                       …/topics/{topic}/records    …/topics/{topic}/partitions/{p}/records[/{offset}]
//   …/records/stream                  …/topics/{topic}/partitions/{p}/batches
//
// Path segments are decoded once and then judged as names; nothing of an address is ever a path on disk.

import { Problem } from '../wire/index.ts'

export interface DataAddress {
  readonly kind: 'records' | 'batches' | 'stream' | 'value'
  /** Empty on /v1/records, which takes its topics from the query. */
  readonly topic: string
  readonly partition: number | null
  /** Of `value`. */
  readonly offset: number
}

const TOPICS = '/v1/topics/'
const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/

/** Where the path begins: behind scheme and host, which are missing when the client sent no usable Host. */
export function pathStart(url: string): number {
  return url.startsWith('/') ? 0 : url.indexOf('/', 8)
}

/** Null: not an address of the data path. */
export function dataAddress(url: string, start: number, end: number): DataAddress | Problem | null {
  if (!url.startsWith(TOPICS, start)) return manyTopicsAddress(url.slice(start, end))
  const topicStart = start + TOPICS.length
  const topicEnd = url.indexOf('/', topicStart)
  if (topicEnd < 0 || topicEnd >= end) return null
  const rest = url.slice(topicEnd + 1, end)
  if (rest === 'records') return onTopic(url.slice(topicStart, topicEnd), 'records')
  if (rest === 'records/stream') return onTopic(url.slice(topicStart, topicEnd), 'stream')
  const parts = rest.split('/')
  if (parts[0] !== 'partitions' || parts.length < 3) return null
  return onPartition(url.slice(topicStart, topicEnd), parts)
}

function manyTopicsAddress(path: string): DataAddress | null {
  if (path === '/v1/records') return { kind: 'records', topic: '', partition: null, offset: 0 }
  if (path === '/v1/records/stream') return { kind: 'stream', topic: '', partition: null, offset: 0 }
  return null
}

function onTopic(segment: string, kind: 'records' | 'stream'): DataAddress | Problem {
  const topic = decodedSegment(segment)
  return topic instanceof Problem ? topic : { kind, topic, partition: null, offset: 0 }
}

function onPartition(segment: string, parts: readonly string[]): DataAddress | Problem | null {
  const [, partitionText, resource, offsetText] = parts
  const isValue = resource === 'records' && parts.length === 4 && offsetText !== 'stream'
  if (!isValue && parts.length !== 3) return null
  if (resource !== 'records' && resource !== 'batches') return null
  const topic = decodedSegment(segment)
  if (topic instanceof Problem) return topic
  const partition = partitionNumber(partitionText!)
  if (partition instanceof Problem) return partition
  if (!isValue) return { kind: resource, topic, partition, offset: 0 }
  if (!INTEGER.test(offsetText!) || !Number.isSafeInteger(Number(offsetText))) {
    return new Problem('invalid', 'An offset is a whole number from 0', { offset: offsetText })
  }
  return { kind: 'value', topic, partition, offset: Number(offsetText) }
}

function decodedSegment(segment: string): string | Problem {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return new Problem('malformed', 'The path holds a percent sign that encodes nothing')
  }
}

export function partitionNumber(text: string): number | Problem {
  if (INTEGER.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  return new Problem('invalid', 'A partition is a whole number from 0')
}
