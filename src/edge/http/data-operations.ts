// The data path as documented: produce and fetch are plain handlers, told to the document here, and are kept in step by the
// conformance suite, which asks the document for every parameter the handlers know.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'
import {
  EventShape,
  FetchedShape,
  GroupPolledShape,
  type ProblemCode,
  ProduceBodyShape,
  ProducedLineShape,
  ProducedShape,
  RecordShape,
} from '../wire/index.ts'
import type { Method, QueryParameter } from './table.ts'

export interface DataOperation {
  readonly id: string
  readonly method: Method
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly query: readonly QueryParameter[]
  readonly headers: readonly QueryParameter[]
  /** By media type. */
  readonly bodies?: Readonly<Record<string, z.ZodType>>
  readonly answers: Readonly<Record<number, { about: string; content: Readonly<Record<string, z.ZodType>> }>>
  readonly problems: readonly ProblemCode[]
}

const Binary = z.string().openapi({ type: 'string', format: 'binary' })
const Lines = z.string().openapi({ description: 'A JSON value a line.' })
const Duration = z.string().regex(/^[0-9]+(ms|s|m|h|d)$/)
const Size = z.string().regex(/^[0-9]+(B|KiB|MiB|GiB)$/)

const acknowledgement: readonly QueryParameter[] = [
  {
    name: 'acks',
    about: 'What is waited for: every in-sync replica, the leader, or nothing.',
    shape: z.enum(['all', '1', '0']).default('all'),
  },
  { name: 'timeout', about: 'How long to wait for that; the outcome is unknown afterwards.', shape: Duration },
]

const recordParameters: readonly QueryParameter[] = [
  { name: 'key', about: 'Key of the record. Not for application/json.', shape: z.string() },
  { name: 'tags', about: 'Tags of the record, parted by commas. Not for application/json.', shape: z.string() },
  { name: 'timestamp', about: 'Milliseconds since 1970. Not for application/json.', shape: z.int().min(0) },
  { name: 'tombstone', about: 'The record deletes its key; a raw body that is empty.', shape: z.boolean() },
  { name: 'split', about: 'A raw body is a record a line, streamed.', shape: z.enum(['lines']) },
  {
    name: 'format',
    about: 'application/x-ndjson: whether lines are values or records.',
    shape: z.enum(['value', 'record']).default('value'),
  },
  {
    name: 'keyPointer',
    about: 'application/x-ndjson: the key is found in each value by this JSON Pointer.',
    shape: z.string(),
  },
  { name: 'tagPointer', about: 'application/x-ndjson: so is a tag.', shape: z.string() },
]

const keyHeader: QueryParameter = {
  name: 'Idempotency-Key',
  about: 'A repeat with the same key returns the first result, or completes what broke off.',
  shape: z.string().min(1).max(limits.IDEMPOTENCY_KEY_CHARS_MAX),
}

const partitionHeaders: readonly QueryParameter[] = [
  { name: 'If-Match', about: 'The next offset in quotes: append only there.', shape: z.string().regex(/^"[0-9]+"$/) },
  {
    name: 'Producer-Id',
    about: 'From POST /v1/producers; with Producer-Epoch and Producer-Seq.',
    shape: z.int().min(0),
  },
  { name: 'Producer-Epoch', about: 'A higher one fences the lower.', shape: z.int().min(0) },
  { name: 'Producer-Seq', about: 'Sequence of the first record.', shape: z.int().min(0) },
]

const produceBodies = {
  'application/json': ProduceBodyShape,
  'application/x-ndjson': Lines,
  'application/octet-stream': Binary,
}

const producedAnswers = {
  200: { about: 'Kept.', content: { 'application/json': ProducedShape, 'application/x-ndjson': ProducedLineShape } },
  202: { about: 'With acks=0: taken.', content: { 'application/json': ProducedShape } },
}

const produceProblems: readonly ProblemCode[] = [
  'malformed',
  'unknown-parameter',
  'internal-topic',
  'unknown-topic',
  'unknown-partition',
  'upload-stalled',
  'partition-retiring',
  'fenced',
  'gap',
  'unknown-producer',
  'offset-mismatch',
  'body-too-large',
  'record-too-large',
  'unsupported-media-type',
  'invalid',
  'key-required',
  'key-conflict',
  'loading',
  'damaged',
  'disk-low',
  'shutting-down',
  'outcome-unknown',
]

const place: readonly QueryParameter[] = [
  {
    name: 'cursor',
    about: 'Where to go on: from an answer, or 0.42_1.17 by hand.',
    shape: z.string().max(limits.CURSOR_BYTES_MAX),
  },
  {
    name: 'from',
    about: 'earliest, latest, an offset (one partition), -N (the last N), or @time.',
    shape: z.string().default('earliest'),
  },
  { name: 'until', about: 'latest, @time, or a cursor: the read ends there.', shape: z.string() },
  { name: 'clamp', about: 'Jump to the nearest record instead of refusing.', shape: z.boolean().default(false) },
  { name: 'maxBytes', about: 'Of stored bytes read; one record always comes.', shape: Size.default('1MiB') },
  { name: 'minBytes', about: 'With wait: how much is worth answering.', shape: Size },
  { name: 'wait', about: 'How long to wait for records, at most 60s.', shape: Duration },
]

const ofRecords: readonly QueryParameter[] = [
  ...place,
  {
    name: 'limit',
    about: 'How many records.',
    shape: z.int().min(1).max(limits.FETCH_RECORDS_MAX).default(limits.FETCH_RECORDS_DEFAULT),
  },
  { name: 'tags', about: 'Only records with one of these, parted by commas.', shape: z.string() },
  {
    name: 'follow',
    about: 'In lines: the answer goes on as records come. Blank lines say that it is alive.',
    shape: z.boolean(),
  },
  { name: 'format', about: 'In lines: values or records.', shape: z.enum(['value', 'record']).default('value') },
]

const whereEventsBegin: readonly QueryParameter[] = [
  ...place.filter(({ name }) => name === 'cursor' || name === 'from'),
  ...ofRecords.filter(({ name }) => name === 'tags'),
]

const eventHeaders: readonly QueryParameter[] = [
  {
    name: 'Last-Event-ID',
    about: 'The id of the latest event, sent by a browser that comes back: it beats cursor and from.',
    shape: z.string().max(limits.CURSOR_BYTES_MAX),
  },
]

const eventAnswers = {
  200: {
    about: 'Events without an end. What can be tried again is told as a problem event, and the stream ends.',
    content: { 'text/event-stream': EventShape },
  },
}

const streamProblems: readonly ProblemCode[] = [
  'malformed',
  'unknown-parameter',
  'unknown-topic',
  'unknown-partition',
  'invalid',
  'limit-reached',
]

const fetchedAnswers = {
  200: {
    about: 'Records, maybe none, and where to go on.',
    content: { 'application/json': FetchedShape, 'application/x-ndjson': z.union([RecordShape, Lines]) },
  },
}

const fetchProblems: readonly ProblemCode[] = [
  'malformed',
  'unknown-parameter',
  'unknown-topic',
  'unknown-partition',
  'not-acceptable',
  'below-log-start',
  'topic-recreated',
  'diverged',
  'beyond-end',
  'invalid',
  'damaged',
  'shutting-down',
]

const ofPoll: readonly QueryParameter[] = [
  {
    name: 'commit',
    about:
      'The cursor of an earlier poll: what it is behind is done with. Empty: nothing is. A late repeat changes nothing.',
    shape: z.string().max(limits.CURSOR_BYTES_MAX),
  },
  { name: 'generation', about: 'Refuse unless this is still the generation of the member.', shape: z.int().min(0) },
  ...ofRecords.filter(({ name }) => ['limit', 'maxBytes', 'wait', 'format'].includes(name)),
]

const pollProblems: readonly ProblemCode[] = [
  ...(['malformed', 'unknown-parameter', 'unknown-partition', 'not-acceptable'] as const),
  ...([
    'fenced',
    'not-held',
    'no-position',
    'below-log-start',
    'beyond-end',
    'foreign-topic',
    'limit-reached',
  ] as const),
  ...(['damaged', 'loading', 'disk-low', 'shutting-down', 'outcome-unknown'] as const),
]

export const dataOperations: readonly DataOperation[] = [
  {
    id: 'produce',
    method: 'POST',
    path: '/v1/topics/{topic}/records',
    tag: 'records',
    summary: 'Append records; the topic is created where that is allowed',
    description:
      'The partition is chosen by key. Any other Content-Type is one raw value. A batch is atomic, a request of several is not.',
    query: [...acknowledgement, ...recordParameters],
    headers: [keyHeader],
    bodies: produceBodies,
    answers: producedAnswers,
    problems: produceProblems,
  },
  {
    id: 'produceToPartition',
    method: 'POST',
    path: '/v1/topics/{topic}/partitions/{partition}/records',
    tag: 'records',
    summary: 'Append records to one partition',
    query: [...acknowledgement, ...recordParameters],
    headers: [keyHeader, ...partitionHeaders],
    bodies: produceBodies,
    answers: producedAnswers,
    problems: produceProblems,
  },
  {
    id: 'produceBatches',
    method: 'POST',
    path: '/v1/topics/{topic}/partitions/{partition}/batches',
    tag: 'records',
    summary: 'Append stored batches as they are',
    query: acknowledgement,
    headers: partitionHeaders,
    bodies: { 'application/vnd.naru.batch': Binary },
    answers: { 200: { about: 'Kept.', content: { 'application/json': ProducedShape } }, 202: producedAnswers[202] },
    problems: [...produceProblems, 'bad-batch'],
  },
  {
    id: 'fetch',
    method: 'GET',
    path: '/v1/topics/{topic}/records',
    tag: 'records',
    summary: 'Read a topic',
    query: ofRecords,
    headers: [],
    answers: fetchedAnswers,
    problems: fetchProblems,
  },
  {
    id: 'fetchPartition',
    method: 'GET',
    path: '/v1/topics/{topic}/partitions/{partition}/records',
    tag: 'records',
    summary: 'Read a partition',
    query: ofRecords,
    headers: [],
    answers: fetchedAnswers,
    problems: fetchProblems,
  },
  {
    id: 'fetchTopics',
    method: 'GET',
    path: '/v1/records',
    tag: 'records',
    summary: 'Read several topics as one',
    query: [{ name: 'topics', about: 'Names, parted by commas.', shape: z.string() }, ...ofRecords],
    headers: [],
    answers: fetchedAnswers,
    problems: fetchProblems,
  },
  {
    id: 'stream',
    method: 'GET',
    path: '/v1/topics/{topic}/records/stream',
    tag: 'records',
    summary: 'Records of a topic as they come, for EventSource',
    query: whereEventsBegin,
    headers: eventHeaders,
    answers: eventAnswers,
    problems: streamProblems,
  },
  {
    id: 'streamTopics',
    method: 'GET',
    path: '/v1/records/stream',
    tag: 'records',
    summary: 'Records of several topics as they come, for EventSource',
    query: [{ name: 'topics', about: 'Names, parted by commas.', shape: z.string() }, ...whereEventsBegin],
    headers: eventHeaders,
    answers: eventAnswers,
    problems: streamProblems,
  },
  {
    id: 'fetchBatches',
    method: 'GET',
    path: '/v1/topics/{topic}/partitions/{partition}/batches',
    tag: 'records',
    summary: 'Read a partition as stored batches; the first may begin below the place asked for',
    query: place,
    headers: [],
    answers: { 200: { about: 'Whole batches, maybe none.', content: { 'application/vnd.naru.batch': Binary } } },
    problems: fetchProblems,
  },
  {
    id: 'getRecordValue',
    method: 'GET',
    path: '/v1/topics/{topic}/partitions/{partition}/records/{offset}',
    tag: 'records',
    summary: 'One value, as it was sent',
    query: [],
    headers: [],
    answers: {
      200: {
        about: 'The bytes; application/json where the value is JSON.',
        content: { 'application/octet-stream': Binary },
      },
    },
    problems: ['invalid', 'unknown-topic', 'unknown-partition', 'below-log-start', 'beyond-end', 'damaged'],
  },
  {
    id: 'poll',
    method: 'POST',
    path: '/v1/groups/{group}/members/{member}/poll',
    tag: 'groups',
    summary: 'Alive, commit, and what comes next of what the member holds, in one',
    description:
      'Only what `commit` names is committed: asking again without it gives the same records, so a lost answer loses none. ' +
      'It waits like a fetch, and ends at once when the standing of the member changes. Lines tell the standing in ' +
      'Naru-Member-State and Naru-Generation.',
    query: ofPoll,
    headers: [],
    answers: {
      200: {
        about: 'Records, maybe none, and how the member stands.',
        content: { 'application/json': GroupPolledShape, 'application/x-ndjson': z.union([RecordShape, Lines]) },
      },
    },
    problems: pollProblems,
  },
]
