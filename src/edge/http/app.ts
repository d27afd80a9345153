// The HTTP edge as a function from request to response: no socket, so that tests call it in process and the server adds only
// connections to it.
//
// Every request goes down one straight line: Host and Origin, then the address by hand. Produce and fetch leave it there for
// their handlers; all else goes to the table of control operations.

import type { Broker } from '../../core/broker/index.ts'
import { limitsView, Problem, RecordsWriter } from '../wire/index.ts'
import { type DataAddress, dataAddress, pathStart } from './address.ts'
import { AnswerBuffers } from './answer-buffers.ts'
import { problemAnswer } from './answer.ts'
import { Bodies, declaredBytes, type UploadLimits } from './body.ts'
import type { Call, Connection, DataPath, HeaderBag, PushDoor } from './call.ts'
import { createControl, methodNotAllowed } from './control.ts'
import { Deadlines } from './deadlines.ts'
import { fetchBatches, fetchRecords } from './fetch.ts'
import { fetchValue } from './fetch-value.ts'
import { pollAddress, pollMember } from './group-poll.ts'
import { BodyKinds } from './media-type.ts'
import { isAllowed, preflight, shareWith } from './origin.ts'
import { passOn } from './pass-on.ts'
import { produceBatches } from './produce-batches.ts'
import { ProduceRoom } from './produce-room.ts'
import { produce } from './produce.ts'
import { Query } from './query.ts'
import { asksForEvents, readStreamCall } from './stream-call.ts'

export interface AppOptions {
  readonly clusterId: string
  readonly nodeId: number
  readonly version: string
  /** Origins of pages that may change things, beside the own; `*` for all. */
  readonly allowedOrigins: readonly string[]
  readonly uploads: UploadLimits
  /** A streamed upload appends what it has this long after the first record of it came. */
  readonly lingerMs: number
  readonly push: PushDoor
  /** A followed answer that has nothing to say says so this often. */
  readonly heartbeatMs: number
  /** The Prometheus text. */
  metricsText(): string | Promise<string>
  /** Certificates (PEM) that other brokers may show, beside those the system trusts. */
  readonly trusted?: string
  /** Told of what should not have happened; a broken invariant stops the broker. */
  onFailure(error: unknown): void
}

export interface App {
  /** Rejects where something failed that should not: `failed` is its answer then. */
  fetch(request: Request, connection?: Connection | null): Response | Promise<Response>
  failed(error: unknown): Response
  /** The broker is about to stop: see `Bodies`. */
  stop(): void
}

const SAFE_METHODS = new Set(['GET', 'HEAD'])
const SOCKET_PATH = '/v1/ws'
/** Two Host headers arrive as one, joined by a comma, which no host holds. */
const HOST = /^[A-Za-z0-9._~:[\]-]*$/

export function createApp(broker: Broker, options: AppOptions): App {
  const { uploads, lingerMs, heartbeatMs, push } = options
  const onFailure = (error: unknown): void => options.onFailure(error)
  const deadlines = new Deadlines()
  const bodies = new Bodies(deadlines, uploads)
  const room = new ProduceRoom(deadlines)
  const records = new RecordsWriter(broker.codec)
  const data: DataPath = {
    broker,
    bodies,
    room,
    records,
    buffers: new AnswerBuffers(),
    lingerMs,
    heartbeatMs,
    onFailure,
  }
  const { requestBytesMax, bodyMs, bodyBytesPerS, uploadIdleMs } = uploads
  const limits = limitsView({ requestBytesMax, bodyMs, bodyBytesPerS, uploadIdleMs, lingerMs })
  const control = createControl({ ...options, broker, limits, metricsText: () => options.metricsText() }, bodies)
  const kinds = new BodyKinds()
  const origins = { allowed: new Set(options.allowedOrigins) }

  function fetch(request: Request, connection: Connection | null = null): Response | Promise<Response> {
    const headers = request.headers.toJSON() as HeaderBag
    const { host, origin } = headers
    if (host !== undefined && !HOST.test(host)) {
      return problemAnswer(
        new Problem('malformed', 'One Host header, with a plain host', {}, 'none', { connection: 'close' }),
      )
    }
    if (origin !== undefined) return fromPage(request, headers, origin, connection)
    return route(request, headers, connection)
  }

  async function fromPage(
    request: Request,
    headers: HeaderBag,
    origin: string,
    connection: Connection | null,
  ): Promise<Response> {
    const isOwn = isAllowed(origins, origin, headers['host'] ?? null)
    // What is asked by GET a foreign page cannot read; a socket it could, and write to.
    if (!isOwn && (!SAFE_METHODS.has(request.method) || isSocket(request.url))) {
      const problem = new Problem(
        'forbidden-origin',
        'Pages of this origin may not change anything here: see --allow-origins',
      )
      return shareWith(await bodies.refuse(request, declaredBytes(headers['content-length']), problem), origin)
    }
    const isPreflight = request.method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
    if (isPreflight) return preflight(origin, headers['access-control-request-headers'] ?? null)
    const response = await routed(request, headers, connection)
    return isOwn ? shareWith(response, origin) : response
  }

  function route(request: Request, headers: HeaderBag, connection: Connection | null): Response | Promise<Response> {
    return broker.isAlone ? routeHere(request, headers, connection) : routeAmong(request, headers, connection)
  }

  /** Among other brokers: what another leads is passed on to it. */
  async function routeAmong(request: Request, headers: HeaderBag, connection: Connection | null): Promise<Response> {
    const { url } = request
    const start = pathStart(url)
    const mark = url.indexOf('?', start)
    const path = url.slice(start, mark < 0 ? url.length : mark)
    const queryText = mark < 0 ? '' : url.slice(mark + 1)
    const answer = await passOn(broker, { request, headers, path, queryText, connection }, options.trusted)
    return answer ?? routeHere(request, headers, connection)
  }

  function routeHere(
    request: Request,
    headers: HeaderBag,
    connection: Connection | null,
  ): Response | Promise<Response> {
    const { url } = request
    const start = pathStart(url)
    const mark = url.indexOf('?', start)
    const end = mark < 0 ? url.length : mark
    const address = dataAddress(url, start, end)
    if (address instanceof Problem) return bodies.refuse(request, declaredBytes(headers['content-length']), address)
    const queryText = mark < 0 ? '' : url.slice(mark + 1)
    if (address !== null) return onData(address, { request, headers, queryText, connection })
    if (url.slice(start, end) === SOCKET_PATH) return socket({ request, headers, queryText, connection })
    const poll = pollAddress(url, start, end)
    if (poll instanceof Problem) return bodies.refuse(request, declaredBytes(headers['content-length']), poll)
    if (poll === null) return controlled(request, connection)
    if (request.method !== 'POST') return methodNotAllowed(request.method, ['POST'])
    return pollMember(data, poll, { request, headers, queryText, connection })
  }

  async function routed(request: Request, headers: HeaderBag, connection: Connection | null): Promise<Response> {
    try {
      return await route(request, headers, connection)
    } catch (error) {
      return failed(error)
    }
  }

  function failed(error: unknown): Response {
    onFailure(error)
    return problemAnswer(new Problem('internal', 'See the log of the broker', {}, 'unknown'))
  }

  async function controlled(request: Request, connection: Connection | null): Promise<Response> {
    return control.fetch(request, { connection })
  }

  function onData(address: DataAddress, call: Call): Response | Promise<Response> {
    const { request, headers } = call
    const { method } = request
    switch (address.kind) {
      case 'records':
        if (method === 'POST' && address.topic !== '') return produce(data, kinds, address, call)
        if (method === 'GET') return asksForEvents(headers) ? stream(address, call) : fetchRecords(data, address, call)
        if (method === 'POST') {
          const later = new Problem('unsupported', 'Producing to several topics at once is not supported yet')
          return bodies.refuse(request, declaredBytes(headers['content-length']), later)
        }
        return methodNotAllowed(method, address.topic === '' ? ['GET'] : ['GET', 'POST'])
      case 'batches':
        if (method === 'POST') return produceBatches(data, address, call)
        return method === 'GET' ? fetchBatches(data, address, call) : methodNotAllowed(method, ['GET', 'POST'])
      case 'value':
        return method === 'GET' ? fetchValue(data, address, call) : methodNotAllowed(method, ['GET'])
      case 'stream':
        return method === 'GET' ? stream(address, call) : methodNotAllowed(method, ['GET'])
    }
  }

  async function stream(address: DataAddress, call: Call): Promise<Response> {
    const asked = readStreamCall(address, call, broker.nowMs())
    if (asked instanceof Problem) return problemAnswer(asked)
    const response = await push.stream(asked)
    if (response instanceof Problem) return problemAnswer(response)
    // It is silent for longer than a connection may be.
    call.connection?.timeout(call.request, 0)
    return response
  }

  function socket({ request, headers, queryText, connection }: Call): Response {
    if (request.method !== 'GET') return methodNotAllowed(request.method, ['GET'])
    const query = Query.parse(queryText, [])
    if (query instanceof Problem) return problemAnswer(query)
    if (connection === null) return problemAnswer(new Problem('unsupported', 'There are no sockets in process'))
    const refusal = push.upgrade(request, headers['sec-websocket-protocol'], connection)
    // The connection is no longer one that is answered: this goes nowhere.
    return refusal === null ? new Response(null) : problemAnswer(refusal)
  }

  return { fetch, failed, stop: () => bodies.stop() }
}

function isSocket(url: string): boolean {
  const start = pathStart(url)
  return url.startsWith(SOCKET_PATH, start) && /^(?:$|\?)/.test(url.slice(start + SOCKET_PATH.length))
}
