// What a produce request asks for, read from its address, query and headers before any of its body.

import { limits } from '../../core/base/index.ts'
import type { ProduceRequest } from '../../core/broker/index.ts'
import type { Codec } from '../../core/ports/index.ts'
import {
  type GivenParameters,
  type PointerPath,
  pointerSteps,
  Problem,
  problemOfFault,
  RecordParameters,
  requestKeyOf,
  timestampFault,
} from '../wire/index.ts'
import type { DataAddress } from './address.ts'
import type { HeaderBag } from './call.ts'
import type { BodyKind } from './media-type.ts'
import { Query } from './query.ts'

export type LineFormat = 'none' | 'text' | 'values' | 'records'

export interface ProduceCall {
  readonly request: ProduceRequest
  readonly kind: BodyKind
  /** How the body is cut into lines, if it is. */
  readonly lines: LineFormat
  readonly parameters: RecordParameters
  readonly keyPointer: PointerPath | null
  readonly tagPointer: PointerPath | null
}

const EVERY_BODY = ['acks', 'timeout']
const BY_KIND: Readonly<Record<BodyKind, readonly string[]>> = {
  json: EVERY_BODY,
  raw: [...EVERY_BODY, 'key', 'tags', 'tombstone', 'timestamp', 'split'],
  form: [...EVERY_BODY, 'key', 'tags', 'tombstone', 'timestamp', 'split'],
  ndjson: [...EVERY_BODY, 'format', 'keyPointer', 'tagPointer', 'key', 'tags', 'timestamp'],
}
const ALL_NAMES = [...new Set(Object.values(BY_KIND).flat())]
const OF_RECORD = ['key', 'tags', 'timestamp', 'keyPointer', 'tagPointer']
const RECORD_HEADER = 'naru-header-'
const TIMEOUT_MS_MAX = 600_000
const UINT32_MAX = 0xffff_ffff

const NO_PARAMETERS = RecordParameters.of({}) as RecordParameters

export function readProduceCall(
  address: DataAddress,
  kind: BodyKind,
  queryText: string,
  headers: HeaderBag,
  codec: Codec,
): ProduceCall | Problem {
  const query = queryText === '' ? Query.none : Query.parse(queryText, ALL_NAMES)
  if (query instanceof Problem) return query
  const misplaced = queryText === '' ? null : misplacedParameter(query, kind)
  if (misplaced !== null) return misplaced
  const lines = lineFormat(query, kind)
  if (lines instanceof Problem) return lines
  const given = givenParameters(query, headers)
  if (given instanceof Problem) return given
  if (given !== null && (kind === 'json' || lines === 'records')) {
    return new Problem('malformed', 'Key, tags, timestamp and headers stand in each record of this body')
  }
  const parameters = given === null ? NO_PARAMETERS : RecordParameters.of(given)
  if (!(parameters instanceof RecordParameters)) return problemOfFault(parameters)
  const keyPointer = pointer(query, 'keyPointer')
  if (keyPointer instanceof Problem) return keyPointer
  const tagPointer = pointer(query, 'tagPointer')
  if (tagPointer instanceof Problem) return tagPointer
  const request = produceRequest(address, query, headers)
  if (request instanceof Problem) return request
  const key = headers['idempotency-key']
  if (key !== undefined) {
    const refused = takeKey(request, key, codec, JSON.stringify([kind, lines, given, keyPointer, tagPointer]))
    if (refused !== null) return refused
  }
  return { request, kind, lines, parameters, keyPointer, tagPointer }
}

/** What `/batches` and `/records` share: acknowledgement, expectation, the producer's identity. */
export function produceRequest(address: DataAddress, query: Query, headers: HeaderBag): ProduceRequest | Problem {
  const acks = query.oneOf('acks', ['all', '1', '0'], 'all')
  if (acks instanceof Problem) return acks
  const timeoutMs = query.duration('timeout', -1, TIMEOUT_MS_MAX)
  if (timeoutMs instanceof Problem) return timeoutMs
  const expectOffset = expectedOffset(headers['if-match'], address.partition)
  if (expectOffset instanceof Problem) return expectOffset
  const producer = producerOf(headers, address.partition)
  if (producer instanceof Problem) return producer
  return {
    topic: address.topic,
    partition: address.partition,
    acks,
    timeoutMs: timeoutMs < 0 ? null : timeoutMs,
    streaming: false,
    expectOffset,
    producer,
    idempotency: null,
  }
}

function misplacedParameter(query: Query, kind: BodyKind): Problem | null {
  for (const name of query.names) {
    if (!BY_KIND[kind].includes(name)) {
      const kinds = Object.keys(BY_KIND).filter((other) => BY_KIND[other as BodyKind].includes(name))
      return new Problem(
        'malformed',
        `${name} does not go with this Content-Type, but with bodies of kind ${kinds.join(', ')}`,
        {
          parameter: name,
        },
      )
    }
  }
  return null
}

function lineFormat(query: Query, kind: BodyKind): LineFormat | Problem {
  if (kind === 'json') return 'none'
  if (kind !== 'ndjson') {
    const split = query.oneOf('split', ['lines'], 'lines')
    if (split instanceof Problem) return split
    if (query.get('split') === undefined) return 'none'
    if (query.get('tombstone') !== undefined) return new Problem('malformed', 'a tombstone has no lines to split')
    return 'text'
  }
  const format = query.oneOf('format', ['value', 'record'], 'value')
  if (format instanceof Problem) return format
  if (format === 'value') {
    for (const [pointer, plain] of [
      ['keyPointer', 'key'],
      ['tagPointer', 'tags'],
    ] as const) {
      if (query.get(pointer) !== undefined && query.get(plain) !== undefined) {
        return new Problem('malformed', `${plain} and ${pointer} contradict each other`)
      }
    }
    return 'values'
  }
  for (const name of OF_RECORD) {
    if (query.get(name) !== undefined) {
      return new Problem('malformed', `With format=record, ${name} has no meaning: each record says its own`)
    }
  }
  return 'records'
}

function givenParameters(query: Query, headers: HeaderBag): GivenParameters | Problem | null {
  const given: { -readonly [Name in keyof GivenParameters]: GivenParameters[Name] } = {}
  let isGiven = false
  for (const name in headers) {
    if (!name.startsWith(RECORD_HEADER)) continue
    isGiven = true
    const named = (given.headers ?? []) as [string, string][]
    named.push([name.slice(RECORD_HEADER.length), headers[name]!])
    given.headers = named
  }
  if (query === Query.none) return isGiven ? given : null
  given.key = query.get('key')
  const tags = query.get('tags')
  if (tags !== undefined) given.tags = tags.split(',')
  const isTombstone = query.flag('tombstone')
  if (isTombstone instanceof Problem) return isTombstone
  given.isTombstone = isTombstone
  const timestamp = query.get('timestamp')
  if (timestamp !== undefined) {
    if (!/^[0-9]{1,15}$/.test(timestamp)) return new Problem('malformed', 'timestamp is in milliseconds since 1970')
    const fault = timestampFault(Number(timestamp))
    if (fault !== null) return Problem.at('/timestamp', fault)
    given.timestamp = Number(timestamp)
  }
  isGiven ||= given.key !== undefined || tags !== undefined || isTombstone || timestamp !== undefined
  return isGiven ? given : null
}

function pointer(query: Query, name: 'keyPointer' | 'tagPointer'): PointerPath | null | Problem {
  const text = query.get(name)
  if (text === undefined) return null
  const steps = pointerSteps(text)
  if (steps !== null) return { text, steps }
  return new Problem('malformed', `${name} is a JSON Pointer, such as /user/id`, { parameter: name })
}

function expectedOffset(ifMatch: string | undefined, partition: number | null): number | null | Problem {
  if (ifMatch === undefined) return null
  if (partition === null) return new Problem('malformed', 'If-Match needs an address of one partition')
  const match = /^"(0|[1-9][0-9]{0,15})"$/.exec(ifMatch)
  if (match !== null) return Number(match[1])
  return new Problem('malformed', 'If-Match is the next offset in quotes, such as "42"')
}

function producerOf(headers: HeaderBag, partition: number | null): ProduceRequest['producer'] | Problem {
  const id = headers['producer-id']
  const epoch = headers['producer-epoch']
  const sequence = headers['producer-seq']
  if (id === undefined && epoch === undefined && sequence === undefined) return null
  if (id === undefined || epoch === undefined || sequence === undefined) {
    return new Problem('malformed', 'Producer-Id, Producer-Epoch and Producer-Seq go together')
  }
  if (partition === null) return new Problem('malformed', 'Producer-* headers need an address of one partition')
  const numbers = {
    id: wholeNumber(id, Number.MAX_SAFE_INTEGER),
    epoch: wholeNumber(epoch, UINT32_MAX),
    sequence: wholeNumber(sequence, UINT32_MAX),
  }
  if (numbers.id >= 0 && numbers.epoch >= 0 && numbers.sequence >= 0) return numbers
  return new Problem('malformed', 'Producer-Id, Producer-Epoch and Producer-Seq are whole numbers from 0')
}

function wholeNumber(text: string, max: number): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : -1
  return value <= max ? value : -1
}

function takeKey(request: ProduceRequest, key: string, codec: Codec, meaning: string): Problem | null {
  if (key === '' || key.length > limits.IDEMPOTENCY_KEY_CHARS_MAX) {
    return new Problem('malformed', `Idempotency-Key has 1 to ${limits.IDEMPOTENCY_KEY_CHARS_MAX} characters`)
  }
  if (request.acks === '0')
    return new Problem('malformed', 'With acks=0 there is no result to repeat: leave out Idempotency-Key')
  if (request.producer !== null) return new Problem('malformed', 'Use Idempotency-Key or Producer-* headers, not both')
  request.idempotency = requestKeyOf(request.topic, key, meaning, codec)
  return null
}
