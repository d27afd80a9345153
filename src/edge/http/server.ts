// The app on a port: HTTP/1.1 and HTTP/2 side by side, connections that fall silent are closed, bodies are bounded by the app
// and not here. Malformed framing (both lengths, bad chunks, headers too large) is refused by Bun's parser before the app.
//
// The port opens before the broker is there: other brokers speak to it over the same port while it starts. Until then clients
// are told so.

import { readFileSync } from 'node:fs'
import { BrokenInvariant } from '../../core/base/index.ts'
import type { Broker } from '../../core/broker/index.ts'
import type { Events, Meter } from '../../core/ports/index.ts'
import type { Config } from '../config.ts'
import { Problem } from '../wire/index.ts'
import { pathStart } from './address.ts'
import { jsonAnswer, problemAnswer } from './answer.ts'
import { type App, createApp } from './app.ts'
import type { Connection, PushDoor } from './call.ts'
import { version } from '../../../package.json'

export interface ServerWorld {
  readonly events: Events
  readonly meter: Meter
  /** The Prometheus text. */
  metricsText(): Promise<string>
  readonly push: PushDoor
}

export interface HttpServer {
  readonly url: string
  readonly port: number
  /** From here on requests reach the broker. */
  open(broker: Broker, world: ServerWorld): void
  /** Takes nothing new, finishes what is under way, does `whenAnswered`, and cuts what is left after `drainMs`. */
  stop(drainMs: number, whenAnswered: () => Promise<void>): Promise<void>
}

/** Silence between requests, or within one that does not wait on purpose. Bun counts in steps of four seconds. */
const IDLE_S = 32
const BODY_BYTES_PER_S = 64 * 1024
const LINGER_MS = 200
const ANSWERED_LOOK_MS = 5
const HEARTBEAT_MS = 15_000

function appOf(broker: Broker, config: Config, world: ServerWorld): App {
  world.meter.gauge('naru_waiters', 'Reads that wait for records', () => broker.status.waiters)
  return createApp(broker, {
    clusterId: broker.identity.clusterId,
    nodeId: broker.identity.nodeId,
    version,
    allowedOrigins: config.allowOrigins,
    uploads: {
      requestBytesMax: config.requestBytesMax,
      bodyMs: config.bodyMs,
      bodyBytesPerS: BODY_BYTES_PER_S,
      uploadIdleMs: config.uploadIdleMs,
    },
    lingerMs: LINGER_MS,
    heartbeatMs: HEARTBEAT_MS,
    push: world.push,
    metricsText: () => world.metricsText(),
    ...(config.tlsCert === '' ? null : { trusted: readFileSync(config.tlsCert, 'utf8') }),
    onFailure(error) {
      world.events.error('request-failed', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
      // Outside of the request, where it stops the process.
      if (error instanceof BrokenInvariant) queueMicrotask(() => raise(error))
    },
  })
}

export interface Listening {
  /** Of every socket there will be. */
  readonly websocket: Bun.WebSocketHandler<unknown>
  readonly peerPath: string
  /** Another broker asks for a socket there. Null: it is one now. */
  upgradePeer(request: Request, connection: Connection): Problem | null
}

export function listen(config: Config, listening: Listening): HttpServer {
  let app: App | null = null
  const peer = (request: Request, connection: Connection): Response => {
    const refusal = listening.upgradePeer(request, connection)
    return refusal === null ? new Response(null) : problemAnswer(refusal)
  }
  const server = Bun.serve({
    hostname: config.host,
    port: config.port,
    http2: config.http2,
    idleTimeout: IDLE_S,
    // A streamed upload has no bound; buffered ones are bounded where they are read.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    ...(config.tlsCert === ''
      ? null
      : { tls: { cert: readFileSync(config.tlsCert, 'utf8'), key: readFileSync(config.tlsKey, 'utf8') } }),
    fetch: (request, connection) => {
      if (isAt(listening.peerPath, request.url)) return peer(request, connection)
      return app === null ? whileStarting(request) : app.fetch(request, connection)
    },
    error: (error) => {
      if (app === null) throw error
      return app.failed(error)
    },
    websocket: listening.websocket,
  })
  return {
    port: server.port!,
    url: server.url.href.replace(/\/$/, ''),
    open(broker, world) {
      app = appOf(broker, config, world)
    },
    async stop(drainMs, whenAnswered) {
      app?.stop()
      const cut = setTimeout(() => void server.stop(true), drainMs)
      const stopped = server.stop(false)
      // Sockets of other brokers stay for as long as there is something to tell them.
      const deadlineMs = performance.now() + drainMs
      while (server.pendingRequests > 0 && performance.now() < deadlineMs) await Bun.sleep(ANSWERED_LOOK_MS)
      await whenAnswered()
      await stopped
      clearTimeout(cut)
    },
  }
}

/** The process answers, and no more. */
function whileStarting({ method, url }: Request): Response {
  if (method === 'GET' && new URL(url).pathname === '/healthz') return jsonAnswer({ status: 'ok' })
  return problemAnswer(new Problem('loading', 'The broker is starting; nothing was done'))
}

/** The end is looked at first: it is another for nearly every request. */
function isAt(path: string, url: string): boolean {
  return url.endsWith(path) && url.length === pathStart(url) + path.length
}

function raise(error: BrokenInvariant): never {
  throw error
}
