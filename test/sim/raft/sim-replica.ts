// One simulated process: the state machine, its disk, and a driver that does what a `Ready` says, in the contract's order,
// with syncs that take time. It can be killed, lose power, be paused, and start again over what its disk kept. The driver
// of the broker, over a `core/log`, has the same face and takes this one's place.

import { assert } from '../../../src/core/base/index.ts'
import {
  type Entry,
  lastIndexOf,
  type Message,
  nodeIdOf,
  Raft,
  type Ready,
  type ReplicaId,
  replicaIdOf,
  type SnapshotHead,
  type Vote,
  type Write,
} from '../../../src/core/raft/index.ts'
import { SimRandom } from '../random.ts'
import type { World } from '../world.ts'
import type { Checker } from './checker.ts'
import { chained, type Snapshot } from './log-image.ts'
import { RaftDisk } from './raft-disk.ts'
import type { Swarm } from './swarm.ts'

export interface Packet {
  readonly message: Message
  /** Beside an `install`. */
  readonly snapshot: Snapshot | null
}

/** What a replica needs of its world. */
export interface Surroundings {
  readonly world: World
  readonly swarm: Swarm
  readonly checker: Checker
  /** Randomness of disks. */
  readonly diskRandom: SimRandom
  send(from: ReplicaId, packet: Packet): void
  /** Who can be asked for the log. */
  contacts(): readonly ReplicaId[]
  trace(replica: SimReplica, event: string): void
}

const SYNC_MS_MAX = 1500

export type WriteOutcome = 'committed' | 'unknown'

export class SimReplica {
  readonly id: ReplicaId
  readonly disk: RaftDisk
  raft: Raft | null = null
  paused = false
  /** Syncs take this many times longer. */
  slowness = 1
  /** The state machine: how far, and the chain of all that was applied. */
  appliedIndex = 0
  appliedChain = 0
  /** For the checker. */
  commitSeen = 0
  /** The voters in its log, also while it is down. */
  votersSeen: readonly ReplicaId[] = []
  readonly #around: Surroundings
  #inbox: Packet[] = []
  #life = 0
  #syncing = false
  #appliedTerm = 0
  #votesToSave: Vote[] = []
  #writesToSync = 0
  #stored = 0
  #payloads = new Map<SnapshotHead, Snapshot>()
  #proposals = new Map<number, { term: number; done: (outcome: WriteOutcome) => void }>()
  #reads = new Map<number, { mustSee: number; done: (answered: boolean) => void }>()

  constructor(node: number, directory: string, around: Surroundings) {
    this.id = replicaIdOf(node, directory)
    this.disk = new RaftDisk(this.id)
    this.#around = around
  }

  get node(): number {
    return nodeIdOf(this.id)
  }

  get up(): boolean {
    return this.raft !== null
  }

  /** The first entry of a new cluster, on each of its voters. */
  format(voters: readonly ReplicaId[]): void {
    const genesis: Entry = { index: 1, count: 1, term: 1, body: { kind: 'voters', voters } }
    this.disk.write((image) => image.append([genesis]))
    this.disk.beginCopy(0, { term: 1, votedFor: null })
    this.disk.copySynced()
    this.disk.beginCopy(1, { term: 1, votedFor: null })
    this.disk.copySynced()
  }

  start(): void {
    const { disk } = this
    assert(this.raft === null, 'it runs already')
    disk.recover()
    const snapshot = disk.written.snapshot
    this.appliedIndex = this.commitSeen = snapshot?.head.index ?? 0
    this.appliedChain = snapshot?.chain ?? 0
    this.#appliedTerm = snapshot?.head.term ?? 0
    this.#life++
    this.raft = new Raft({
      id: this.id,
      storage: disk.storage(),
      options: this.#around.swarm.options,
      random: new SimRandom(this.#around.swarm.seed, `replica ${this.id} ${this.#life}`),
      abstainUntil: disk.abstainUntil,
    })
    this.raft.contact(this.#around.contacts())
    this.votersSeen = this.raft.voters
    this.#around.trace(this, 'start')
    this.#scheduleTick()
  }

  /** The process ends; its page cache lives on. */
  kill(): void {
    this.raft = null
    this.paused = false
    this.#life++
    this.#inbox = []
    this.#syncing = false
    this.#votesToSave = []
    this.#writesToSync = this.#stored = 0
    this.#payloads.clear()
    this.#forgetClients()
    this.#around.trace(this, 'kill')
  }

  losePower(): void {
    if (this.up) this.kill()
    this.disk.losePower(this.#around.diskRandom)
    this.#around.trace(this, 'power loss')
  }

  pause(): void {
    this.paused = true
    this.#around.trace(this, 'pause')
  }

  /** What came meanwhile is taken in before the clock is believed. */
  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#around.trace(this, 'resume')
    for (const packet of this.#inbox.splice(0)) if (this.up) this.deliver(packet)
  }

  deliver(packet: Packet): void {
    if (this.raft === null || packet.message.to !== this.id) return
    if (this.paused) {
      this.#inbox.push(packet)
      return
    }
    const { message, snapshot } = packet
    if (message.kind === 'install') this.#payloads.set(message.head, snapshot!)
    this.#around.trace(this, message.kind)
    this.raft.step(message)
    this.pump()
  }

  propose(bytes: Uint8Array, count: number, done: (outcome: WriteOutcome) => void): string {
    const proposed = this.raft!.propose(bytes, count)
    if (proposed.kind === 'proposed') {
      const index = proposed.index + count - 1
      if (this.#around.swarm.driverMistake === 'reply-before-commit') this.#around.checker.onAcknowledged(index)
      this.#proposals.set(index, { term: proposed.term, done })
      this.pump()
    }
    return proposed.kind
  }

  read(done: (answered: boolean) => void): string {
    const mustSee = this.#around.checker.ackedIndex
    const reading = this.raft!.readIndex()
    if (reading.kind === 'reading') {
      this.#reads.set(reading.id, { mustSee, done })
      this.pump()
    }
    return reading.kind
  }

  /** Does whatever the state machine wants done, and lets the checker look. */
  pump(): void {
    for (let ready = this.raft?.ready(); ready; ready = this.raft?.ready()) this.#process(ready)
    if (this.raft !== null) this.votersSeen = this.raft.voters
    if (this.raft?.abstaining === false) this.disk.abstainUntil = null // it holds again what it had acknowledged
    this.#around.checker.after(this)
  }

  #process(ready: Ready): void {
    const raft = this.raft!
    if (ready.standing !== null) {
      this.#around.trace(this, `is ${ready.standing.role}`)
      if (ready.standing.role !== 'leader') this.#loseProposals()
    }
    if (ready.vote !== null) this.#saveVote(ready.vote)
    for (const write of ready.writes) this.#write(write)
    for (const message of ready.messages) {
      this.#around.checker.onSend(this, message)
      const snapshot = message.kind === 'install' ? this.disk.written.snapshot : null
      this.#around.send(this.id, { message, snapshot })
    }
    if (ready.restore !== null) this.#restore(ready.restore)
    if (ready.committed.length > 0) this.#apply(ready.committed)
    for (const id of ready.reads) this.#answer(id)
    for (const id of ready.droppedReads) {
      this.#reads.get(id)?.done(false)
      this.#reads.delete(id)
    }
    assert(this.raft === raft, 'it stopped in the middle')
  }

  // Storage

  #saveVote(vote: Vote): void {
    this.#votesToSave.push(vote)
    if (this.#votesToSave.length === 1) this.#saveNextVote()
    if (this.#around.swarm.driverMistake === 'skip-vote-sync') this.raft!.voteSaved()
  }

  #saveNextVote(): void {
    const { disk } = this
    const vote = this.#votesToSave[0]!
    disk.beginCopy(0, vote)
    this.#later(() => {
      disk.copySynced()
      disk.beginCopy(1, vote)
      this.#later(() => {
        disk.copySynced()
        this.#votesToSave.shift()
        if (this.#votesToSave.length > 0) this.#saveNextVote()
        if (this.#around.swarm.driverMistake !== 'skip-vote-sync') this.raft!.voteSaved()
        this.#around.trace(this, 'vote saved')
        this.pump()
      })
    })
  }

  #write(write: Write): void {
    const { checker } = this.#around
    if (write.kind === 'append') checker.onAppend(this, write.entries)
    const payload = write.kind === 'install' ? this.#payloads.get(write.head)! : null
    this.disk.write((image) => image.apply(write, () => payload!))
    if (write.kind === 'append') checker.onAppended(this, write.entries)
    else checker.onSnapshot(this)
    this.#writesToSync = write.seq
    if (this.#around.swarm.driverMistake === 'ack-before-sync') this.raft!.stored(write.seq)
    this.#sync()
  }

  /** One sync covers all that was written before it began; what comes meanwhile waits for the next. */
  #sync(): void {
    if (this.#syncing) return
    this.#syncing = true
    const seq = this.#writesToSync
    const operations = this.disk.unsynced
    this.#later(() => {
      this.disk.synced(operations)
      this.#syncing = false
      if (seq > this.#stored) {
        this.#stored = seq
        if (this.#around.swarm.driverMistake !== 'ack-before-sync') this.raft!.stored(seq)
        this.#around.trace(this, 'stored')
      }
      if (this.disk.unsynced > 0) this.#sync()
      this.pump()
    })
  }

  #later(run: () => void): void {
    const life = this.#life
    const { world, swarm, diskRandom } = this.#around
    world.after(Math.min(SYNC_MS_MAX, diskRandom.exponential(swarm.syncMsMean) * this.slowness), () => {
      if (life === this.#life) run()
    })
  }

  // The replicated state

  #restore(head: SnapshotHead): void {
    const snapshot = this.#payloads.get(head)!
    this.#payloads.clear()
    this.appliedIndex = head.index
    this.appliedChain = snapshot.chain
    this.#appliedTerm = head.term
    this.#around.checker.onApply(this, head.index, snapshot.chain)
    this.raft!.applied(head.index)
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.appliedIndex + 1, 'entries are applied without gaps')
      this.appliedIndex = lastIndexOf(entry)
      this.appliedChain = chained(this.appliedChain, entry)
      this.#appliedTerm = entry.term
      this.#around.checker.onApply(this, this.appliedIndex, this.appliedChain)
      const proposal = this.#proposals.get(this.appliedIndex)
      if (proposal === undefined) continue
      this.#proposals.delete(this.appliedIndex)
      if (proposal.term !== entry.term) proposal.done('unknown')
      else {
        this.#around.checker.onAcknowledged(this.appliedIndex)
        proposal.done('committed')
      }
    }
    this.raft!.applied(this.appliedIndex)
    this.#maybeSnapshot()
  }

  #maybeSnapshot(): void {
    const { snapshotEvery, entriesKept } = this.#around.swarm
    const { written } = this.disk
    if (this.appliedIndex - (written.snapshot?.head.index ?? 0) < snapshotEvery) return
    this.makeSnapshot(entriesKept)
  }

  makeSnapshot(entriesKept: number): void {
    const raft = this.raft!
    const index = this.appliedIndex
    const head = { index, term: this.#appliedTerm, voters: raft.votersAt(index) }
    const { written } = this.disk
    const first = Math.max(written.firstIndex, index + 1 - entriesKept)
    this.disk.compact({ head, chain: this.appliedChain }, first > index ? index + 1 : written.startOf(first))
    raft.snapshotMade(index)
    this.#around.checker.onSnapshot(this)
    this.#sync()
  }

  // Clients and time

  #answer(id: number): void {
    const read = this.#reads.get(id)!
    this.#reads.delete(id)
    this.#around.checker.onRead(this, read.mustSee)
    read.done(true)
  }

  #loseProposals(): void {
    for (const proposal of this.#proposals.values()) proposal.done('unknown')
    this.#proposals.clear()
  }

  #forgetClients(): void {
    this.#loseProposals()
    for (const read of this.#reads.values()) read.done(false)
    this.#reads.clear()
  }

  #scheduleTick(): void {
    const life = this.#life
    const { world, swarm } = this.#around
    const rate = 1 + swarm.drift * ((((this.node * 7) % 5) - 2) / 2)
    const tick = () => {
      if (life !== this.#life) return
      if (!this.paused) {
        this.raft!.tick()
        this.pump()
      }
      world.after(swarm.tickMs / rate, tick)
    }
    world.after((swarm.tickMs / rate) * ((this.node % 7) / 7), tick)
  }
}
