// One WebSocket: many subscriptions, produce, and the order of both. Operations are taken one after another as they came, each
// answered by its `id`; what is pushed carries its `sub`. An operation that is wrong harms none of the others.
//
// Memory is bounded both ways. Out: no unit is added to a socket that buffers, and one that takes nothing for `slowMs` is closed
// with 1013; its client resumes from its cursor. In: it is not read from while much of what it said is under way, or while its
// answers pile up.

import { limits } from '../../core/base/index.ts'
import type { FetchStart } from '../../core/broker/index.ts'
import type { Join } from '../../core/group/index.ts'
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
import { Member, type MemberOutlet } from './member.ts'
import { joinOf } from './member-join.ts'
import type { AssignedPlace, MemberPlace } from './member-holds.ts'
import {
  answerMessage,
  assignedMessage,
  drainMessage,
  errorMessage,
  joinedMessage,
  positionMessage,
  resetMessage,
  revokedMessage,
  subscribedMessage,
  welcomeMessage,
} from './messages.ts'
import { openPush, type PushRequest, subscriptionOn } from './opening.ts'
import { Outbox, type RawSocket } from './outbox.ts'
import type { SlowReader } from './slow-readers.ts'
import { produceOver } from './socket-produce.ts'
import type { Pushing } from './subscription.ts'
import type { Reset } from './unit-reader.ts'
import type { Unit } from './unit.ts'
import type { PushWorld } from './world.ts'

const CloseCode = { badFrame: 4400, fenced: 4409, restart: 1012, slow: 1013 } as const

/** Buffered by a socket that counts as drained. */
const DRAINED_BYTES = 64 * 1024
/** Answers that may pile up before the socket is read from no more. */
const UNREAD_BYTES_MAX = 1024 * 1024
const EARLIEST: FetchStart = { kind: 'earliest' }

export class PushSocket implements MemberOutlet, SlowReader {
  readonly #world: PushWorld
  readonly #raw: RawSocket
  readonly #outbox: Outbox
  readonly #subscriptions = new Map<string, Pushing>()
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
    for (const subscription of this.#subscriptions.values()) void this.#drop(subscription)
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

  sendUnit({ name }: Pushing, unit: Unit): number {
    const frame = unit.frame(name)
    const bytes = unit.bytesOf(frame)
    if (bytes > limits.SOCKET_FRAME_BYTES_MAX) {
      this.#send(errorMessage({ sub: name }, tooLargeForFrame(unit, bytes)))
      return -1
    }
    this.#send(frame)
    return bytes
  }

  sendPosition({ name }: Pushing, cursor: string): void {
    this.#send(positionMessage(name, cursor))
  }

  sendReset({ name }: Pushing, reset: Reset): void {
    this.#send(resetMessage(name, reset))
  }

  sendAssigned({ name }: Pushing, places: readonly AssignedPlace[], generation: number): void {
    this.#send(assignedMessage(name, places, generation))
  }

  sendRevoked({ name }: Pushing, places: readonly MemberPlace[], generation: number): void {
    this.#send(revokedMessage(name, places, generation))
  }

  sendEnd(subscription: Pushing, problem: Problem): void {
    this.#send(errorMessage({ sub: subscription.name }, problem))
    this.#subscriptions.delete(subscription.name)
    void this.#drop(subscription)
  }

  fenced(member: Member, problem: Problem): void {
    this.#world.members.delete(member)
    this.#send(errorMessage({ sub: member.name }, problem))
    this.#close(CloseCode.fenced, 'no member of the group any more')
  }

  failed(subscription: Pushing, error: unknown): void {
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
      case 'commit':
        return this.#commit(op)
      case 'release':
        return this.#release(op)
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
    const { id, group, member } = op
    if (group !== undefined && member !== undefined) return this.#join(op, joinOf(op, group, member))
    const asked = this.#request(op)
    const opened = asked instanceof Problem ? asked : await openPush(this.#world.broker, asked)
    if (this.#isClosed) return
    if (opened instanceof Problem) return this.#send(errorMessage({ id }, opened))
    const credit = creditOf(op)
    const subscription = subscriptionOn(this.#world, this, { name: id, credit }, asked as PushRequest, opened)
    this.#add(subscription)
    this.#send(subscribedMessage(id, cursorOf(opened.session)))
    for (const reset of opened.resets) this.sendReset(subscription, reset)
    subscription.resume()
  }

  async #join(op: SubscribeOp, join: Omit<Join, 'kind'>): Promise<void> {
    const fault = this.#subscribeFault(op)
    if (fault !== null) return this.#send(errorMessage({ id: op.id }, fault))
    const { members } = this.#world
    const member = new Member(op.id, join, creditOf(op), this, this.#world)
    const earlier = members.add(member)
    const generation = await member.join()
    if (generation instanceof Problem) {
      members.giveBack(member, earlier)
      return this.#send(errorMessage({ id: op.id }, generation))
    }
    if (this.#isClosed) return this.#drop(member)
    earlier?.replaced()
    this.#add(member)
    this.#send(joinedMessage(op.id, generation))
    member.start()
  }

  #add(subscription: Pushing): void {
    this.#subscriptions.set(subscription.name, subscription)
    this.#world.pulse.add(subscription)
  }

  #subscribeFault(op: SubscribeOp): Problem | null {
    if (this.#subscriptions.has(op.id)) return Problem.at('/id', 'a subscription of this id is open')
    if (this.#subscriptions.size >= limits.SOCKET_SUBSCRIPTIONS_MAX) {
      const subscriptionsMax = limits.SOCKET_SUBSCRIPTIONS_MAX
      return new Problem('limit-reached', `A socket holds at most ${subscriptionsMax} subscriptions`, {
        subscriptionsMax,
      })
    }
    if (new Set(op.topics).size < op.topics.length) return Problem.at('/topics', 'a topic is named twice')
    return null
  }

  #request(op: SubscribeOp): PushRequest | Problem {
    const fault = this.#subscribeFault(op)
    if (fault !== null) return fault
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

  /** Others do not wait for it: what follows is decided after it. */
  #commit(op: Extract<ClientOp, { op: 'commit' }>): void {
    const member = this.#subscriptions.get(op.sub)
    if (!(member instanceof Member)) return this.#send(errorMessage(op, noSuchMember(op.sub)))
    this.#begin(0)
    const answer = (problem: Problem | null): void => {
      this.#send(problem === null ? answerMessage('ok', op.id) : errorMessage(op, problem))
      this.#end(0)
    }
    member.commit(op).then(answer, (error: unknown) => {
      this.#world.onFailure(error)
      answer(new Problem('internal', 'See the log of the broker', {}, 'unknown'))
    })
  }

  async #release(op: Extract<ClientOp, { op: 'release' }>): Promise<void> {
    const member = this.#subscriptions.get(op.sub)
    if (!(member instanceof Member)) return this.#send(errorMessage(op, noSuchMember(op.sub)))
    await member.release()
    this.#send(answerMessage('ok', op.id))
  }

  async #unsubscribe(op: Extract<ClientOp, { op: 'unsubscribe' }>): Promise<void> {
    const subscription = this.#subscriptions.get(op.sub)
    if (subscription === undefined) return this.#send(errorMessage(op, noSuchSubscription(op.sub)))
    this.#subscriptions.delete(op.sub)
    await this.#drop(subscription)
    this.#send(answerMessage('ok', op.id))
  }

  async #drop(subscription: Pushing): Promise<void> {
    this.#world.pulse.delete(subscription)
    subscription.close()
    // Over a restart of the broker its place is kept.
    if (!(subscription instanceof Member) || !this.#world.members.delete(subscription) || this.#isDraining) return
    await subscription.leave().catch((error: unknown) => this.#world.onFailure(error))
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

function creditOf({ credit }: SubscribeOp): Credit | null {
  return credit === undefined ? null : new Credit(credit.records, credit.bytes)
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

function noSuchMember(sub: string): Problem {
  return Problem.at('/sub', `there is no subscription ${JSON.stringify(sub)} of a group on this socket`)
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
