// What the logs of one event loop share: the rounds that make appended batches durable, and two buffers.
//
//   append → dirty → next turn: every dirty log writes once into the page cache → quiet? → sync the set → acknowledge
//
// A round gathers until it is quiet: after arrivals it waits one more turn, and syncs when a turn brings nobody new, four
// turns at most. While one set syncs, the next is written and gathers. An acknowledgement needs the sync of the round's files
// and of the folders that got a new name in it. A failed sync is never retried: nothing is acknowledged any more and `halt` is
// called, because pages that could not be written may look clean afterwards.

import {
  type Clock,
  type Counter,
  type Disk,
  DiskError,
  type DiskFile,
  type Histogram,
  type Meter,
} from '../ports/index.ts'
import { ReadBuffer } from './read-buffer.ts'

export interface CommitMember {
  /** Puts what is pending into the page cache; `gather` is for joining small batches. */
  write(gather: Uint8Array): void
  /** Adds what a sync must cover to make all that was written durable. False: nothing. */
  beginSync(round: SyncRound): boolean
  /** The round's sync has succeeded: acknowledge. */
  synced(): void
  /** After every member has acknowledged. */
  settle(): void
  /** There will be no further round. */
  abandon(error: unknown): void
}

export interface SyncRound {
  readonly files: DiskFile[]
  readonly folders: Set<string>
}

const TURNS_MAX = 4
const GATHER_BYTES = 256 * 1024
const SYNC_SECONDS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1]

export class GroupCommit {
  /** For synchronous reads; valid until its user yields. */
  readonly readBuffer = new ReadBuffer()
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #halt: (why: string, error: unknown) => void
  readonly #syncSeconds: Histogram
  readonly #syncedFiles: Counter
  readonly #gather = new Uint8Array(GATHER_BYTES)
  /** Have something to write, in order of arrival. */
  #dirty = new Set<CommitMember>()
  #spare = new Set<CommitMember>()
  /** Have written, and wait for the next sync. */
  #written = new Set<CommitMember>()
  #syncing: CommitMember[] = []
  #isSyncing = false
  #isTurnDue = false
  #turns = 0
  #failure: { error: unknown } | null = null
  #idle: { resolve: () => void; reject: (error: unknown) => void }[] = []

  constructor(disk: Disk, clock: Clock, meter: Meter, halt: (why: string, error: unknown) => void) {
    this.#disk = disk
    this.#clock = clock
    this.#halt = halt
    this.#syncSeconds = meter.histogram('naru_log_sync_seconds', 'Time of one group commit on the disk', SYNC_SECONDS)
    this.#syncedFiles = meter.counter('naru_log_synced_files', 'Files synced by group commits')
  }

  /** The error that ended everything. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure
  }

  /** `member` has something to write, or to sync. */
  add(member: CommitMember): void {
    if (this.#failure !== null) {
      member.abandon(this.#failure.error)
      return
    }
    this.#dirty.add(member)
    this.#scheduleTurn()
  }

  /** Resolves when nothing is pending; rejects when a sync has failed. */
  idle(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure.error)
    if (this.#isQuiet()) return Promise.resolve()
    return new Promise((resolve, reject) => this.#idle.push({ resolve, reject }))
  }

  /** A sync outside the rounds, with the same end when it fails: the broker halts and the promise rejects. */
  async syncNow(files: readonly DiskFile[], folders: readonly string[]): Promise<void> {
    try {
      if (files.length > 0) await this.#disk.sync(files)
      for (const folder of folders) await this.#disk.syncFolder(folder)
    } catch (error) {
      this.fail('a sync failed', error)
      throw error
    }
    if (this.#failure !== null) throw this.#failure.error
  }

  /** Ahead of the turn, for a reader that wants what is pending. */
  writeNow(member: CommitMember): boolean {
    try {
      member.write(this.#gather)
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.fail('a write failed', error)
      return false
    }
  }

  fail(why: string, error: unknown): void {
    if (this.#failure !== null) return
    this.#failure = { error }
    const members = new Set([...this.#dirty, ...this.#written, ...this.#syncing])
    this.#dirty.clear()
    this.#written.clear()
    this.#syncing = []
    this.#halt(why, error)
    for (const member of members) member.abandon(error)
    for (const waiter of this.#idle.splice(0)) waiter.reject(error)
  }

  #scheduleTurn(): void {
    if (this.#isTurnDue) return
    this.#isTurnDue = true
    this.#clock.nextTurn(() => this.#turn())
  }

  #turn(): void {
    this.#isTurnDue = false
    if (this.#failure !== null) return
    const isQuiet = this.#dirty.size === 0
    if (!isQuiet && !this.#writeDirty()) return
    // what was written during a sync gathers until that has ended
    if (this.#isSyncing) return
    this.#turns++
    if (!isQuiet && this.#turns < TURNS_MAX) this.#scheduleTurn()
    else this.#startSync()
  }

  #writeDirty(): boolean {
    const arrived = this.#dirty
    this.#dirty = this.#spare
    this.#spare = arrived
    for (const member of arrived) {
      if (!this.writeNow(member)) return false
      this.#written.add(member)
    }
    arrived.clear()
    return true
  }

  #startSync(): void {
    this.#turns = 0
    const round: SyncRound = { files: [], folders: new Set() }
    const idle: CommitMember[] = []
    for (const member of this.#written) (member.beginSync(round) ? this.#syncing : idle).push(member)
    this.#written.clear()
    for (const member of idle) member.settle()
    if (this.#syncing.length === 0) return this.#goOn()
    this.#isSyncing = true
    this.#syncedFiles.add(round.files.length)
    const startedMs = this.#clock.monotonic()
    // not `catch`: what an acknowledgement throws is a broken invariant, no failed sync
    void this.#sync(round).then(
      () => this.#endSync(startedMs),
      (error: unknown) => this.fail('a sync failed', error),
    )
  }

  async #sync(round: SyncRound): Promise<void> {
    const syncs = [...round.folders].map((folder) => this.#disk.syncFolder(folder))
    syncs.push(this.#disk.sync(round.files))
    await Promise.all(syncs)
  }

  #endSync(startedMs: number): void {
    if (this.#failure !== null) return
    this.#syncSeconds.observe((this.#clock.monotonic() - startedMs) / 1000)
    const members = this.#syncing
    this.#syncing = []
    this.#isSyncing = false
    for (const member of members) member.synced()
    for (const member of members) member.settle()
    this.#goOn()
  }

  #goOn(): void {
    if (this.#dirty.size > 0 || this.#written.size > 0) this.#scheduleTurn()
    else for (const waiter of this.#idle.splice(0)) waiter.resolve()
  }

  #isQuiet(): boolean {
    return this.#dirty.size === 0 && this.#written.size === 0 && !this.#isSyncing
  }
}
