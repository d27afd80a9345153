// Does what the state machine says, in the order of `Ready`, and tells it what was done: the vote and the log in a store,
// messages through the peers, time in ticks. What is committed is told to one listener, by its end; that asks for the
// entries itself, so a machine that loads and one that follows read in the same way.
//
// When the store has no room, everything it had not reported stored is gone. Nothing of it was acknowledged, so the replica
// goes on as one that was killed and started again: a new state machine over what the store holds.
//
// A sole voter that nobody follows needs no time, and an idle broker sleeps.

import { assert } from '../base/index.ts'
import type { Clock, Codec, Events, Peer, Peers, Random } from '../ports/index.ts'
import { type Entry, lastIndexOf } from './entry.ts'
import type { MembershipChange } from './membership.ts'
import type { Message } from './message.ts'
import { decodeMessage, encodeMessage } from './message-codec.ts'
import type { RaftOptions } from './options.ts'
import { Raft } from './raft.ts'
import type { Ready, Standing } from './ready.ts'
import { nodeIdOf, type ReplicaId, replicaIdOf } from './replica-id.ts'
import { SnapshotTransfer } from './snapshot-transfer.ts'
import type { SnapshotHead } from './storage.ts'
import type { RaftStore, RaftStoreListener } from './store.ts'

export interface DriverSetup {
  readonly id: ReplicaId
  readonly store: RaftStore
  readonly options: RaftOptions
  readonly tickMs: number
  readonly random: Random
  readonly clock: Clock
  readonly codec: Codec
  readonly events: Events
  readonly peers: Peers
  readonly halt: (why: string, error: unknown) => void
}

/** Called from the event loop, never from inside a call of the driver. */
export interface DriverListener {
  onStanding(standing: Standing): void
  /** All below `end` is committed and durable here. */
  onCommitted(end: number): void
  /** An installed snapshot has taken the place of the log: all up to its head is committed. */
  onRestored(head: SnapshotHead): void
  /** The store had no room. `isElsewhere`: what was proposed may have reached another voter. */
  onRefused(isElsewhere: boolean): void
}

/** After the store had no room, a sole voter tries again. */
const RETRY_MS = 1_000

export class RaftDriver implements RaftStoreListener {
  readonly #setup: DriverSetup
  readonly #transfer: SnapshotTransfer
  #listener: DriverListener | null = null
  /** Null before the start, after the end, and while a store without room settles. */
  #raft: Raft | null = null
  readonly #up = new Set<ReplicaId>()
  #committedEnd = 0
  #isRefused = false
  #isClosed = false
  #isPumpDue = false
  #isPumping = false
  #cancelTick: (() => void) | null = null
  /** Asked whether this replica still leads: not yet a read, and reads by their id. */
  #asking: ((leads: boolean) => void)[] = []
  readonly #reads = new Map<number, (leads: boolean) => void>()
  #atHand: (() => void)[] = []

  constructor(setup: DriverSetup) {
    this.#setup = setup
    const { store, peers, events } = setup
    this.#transfer = new SnapshotTransfer({
      store,
      peers,
      events,
      onWhole: (message) => this.#step(message),
      onFailed: (error) => setup.halt('a received snapshot could not be kept', error),
      onSent: (to, outcome) => {
        this.#raft?.snapshotReport(replicaOf(to), outcome)
        this.#pump()
      },
    })
  }

  start(listener: DriverListener): void {
    const { store, peers } = this.#setup
    this.#listener = listener
    store.listen(this)
    this.#boot()
    if (this.#isSoleVoter) this.campaign()
    peers.listen('raft', {
      onMessage: (from, bytes) => this.#onMessage(from, bytes),
      onUp: (peer) => this.#onUp(replicaOf(peer)),
      onDown: (peer) => this.#onDown(replicaOf(peer)),
    })
    peers.listen('snapshot', { onMessage: (from, bytes) => this.#transfer.onMessage(from, bytes) })
    this.#pump()
  }

  /** Null while there is none: see above. */
  get raft(): Omit<Raft, 'step' | 'tick' | 'ready' | 'stored' | 'applied' | 'voteSaved'> | null {
    return this.#raft
  }

  get committedEnd(): number {
    return this.#committedEnd
  }

  /** The store had no room, and since then nothing was committed. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  get isLeading(): boolean {
    return this.#raft?.role === 'leader'
  }

  /** The only voter, here and now. */
  get #isSoleVoter(): boolean {
    const voters = this.#raft?.voters
    return voters?.length === 1 && voters[0] === this.#setup.id
  }

  campaign(): void {
    this.#raft?.campaign()
    this.#pumpSoon()
  }

  /** Only of a leader. Composed and sent in the next turn, together with what else comes in this one. */
  propose(bytes: Uint8Array, count: number): ReturnType<Raft['propose']> {
    assert(this.#raft !== null, 'only a leader proposes')
    const proposed = this.#raft.propose(bytes, count)
    this.#pumpSoon()
    return proposed
  }

  changeMembership(change: MembershipChange): ReturnType<Raft['changeMembership']> {
    if (this.#raft === null) return { kind: 'not-leader', leader: null }
    const changed = this.#raft.changeMembership(change)
    this.#pumpSoon()
    return changed
  }

  transfer(to: ReplicaId): ReturnType<Raft['transfer']> {
    if (this.#raft === null) return { kind: 'not-leader', leader: null }
    const started = this.#raft.transfer(to)
    this.#pumpSoon()
    return started
  }

  /** To whoever holds the most, so that those who stay need not find out that this one is gone. False: to nobody. */
  handOver(): boolean {
    const raft = this.#raft
    if (raft?.role !== 'leader') return false
    let best: ReplicaId | null = null
    for (const voter of raft.voters) {
      if (!this.#up.has(voter)) continue
      const match = raft.progressOf(voter)?.match ?? 0
      if (best === null || match > (raft.progressOf(best)?.match ?? 0)) best = voter
    }
    return best !== null && this.transfer(best).kind === 'started'
  }

  /** Whether nobody else led when this was asked: a majority says so afterwards. Null: that is sure at once. */
  confirm(): Promise<boolean> | null {
    if (!this.isLeading) return Promise.resolve(false)
    if (this.#isSoleVoter) return null
    this.#pumpSoon()
    return new Promise((resolve) => this.#asking.push(resolve))
  }

  /** Whole entries from the one that holds `from`; fewer than asked when they are many. Rejects when they are gone. */
  async entries(from: number, upTo: number, bytesMax: number): Promise<readonly Entry[]> {
    for (;;) {
      const raft = this.#raft
      if (raft === null || from < raft.firstIndex) throw new Error(`the entry at ${from} is not in the log any more`)
      const entries = raft.entries(from, upTo, bytesMax)
      if (entries !== null) return entries
      await new Promise<void>((resolve) => this.#atHand.push(resolve))
    }
  }

  /** The storage holds a snapshot up to `index`. */
  snapshotMade(index: number): void {
    // one that began anew meanwhile has yet to apply that far
    if (this.#raft !== null && index <= this.#raft.appliedIndex) this.#raft.snapshotMade(index)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTick?.()
    this.#cancelTick = null
    this.#end()
    await this.#setup.store.close()
  }

  // --- the store -------------------------------------------------------------------------------------------------------

  onStored(seq: number): void {
    this.#raft?.stored(seq)
    this.#pump()
  }

  onAtHand(): void {
    this.#tellAtHand()
    this.#pump()
  }

  onRefused(): void {
    if (this.#isClosed || this.#raft === null) return
    const isElsewhere = !this.#isSoleVoter
    this.#isRefused = true
    this.#end()
    this.#listener!.onRefused(isElsewhere)
    const { store, clock, halt } = this.#setup
    store.settled().then(
      () => {
        if (this.#isClosed) return
        this.#boot()
        clock.wakeAt(clock.monotonic() + RETRY_MS, () => this.#retry())
        this.#pump()
      },
      (error: unknown) => halt('the metadata log could not be cut back', error),
    )
  }

  #retry(): void {
    if (!this.#isClosed && this.#isSoleVoter) this.campaign()
  }

  #boot(): void {
    const { id, store, options, random } = this.#setup
    this.#raft = new Raft({ id, storage: store, options, random })
    this.#raft.contact([...this.#up])
    this.#committedEnd = Math.max(this.#committedEnd, this.#raft.commitIndex + 1)
  }

  /** This life of the state machine is over. */
  #end(): void {
    this.#raft = null
    this.#forgetReads()
    this.#tellAtHand()
  }

  // --- peers and time --------------------------------------------------------------------------------------------------

  #onMessage(peer: Peer, bytes: Uint8Array): void {
    const message = decodeMessage(bytes, this.#setup.codec)
    if (message === null || message.from !== replicaOf(peer)) {
      this.#setup.events.warn('peer-message-refused', { nodeId: peer.nodeId, bytes: bytes.length })
      return
    }
    const raft = this.#raft
    if (raft === null || message.to !== this.#setup.id) return
    const isWanted =
      message.kind === 'install' &&
      message.term >= raft.term &&
      message.head.index > raft.commitIndex &&
      raft.termOf(message.head.index) !== message.head.term
    if (isWanted) this.#transfer.offered(message, peer.nodeId)
    else this.#step(message)
  }

  #step(message: Message): void {
    this.#raft?.step(message)
    this.#pump()
  }

  #onUp(replica: ReplicaId): void {
    this.#up.add(replica)
    this.#raft?.contact([replica])
    this.#raft?.observe(replica)
    this.#pump()
  }

  #onDown(replica: ReplicaId): void {
    this.#up.delete(replica)
    this.#raft?.unreachable(replica)
    this.#pump()
  }

  #send(message: Message): void {
    const { peers, codec } = this.#setup
    const sent = peers.send(nodeIdOf(message.to), 'control', 'raft', encodeMessage(message, codec))
    if (!sent && message.kind === 'append') this.#raft?.unreachable(message.to)
  }

  #setTick(): void {
    const needsTime = this.#raft !== null && !(this.isLeading && this.#isSoleVoter && this.#up.size === 0)
    if (!needsTime || this.#cancelTick !== null) return
    const { clock, tickMs } = this.#setup
    // What waits to be taken in comes before the time that has passed: a stalled loop must not believe in silence.
    this.#cancelTick = clock.wakeAt(clock.monotonic() + tickMs, () =>
      clock.nextTurn(() => {
        if (this.#isClosed) return
        this.#cancelTick = null
        this.#raft?.tick()
        this.#pump()
      }),
    )
  }

  // --- what is to be done ----------------------------------------------------------------------------------------------

  #pumpSoon(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    this.#setup.clock.nextTurn(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#isPumping || this.#isClosed) return
    this.#isPumping = true
    this.#beginReads()
    for (let raft = this.#raft, ready = raft?.ready(); raft !== null && ready; ready = raft.ready()) {
      this.#do(raft, ready)
      if ((raft = this.#raft) === null) break
      this.#beginReads()
    }
    this.#isPumping = false
    this.#setTick()
  }

  #do(raft: Raft, ready: Ready): void {
    const { store } = this.#setup
    const listener = this.#listener!
    if (ready.standing !== null) {
      if (ready.standing.role !== 'leader') this.#forgetReads()
      listener.onStanding(ready.standing)
    }
    if (ready.vote !== null) this.#saveVote(raft, ready.vote)
    for (const write of ready.writes) {
      if (write.kind === 'append') store.append(write.seq, write.entries)
      else store.install(write.seq, write.head)
    }
    for (const message of ready.messages) this.#send(message)
    if (ready.restore !== null) {
      raft.applied(ready.restore.index)
      this.#committedEnd = Math.max(this.#committedEnd, ready.restore.index + 1)
      listener.onRestored(ready.restore)
    }
    const last = ready.committed.at(-1)
    if (last !== undefined) {
      raft.applied(lastIndexOf(last))
      this.#isRefused = false
      if (lastIndexOf(last) >= this.#committedEnd) {
        this.#committedEnd = lastIndexOf(last) + 1
        listener.onCommitted(this.#committedEnd)
      }
    }
    for (const id of ready.reads) this.#answer(id, true)
    for (const id of ready.droppedReads) this.#answer(id, false)
  }

  #saveVote(raft: Raft, vote: NonNullable<Ready['vote']>): void {
    this.#setup.store.saveVote(vote).then(
      () => {
        if (raft !== this.#raft) return
        raft.voteSaved()
        this.#pump()
      },
      (error: unknown) => this.#setup.halt('the vote could not be saved', error),
    )
  }

  // --- reads -----------------------------------------------------------------------------------------------------------

  #beginReads(): void {
    if (this.#asking.length === 0 || this.#raft?.established !== true) return
    for (const resolve of this.#asking.splice(0)) {
      const reading = this.#raft.readIndex()
      if (reading.kind === 'reading') this.#reads.set(reading.id, resolve)
      else resolve(false)
    }
  }

  #answer(id: number, leads: boolean): void {
    this.#reads.get(id)?.(leads)
    this.#reads.delete(id)
  }

  #forgetReads(): void {
    for (const resolve of this.#asking.splice(0)) resolve(false)
    for (const resolve of this.#reads.values()) resolve(false)
    this.#reads.clear()
  }

  #tellAtHand(): void {
    for (const resolve of this.#atHand.splice(0)) resolve()
  }
}

function replicaOf({ nodeId, directoryId }: Peer): ReplicaId {
  return replicaIdOf(nodeId, directoryId)
}
