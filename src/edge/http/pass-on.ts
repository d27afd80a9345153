// Requests for what another broker leads, passed on to it over HTTP and answered as it answers, with `Naru-Leader` for clients that
// would rather go there. A request is passed on once: a broker that is asked by another and does not lead says so.
//
// Nothing is sent twice: what broke before it was sent has not been done, what broke behind that may have been.

import type { Broker, PlaceRefusal } from '../../core/broker/index.ts'
import { Problem, problemOf } from '../wire/index.ts'
import { problemAnswer } from './answer.ts'
import type { Connection, HeaderBag } from './call.ts'

/** Of what fails before a byte of the request is sent. */
const NEVER_SENT = new Set([
  ...['ConnectionRefused', 'FailedToOpenSocket', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED'],
])
/** Says that a broker passed the request on. */
const PASSED_ON = 'naru-passed-on'
/** Of one connection, or settled here. */
const OWN_HEADERS = [
  'host',
  'connection',
  'origin',
  'transfer-encoding',
  'content-length',
  'keep-alive',
  'upgrade',
  'te',
]
const ANSWER_HEADERS = ['connection', 'transfer-encoding', 'keep-alive']
/** Passed on whole; what is longer, or has no end yet, as it comes. */
const WHOLE_BYTES_MAX = 16 << 20
const GROUPS_TOPIC = '__groups'
const ON_TOPIC = /^\/v1\/topics\/([^/]+)(?:\/(.*))?$/
const ON_PARTITION = /^partitions\/([0-9]{1,6})(?:\/|$)/
const ON_GROUPS = /^\/v1\/groups(?:\/|$)/

export interface PassedRequest {
  readonly request: Request
  readonly headers: HeaderBag
  readonly path: string
  readonly queryText: string
  readonly connection: Connection | null
}

/**
 * Null: it is for this broker. What is told of topics holds all that was answered anywhere before it was asked; and so a topic that
 * was just made through another broker is known here.
 */
export async function passOn(broker: Broker, passed: PassedRequest, trusted?: string): Promise<Response | null> {
  const asked = askedOf(passed)
  if (asked === null) return null
  const knows = (): boolean => asked.topics.every((topic) => broker.image.topicNamed(topic) !== null)
  if (asked.isTold || !knows()) {
    const refusal = await broker.member.catchUp()
    if (refusal !== null) return problemAnswer(problemOf(refusal))
  }
  const [topic] = asked.topics
  if (asked.isProduce && broker.autoCreates && topic !== undefined && !knows()) {
    // What is wrong with it is told where it is produced to.
    await broker.submit({ kind: 'create-topic', name: topic, isAuto: true })
  }
  const other = broker.elsewhere(asked.topics, asked.partition)
  return other === null ? null : toLeader(other, passed, asked, trusted)
}

function toLeader(
  other: PlaceRefusal,
  passed: PassedRequest,
  asked: Asked,
  trusted: string | undefined,
): Promise<Response> | Response | null {
  if (other.kind !== 'not-leader' || other.leader === null) {
    return asked.isTold ? null : problemAnswer(problemOf(other))
  }
  if (passed.headers[PASSED_ON] !== undefined) return problemAnswer(problemOf(other))
  return send(passed, other.leader.address, trusted)
}

interface Asked {
  readonly topics: readonly string[]
  readonly partition: number | null
  /** What the metadata says of it: that can be told without its leader. */
  readonly isTold: boolean
  /** To a topic, which it may create. */
  readonly isProduce: boolean
}

const OF_DATA = { partition: null, isTold: false, isProduce: false } as const

/** Null: any broker can answer it. */
function askedOf({ request, path, queryText }: PassedRequest): Asked | null {
  if (path === '/v1/topics') return { ...OF_DATA, topics: [], isTold: true }
  if (ON_GROUPS.test(path)) return { ...OF_DATA, topics: [GROUPS_TOPIC] }
  if (path === '/v1/records' || path === '/v1/records/stream') {
    const topics = new URLSearchParams(queryText).get('topics')
    return topics === null ? null : { ...OF_DATA, topics: topics.split(',') }
  }
  const [, segment, rest = ''] = ON_TOPIC.exec(path) ?? []
  if (segment === undefined) return null
  const { method } = request
  const partition = ON_PARTITION.exec(rest)?.[1]
  const isData = /(?:^|\/)(?:records|batches)(?:\/|$)/.test(rest) || rest === 'trim'
  const isRead = method === 'GET' || method === 'HEAD'
  if (!isData && !isRead) return null
  return {
    topics: [decoded(segment)],
    partition: partition === undefined ? null : Number(partition),
    isTold: rest === '',
    isProduce: rest === 'records' && method === 'POST',
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

async function send(
  { request, path, queryText, connection }: PassedRequest,
  address: string,
  trusted: string | undefined,
): Promise<Response> {
  const headers = new Headers(request.headers)
  for (const name of OWN_HEADERS) headers.delete(name)
  headers.set(PASSED_ON, 'true')
  const isWrite = request.method !== 'GET' && request.method !== 'HEAD'
  const declared = request.headers.get('content-length')
  const isShort = declared !== null && Number(declared) <= WHOLE_BYTES_MAX
  const url = new URL(path, address)
  url.search = queryText
  const init = { method: request.method, headers, redirect: 'manual', decompress: false, timeout: false } as const
  const tls = trusted === undefined ? null : { tls: { ca: trusted } }
  try {
    const body = !isWrite || request.body === null ? null : isShort ? await request.bytes() : request.body
    // From here on the leader minds how long it is silent.
    connection?.timeout(request, 0)
    const answer = await fetch(url, { ...init, ...tls, body, signal: request.signal } as RequestInit)
    const told = new Headers(answer.headers)
    for (const name of ANSWER_HEADERS) told.delete(name)
    told.set('naru-leader', address)
    return new Response(answer.body, { status: answer.status, headers: told })
  } catch (error) {
    return problemAnswer(brokenOf(error, isWrite, address))
  }
}

function brokenOf(error: unknown, isWrite: boolean, address: string): Problem {
  const isSent = !(error instanceof Error && 'code' in error && NEVER_SENT.has(String(error.code)))
  const headers = { 'naru-leader': address }
  if (isWrite && isSent) {
    return new Problem('outcome-unknown', `The leader at ${address} did not answer to its end`, {}, 'unknown', headers)
  }
  return new Problem('not-leader', `The leader at ${address} cannot be reached; nothing was done`, {}, 'none', headers)
}
