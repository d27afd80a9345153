// One topic, followed. Over a WebSocket, or where none can be opened over an EventSource, which takes one of the few connections
// a browser has for a host. It always knows the cursor behind the last record it handed on, and after a cut, a restart or a sleep
// goes on from there: every record once, in order.
//
// Credit bounds what the broker may have sent and the page has not taken yet. A connection that has been silent for longer than
// the broker ever is counts as dead; whether the browser believes to be online is not asked, since the broker may be on this
// machine.

import type { Problem } from './broker.ts'
import { parseExact } from './exact-json.ts'

export interface LiveRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly appendedAt: number
  readonly key?: string
  readonly keyBase64?: string
  readonly value?: unknown
  readonly valueBase64?: string
  readonly tombstone?: true
  readonly headers?: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
}

export interface Reset {
  readonly partition: number | null
  readonly from: number | null
  readonly to: number | null
  readonly reason: string
}

export type LiveState =
  | { kind: 'connecting' }
  | { kind: 'live'; over: 'WebSocket' | 'EventSource' }
  | { kind: 'waiting'; problem: Problem | null }
  | { kind: 'ended'; problem: Problem }
  | { kind: 'paused' }

export interface Wanted {
  readonly topic: string
  /** Until there is a cursor. */
  readonly from: string
  readonly tags: readonly string[]
}

export interface LiveListener {
  onRecords(records: readonly LiveRecord[]): void
  onReset(reset: Reset): void
  onState(state: LiveState): void
}

/** What comes over either connection; `op` is a socket's word, `type` an event's. */
type Message = {
  op?: string
  type?: string
  problem?: Problem
  cursor?: string
  records?: LiveRecord[]
} & Partial<Reset>

const SUB = 'page'
const CREDIT = { records: 1_000, bytes: 1024 * 1024 }
const BACKOFF_MS = 250
const BACKOFF_MS_MAX = 5_000
/** Of attempts in a row that failed, each third is made over an EventSource. */
const ATTEMPTS_OVER_SOCKET = 2
const SILENCE_MS_MAX = 40_000
const PONG_MS_MAX = 3_000
/** What a restart, a slow reader or a lost connection ends a socket with; beyond are refusals. */
const REFUSED_FROM = 4400

const encoder = new TextEncoder()

export class Live {
  readonly #wanted: Wanted
  readonly #listener: LiveListener
  #cursor: string | null = null
  #connection: WebSocket | EventSource | null = null
  #isStopped = true
  #failures = 0
  #retry = 0
  #watch = 0
  readonly #lookNow = (): void => this.#look()

  constructor(wanted: Wanted, listener: LiveListener) {
    this.#wanted = wanted
    this.#listener = listener
  }

  start(): void {
    if (!this.#isStopped) return
    this.#isStopped = false
    addEventListener('online', this.#lookNow)
    document.addEventListener('visibilitychange', this.#lookNow)
    this.#connect()
  }

  /** May be started again. */
  stop(): void {
    this.#end({ kind: 'paused' })
  }

  #connect(): void {
    this.#listener.onState({ kind: 'connecting' })
    const overSocket = this.#failures % (ATTEMPTS_OVER_SOCKET + 1) < ATTEMPTS_OVER_SOCKET
    if (overSocket) this.#openSocket()
    else this.#openStream()
    this.#listen(SILENCE_MS_MAX)
  }

  #openSocket(): void {
    const { topic, from, tags } = this.#wanted
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/v1/ws`, 'naru.v1.json')
    this.#connection = socket
    socket.onopen = () => {
      const place = this.#cursor === null ? { from } : { cursor: this.#cursor }
      const filter = tags.length === 0 ? null : { tags }
      socket.send(JSON.stringify({ op: 'subscribe', id: SUB, topics: [topic], ...place, ...filter, credit: CREDIT }))
    }
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      if (socket !== this.#connection) return
      const message = parseExact(data) as Message
      this.#take(message, 'WebSocket')
      if (message.op === 'records' && socket === this.#connection) {
        const records = message.records!.length
        socket.send(JSON.stringify({ op: 'credit', sub: SUB, records, bytes: encoder.encode(data).length }))
      }
    }
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#connection) return
      if (code < REFUSED_FROM) return this.#lost(null)
      this.#end({ kind: 'ended', problem: { title: reason, code: String(code) } })
    }
  }

  #openStream(): void {
    const { topic, from, tags } = this.#wanted
    const query = new URLSearchParams(this.#cursor === null ? { from } : { cursor: this.#cursor })
    if (tags.length > 0) query.set('tags', tags.join(','))
    const stream = new EventSource(`/v1/topics/${encodeURIComponent(topic)}/records/stream?${query}`)
    this.#connection = stream
    for (const type of ['records', 'position', 'reset', 'problem', 'drain']) {
      stream.addEventListener(type, ({ data }: MessageEvent<string>) => {
        if (stream === this.#connection) this.#take(parseExact(data) as Message, 'EventSource')
      })
    }
    stream.onerror = () => {
      if (stream !== this.#connection) return
      // It tries again by itself, from the id it was last given; unless it was refused.
      if (stream.readyState === EventSource.CLOSED) this.#lost(null)
      else this.#listener.onState({ kind: 'waiting', problem: null })
    }
  }

  #take(message: Message, over: 'WebSocket' | 'EventSource'): void {
    this.#listen(SILENCE_MS_MAX)
    switch (message.op ?? message.type ?? '') {
      case 'subscribed':
      case 'position':
        this.#failures = 0
        this.#listener.onState({ kind: 'live', over })
        break
      case 'records':
        this.#listener.onRecords(message.records!)
        break
      case 'reset':
        this.#listener.onReset(message as Reset)
        break
      case 'error':
        return message.problem!.retryable === true
          ? this.#lost(message.problem!)
          : this.#end({ kind: 'ended', problem: message.problem! })
      case 'problem':
        return this.#listener.onState({ kind: 'waiting', problem: message.problem! })
    }
    // Behind what was just handed on.
    if (message.cursor !== undefined) this.#cursor = message.cursor
  }

  #lost(problem: Problem | null): void {
    this.#disconnect()
    this.#failures++
    this.#listener.onState({ kind: 'waiting', problem })
    const backoffMs = Math.min(BACKOFF_MS * 2 ** (this.#failures - 1), BACKOFF_MS_MAX)
    this.#retry = window.setTimeout(() => this.#connect(), backoffMs * (0.5 + Math.random() / 2))
  }

  #end(state: LiveState): void {
    if (this.#isStopped) return
    this.#isStopped = true
    removeEventListener('online', this.#lookNow)
    document.removeEventListener('visibilitychange', this.#lookNow)
    clearTimeout(this.#retry)
    this.#disconnect()
    this.#listener.onState(state)
  }

  #disconnect(): void {
    clearTimeout(this.#watch)
    this.#connection?.close()
    this.#connection = null
  }

  /** Expects to hear something within that time. */
  #listen(withinMs: number): void {
    clearTimeout(this.#watch)
    this.#watch = window.setTimeout(() => this.#lost(null), withinMs)
  }

  /** Something may have changed: a wait ends, and a connection shows that it is one. */
  #look(): void {
    const connection = this.#connection
    if (connection === null) {
      clearTimeout(this.#retry)
      return this.#connect()
    }
    if (!(connection instanceof WebSocket) || connection.readyState !== WebSocket.OPEN) return
    connection.send(JSON.stringify({ op: 'ping', id: 'look' }))
    this.#listen(PONG_MS_MAX)
  }
}
