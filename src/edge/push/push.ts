// The pushing side of the edge: sockets and event streams over one set of feeds. The HTTP server hands connections over to it; it
// never sees a request that is not for it.

import { BrokenInvariant, limits } from '../../core/base/index.ts'
import type { Broker } from '../../core/broker/index.ts'
import type { Clock, Events, Meter } from '../../core/ports/index.ts'
import { cursorOf, Problem, problemOf, RecordsWriter } from '../wire/index.ts'
import { EventStream } from './event-stream.ts'
import { Feeds } from './feeds.ts'
import { Flushes } from './flushes.ts'
import { Members } from './members.ts'
import { openPush, type PushRequest, subscriptionOn } from './opening.ts'
import { Pulse } from './pulse.ts'
import { SlowReaders } from './slow-readers.ts'
import { PushSocket } from './socket.ts'
import { socketSettings } from './socket-settings.ts'
import { Drafts } from './unit-reader.ts'
import { subprotocolOf } from './upgrade.ts'
import type { PushWorld } from './world.ts'

export interface PushOptions {
  readonly broker: Broker
  readonly clock: Clock
  readonly meter: Meter
  readonly nodeId: number
  /** Sockets and event streams together. */
  readonly connectionsMax: number
  readonly slowMs: number
  readonly heartbeatMs: number
  /** A socket that has been silent for so long, pings included, is closed. Bun counts from 8. */
  readonly idleS: number
  readonly events: Events
}

export interface SocketData {
  socket: PushSocket | null
}

/** Of the server: what turns a request into a socket. */
export interface Upgrading {
  upgrade(request: Request, options: { data: SocketData; headers?: Record<string, string> }): boolean
}

/** What an answer to an EventSource may be other than 200: anything else would end it for good. */
const STREAM_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404, 422])
const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // Proxies that gather answers would hold events back.
  'x-accel-buffering': 'no',
}
/** Around the records of a frame: names, and a cursor at its longest. */
const FRAME_MARGIN_BYTES = limits.CURSOR_BYTES_MAX + 1024

export class Push {
  readonly #options: PushOptions
  readonly #world: PushWorld
  readonly #sockets = new Set<PushSocket>()
  readonly #streams = new Set<EventStream>()
  /** For the server: all sockets are this room's. */
  readonly websocket: Bun.WebSocketHandler<SocketData>
  #isDraining = false
  #onEmpty: (() => void) | null = null

  constructor(options: PushOptions) {
    const { broker, clock, meter, nodeId, slowMs, heartbeatMs } = options
    this.#options = options
    const turn = (): Promise<void> => new Promise((resolve) => clock.nextTurn(resolve))
    const slow = new SlowReaders(limits.PUSH_BUFFERED_BYTES_MAX)
    this.#world = {
      broker,
      nodeId,
      drafts: new Drafts(new RecordsWriter(broker.codec), limits.SOCKET_FRAME_BYTES_MAX - FRAME_MARGIN_BYTES),
      feeds: new Feeds(turn),
      pulse: new Pulse(clock, heartbeatMs, slow),
      slow,
      flushes: new Flushes(),
      heartbeatMs,
      slowMs,
      monotonicMs: () => clock.monotonic(),
      turn,
      sleep: (ms) => new Promise((resolve) => void clock.wakeAt(clock.monotonic() + ms, resolve)),
      members: new Members(),
      onFailure: (error) => failed(options.events, error),
    }
    this.websocket = this.#handler(options.idleS)
    meter.gauge('naru_push_sockets', 'WebSockets open', () => this.#sockets.size)
    meter.gauge('naru_push_streams', 'Event streams open', () => this.#streams.size)
    meter.gauge('naru_push_slow_readers', 'Connections that do not take what they were sent', () => slow.count)
    meter.gauge('naru_push_slow_bytes', 'What is kept for them', () => slow.bytes)
    meter.gauge('naru_push_members', 'Members of groups, by WebSocket', () => this.#world.members.count)
    meter.gauge('naru_push_subscriptions', 'Subscriptions over WebSockets', () => this.#subscriptionCount())
  }

  /** Null: there is a socket now, and nothing to be answered. */
  upgrade(request: Request, offeredProtocols: string | undefined, server: Upgrading): Problem | null {
    const protocol = subprotocolOf(offeredProtocols)
    if (protocol instanceof Problem) return protocol
    const refusal = this.#refusal()
    if (refusal !== null) return refusal
    const headers = protocol === '' ? {} : { headers: { 'sec-websocket-protocol': protocol } }
    if (server.upgrade(request, { data: { socket: null }, ...headers })) return null
    return new Problem('malformed', 'This address is for WebSockets: ask for an upgrade')
  }

  /** A problem: what may be answered without an event stream. */
  async stream(asked: PushRequest): Promise<Response | Problem> {
    const refusal = this.#refusal()
    if (refusal !== null) return streamOf(this.#endedStream(refusal))
    const opened = await openPush(this.#options.broker, asked)
    if (opened instanceof Problem) {
      return STREAM_STATUSES.has(opened.status) ? opened : streamOf(this.#endedStream(opened))
    }
    const stream: EventStream = new EventStream(this.#world, () => this.#ended(stream))
    this.#streams.add(stream)
    this.#world.pulse.start()
    const subscription = subscriptionOn(this.#world, stream, { name: '', credit: null }, asked, opened)
    stream.start(subscription, cursorOf(opened.session), opened.resets)
    return streamOf(stream)
  }

  /** Says that the broker goes. Resolves when every connection has ended, within `afterMs`. */
  async drain(afterMs: number): Promise<void> {
    this.#isDraining = true
    for (const stream of this.#streams) stream.drain(afterMs)
    for (const socket of this.#sockets) socket.drain(afterMs)
    if (this.#isEmpty) return
    const { clock } = this.#options
    await new Promise<void>((resolve) => {
      const cancel = clock.wakeAt(clock.monotonic() + afterMs, () => {
        for (const socket of this.#sockets) socket.restart()
        resolve()
      })
      this.#onEmpty = () => {
        cancel()
        resolve()
      }
    })
  }

  #handler(idleS: number): Bun.WebSocketHandler<SocketData> {
    return {
      ...socketSettings(idleS),
      open: (raw) => {
        raw.data.socket = new PushSocket(this.#world, raw)
        this.#sockets.add(raw.data.socket)
        this.#world.pulse.start()
      },
      message: (raw, message) => raw.data.socket!.message(typeof message === 'string' ? message : null),
      drain: (raw) => raw.data.socket!.drained(),
      close: (raw) => this.#closed(raw.data.socket!),
    }
  }

  get #isEmpty(): boolean {
    return this.#sockets.size === 0 && this.#streams.size === 0
  }

  #refusal(): Problem | null {
    if (this.#isDraining) return problemOf({ kind: 'closing' })
    const { connectionsMax } = this.#options
    if (this.#sockets.size + this.#streams.size < connectionsMax) return null
    return new Problem('busy', `${connectionsMax} sockets and event streams are open`, { connectionsMax })
  }

  #endedStream(problem: Problem): EventStream {
    const stream = new EventStream(this.#world, () => {})
    stream.endWith(problem)
    return stream
  }

  #closed(socket: PushSocket): void {
    socket.closed()
    this.#sockets.delete(socket)
    this.#restIfEmpty()
  }

  #ended(stream: EventStream): void {
    this.#streams.delete(stream)
    this.#restIfEmpty()
  }

  #restIfEmpty(): void {
    if (!this.#isEmpty) return
    this.#world.pulse.stop()
    this.#onEmpty?.()
  }

  #subscriptionCount(): number {
    let count = 0
    for (const socket of this.#sockets) count += socket.subscriptionCount
    return count
  }
}

function streamOf(stream: EventStream): Response {
  return new Response(stream.readable, { headers: EVENT_STREAM_HEADERS })
}

function failed(events: Events, error: unknown): void {
  events.error('push-failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  // Outside of the connection, where it stops the process.
  if (error instanceof BrokenInvariant) queueMicrotask(() => raise(error))
}

function raise(error: BrokenInvariant): never {
  throw error
}
