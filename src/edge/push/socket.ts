// One WebSocket: many subscriptions, produce, and the order of both. Operations are taken one after another as they came, each
// answered by its `id`; what is pushed carries its `sub`. An operation that is wrong harms none of the others.
//
// Memory is bounded both ways. Out: no unit is added to a socket that buffers, and one that takes nothing for `slowMs` is closed
// with 1013; its client resumes from its cursor. In: it is not read from while much of what it said is under way, or while its
// answers pile up.

import { limits } from '../../core/base/index.ts'
import type { FetchStart } from '../../core/broker/index.ts'
import {
  type ClientOp,
  cursorOf,
  Problem,
  problemOf,
  readCursor,
  readOp,
  readStart,
  type RefusedOp,
  type SubscribeOp,
} from '../wire/index.ts'
import { Credit } from './credit.ts'
import {
  answerMessage,
  drainMessage,
  errorMessage,
  positionMessage,
  resetMessage,
  subscribedMessage,
  welcomeMessage,
} from './messages.ts'
import { openPush, type PushRequest, subscriptionOn } from './opening.ts'
import { Outbox, type RawSocket } from './outbox.ts'
import type { SlowReader } from './slow-readers.ts'
import { produceOver } from './socket-produce.ts'
import type { Outlet, Subscription } from './subscription.ts'
import type { Reset } from './unit-reader.ts'
import type { Unit } from './unit.ts'
import type { PushWorld } from './world.ts'

const CloseCode = { badFrame: 4400, restart: 1012, slow: 1013 } as const

/** Buffered by a socket that counts as drained. */
const DRAINED_BYTES = 64 * 1024
/** Answers that may pile up before the socket is read from no more. */
const UNREAD_BYTES_MAX = 1024 * 1024
const EARLIEST: FetchStart = { kind: 'earliest' }

export class PushSocket implements Outlet, SlowReader {
  readonly #world: PushWorld
  readonly #raw: RawSocket
  readonly #outbox: Outbox
  readonly #subscriptions = new Map<string, Subscription>()
  /** Resolves when the latest operation that could not be done at once is. */
  #ahead: Promise<void> | null = null
  /** Of what it said, not answered yet. */
  #underWayBytes = 0
  #underWayCount = 0
  #isPaused = false
  #isDraining = false
  #isClosed = false
  /** Since when it took nothing, and how much it had then. */
  #stalledAtMs = 0
  #stalledBytes = 0

  constructor(world: PushWorld, raw: RawSocket) {
    this.#world = world
    this.#raw = raw
    this.#outbox = new Outbox(
      raw,
      world.flushes,
      () => this.#onStalled(),
      () => this.letGo(),
    )
    this.#send(welcomeMessage(world.nodeId, limits.SOCKET_FRAME_BYTES_MAX, world.heartbeatMs))
  }

  get subscriptionCount(): number {
    return this.#subscriptions.size
  }

  /** `text` null: a binary frame. */
  message(text: string | null): void {
    if (this.#isClosed) return
    const op = text === null ? null : readOp(text)
    if (op === null || text === null) return this.#close(CloseCode.badFrame, 'a frame is one JSON object, as text')
    if (this.#isDraining) return this.#send(errorMessage({ id: idOf(op) }, problemOf({ kind: 'closing' })))
    if (this.#ahead === null) {
      const done = this.#perform(op, text.length)
      if (done instanceof Promise) this.#await(done, 0)
    } else {
      this.#begin(text.length)
      this.#await(
        this.#ahead.then(() => this.#perform(op, text.length)),
        text.length,
      )
    }
  }

  /** The socket sent some of what it buffered. */
  drained(): void {
    if (this.#isClosed || !this.#outbox.isStalled || this.#raw.getBufferedAmount() > DRAINED_BYTES) return
    this.#outbox.isStalled = false
    this.#world.slow.delete(this)
    this.#mindReading()
    for (const subscription of this.#subscriptions.values()) subscription.resume()
  }

  /** The client went, or was closed. */
  closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#outbox.clear()
    this.#world.slow.delete(this)
    for (const subscription of this.#subscriptions.values()) this.#drop(subscription)
    this.#subscriptions.clear()
  }

  /** Says that the broker goes, and closes when what is under way has been answered. */
  drain(afterMs: number): void {
    this.#isDraining = true
    this.#send(drainMessage(afterMs))
    if (this.#underWayCount === 0) this.restart()
  }

  restart(): void {
    this.#close(CloseCode.restart, 'the broker restarts')
  }

  lookAgain(nowMs: number): void {
    const buffered = this.#raw.getBufferedAmount()
    if (buffered < this.#stalledBytes) {
      this.#stalledAtMs = nowMs
      this.#stalledBytes = buffered
    } else if (nowMs - this.#stalledAtMs >= this.#world.slowMs) {
      this.letGo()
    }
  }

  letGo(): void {
    this.#close(CloseCode.slow, 'too slow: resume from the last cursor')
  }

  // --- what is pushed --------------------------------------------------------------------------------------------------

  get isWritable(): boolean {
    return !this.#outbox.isStalled && !this.#isClosed && !this.#isDraining
  }

  sendUnit(subscription: Subscription, unit: Unit): number {
    const frame = unit.frame(subscription.name)
    const bytes = unit.bytesOf(frame)
    if (bytes > limits.SOCKET_FRAME_BYTES_MAX) {
      this.#send(errorMessage({ sub: subscription.name }, tooLargeForFrame(unit, bytes)))
      return -1
    }
    this.#send(frame)
    return bytes
  }

  sendPosition(subscription: Subscription, cursor: string): void {
    this.#send(positionMessage(subscription.name, cursor))
  }

  sendReset(subscription: Subscription, reset: Reset): void {
    this.#send(resetMessage(subscription.name, reset))
  }

  sendEnd(subscription: Subscription, problem: Problem): void {
    this.#send(errorMessage({ sub: subscription.name }, problem))
    this.#subscriptions.delete(subscription.name)
    this.#drop(subscription)
  }

  failed(subscription: Subscription, error: unknown): void {
    this.#world.onFailure(error)
    this.sendEnd(subscription, new Problem('internal', 'See the log of the broker'))
  }

  // --- operations ------------------------------------------------------------------------------------------------------

  /** A promise: the next operation has to wait for it. */
  #perform(op: ClientOp | RefusedOp, bytes: number): void | Promise<void> {
    if (this.#isClosed) return
    switch (op.op) {
      case 'refused':
        return this.#send(errorMessage(op, op.problem))
      case 'hello':
        return this.#send(welcomeMessage(this.#world.nodeId, limits.SOCKET_FRAME_BYTES_MAX, this.#world.heartbeatMs))
      case 'ping':
        return this.#send(answerMessage('pong', op.id))
      case 'subscribe':
        return this.#subscribe(op)
      case 'credit':
        return this.#grant(op)
      case 'unsubscribe':
        return this.#unsubscribe(op)
      case 'produce': {
        this.#begin(bytes)
        const answer = (text: string): void => {
          this.#send(text)
          this.#end(bytes)
        }
        const fail = (error: unknown): void => {
          this.#world.onFailure(error)
          answer(errorMessage(op, new Problem('internal', 'See the log of the broker', {}, 'unknown')))
        }
        return produceOver(this.#world.broker, op, answer, fail)?.catch(fail)
      }
    }
  }

  async #subscribe(op: SubscribeOp): Promise<void> {
    const { id } = op
    const asked = this.#request(op)
    const opened = asked instanceof Problem ? asked : await openPush(this.#world.broker, asked)
    if (this.#isClosed) return
    if (opened instanceof Problem) return this.#send(errorMessage({ id }, opened))
    const credit = op.credit === undefined ? null : new Credit(op.credit.records, op.credit.bytes)
    const subscription = subscriptionOn(this.#world, this, { name: id, credit }, asked as PushRequest, opened)
    this.#subscriptions.set(id, subscription)
    this.#world.pulse.add(subscription)
    this.#send(subscribedMessage(id, cursorOf(opened.session)))
    for (const reset of opened.resets) this.sendReset(subscription, reset)
    subscription.resume()
  }

  #request(op: SubscribeOp): PushRequest | Problem {
    if (this.#subscriptions.has(op.id)) return Problem.at('/id', 'a subscription of this id is open')
    if (this.#subscriptions.size >= limits.SOCKET_SUBSCRIPTIONS_MAX) {
      const subscriptionsMax = limits.SOCKET_SUBSCRIPTIONS_MAX
      return new Problem('limit-reached', `A socket holds at most ${subscriptionsMax} subscriptions`, {
        subscriptionsMax,
      })
    }
    if (new Set(op.topics).size < op.topics.length) return Problem.at('/topics', 'a topic is named twice')
    const { topics, partition = null } = op
    if (partition !== null && topics.length > 1) return Problem.at('/partition', 'a partition is of one topic')
    const start = startOf(op, this.#world.broker.nowMs())
    if (start instanceof Problem) return start
    return { topics, partition, start, tags: op.tags === undefined ? null : new Set(op.tags) }
  }

  #grant(op: Extract<ClientOp, { op: 'credit' }>): void {
    const subscription = this.#subscriptions.get(op.sub)
    const place = { id: op.id ?? null, sub: op.sub }
    if (subscription === undefined) return this.#send(errorMessage(place, noSuchSubscription(op.sub)))
    if (subscription.grant(op.records, op.bytes)) return
    const message = `this subscription has no credit to add to, or would have more than ${limits.CREDIT_MAX}`
    this.#send(errorMessage(place, Problem.at('/records', message)))
  }

  #unsubscribe(op: Extract<ClientOp, { op: 'unsubscribe' }>): void {
    const subscription = this.#subscriptions.get(op.sub)
    if (subscription === undefined) return this.#send(errorMessage(op, noSuchSubscription(op.sub)))
    this.#subscriptions.delete(op.sub)
    this.#drop(subscription)
    this.#send(answerMessage('ok', op.id))
  }

  #drop(subscription: Subscription): void {
    this.#world.pulse.delete(subscription)
    subscription.close()
  }

  // --- bounds ----------------------------------------------------------------------------------------------------------

  #await(done: Promise<void>, bytes: number): void {
    const settled = done.catch((error: unknown) => {
      this.#world.onFailure(error)
      this.#close(1011, 'the broker failed')
    })
    const ahead = settled.then(() => {
      if (bytes > 0) this.#end(bytes)
      if (this.#ahead === ahead) this.#ahead = null
    })
    this.#ahead = ahead
  }

  #begin(bytes: number): void {
    this.#underWayCount++
    this.#underWayBytes += bytes
    this.#mindReading()
  }

  #end(bytes: number): void {
    this.#underWayCount--
    this.#underWayBytes -= bytes
    this.#mindReading()
    if (this.#isDraining && this.#underWayCount === 0) this.restart()
  }

  #mindReading(): void {
    if (this.#isClosed) return
    const isFull =
      this.#underWayBytes > limits.SOCKET_PRODUCE_BYTES_MAX ||
      (this.#outbox.isStalled && this.#raw.getBufferedAmount() > UNREAD_BYTES_MAX + this.#stalledBytes)
    if (isFull === this.#isPaused) return
    this.#isPaused = isFull
    if (isFull) this.#raw.pause()
    else this.#raw.resume()
  }

  #onStalled(): void {
    this.#stalledAtMs = this.#world.monotonicMs()
    this.#stalledBytes = this.#raw.getBufferedAmount()
    this.#world.slow.add(this, this.#stalledBytes)
  }

  #send(text: string): void {
    if (this.#isClosed) return
    this.#outbox.send(text)
    if (this.#outbox.isStalled) this.#mindReading()
  }

  #close(code: number, reason: string): void {
    if (this.#isClosed) return
    this.#outbox.flush()
    if (this.#isClosed) return
    this.closed()
    this.#raw.close(code, reason)
  }
}

function startOf({ topics, partition, cursor, from }: SubscribeOp, nowMs: number): FetchStart | Problem {
  if (cursor === undefined) return from === undefined ? EARLIEST : readStart(from, nowMs, partition !== undefined)
  if (from !== undefined) return Problem.at('/from', 'cursor and from both say where to start')
  const entries = readCursor(cursor)
  if (entries instanceof Problem) return entries
  if (topics.length > 1 && entries.some(({ topicId }) => topicId === null)) {
    return Problem.at('/cursor', 'a cursor by hand is of one topic')
  }
  return { kind: 'cursor', entries }
}

function noSuchSubscription(sub: string): Problem {
  return Problem.at('/sub', `there is no subscription ${JSON.stringify(sub)} on this socket`)
}

function tooLargeForFrame(unit: Unit, bytes: number): Problem {
  const { partition, offset } = unit.firstPlace
  const frameBytesMax = limits.SOCKET_FRAME_BYTES_MAX
  return new Problem(
    'record-too-large',
    `Record ${offset} of partition ${partition} makes a frame of ${bytes} bytes; read it over HTTP, and go on from nextCursor`,
    { topic: unit.topic, partition, offset, bytes, frameBytesMax, nextCursor: unit.cursor },
  )
}

function idOf(op: ClientOp | RefusedOp): string | null {
  return op.id ?? null
}
