// A replica's folder: raft's storage on a `core/log`, a state file and snapshot files.
//
//   <log files>    entries as batches: base offset = index, leader epoch = term; the first index is 1
//   vote           term and vote, two copies        <offset>.snapshot    the two newest
//
// Opening it decides whether this replica may take part. What it once acknowledged must be there: a log that is damaged below
// its durable end, a vote that is lost, a log that does not go on from its snapshot are refused with the mend. Everything
// above the durable end was never acknowledged, and core/log has cut or rewritten it.
//
// Writes are done one after another, for a cut waits for the disk; appends without a cut go to the log at once. The log is
// kept back to the older snapshot, so that a damaged newest one costs nothing, and followers a little behind get entries.

import { assert } from '../base/index.ts'
import { Log, type LogConfig, type LogListener, type LogWorld } from '../log/index.ts'
import type { StoredRecord } from '../machine/index.ts'
import {
  batchOf,
  type Entry,
  EntryIndex,
  entryOf,
  lastIndexOf,
  type Membership,
  type Position,
  type RaftStore,
  type RaftStoreListener,
  type ReplicaId,
  type SnapshotChunk,
  type SnapshotHead,
  type Vote,
} from '../raft/index.ts'
import { baseOffsetOf, batchBytesOf } from '../record/index.ts'
import { RaftSnapshots } from './raft-snapshots.ts'
import { StartRefused } from './start-refused.ts'
import { VoteFile } from './vote-file.ts'

const CONFIG: LogConfig = {
  segmentBytes: 16 << 20,
  segmentMs: Number.MAX_SAFE_INTEGER,
  retentionMs: -1,
  retentionBytes: -1,
  cleanup: 'delete',
  deleteRetentionMs: 0,
  flush: 'group',
}
const FIRST_INDEX = 1

type Work =
  | { readonly kind: 'append'; readonly seq: number; readonly entries: readonly Entry[] }
  | { readonly kind: 'install'; readonly seq: number; readonly head: SnapshotHead }

export interface RaftFolderSetup {
  readonly folder: string
  readonly replica: ReplicaId
  /** Whom a fresh folder has as its voters: itself, or nobody when it joins others. */
  readonly forms: readonly ReplicaId[]
}

export class RaftFolder implements RaftStore, LogListener {
  readonly #world: LogWorld
  readonly #log: Log
  readonly #voteFile: VoteFile
  readonly #snapshots: RaftSnapshots
  readonly #index: EntryIndex
  #memberships: Membership[] = []
  /** The newest snapshot that the log goes on from. */
  #snapshot: SnapshotHead | null
  #listener: RaftStoreListener | null = null
  #durableLast: number
  #work: Work[] = []
  #working: Promise<void> | null = null
  #underWay: { readonly seq: number; readonly last: number }[] = []
  /** Entries that were not in the page cache when they were asked for. */
  #fetched: readonly Entry[] = []
  #isFetching = false
  #saving: Promise<unknown> = Promise.resolve()
  /** Without room, until it has settled. */
  #isRefused = false

  private constructor(world: LogWorld, log: Log, voteFile: VoteFile, snapshots: RaftSnapshots) {
    this.#world = world
    this.#log = log
    this.#voteFile = voteFile
    this.#snapshots = snapshots
    this.#snapshot = snapshots.newest
    this.#index = new EntryIndex(log.startOffset)
    this.#durableLast = log.endOffset - 1
  }

  /** Rejects with `StartRefused`. */
  static async open(setup: RaftFolderSetup, world: LogWorld): Promise<RaftFolder> {
    const { folder, replica, forms } = setup
    const relay = new ListenerRelay()
    const log = await Log.open(folder, CONFIG, world, relay)
    if (log.damage !== null) {
      const { path, offset, detail } = log.damage
      throw refused(`the metadata log is damaged: ${path} cannot be read at offset ${offset} (${detail})`)
    }
    const snapshots = RaftSnapshots.open(folder, world)
    const voteFile = new VoteFile(folder, replica, world)
    const isEmpty = log.startOffset === log.endOffset && log.endOffset <= FIRST_INDEX
    const isFresh = isEmpty && snapshots.newest === null
    await openVote(voteFile, log, isFresh, forms.length > 0)
    await beginLog(log, snapshots, folder)
    const raftFolder = new RaftFolder(world, log, voteFile, snapshots)
    await raftFolder.#scan(folder)
    relay.next = raftFolder
    if (log.endOffset === FIRST_INDEX && forms.length > 0) await raftFolder.#form(forms, voteFile)
    return raftFolder
  }

  listen(listener: RaftStoreListener): void {
    this.#listener = listener
  }

  get appendedAtMax(): number {
    return this.#log.appendedAtMax
  }

  // --- what is there ---------------------------------------------------------------------------------------------------

  vote(): Vote {
    return this.#voteFile.vote
  }

  snapshot(): SnapshotHead | null {
    return this.#snapshot
  }

  firstIndex(): number {
    return this.#index.first
  }

  lastIndex(): number {
    return Math.max(this.#durableLast, this.#snapshot?.index ?? 0)
  }

  term(index: number): number | null {
    return this.#snapshot?.index === index ? this.#snapshot.term : this.#index.term(index)
  }

  memberships(): readonly Membership[] {
    const behind = this.#snapshot?.index ?? 0
    return this.#memberships.filter(({ index }) => index > behind && index <= this.#durableLast)
  }

  startOf(index: number): number {
    return this.#index.startOf(index)
  }

  entries(from: number, upTo: number, bytesMax: number): readonly Entry[] | null {
    if (this.#fetched[0]?.index === from) {
      const entries = this.#fetched.filter((entry) => lastIndexOf(entry) <= upTo)
      this.#fetched = []
      return entries
    }
    if (this.#isFetching) return null
    const reading = this.#log.read(from, upTo + 1, bytesMax)
    if (reading instanceof Promise) {
      this.#isFetching = true
      reading.then(
        (read) => {
          this.#isFetching = false
          this.#fetched = this.#entriesOf(read) ?? []
          this.#listener?.onAtHand()
        },
        (error: unknown) => this.#fail(error),
      )
      return null
    }
    return this.#entriesOf(reading)
  }

  /** Null: it begins later now. */
  #entriesOf(read: Awaited<ReturnType<Log['read']>>): readonly Entry[] | null {
    if (read.kind === 'below-start') return null
    if (read.kind !== 'batches') {
      this.#fail(
        new Error(
          `the metadata log cannot be read at offset ${read.kind === 'damaged' ? read.offset : read.endOffset}`,
        ),
      )
      return null
    }
    const entries: Entry[] = []
    for (let at = 0; at < read.bytes.length; at += batchBytesOf(read.bytes, at)) {
      const entry = entryOf(read.bytes, at, this.#world.codec)
      assert(entry !== null, 'a checked batch is an entry')
      entries.push(entry)
    }
    return entries
  }

  // --- what changes it -------------------------------------------------------------------------------------------------

  saveVote(vote: Vote): Promise<void> {
    return this.#voteFile.save(vote)
  }

  append(seq: number, entries: readonly Entry[]): void {
    this.#work.push({ kind: 'append', seq, entries })
    this.#next()
  }

  install(seq: number, head: SnapshotHead): void {
    this.#work.push({ kind: 'install', seq, head })
    this.#next()
  }

  /** Appends that need no cut are done at once; anything else holds up what comes after it. */
  #next(): void {
    while (this.#working === null && this.#work.length > 0) {
      const work = this.#work.shift()!
      if (work.kind === 'append' && work.entries[0]!.index === this.#log.endOffset) {
        this.#append(work.seq, work.entries)
        continue
      }
      const working = work.kind === 'append' ? this.#cut(work.seq, work.entries) : this.#install(work.seq, work.head)
      this.#working = working.then(
        () => {
          this.#working = null
          this.#next()
        },
        (error: unknown) => this.#fail(error),
      )
    }
  }

  #append(seq: number, entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#log.append(batchOf(entry, this.#world.codec))
      this.#note(entry)
    }
    this.#underWay.push({ seq, last: this.#log.endOffset - 1 })
  }

  async #cut(seq: number, entries: readonly Entry[]): Promise<void> {
    const from = entries[0]!.index
    assert(from < this.#log.endOffset && from >= this.#log.startOffset, 'entries are appended without gaps')
    await this.#log.truncateTo(from)
    this.#reindex()
    // refused meanwhile: what this was to be written for is gone
    if (this.#isRefused) return
    this.#append(seq, entries)
  }

  async #install(seq: number, head: SnapshotHead): Promise<void> {
    await this.#snapshots.install(head)
    await this.#log.resetTo(head.index + 1)
    this.#index.reset(head.index + 1)
    this.#memberships = []
    this.#fetched = []
    this.#underWay = []
    this.#durableLast = head.index
    this.#snapshot = head
    this.#listener?.onStored(seq)
  }

  #note(entry: Entry): void {
    this.#index.add(entry.index, entry.count, entry.term)
    if (entry.body.kind === 'voters') this.#memberships.push({ index: entry.index, voters: entry.body.voters })
  }

  /** The log has become shorter. */
  #reindex(): void {
    const end = this.#log.endOffset
    this.#index.truncate(end)
    this.#memberships = this.#memberships.filter(({ index }) => index < end)
    this.#durableLast = Math.min(this.#durableLast, end - 1)
    this.#fetched = []
  }

  onDurable(end: number): void {
    this.#durableLast = end - 1
    let seq = 0
    while (this.#underWay.length > 0 && this.#underWay[0]!.last < end) seq = this.#underWay.shift()!.seq
    if (seq > 0) this.#listener?.onStored(seq)
  }

  onRefused(): void {
    this.#isRefused = true
    this.#work = []
    this.#underWay = []
    this.#reindex()
    this.#listener?.onRefused()
  }

  async settled(): Promise<void> {
    await this.#working
    this.#isRefused = false
  }

  async close(): Promise<void> {
    await this.#saving
    await this.#working
    await this.#log.close()
    this.#voteFile.close()
    this.#snapshots.close()
  }

  // --- snapshots -------------------------------------------------------------------------------------------------------

  /** The newest, and the index behind it. */
  async readSnapshot(visit: (record: StoredRecord) => void): Promise<number> {
    const head = await this.#snapshots.read(visit)
    return head === null ? FIRST_INDEX : head.index + 1
  }

  /** `onMade` is told before the log below goes. */
  saveSnapshot(
    head: SnapshotHead,
    records: Iterable<StoredRecord>,
    onMade: () => void,
  ): Promise<'saved' | 'disk-full'> {
    const saving = this.#save(head, records, onMade)
    this.#saving = saving.catch(() => {})
    return saving
  }

  async #save(head: SnapshotHead, records: Iterable<StoredRecord>, onMade: () => void): Promise<'saved' | 'disk-full'> {
    const made = await this.#snapshots.make(head, records)
    if (made !== 'made') return made === 'disk-full' ? made : 'saved'
    // a newer one may have been installed while this one was given its name
    if (this.#snapshot !== null && this.#snapshot.index > head.index) return 'saved'
    this.#snapshot = head
    onMade()
    const keptFrom = this.#snapshots.oldest!.index + 1
    if (keptFrom <= this.#index.first || this.#snapshots.oldest === head) return 'saved'
    this.#index.forgetBefore(keptFrom)
    this.#memberships = this.#memberships.filter(({ index }) => index >= keptFrom)
    await this.#log.trim(keptFrom)
    return 'saved'
  }

  snapshotChunk(place: Position, from: number, bytesMax: number): SnapshotChunk | null {
    return this.#snapshots.chunk(place, from, bytesMax)
  }

  beginReceiving(head: SnapshotHead): void {
    this.#snapshots.beginReceiving(head)
  }

  receive(from: number, bytes: Uint8Array): boolean {
    return this.#snapshots.receive(from, bytes)
  }

  verifyReceived(head: SnapshotHead): Promise<boolean> {
    return this.#snapshots.verifyReceived(head)
  }

  // --- opening ---------------------------------------------------------------------------------------------------------

  /** What every entry is, for the index. */
  async #scan(folder: string): Promise<void> {
    let unreadable = -1
    await this.#log.scan(this.#log.startOffset, this.#log.endOffset, (bytes, at) => {
      if (unreadable >= 0) return
      const entry = entryOf(bytes, at, this.#world.codec)
      if (entry === null || entry.index !== this.#index.last + 1) unreadable = baseOffsetOf(bytes, at)
      else this.#note(entry)
    })
    if (unreadable < 0 && this.#index.last + 1 < this.#log.endOffset) unreadable = this.#index.last + 1
    if (unreadable >= 0) throw refused(`the metadata log in ${folder} cannot be read at offset ${unreadable}`)
  }

  /** The first entry of a new cluster, durable when this resolves. */
  async #form(voters: readonly ReplicaId[], voteFile: VoteFile): Promise<void> {
    const { term } = voteFile.vote
    assert(term === 1, 'a new cluster begins with term 1')
    await new Promise<void>((resolve, reject) => {
      this.#listener = {
        onStored: () => resolve(),
        onAtHand: () => {},
        onRefused: () => reject(new StartRefused('the disk is full: there is no room for the metadata log')),
      }
      this.append(1, [{ index: FIRST_INDEX, count: 1, term, body: { kind: 'voters', voters } }])
    })
  }

  #fail(error: unknown): void {
    this.#world.commits.fail('the metadata log cannot go on', error)
  }
}

async function openVote(voteFile: VoteFile, log: Log, isFresh: boolean, forms: boolean): Promise<void> {
  const found = await voteFile.read()
  switch (found.kind) {
    case 'found':
      if (found.state.replica !== voteFile.replica)
        throw refused(`the vote in ${log.folder} is that of ${found.state.replica}, not of ${voteFile.replica}`)
      // What joined another cluster, and has heard nothing yet, must not form one of its own.
      if (isFresh && forms && found.state.vote.term !== 1)
        throw new StartRefused('this data folder has joined a cluster: name a broker of it with --join')
      return
    case 'absent':
      if (isFresh) return voteFile.create({ term: forms ? 1 : 0, votedFor: null })
      if (log.startOffset === 0)
        throw new StartRefused(
          `the metadata in ${log.folder} was written by a build from before there was a quorum: begin with an empty data folder`,
        )
      throw refused(`the vote in ${log.folder} is missing`)
    case 'damaged':
      throw refused(`the vote in ${log.folder} cannot be read, in neither of its copies`)
  }
}

/** The log begins at 1, or goes on from its newest snapshot: the end of an installation that was cut short. */
async function beginLog(log: Log, snapshots: RaftSnapshots, folder: string): Promise<void> {
  const head = snapshots.newest
  if (head === null) {
    if (log.endOffset === 0) return log.resetTo(FIRST_INDEX)
    if (log.startOffset <= FIRST_INDEX) return
    throw refused(`no snapshot in ${folder} can be read, and the log it stands for is gone`)
  }
  if (log.startOffset > head.index + 1)
    throw refused(`the newest snapshot in ${folder} cannot be read, and the log it stands for is gone`)
  const goesOn =
    log.startOffset === head.index + 1 || (log.endOffset > head.index && log.epochAt(head.index) === head.term)
  if (!goesOn) await log.resetTo(head.index + 1)
}

function refused(why: string): StartRefused {
  return new StartRefused(
    `${why}; restore the data folder from a backup or, when other brokers hold the metadata, come back as a new one: naru rejoin --as-new`,
  )
}

/** A log wants its listener when it opens. */
class ListenerRelay implements LogListener {
  next: LogListener | null = null

  onDurable(end: number): void {
    this.next?.onDurable(end)
  }

  onRefused(from: number): void {
    this.next?.onRefused(from)
  }
}
