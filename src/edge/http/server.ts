// The app on a port: HTTP/1.1 and HTTP/2 side by side, connections that fall silent are closed, bodies are bounded by the app
// and not here. Malformed framing (both lengths, bad chunks, headers too large) is refused by Bun's parser before the app.

import { readFileSync } from 'node:fs'
import { BrokenInvariant } from '../../core/base/index.ts'
import type { Broker } from '../../core/broker/index.ts'
import type { Events, Meter } from '../../core/ports/index.ts'
import type { Config } from '../config.ts'
import { type App, createApp } from './app.ts'
import type { PushDoor } from './call.ts'
import { version } from '../../../package.json'

export interface ServerWorld {
  readonly events: Events
  readonly meter: Meter
  /** The Prometheus text. */
  metricsText(): Promise<string>
  readonly push: SocketDoor
}

/** Sockets are all of the room that pushes. */
export interface SocketDoor extends PushDoor {
  readonly websocket: Bun.WebSocketHandler<unknown>
}

export interface HttpServer {
  readonly url: string
  readonly port: number
  /** Takes nothing new, finishes what is under way, and cuts what is left after `drainMs`. */
  stop(drainMs: number): Promise<void>
}

/** Silence between requests, or within one that does not wait on purpose. Bun counts in steps of four seconds. */
const IDLE_S = 32
const BODY_BYTES_PER_S = 64 * 1024
const LINGER_MS = 200
const HEARTBEAT_MS = 15_000

export function startServer(broker: Broker, config: Config, world: ServerWorld): HttpServer {
  world.meter.gauge('naru_waiters', 'Reads that wait for records', () => broker.status.waiters)
  const app = createApp(broker, {
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
    onFailure(error) {
      world.events.error('request-failed', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
      // Outside of the request, where it stops the process.
      if (error instanceof BrokenInvariant) queueMicrotask(() => raise(error))
    },
  })
  return listen(app, config, world.push)
}

function listen(app: App, config: Config, { websocket }: SocketDoor): HttpServer {
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
    fetch: (request, connection) => app.fetch(request, connection),
    error: (error) => app.failed(error),
    websocket,
  })
  return {
    port: server.port!,
    url: server.url.href.replace(/\/$/, ''),
    async stop(drainMs) {
      const cut = setTimeout(() => void server.stop(true), drainMs)
      await server.stop(false)
      clearTimeout(cut)
    },
  }
}

function raise(error: BrokenInvariant): never {
  throw error
}
