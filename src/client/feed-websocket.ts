// Records over a WebSocket. What may be sent is told by credit, renewed as records are taken, so that a slow taker holds no more
// than was asked for. A socket that is silent for longer than the broker ever is gets asked, and is then given up.

import { isProblem } from './brokers.ts'
import { deliver, type FeedWorld, FrameTooSmall, placeOf, type ReceivedRecords } from './feed.ts'
import type { Reset } from './inbox.ts'
import { NaruError } from './naru-error.ts'
import { type MemberMessage, SocketMember } from './socket-member.ts'

const SUB = 'records'
const PROTOCOL = 'naru.v1.json'
/** For the connection and the welcome; also for the answer to a ping. */
const ANSWER_MS = 10_000
/** For what is in hand when the consumer is closed, its commit, and to leave. */
const LEAVE_MS = 30_000
/** Nothing to be gained by trying again: bad frame, not authorised, not allowed, fenced. */
const FINAL_CODES: ReadonlySet<number> = new Set([4400, 4401, 4403, 4409])

type Message =
  | { op: 'welcome'; heartbeatMs: number }
  | { op: 'subscribed'; cursor?: string }
  | MemberMessage
  | ({ op: 'records' } & ReceivedRecords)
  | { op: 'position'; cursor: string }
  | ({ op: 'reset' } & Reset)
  | { op: 'error'; id?: string; problem: unknown }
  | { op: 'pong' | 'ok'; id: string }
  | { op: 'drain' }

export function hasWebSocket(): boolean {
  return typeof WebSocket === 'function'
}

export function followSocket(world: FeedWorld, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const following = new Following(world, (error) => {
      signal.removeEventListener('abort', stop)
      if (error === null) resolve()
      else reject(error)
    })
    const stop = (): void => void following.stop()
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
  })
}

class Following {
  readonly #world: FeedWorld
  readonly #onEnd: (error: Error | null) => void
  readonly #socket: WebSocket
  /** Null: it reads for itself. */
  readonly #member: SocketMember | null
  #watch: ReturnType<typeof setTimeout>
  #leaving: ReturnType<typeof setTimeout> | undefined
  #heartbeatMs = 0
  #isAsked = false
  #owedRecords = 0
  #owedBytes = 0
  #hasEnded = false

  constructor(world: FeedWorld, onEnd: (error: Error | null) => void) {
    this.#world = world
    this.#onEnd = onEnd
    this.#watch = setTimeout(() => this.end(new Error('no welcome in time')), ANSWER_MS)
    this.#socket = new WebSocket(`${world.brokers.url.replace(/^http/, 'ws')}/v1/ws`, PROTOCOL)
    this.#socket.addEventListener('message', ({ data }) => this.#heard(String(data)))
    this.#socket.addEventListener('error', () => this.end(new Error('the WebSocket failed')))
    this.#socket.addEventListener('close', ({ code, reason }) => this.end(closeError(code, reason)))
    world.inbox.onTaken = (records, bytes) => this.#renew(records, bytes)
    const { membership } = world
    this.#member = membership === null ? null : new SocketMember(membership, SUB, (message) => this.#say(message))
  }

  /** The consumer is closed: a member commits what is dealt with until then, and leaves. */
  async stop(): Promise<void> {
    if (this.#member === null || this.#socket.readyState !== WebSocket.OPEN) return this.end(null)
    this.#leaving = setTimeout(() => this.end(null), LEAVE_MS)
    await this.#world.taken
    await this.#member.leave()
    this.end(null)
  }

  /** Whoever ends it; what the socket still says is not heard. */
  end(error: Error | null): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    clearTimeout(this.#watch)
    clearTimeout(this.#leaving)
    this.#world.inbox.onTaken = null
    this.#member?.end()
    this.#socket.close()
    this.#onEnd(error)
  }

  #heard(text: string): void {
    if (this.#hasEnded) return
    this.#isAsked = false
    this.#listen()
    const message = this.#world.read(text) as Message
    switch (message.op) {
      case 'welcome':
        this.#heartbeatMs = message.heartbeatMs
        this.#listen()
        return this.#subscribe()
      case 'subscribed':
        return this.#world.opened(message.cursor ?? null)
      case 'assigned':
      case 'revoked':
        return this.#member?.heard(message)
      case 'records':
        return deliver(this.#world, message, utf8Bytes(text))
      case 'position':
        this.#member?.passed(message.cursor, this.#world.inbox)
        return this.#world.passed(message.cursor)
      case 'reset':
        return this.#world.inbox.push({ kind: 'reset', reset: resetOf(message) })
      case 'error':
        return this.end(this.#failureOf(message.id, message.problem))
      case 'drain':
        return this.end(new Error('the broker is going away'))
      case 'ok':
        this.#member?.answered(message.id)
        return
      case 'pong':
    }
  }

  /** What a member says behind its subscribe may be of another time: it joins again, and is told how it stands. */
  #failureOf(id: string | undefined, problem: unknown): Error {
    const failure = failureOf(problem)
    return this.#member === null || id === undefined || id === SUB ? failure : new Error(`${id}: ${failure.message}`)
  }

  #subscribe(): void {
    const { topics, partition, tags, inbox } = this.#world
    const filter = { ...(partition === null ? null : { partition }), ...(tags === null ? null : { tags }) }
    const place = this.#member === null ? placeOf(this.#world) : { ...this.#member.asked, from: this.#world.from }
    this.#say({ op: 'subscribe', id: SUB, topics, ...place, ...filter, credit: inbox.room })
  }

  /** Gathered, so that small frames do not cost a message each. */
  #renew(records: number, bytes: number): void {
    this.#owedRecords += records
    this.#owedBytes += bytes
    const { bounds, isEmpty } = this.#world.inbox
    if (!isEmpty && this.#owedRecords < bounds.records / 4 && this.#owedBytes < bounds.bytes / 4) return
    this.#say({ op: 'credit', sub: SUB, records: this.#owedRecords, bytes: this.#owedBytes })
    this.#owedRecords = 0
    this.#owedBytes = 0
  }

  #say(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }

  /** From now on it may be silent for so long. */
  #listen(): void {
    if (this.#heartbeatMs === 0) return
    clearTimeout(this.#watch)
    this.#watch = setTimeout(() => this.#ask(), this.#isAsked ? ANSWER_MS : this.#heartbeatMs * 1.5)
  }

  #ask(): void {
    if (this.#isAsked) return this.end(new Error('the WebSocket is silent'))
    this.#isAsked = true
    this.#say({ op: 'ping', id: 'alive' })
    this.#listen()
  }
}

function resetOf({ topic, partition, from, to, reason, cursor }: Reset): Reset {
  return { topic, partition, from, to, reason, cursor }
}

function failureOf(problem: unknown): Error {
  if (!isProblem(problem)) return new Error('an error without a problem')
  return problem.code === 'record-too-large' ? new FrameTooSmall(problem.detail) : NaruError.of(problem)
}

function closeError(code: number, reason: string): Error {
  const said = `The WebSocket was closed with ${code} ${reason}`
  if (!FINAL_CODES.has(code)) return new Error(said)
  const problemCode = code === 4400 ? 'malformed' : code === 4409 ? 'fenced' : 'forbidden-origin'
  return new NaruError(problemCode, said, { outcome: 'none', retryable: false })
}

const encoder = new TextEncoder()

/** What a frame counts against credit. */
function utf8Bytes(text: string): number {
  const { Buffer } = globalThis as { Buffer?: { byteLength(text: string): number } }
  return Buffer === undefined ? encoder.encode(text).length : Buffer.byteLength(text)
}
