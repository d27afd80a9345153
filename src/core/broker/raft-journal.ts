// The journal of the metadata machine on a raft log: what the leader appends is committed when a majority has it. Offsets are
// indices, so what raft itself puts into the log (the first entry of a leadership, voters) has offsets too.

import { assert } from '../base/index.ts'
import type { LogWorld } from '../log/index.ts'
import type { Journal, JournalAppended, JournalListener, JournalRefusal, StoredRecord } from '../machine/index.ts'
import type { Peers, Random } from '../ports/index.ts'
import {
  defaultRaftOptions,
  type DriverListener,
  lastIndexOf,
  RaftDriver,
  type RaftOptions,
  type ReplicaId,
  type SnapshotHead,
  type Standing,
} from '../raft/index.ts'
import { BatchBuilder, RecordReader } from '../record/index.ts'
import { RaftFolder } from './raft-folder.ts'
import { recordsBatch, storedOf } from './raft-records.ts'
import { StartRefused } from './start-refused.ts'

const TICK_MS = 50
const READ_BYTES = 1 << 20
const HAND_OVER_MS = 1_000

export interface RaftJournalSetup {
  readonly folder: string
  readonly replica: ReplicaId
  /** A fresh folder waits for others to take it in; else it is the one voter of a new cluster. */
  readonly joins: boolean
  readonly world: LogWorld
  readonly random: Random
  readonly peers: Peers
  readonly halt: (why: string, error: unknown) => void
  /** Tests have their own. */
  readonly options?: RaftOptions
}

export class RaftJournal implements Journal, DriverListener {
  readonly driver: RaftDriver
  readonly #store: RaftFolder
  readonly #world: LogWorld
  readonly #builder: BatchBuilder
  #listener: JournalListener | null = null
  #isLeading = false
  #term = 0
  /** The last that was known. */
  #leader: ReplicaId | null = null
  #appendedAtMax = 0
  /** Of a sole voter's first leadership. */
  #first: { resolve: () => void; reject: (error: unknown) => void } | null = null
  /** Told who leads, each time another does. */
  onLeader: ((leader: ReplicaId) => void) | null = null
  /** Somebody waits for the end of this leadership. */
  #onEnd: (() => void) | null = null

  private constructor(setup: RaftJournalSetup, store: RaftFolder) {
    const { replica, world, random, peers, halt, options = defaultRaftOptions } = setup
    this.#store = store
    this.#world = world
    this.#builder = new BatchBuilder(world.codec)
    this.driver = new RaftDriver({
      id: replica,
      store,
      options,
      tickMs: TICK_MS,
      random,
      clock: world.clock,
      codec: world.codec,
      events: world.events,
      peers,
      halt,
    })
  }

  /** Resolves when the log is open; that of a sole voter, when it leads under a durable term. Rejects with `StartRefused`. */
  static async open(setup: RaftJournalSetup): Promise<RaftJournal> {
    const { folder, replica, joins, world } = setup
    const store = await RaftFolder.open({ folder, replica, forms: joins ? [] : [replica] }, world)
    const journal = new RaftJournal(setup, store)
    const leads = new Promise<void>((resolve, reject) => (journal.#first = { resolve, reject }))
    journal.driver.start(journal)
    const voters = journal.driver.raft?.voters
    if (voters?.length === 1 && voters[0] === replica) await leads
    journal.#first = null
    return journal
  }

  /** The term this replica leads in, or has heard of. */
  get leaderEpoch(): number {
    return this.driver.raft?.term ?? this.#term
  }

  get isLeading(): boolean {
    return this.#isLeading
  }

  get endOffset(): number {
    return this.#isLeading ? this.driver.raft!.lastIndex + 1 : this.committedEnd
  }

  get committedEnd(): number {
    return this.driver.committedEnd
  }

  /** The disk had no room, and nothing was committed since. */
  get isDiskFull(): boolean {
    return this.driver.isRefused
  }

  listen(listener: JournalListener): void {
    this.#listener = listener
  }

  confirm(): Promise<boolean> | null {
    return this.driver.confirm()
  }

  append(records: readonly StoredRecord[]): JournalAppended | JournalRefusal {
    const raft = this.driver.raft
    if (!this.#isLeading || raft === null) return { kind: this.isDiskFull ? 'disk-full' : 'not-leading' }
    const { clock, codec } = this.#world
    const nowMs = Math.max(clock.now(), this.#store.appendedAtMax, this.#appendedAtMax)
    const index = raft.lastIndex + 1
    const batch = recordsBatch(records, this.#builder, { index, term: raft.term, nowMs }, codec)
    const proposed = this.driver.propose(batch, records.length)
    switch (proposed.kind) {
      case 'proposed':
        assert(proposed.index === index && proposed.term === raft.term, 'a batch is stamped for its place')
        this.#appendedAtMax = nowMs
        return { kind: 'appended', baseOffset: index }
      case 'too-much-uncommitted':
        return { kind: 'overloaded' }
      case 'transferring':
      case 'not-leader':
        return { kind: 'not-leading' }
    }
  }

  async readSnapshot(visit: (record: StoredRecord) => void): Promise<number> {
    return this.#store.readSnapshot(visit)
  }

  async read(from: number, upTo: number, visit: (record: StoredRecord, offset: number) => void): Promise<void> {
    const { clock, codec } = this.#world
    const reader = new RecordReader()
    while (from < upTo) {
      const entries = await this.driver.entries(from, upTo - 1, READ_BYTES)
      assert(entries.length > 0, 'committed entries are never cut in two')
      for (const { body } of entries) {
        if (body.kind !== 'records') continue
        assert(reader.open(body.bytes, 0, codec), 'a checked batch can be read')
        for (let record = reader.next(); record !== null; record = reader.next()) visit(storedOf(record), record.offset)
      }
      from = lastIndexOf(entries.at(-1)!) + 1
      if (from < upTo) await new Promise<void>((resolve) => clock.nextTurn(resolve))
    }
  }

  saveSnapshot(nextOffset: number, records: Iterable<StoredRecord>): Promise<'saved' | 'disk-full'> {
    const raft = this.driver.raft
    const index = nextOffset - 1
    const term = raft?.termOf(index) ?? null
    // The log has moved on without it: a snapshot was installed, or the store had no room and all is applied anew.
    if (raft === null || term === null || raft.appliedIndex < index) return Promise.resolve('saved')
    const head = { index, term, voters: raft.votersAt(index) }
    return this.#store.saveSnapshot(head, records, () => this.driver.snapshotMade(index))
  }

  /** Resolves when another is about to lead, or that takes too long. */
  async handOver(): Promise<void> {
    const { clock } = this.#world
    if (!this.#isLeading || !this.driver.handOver()) return
    await new Promise<void>((resolve) => {
      const cancel = clock.wakeAt(clock.monotonic() + HAND_OVER_MS, resolve)
      this.#onEnd = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Leads no more: what is not committed by now has an unknown outcome. */
  giveUp(): void {
    this.#stopLeading('unknown')
  }

  close(): Promise<void> {
    this.#stopLeading('unknown')
    return this.driver.close()
  }

  // --- the driver ------------------------------------------------------------------------------------------------------

  onStanding(standing: Standing): void {
    if (standing.leader !== null && standing.leader !== this.#leader) {
      this.#leader = standing.leader
      this.onLeader?.(standing.leader)
    }
    const leads = standing.role === 'leader'
    if (this.#isLeading && (!leads || standing.term !== this.#term)) this.#stopLeading('unknown')
    this.#term = standing.term
    if (!leads || this.#isLeading) return
    this.#isLeading = true
    this.#listener?.onLeading()
  }

  onCommitted(end: number): void {
    this.#listener?.onCommitted(end)
    if (this.#isLeading) this.#first?.resolve()
  }

  onRestored({ index }: SnapshotHead): void {
    this.#listener?.onRestored(index + 1)
  }

  onRefused(isElsewhere: boolean): void {
    this.#first?.reject(new StartRefused('the disk is full: there is no room for the metadata log'))
    this.#stopLeading(isElsewhere ? 'unknown' : 'none')
  }

  /** What was appended and is not committed may be, later. */
  #stopLeading(outcome: 'none' | 'unknown'): void {
    if (!this.#isLeading) return
    this.#isLeading = false
    this.#onEnd?.()
    this.#listener?.onLost(this.committedEnd, outcome)
  }
}
