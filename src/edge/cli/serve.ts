// naru serve: a broker on this machine, from its data folder to its port, and its end.
//
// Order at the start: the folder is locked, the port opens, the broker recovers and takes requests. Order at the end (SIGTERM,
// SIGINT): the port takes nothing new, what waits is answered, what is under way is finished, everything is synced and closed,
// other brokers are told nothing more, the lock goes.

import type { Command } from 'commander'
import { Registry } from 'prom-client'
import { Broker, StartRefused } from '../../core/broker/index.ts'
import { checkTopicConfig } from '../../core/cluster/index.ts'
import { JOURNAL_PATH, JournaledDisk, StorageRefusal } from '../../core/log/index.ts'
import { type Disk, DiskError, type Events, type Meter } from '../../core/ports/index.ts'
import { type Config, flagOf, resolveConfig, SETTINGS, variableOf } from '../config.ts'
import {
  HostDisk,
  hostClock,
  hostCodec,
  hostEvents,
  hostMeter,
  hostRandom,
  LOCK_FILES,
  lockFolder,
} from '../host/index.ts'
import { type HttpServer, listen } from '../http/index.ts'
import { watchLoop } from '../metrics/index.ts'
import { BOOK_FILES, PEER_PATH } from '../peer/index.ts'
import { Push } from '../push/index.ts'
import { type Place, takePlace } from './cluster-place.ts'
import { CommandFailed } from './output.ts'
import { Sockets } from './sockets.ts'

/** What is pushed to hears something at least so often: less than what proxies take for silence. */
const HEARTBEAT_MS = 15_000
/** A socket from which nothing came, not even an answer to a ping, is taken for dead. */
const IDLE_S = 60
const FOREIGN_FILES = [...LOCK_FILES, JOURNAL_PATH, ...BOOK_FILES]

export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .description('run a broker')
    .option('--config <file>', 'a JSON file with settings by name')
    .addHelpText(
      'after',
      `
Each setting may also come from the environment (--port as ${variableOf('port')}, and so on)
or from the config file ("port": 7070). A flag wins over the environment, that over the file.

Examples:
  naru serve --data /var/lib/naru --host 0.0.0.0
  naru serve --port 0 --topic-defaults partitions=4,retentionMs=86400000`,
    )
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const fallback = Array.isArray(setting.default) ? setting.default.join(',') : String(setting.default)
    command.option(
      `${flagOf(name)} <${setting.argument}>`,
      `${setting.about}${fallback === '' ? '' : ` (${fallback})`}`,
    )
  }
  command.action(async (flags: Record<string, unknown>) => serve(await configOf(flags)))
}

async function configOf(flags: Record<string, unknown>): Promise<Config> {
  const resolved = resolveConfig(flags, process.env, await fileOf(flags['config']))
  if (resolved.kind === 'config') return resolved.config
  throw new CommandFailed(`these settings cannot be used:\n  ${resolved.problems.join('\n  ')}`)
}

async function fileOf(path: unknown): Promise<Record<string, unknown>> {
  if (typeof path !== 'string') return {}
  try {
    const value: unknown = await Bun.file(path).json()
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch (error) {
    throw new CommandFailed(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw new CommandFailed(`${path} is not a JSON object`)
}

async function serve(config: Config): Promise<void> {
  const isText = config.logFormat === 'text' || (config.logFormat === 'auto' && process.stderr.isTTY)
  const events = hostEvents(isText ? 'text' : 'json', (line) => void process.stderr.write(line), Date.now)
  const lock = lockFolder(config.data)
  if (lock.kind === 'held') {
    throw new CommandFailed(`the data folder ${config.data} is in use by another broker (${lock.holder})`)
  }
  const registry = new Registry()
  const meter = hostMeter(registry)
  const halt = (why: string, error: unknown): void => {
    events.error('halt', { why, error: String(error) })
    process.exit(70)
  }
  // A broken invariant anywhere: going on could acknowledge what is not kept.
  process.on('uncaughtException', (error) => halt('uncaught exception', error.stack ?? error))
  process.on('unhandledRejection', (error) => halt('unhandled rejection', error instanceof Error ? error.stack : error))
  const disk = await openDisk(config, events)
  const sockets = new Sockets(IDLE_S)
  const server = listening(config, sockets)
  let broker: Broker | null = null
  const directoryOf = (nodeId: number): string | null => broker?.image.broker(nodeId)?.directoryId ?? null
  const place = await orRefused(() => takePlace(config, disk, server.url, FOREIGN_FILES, events, directoryOf))
  if (place !== null) {
    sockets.openToPeers(place.transport, hostClock)
    place.transport.start()
  }
  broker = await startBroker(disk, config, place, events, meter, halt)
  const push = startPush(broker, config, events, meter)
  sockets.openToClients(push)
  server.open(broker, { events, meter, push, metricsText: () => registry.metrics() })
  const unwatch = watchLoop(meter)
  events.info('listening', { url: server.url, port: server.port })
  await endOf(server, push, broker, place, config, events)
  unwatch()
  await disk.close()
  events.info('stopped')
  lock.release()
}

async function openDisk(config: Config, events: Events): Promise<JournaledDisk> {
  return orRefused(async () => {
    const disk = new HostDisk(config.data)
    return JournaledDisk.open(disk, { codec: hostCodec, random: hostRandom, events })
  })
}

function listening(config: Config, sockets: Sockets): HttpServer {
  try {
    return listen(config, {
      websocket: sockets.websocket,
      peerPath: PEER_PATH,
      upgradePeer: (request, connection) => sockets.upgradePeer(request, connection),
    })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandFailed(`${config.host}:${config.port} cannot be listened on: ${why}`)
  }
}

async function startBroker(
  disk: Disk,
  config: Config,
  place: Place | null,
  events: Events,
  meter: Meter,
  halt: (why: string, error: unknown) => void,
): Promise<Broker> {
  return orRefused(() =>
    Broker.start({
      disk,
      clock: hostClock,
      random: hostRandom,
      codec: hostCodec,
      meter,
      events,
      settings: {
        autoCreateTopics: config.autoCreateTopics,
        topicDefaults: topicDefaultsOf(config),
        foreignFiles: FOREIGN_FILES,
      },
      ...(place === null ? null : { cluster: place.cluster }),
      metadataSnapshotBytes: config.metadataSnapshotBytes,
      halt,
    }),
  )
}

function startPush(broker: Broker, config: Config, events: Events, meter: Meter): Push {
  return new Push({
    broker,
    clock: hostClock,
    meter,
    events,
    nodeId: broker.identity.nodeId,
    connectionsMax: config.pushConnectionsMax,
    slowMs: config.slowMs,
    heartbeatMs: HEARTBEAT_MS,
    idleS: IDLE_S,
  })
}

/** What keeps a broker from starting, and is nobody's bug, is said in a line. */
async function orRefused<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof StartRefused || error instanceof StorageRefusal || error instanceof DiskError)
      throw new CommandFailed(error.message)
    throw error
  }
}

/** `partitions=4,retentionMs=86400000`, checked by the same table as a topic's own settings. */
function topicDefaultsOf({ topicDefaults }: Config): Parameters<typeof Broker.start>[0]['settings']['topicDefaults'] {
  const given: Record<string, unknown> = {}
  for (const pair of topicDefaults) {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new CommandFailed(`--topic-defaults: "${pair}" is not key=value`)
    const value = pair.slice(equals + 1)
    given[pair.slice(0, equals)] = /^-?[0-9]+$/.test(value) ? Number(value) : value
  }
  const { partitions = 1, replicationFactor = 3, ...rest } = given
  const { patch, errors } = checkTopicConfig(rest, '', false)
  if (errors.length > 0) {
    throw new CommandFailed(`--topic-defaults: ${errors.map((e) => `${e.pointer.slice(1)}: ${e.message}`).join('; ')}`)
  }
  return { partitions: Number(partitions), replicationFactor: Number(replicationFactor), config: patch }
}

/** Resolves when the broker has come to its orderly end. A second signal ends it at once. */
async function endOf(
  server: HttpServer,
  push: Push,
  broker: Broker,
  place: Place | null,
  config: Config,
  events: Events,
): Promise<void> {
  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'))
    process.once('SIGINT', () => resolve('SIGINT'))
  })
  process.once('SIGTERM', () => process.exit(130))
  process.once('SIGINT', () => process.exit(130))
  events.info('stopping', { signal })
  broker.stopTakingWork()
  const close = async (): Promise<void> => {
    await broker.close()
    place?.transport.close()
  }
  await Promise.all([push.drain(config.drainMs), server.stop(config.drainMs, close)])
}
