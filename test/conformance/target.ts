// What the conformance suite speaks to: the app in process, the app on a port, and, where it has been built, the executable.
// Every test runs against each of them; deadlines are short, so that stalls are tests of a second.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'bun:test'
import { Registry } from 'prom-client'
import { Broker } from '../../src/core/broker/index.ts'
import { type Config, resolveConfig } from '../../src/edge/config.ts'
import { HostDisk, hostClock, hostCodec, hostMeter, hostRandom } from '../../src/edge/host/index.ts'
import { createApp, listen } from '../../src/edge/http/index.ts'
import { Push } from '../../src/edge/push/index.ts'
import { BrokerProcess, scratchFolder } from '../e2e/broker-process.ts'

export const BODY_MS = 500
export const UPLOAD_IDLE_MS = 700
export const ALLOWED_ORIGIN = 'https://pages.example'

export interface Target {
  readonly name: string
  /** 0 in process: there is no socket. */
  readonly port: number
  fetch(path: string, init?: RequestInit): Promise<Response>
}

interface Started extends Target {
  stop(): Promise<void>
}

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

function config(folder: string): Config {
  const flags = {
    data: folder,
    port: '0',
    bodyMs: String(BODY_MS),
    uploadIdleMs: String(UPLOAD_IDLE_MS),
    allowOrigins: ALLOWED_ORIGIN,
  }
  const resolved = resolveConfig(flags, {}, {})
  if (resolved.kind === 'invalid') throw new Error(resolved.problems.join('\n'))
  return resolved.config
}

function startBroker(folder: string): Promise<Broker> {
  return Broker.start({
    disk: new HostDisk(folder),
    clock: hostClock,
    random: hostRandom,
    codec: hostCodec,
    meter: hostMeter(new Registry()),
    events: quiet,
    settings: {
      autoCreateTopics: true,
      topicDefaults: { partitions: 1, replicationFactor: 3, config: {} },
      foreignFiles: [],
    },
    halt(why, error) {
      throw new Error(`the broker halted: ${why}`, { cause: error })
    },
  })
}

function pushOf(broker: Broker): Push {
  return new Push({
    broker,
    clock: hostClock,
    meter: hostMeter(new Registry()),
    events: { ...quiet, error: (event, fields) => fail([event, fields]) },
    nodeId: broker.identity.nodeId,
    connectionsMax: 1_000,
    slowMs: 30_000,
    idleS: 60,
    heartbeatMs: 15_000,
  })
}

const fail = (error: unknown): never => {
  throw new Error('the app failed', { cause: error })
}

async function inProcess(): Promise<Started> {
  const scratch = scratchFolder('conformance')
  const broker = await startBroker(scratch.folder)
  const { requestBytesMax, bodyMs, uploadIdleMs, allowOrigins } = config(scratch.folder)
  const app = createApp(broker, {
    clusterId: broker.identity.clusterId,
    nodeId: broker.identity.nodeId,
    version: 'test',
    allowedOrigins: allowOrigins,
    uploads: { requestBytesMax, bodyMs, bodyBytesPerS: 64 * 1024, uploadIdleMs },
    lingerMs: 200,
    heartbeatMs: 15_000,
    push: pushOf(broker),
    metricsText: () => '# HELP naru\n',
    onFailure: fail,
  })
  return {
    name: 'in process',
    port: 0,
    fetch: async (path, init) => app.fetch(new Request(`http://naru.test${path}`, withLength(init))),
    async stop() {
      await broker.close()
      scratch.remove()
    },
  }
}

/** A client would say how long a body is that it holds. */
function withLength(init: RequestInit = {}): RequestInit {
  const { body } = init
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.length : -1
  if (bytes < 0) return init
  const headers = new Headers(init.headers)
  if (!headers.has('content-length')) headers.set('content-length', String(bytes))
  // A Request names a type for text by itself, which no other client does.
  if (!headers.has('content-type') && typeof body === 'string') return { ...init, headers, body: Buffer.from(body) }
  return { ...init, headers }
}

async function onPort(): Promise<Started> {
  const scratch = scratchFolder('conformance')
  const broker = await startBroker(scratch.folder)
  const registry = new Registry()
  const meter = hostMeter(registry)
  const events = { ...quiet, error: (event: string, fields?: unknown) => fail([event, fields]) }
  const push = pushOf(broker)
  const server = listen(config(scratch.folder), {
    websocket: push.websocket as Bun.WebSocketHandler<unknown>,
    peerPath: '/v1/peer',
    upgradePeer: () => null,
  })
  server.open(broker, { events, meter, push, metricsText: () => registry.metrics() })
  return {
    name: 'on a port',
    port: server.port,
    fetch: (path, init) => fetch(server.url + path, plainText(init)),
    async stop() {
      broker.stopTakingWork()
      await server.stop(100, () => broker.close())
      scratch.remove()
    },
  }
}

async function executable(): Promise<Started> {
  const scratch = scratchFolder('conformance')
  const flags = [
    '--body-ms',
    String(BODY_MS),
    '--upload-idle-ms',
    String(UPLOAD_IDLE_MS),
    '--allow-origins',
    ALLOWED_ORIGIN,
  ]
  const broker = await BrokerProcess.start({ data: scratch.folder, flags })
  return {
    name: 'executable',
    port: broker.port,
    fetch: (path, init) => fetch(broker.url + path, plainText(init)),
    async stop() {
      await broker.kill()
      scratch.remove()
    },
  }
}

function plainText(init: RequestInit = {}): RequestInit {
  return typeof init.body === 'string' && !new Headers(init.headers).has('content-type')
    ? { ...init, body: Buffer.from(init.body) }
    : init
}

const binary = process.env['NARU_BINARY'] ?? join(import.meta.dir, '../../dist/naru')
const starts = [inProcess, onPort, ...(existsSync(binary) ? [executable] : [])]

/** Declares `tests` once for each target. */
export function forEachTarget(tests: (target: () => Target) => void, { needsPort = false } = {}): void {
  for (const start of needsPort ? starts.slice(1) : starts) {
    describe(start.name, () => {
      let target: Started
      beforeAll(async () => {
        target = await start()
      })
      afterAll(() => target.stop())
      tests(() => target)
    })
  }
}
