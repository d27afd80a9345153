// Commands on the cluster, passed on to the controller by whichever broker they came to. A command is sent again only when it
// provably was not decided: the controller said that it is none, or nobody was there to send it to. What was sent and not answered
// may have been done: `unknown-outcome`. An answer is given when this broker's own image holds it.
//
// On the wire: JSON, `{id, command}` there and `{id, answer}` back. Ids are of the process that asks.

import type {
  BrokerCommand,
  BrokerReply,
  ClusterCommand,
  ClusterReply,
  TopicCommand,
  TopicReply,
} from '../cluster/index.ts'
import type { Peer, PeerListener, Peers, Random } from '../ports/index.ts'
import type { Decided, Metadata, MetadataRefusal } from './metadata.ts'
import type { Quorum, QuorumCommand, QuorumReply } from './quorum.ts'
import type { Timers } from './timers.ts'

type Command = ClusterCommand | QuorumCommand
type Reply = ClusterReply | QuorumReply
export type Answer = Exclude<Decided, { kind: 'decided' }> | { kind: 'decided'; reply: Reply; end: number }

export interface ForwardingWorld {
  readonly nodeId: number
  readonly peers: Peers
  readonly timers: Timers
  readonly random: Random
  readonly metadata: Pick<Metadata, 'controller' | 'onController' | 'decide' | 'reached'>
  readonly quorum: Pick<Quorum, 'decide'>
}

/** An election takes its time; a client waits no longer than this for one. */
const CONTROLLER_MS = 5_000
const ANSWER_MS = 10_000
const AGAIN_MS = 50
/** How long an answer waits for this broker to have heard of it. */
const REACHED_MS = 2_000

const NOBODY_THERE = { kind: 'refused', why: 'not-controller' } as const

const encoder = new TextEncoder()
const decoder = new TextDecoder()

type Message = { id: number; command: Command } | { id: number; answer: Answer }

interface Asked {
  readonly to: number
  settle(answer: Answer): void
}

export class Forwarding implements PeerListener {
  readonly #world: ForwardingWorld
  readonly #asked = new Map<number, Asked>()
  readonly #sleeping = new Set<() => void>()
  /** Begins anywhere: what is still answered to a process before this one is nobody's. */
  #nextId: number
  #isClosed = false

  constructor(world: ForwardingWorld) {
    this.#world = world
    this.#nextId = world.random.u32()
    world.peers.listen('forward', this)
    world.metadata.onController((nodeId) => this.#settle(({ to }) => to !== nodeId))
  }

  submit(command: TopicCommand): Promise<TopicReply | MetadataRefusal>
  submit(command: BrokerCommand): Promise<BrokerReply | MetadataRefusal>
  submit(command: QuorumCommand): Promise<QuorumReply | MetadataRefusal>
  async submit(command: Command): Promise<Reply | MetadataRefusal> {
    const { timers, metadata } = this.#world
    if (this.#isClosed) return { kind: 'closing' }
    const deadlineMs = timers.nowMs() + CONTROLLER_MS
    for (;;) {
      const answer = await this.#attempt(command)
      switch (answer.kind) {
        case 'decided':
          await this.#within(REACHED_MS, metadata.reached(answer.end))
          return answer.reply
        case 'unknown-outcome':
          return answer
        case 'refused':
          if (this.#isClosed || answer.why === 'closing') return { kind: 'closing' }
          if (answer.why === 'no-space') return { kind: 'no-space' }
          if (timers.nowMs() >= deadlineMs) return { kind: 'no-controller' }
          await this.#within(AGAIN_MS, new Promise<never>(() => {}))
      }
    }
  }

  /** What is under way is answered. */
  close(): void {
    this.#isClosed = true
    this.#settle(() => true)
    for (const wake of this.#sleeping) wake()
  }

  onMessage(from: Peer, bytes: Uint8Array): void {
    const message = messageOf(bytes)
    // Another version may ask what this one does not know: it hears nothing, and takes the outcome for unknown.
    if (message === null) return
    if ('command' in message) void this.#serve(from, message.id, message.command)
    else if (this.#asked.get(message.id)?.to === from.nodeId) this.#asked.get(message.id)?.settle(message.answer)
  }

  onDown({ nodeId }: Peer): void {
    this.#settle(({ to }) => to === nodeId)
  }

  /** Those asked may have decided, and will hardly say so any more. */
  #settle(of: (asked: Asked) => boolean): void {
    for (const asked of [...this.#asked.values()]) if (of(asked)) asked.settle({ kind: 'unknown-outcome' })
  }

  async #attempt(command: Command): Promise<Answer> {
    const to = this.#world.metadata.controller
    if (to === null) return NOBODY_THERE
    return to === this.#world.nodeId ? this.#decide(command) : this.#ask(to, command)
  }

  async #decide(command: Command): Promise<Answer> {
    const { metadata, quorum } = this.#world
    if (command.kind === 'add-voter' || command.kind === 'remove-voter') return quorum.decide(command)
    return metadata.decide(command)
  }

  async #ask(to: number, command: Command): Promise<Answer> {
    const id = this.#nextId++
    const answered = new Promise<Answer>((resolve) => this.#asked.set(id, { to, settle: resolve }))
    const isSent = this.#world.peers.send(to, 'control', 'forward', bytesOf({ id, command }))
    const answer = isSent ? await this.#within(ANSWER_MS, answered) : NOBODY_THERE
    this.#asked.delete(id)
    return answer ?? { kind: 'unknown-outcome' }
  }

  async #serve(from: Peer, id: number, command: Command): Promise<void> {
    const answer: Answer = this.#isClosed ? { kind: 'refused', why: 'closing' } : await this.#decide(command)
    // Who asked and hears nothing takes the outcome for unknown.
    this.#world.peers.send(from.nodeId, 'control', 'forward', bytesOf({ id, answer }))
  }

  /** Null: it took longer, or this is closed. */
  async #within<Value>(ms: number, promise: Promise<Value>): Promise<Value | null> {
    const { timers } = this.#world
    if (this.#isClosed) return null
    let wake!: () => void
    const late = new Promise<null>((resolve) => (wake = () => resolve(null)))
    this.#sleeping.add(wake)
    const timer = timers.at(timers.nowMs() + ms, { expire: wake })
    const value = await Promise.race([promise, late])
    timers.cancel(timer)
    this.#sleeping.delete(wake)
    return value
  }
}

const KINDS: Readonly<Record<Command['kind'], true>> = {
  'create-topic': true,
  'create-internal-topic': true,
  'alter-topic': true,
  'delete-topic': true,
  'add-partitions': true,
  'retire-partition': true,
  'remove-partition': true,
  'allocate-producer-ids': true,
  'register-broker': true,
  'broker-heartbeat': true,
  'fence-broker': true,
  'grow-replicas': true,
  look: true,
  'add-voter': true,
  'remove-voter': true,
}

/** Null: not one of these. Who sends has proved to be a broker of this cluster: what is in it is taken as it is. */
function messageOf(bytes: Uint8Array): Message | null {
  let message: Message
  try {
    message = JSON.parse(decoder.decode(bytes)) as Message
  } catch {
    return null
  }
  if (typeof message !== 'object' || message === null) return null
  if ('command' in message) return Object.hasOwn(KINDS, message.command?.kind) ? message : null
  return 'answer' in message ? message : null
}

function bytesOf(message: Message): Uint8Array {
  return encoder.encode(JSON.stringify(message))
}
