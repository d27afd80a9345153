// A handful of replicas on a bench: messages lie in inboxes until delivered, storage is instant unless held, time passes
// only when ticked. Everything a test of one rule needs, and nothing random: replica n campaigns after
// electionTicks + n − 1 = 8 + n ticks of silence, and asks others in turn.

import { assert } from '../../../src/core/base/index.ts'
import {
  defaultRaftOptions,
  type Entry,
  lastIndexOf,
  type Message,
  nodeIdOf,
  type Position,
  Raft,
  type RaftOptions,
  type Ready,
  type ReplicaId,
  replicaIdOf,
  type SnapshotHead,
  type Vote,
  type Write,
} from '../../../src/core/raft/index.ts'
import { LogImage } from '../../sim/raft/log-image.ts'

export const idOf = (node: number): ReplicaId => replicaIdOf(node, 'a')

const benchOptions: RaftOptions = {
  ...defaultRaftOptions,
  electionTicks: 9,
  heartbeatTicks: 1,
  quorumTicks: 9,
}

export class Replica {
  readonly id: ReplicaId
  readonly inbox: Message[] = []
  readonly applied: Entry[] = []
  readonly restored: SnapshotHead[] = []
  readonly reads: number[] = []
  readonly droppedReads: number[] = []
  log = new LogImage()
  vote: Vote = { term: 0, votedFor: null }
  /** While held, votes and writes wait for `finishVote` and `finishWrite`. */
  held = false
  pendingVote: Vote | null = null
  pendingWrites: Write[] = []
  raft: Raft
  readonly #options: RaftOptions

  constructor(node: number, options: RaftOptions, genesis: readonly ReplicaId[]) {
    this.id = idOf(node)
    this.#options = options
    if (genesis.length > 0) {
      this.log.append([{ index: 1, count: 1, term: 1, body: { kind: 'voters', voters: genesis } }])
      this.vote = { term: 1, votedFor: null }
    }
    this.raft = this.start()
  }

  /** A new state machine over what is stored; the inbox and all that was not stored are gone. */
  start(abstainUntil: Position | null = null): Raft {
    this.inbox.length = 0
    this.pendingVote = null
    this.pendingWrites = []
    const { log } = this
    const storage = {
      vote: () => this.vote,
      snapshot: () => log.snapshot?.head ?? null,
      firstIndex: () => log.firstIndex,
      lastIndex: () => log.lastIndex,
      term: (index: number) => log.term(index),
      memberships: () => log.memberships(),
      startOf: (index: number) => log.startOf(index),
      entries: (from: number, upTo: number, bytesMax: number) => log.entries(from, upTo, bytesMax),
    }
    let draws = 0
    const random = { u32: () => nodeIdOf(this.id) - 1 + this.#options.electionTicks * draws++, fill: () => {} }
    this.raft = new Raft({ id: this.id, storage, options: this.#options, random, abstainUntil })
    return this.raft
  }

  /** Takes one `Ready` and does its parts; null when there was none. Messages are the caller's to carry. */
  process(): Ready | null {
    const ready = this.raft.ready()
    if (ready === null) return null
    if (ready.vote !== null) this.pendingVote = ready.vote
    this.pendingWrites.push(...ready.writes)
    if (!this.held) this.finishStorage()
    if (ready.restore !== null) {
      this.restored.push(ready.restore)
      this.raft.applied(ready.restore.index)
    }
    this.applied.push(...ready.committed)
    if (ready.committed.length > 0) this.raft.applied(lastIndexOf(ready.committed.at(-1)!))
    this.reads.push(...ready.reads)
    this.droppedReads.push(...ready.droppedReads)
    return ready
  }

  finishStorage(): void {
    if (this.pendingVote !== null) this.finishVote()
    while (this.pendingWrites.length > 0) this.finishWrite()
  }

  finishVote(): void {
    assert(this.pendingVote !== null, 'no vote is being saved')
    this.vote = this.pendingVote
    this.pendingVote = null
    this.raft.voteSaved()
  }

  finishWrite(): void {
    const write = this.pendingWrites.shift()
    assert(write !== undefined, 'no write is under way')
    this.log.apply(write, (head) => ({ head, chain: 0 }))
    this.raft.stored(write.seq)
  }

  /** A snapshot of what is applied through `index`; the log is cut off below it. */
  compact(index: number): void {
    const term = this.log.term(index)
    assert(term !== null && index <= this.raft.appliedIndex, 'nothing to make a snapshot of')
    this.log.compact({ head: { index, term, voters: this.raft.votersAt(index) }, chain: 0 }, index + 1)
    this.raft.snapshotMade(index)
  }
}

export class Bench {
  readonly replicas = new Map<number, Replica>()
  /** Messages for which this is true are lost instead of delivered. */
  lose: (message: Message) => boolean = () => false
  readonly options: RaftOptions

  constructor(nodes: number, o: { voters?: readonly number[]; options?: Partial<RaftOptions> } = {}) {
    this.options = { ...benchOptions, ...o.options }
    const voters = o.voters ?? Array.from({ length: nodes }, (_, i) => i + 1)
    for (let node = 1; node <= nodes; node++) {
      const genesis = voters.includes(node) ? voters.map(idOf) : []
      const replica = new Replica(node, this.options, genesis)
      replica.raft.contact(voters.map(idOf))
      this.replicas.set(node, replica)
    }
  }

  at(node: number): Replica {
    const replica = this.replicas.get(node)
    assert(replica !== undefined, 'no such replica')
    return replica
  }

  raft(node: number): Raft {
    return this.at(node).raft
  }

  /** Processes one `Ready` and puts its messages into inboxes. */
  process(node: number): Ready | null {
    const ready = this.at(node).process()
    for (const message of ready?.messages ?? []) this.post(message)
    return ready
  }

  post(message: Message): void {
    if (!this.lose(message)) this.replicas.get(nodeIdOf(message.to))?.inbox.push(message)
  }

  /** Steps everything in the inbox of `node`. */
  deliver(node: number): number {
    const messages = this.at(node).inbox.splice(0)
    for (const message of messages) this.raft(node).step(message)
    return messages.length
  }

  /** `nodes` do all they have to do; what they sent lies in inboxes, undelivered. */
  work(...nodes: number[]): Message[] {
    const sent: Message[] = []
    for (const node of nodes)
      for (let ready = this.process(node); ready !== null; ready = this.process(node)) sent.push(...ready.messages)
    return sent
  }

  /** Works until nobody has anything left to do. */
  settle(nodes: readonly number[] = [...this.replicas.keys()]): void {
    for (let round = 0; round < 1000; round++) {
      let busy = false
      for (const node of nodes) while (this.process(node) !== null) busy = true
      for (const node of nodes) if (this.deliver(node) > 0) busy = true
      if (!busy) return
    }
    throw new Error('does not settle')
  }

  tick(node: number, ticks = 1): void {
    for (let i = 0; i < ticks; i++) this.raft(node).tick()
  }

  /** Everybody ticks and everything settles, tick by tick. */
  pass(ticks: number, nodes: readonly number[] = [...this.replicas.keys()]): void {
    for (let i = 0; i < ticks; i++) {
      for (const node of nodes) this.tick(node)
      this.settle(nodes)
    }
  }

  /** `node` campaigns and everything settles. */
  elect(node: number): void {
    this.raft(node).campaign()
    this.settle()
    assert(this.raft(node).role === 'leader', 'it was not elected')
  }

  propose(node: number, text = 'x', count = 1): number {
    const proposed = this.raft(node).propose(new TextEncoder().encode(text), count)
    assert(proposed.kind === 'proposed', () => `refused: ${proposed.kind}`)
    return proposed.index
  }

  /** Cuts `nodes` off from everybody else. */
  isolate(...nodes: number[]): void {
    this.lose = (message) => nodes.includes(nodeIdOf(message.from)) !== nodes.includes(nodeIdOf(message.to))
  }

  heal(): void {
    this.lose = () => false
  }
}
