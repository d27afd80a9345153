// What a replica is for as long as it leads one term: its followers' progress, its proposals in flight, its pending reads,
// a transfer under way. Losing the term drops the object, so nothing of it can leak into another.
//
// Appends are composed when the driver asks for work, so all proposals of one turn go out together. They may leave before
// the leader has synced its own copy: it counts itself only for what is durable.

import { assert } from '../base/index.ts'
import { type Entry, type EntryBody, entryBytes, lastIndexOf } from './entry.ts'
import { changedVoters, type MembershipChange, type VotersRefusal } from './membership.ts'
import type { MessageBody, MessageOf } from './message.ts'
import type { RaftOptions } from './options.ts'
import { Progress } from './progress.ts'
import { majorityOf, reachedByMajority } from './quorum.ts'
import type { RaftLog } from './raft-log.ts'
import { ReadRounds } from './read-rounds.ts'
import type { ReplicaId } from './replica-id.ts'

export interface Seat {
  readonly id: ReplicaId
  readonly term: number
  readonly log: RaftLog
  readonly options: RaftOptions
  send(to: ReplicaId, body: MessageBody): void
}

export type LeaderRefusal =
  /** Leadership is being handed over; the new leader will take it. */
  | { readonly kind: 'transferring'; readonly to: ReplicaId }
  /** No entry of this term is committed yet. */
  | { readonly kind: 'not-ready' }

export type ProposeRefusal =
  | Extract<LeaderRefusal, { kind: 'transferring' }>
  | { readonly kind: 'too-much-uncommitted'; readonly bytes: number; readonly bytesMax: number }

export type ChangeRefusal =
  | LeaderRefusal
  | VotersRefusal
  | { readonly kind: 'change-in-flight'; readonly index: number }
  | { readonly kind: 'not-caught-up'; readonly matchIndex: number; readonly commitIndex: number }
  /** Of the voters after the change too few are up and caught up: nothing could be committed any more. */
  | { readonly kind: 'would-lose-quorum'; readonly caughtUp: number; readonly needed: number }

export type TransferRefusal =
  | Extract<LeaderRefusal, { kind: 'transferring' }>
  | Extract<VotersRefusal, { kind: 'not-a-voter' }>
  | { readonly kind: 'already-leader' }

export interface Proposed {
  readonly kind: 'proposed'
  readonly index: number
  readonly term: number
}

interface Transfer {
  readonly to: ReplicaId
  readonly since: number
  told: boolean
}

export class Leadership {
  readonly #seat: Seat
  readonly #log: RaftLog
  readonly #progress = new Map<ReplicaId, Progress>()
  readonly #reads = new ReadRounds()
  /** The no-op: once it is committed, so is everything before it. */
  readonly #ownFrom: number
  /** Own-term proposals not yet committed, oldest first. */
  #uncommitted: { readonly last: number; readonly bytes: number }[] = []
  #uncommittedBytes = 0
  #transfer: Transfer | null = null
  #now: number
  #beatAt: number
  /** The commit index at the last heartbeat: an observer that has reached it is caught up. */
  #commitAtBeat: number

  constructor(seat: Seat, now: number) {
    this.#seat = seat
    this.#log = seat.log
    this.#now = this.#beatAt = now
    this.#commitAtBeat = this.#log.commit
    this.#ownFrom = this.#log.lastIndex + 1
    this.#follow(this.#log.members.current.voters)
    this.#append({ kind: 'noop' }, 1)
  }

  /** The no-op is committed: reads and membership changes are taken. */
  get established(): boolean {
    return this.#log.commit >= this.#ownFrom
  }

  get transferee(): ReplicaId | null {
    return this.#transfer?.to ?? null
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes
  }

  /** True once this leader's own removal is committed: time to resign. */
  get removed(): boolean {
    const { index, voters } = this.#log.members.current
    return !voters.includes(this.#seat.id) && index <= this.#log.commit
  }

  progressOf(replica: ReplicaId): Progress | undefined {
    return this.#progress.get(replica)
  }

  followers(): Iterable<[ReplicaId, Progress]> {
    return this.#progress
  }

  // What clients ask

  propose(bytes: Uint8Array, count: number): Proposed | ProposeRefusal {
    const { uncommittedBytesMax } = this.#seat.options
    if (this.#transfer !== null) return { kind: 'transferring', to: this.#transfer.to }
    const index = this.#log.lastIndex + 1
    const entry: Entry = { index, count, term: this.#seat.term, body: { kind: 'records', bytes } }
    const weight = entryBytes(entry)
    if (this.#uncommittedBytes > 0 && this.#uncommittedBytes + weight > uncommittedBytesMax)
      return { kind: 'too-much-uncommitted', bytes: this.#uncommittedBytes, bytesMax: uncommittedBytesMax }
    this.#log.append([entry])
    this.#uncommitted.push({ last: lastIndexOf(entry), bytes: weight })
    this.#uncommittedBytes += weight
    return { kind: 'proposed', index, term: this.#seat.term }
  }

  read(id: number): { readonly kind: 'reading' } | Extract<LeaderRefusal, { kind: 'not-ready' }> {
    if (!this.established) return { kind: 'not-ready' }
    this.#reads.add(id, this.#log.commit, this.#seat.options.planted === 'reuse-read-round')
    return { kind: 'reading' }
  }

  change(change: MembershipChange): Proposed | ChangeRefusal {
    if (this.#transfer !== null) return { kind: 'transferring', to: this.#transfer.to }
    const { index, voters } = this.#log.members.current
    if (this.#seat.options.planted !== 'two-changes') {
      if (!this.established) return { kind: 'not-ready' }
      if (index > this.#log.commit) return { kind: 'change-in-flight', index }
    }
    const changed = changedVoters(voters, change)
    if ('kind' in changed) return changed
    if (change.kind === 'add' && change.replica !== this.#seat.id) {
      if (!this.#isCaughtUp(change.replica)) {
        const matchIndex = this.#progress.get(change.replica)?.match ?? 0
        return { kind: 'not-caught-up', matchIndex, commitIndex: this.#commitAtBeat }
      }
    }
    const needed = majorityOf(changed.length)
    const caughtUp = changed.filter((voter) => this.#isCaughtUp(voter)).length
    if (caughtUp < needed) return { kind: 'would-lose-quorum', caughtUp, needed }
    const entry = this.#append({ kind: 'voters', voters: changed }, 1)
    this.#follow(changed)
    return { kind: 'proposed', index: entry.index, term: entry.term }
  }

  /** Hands over to `to` once it holds everything; given up after an election timeout. */
  transfer(to: ReplicaId): { readonly kind: 'started' } | TransferRefusal {
    if (this.#transfer !== null && this.#transfer.to !== to) return { kind: 'transferring', to: this.#transfer.to }
    if (to === this.#seat.id) return { kind: 'already-leader' }
    if (!this.#log.members.current.voters.includes(to)) return { kind: 'not-a-voter' }
    this.#transfer ??= { to, since: this.#now, told: false }
    this.#tellTransferee()
    return { kind: 'started' }
  }

  /** Sends the log, as far as it is committed, to a replica that does not vote. */
  observe(replica: ReplicaId, lastIndex: number, mending: boolean): void {
    if (replica === this.#seat.id) return
    const next = this.#log.startOf(Math.min(lastIndex, this.#log.lastIndex) + 1)
    const known = this.#progress.get(replica)
    if (known === undefined) {
      if (this.#progress.size >= this.#seat.options.observersMax) return
      this.#progress.set(replica, new Progress(next, this.#now, this.#seat.options))
    } else {
      known.heardAt = this.#now
      known.abstaining = mending
      if (mending) known.restart(next)
      else known.nudge()
    }
  }

  // What followers answer

  onAppendReply(message: MessageOf<'append-reply'>): void {
    const progress = this.#heard(message.from)
    if (progress === null) return
    const { matchIndex } = message
    assert(matchIndex <= this.#log.lastIndex, 'a follower acknowledged more than was sent')
    const advanced = progress.acknowledged(matchIndex)
    if (progress.state === 'probe' && matchIndex === progress.match) progress.becomeReplicate()
    else if (progress.state === 'snapshot' && progress.match + 1 >= this.#log.firstIndex) progress.becomeReplicate()
    // It has the snapshot, and the log has moved on meanwhile: another is due.
    else if (progress.state === 'snapshot' && progress.match >= progress.snapshotIndex)
      progress.becomeProbe(progress.match + 1)
    if (advanced) this.#advanceCommit()
    this.#tellTransferee()
  }

  onAppendRefused(message: MessageOf<'append-refused'>): void {
    const progress = this.#heard(message.from)
    if (progress === null) return
    const agreed = this.#log.floorByTerm(Math.min(message.hintIndex, message.prevIndex - 1), message.hintTerm)
    progress.refused(message.prevIndex, this.#log.startOf(agreed + 1))
  }

  onHeartbeatReply(message: MessageOf<'heartbeat-reply'>): void {
    const progress = this.#heard(message.from)
    if (progress === null) return
    progress.round = Math.max(progress.round, message.round)
    progress.abstaining = message.abstaining
    progress.nudge()
    if (progress.match < this.#limit(message.from)) this.#sendAppend(message.from, progress, true)
    this.#tellTransferee()
  }

  onUnreachable(replica: ReplicaId): void {
    const progress = this.#progress.get(replica)
    if (progress?.state === 'replicate') progress.becomeProbe(progress.match + 1)
  }

  /** The driver on a snapshot it is sending: still at it, or given up. */
  onSnapshotReport(replica: ReplicaId, report: 'progressing' | 'failed'): void {
    const progress = this.#progress.get(replica)
    if (progress?.state !== 'snapshot') return
    if (report === 'progressing') progress.snapshotAt = this.#now
    else progress.becomeProbe(progress.match + 1)
  }

  /** More of the leader's own log is durable. */
  onStored(): void {
    this.#advanceCommit()
  }

  // What time and the driver ask

  /** False when a majority has been silent for too long. */
  tick(now: number): boolean {
    const { heartbeatTicks, electionTicks, observerTicks, snapshotTicks, quorumTicks } = this.#seat.options
    this.#now = now
    if (this.#transfer !== null && now - this.#transfer.since >= electionTicks) this.#transfer = null
    const voters = this.#log.members.current.voters
    for (const [replica, progress] of this.#progress) {
      if (progress.state === 'snapshot' && now - progress.snapshotAt >= snapshotTicks)
        progress.becomeProbe(progress.match + 1)
      if (now - progress.heardAt >= observerTicks && !voters.includes(replica)) this.#progress.delete(replica)
    }
    if (now - this.#beatAt >= heartbeatTicks) this.#beat()
    return reachedByMajority(this.#each((progress) => progress.heardAt, now)) > now - quorumTicks
  }

  /** Composes what is to be sent. */
  flush(): void {
    if (this.#reads.begin()) this.#beat()
    for (const [replica, progress] of this.#progress) while (this.#sendAppend(replica, progress, false));
  }

  /** Reads that are confirmed and whose index is applied. */
  takeReads(): readonly number[] {
    if (!this.#reads.waiting) return []
    return this.#reads.take(
      reachedByMajority(this.#each((progress) => progress.round, this.#reads.round)),
      this.#log.applied,
    )
  }

  dropReads(): readonly number[] {
    return this.#reads.drop()
  }

  /** On resigning: the voter that holds the most should campaign at once. */
  nominate(): void {
    let best: ReplicaId | null = null
    for (const voter of this.#log.members.current.voters) {
      const match = this.#progress.get(voter)?.match ?? 0
      if (best === null || match > this.#progress.get(best)!.match) best = voter
    }
    if (best !== null) this.#seat.send(best, { kind: 'timeout-now' })
  }

  #append(body: EntryBody, count: number): Entry {
    const entry: Entry = { index: this.#log.lastIndex + 1, count, term: this.#seat.term, body }
    this.#log.append([entry])
    return entry
  }

  /** Only entries of this term are committed by counting; older ones are with them (Raft §5.4.2, figure 8). */
  #advanceCommit(): void {
    const reached = reachedByMajority(this.#each((progress) => progress.match, this.#log.durable))
    if (reached <= this.#log.commit) return
    if (!this.#log.matches(reached, this.#seat.term) && this.#seat.options.planted !== 'count-old-terms') return
    this.#log.commitTo(reached)
    let done = 0
    while (done < this.#uncommitted.length && this.#uncommitted[done]!.last <= reached)
      this.#uncommittedBytes -= this.#uncommitted[done++]!.bytes
    this.#uncommitted.splice(0, done)
  }

  /** One value a voter: the leader's `own` if it votes, nothing for a voter never heard of. */
  #each(value: (progress: Progress) => number, own: number): number[] {
    return this.#log.members.current.voters.map((voter) => {
      if (voter === this.#seat.id) return own
      const progress = this.#progress.get(voter)
      return progress === undefined ? 0 : value(progress)
    })
  }

  #isCaughtUp(voter: ReplicaId): boolean {
    if (voter === this.#seat.id) return true
    const progress = this.#progress.get(voter)
    if (progress === undefined || progress.abstaining || progress.match < this.#commitAtBeat) return false
    return this.#now - progress.heardAt < this.#seat.options.electionTicks
  }

  #heard(replica: ReplicaId): Progress | null {
    const progress = this.#progress.get(replica) ?? null
    if (progress !== null) progress.heardAt = this.#now
    return progress
  }

  #follow(voters: readonly ReplicaId[]): void {
    const next = this.#log.lastIndex + 1
    for (const voter of voters)
      if (voter !== this.#seat.id && !this.#progress.has(voter))
        this.#progress.set(voter, new Progress(next, this.#now, this.#seat.options))
  }

  /** Observers get only what is committed, so they never have to cut. */
  #limit(replica: ReplicaId): number {
    return this.#log.members.current.voters.includes(replica) ? this.#log.lastIndex : this.#log.commit
  }

  #beat(): void {
    this.#beatAt = this.#now
    this.#commitAtBeat = this.#log.commit
    for (const [replica, progress] of this.#progress) {
      const commit = Math.min(progress.match, this.#log.commit)
      this.#seat.send(replica, { kind: 'heartbeat', commit, round: this.#reads.round })
    }
  }

  /** True when it sent entries and may send more. `anyway`: also without news, to find out where the follower is. */
  #sendAppend(replica: ReplicaId, progress: Progress, anyway: boolean): boolean {
    if (progress.paused) return false
    const limit = this.#limit(replica)
    const prevIndex = progress.next - 1
    const prevTerm = this.#log.term(prevIndex)
    if (prevTerm === null || progress.next < this.#log.firstIndex) {
      this.#sendSnapshot(replica, progress)
      return false
    }
    const entries = this.#log.entries(progress.next, limit, this.#seat.options.appendBytesMax)
    if (entries === null) return false
    const commit = this.#log.commit
    if (entries.length === 0 && !anyway && progress.sentCommit >= commit && progress.state !== 'probe') return false
    let bytes = 0
    for (const entry of entries) bytes += entryBytes(entry)
    this.#seat.send(replica, { kind: 'append', prevIndex, prevTerm, entries, commit })
    progress.sent(entries.length > 0 ? lastIndexOf(entries[entries.length - 1]!) : prevIndex, bytes)
    progress.sentCommit = commit
    return entries.length > 0 && progress.state === 'replicate'
  }

  #sendSnapshot(replica: ReplicaId, progress: Progress): void {
    const head = this.#log.snapshot
    if (head === null) return
    progress.becomeSnapshot(head.index, this.#now)
    this.#seat.send(replica, { kind: 'install', head })
  }

  #tellTransferee(): void {
    const transfer = this.#transfer
    if (transfer === null || transfer.told) return
    if (!this.#log.members.current.voters.includes(transfer.to)) this.#transfer = null
    else if (this.#progress.get(transfer.to)?.match === this.#log.lastIndex) {
      transfer.told = true
      this.#seat.send(transfer.to, { kind: 'timeout-now' })
    }
  }
}
