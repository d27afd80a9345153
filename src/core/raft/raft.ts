// Raft-lite as a pure state machine: messages, ticks and requests in, a `Ready` out. No I/O, no clock, no promise.
//
//            silence               majority would            majority did
//  follower ────────► pre-candidate ────────► candidate ────────► leader
//     ▲  ▲                 │  (term unchanged)    │  (term + 1)      │
//     └──┴─────────────────┴── a leader, a newer term, or a lost ───┘  or a majority silent, or removed by the log
//                              campaign
//
// It follows Ongaro's thesis with pre-vote, check-quorum, one-at-a-time membership, and reads confirmed by a round of
// heartbeats; `ready.ts` says what a driver owes it, `leadership.ts` holds what only a leader has. Replicas that do not
// vote (observers) get the same appends, capped at the commit index; one that may not campaign asks to be sent the log.

import { assert, unreachable } from '../base/index.ts'
import type { Random } from '../ports/index.ts'
import type { Entry } from './entry.ts'
import {
  type ChangeRefusal,
  Leadership,
  type LeaderRefusal,
  type Proposed,
  type ProposeRefusal,
  type TransferRefusal,
} from './leadership.ts'
import type { MembershipChange } from './membership.ts'
import type { Message, MessageBody, MessageOf } from './message.ts'
import { checkRaftOptions, type RaftOptions } from './options.ts'
import type { Progress } from './progress.ts'
import { Ballot, type Tally } from './quorum.ts'
import { RaftLog } from './raft-log.ts'
import type { Ready, Role, Standing } from './ready.ts'
import type { ReplicaId } from './replica-id.ts'
import type { Position, RaftStorage, Vote } from './storage.ts'

/** Not the leader; `leader` is who is, as far as known. */
export interface NotLeader {
  readonly kind: 'not-leader'
  readonly leader: ReplicaId | null
}

export interface RaftSetup {
  readonly id: ReplicaId
  readonly storage: RaftStorage
  readonly options: RaftOptions
  readonly random: Random
  /**
   * Set when entries this replica acknowledged were lost (damage below the durable end): where its log ended, or any place
   * known to be behind that. It neither votes nor campaigns until it holds, committed, all that may have lain before.
   */
  readonly abstainUntil?: Position | null
}

type State =
  | { readonly role: 'follower' }
  | { readonly role: 'pre-candidate'; readonly ballot: Ballot<ReplicaId> }
  | { readonly role: 'candidate'; readonly ballot: Ballot<ReplicaId>; readonly transfer: boolean }
  | { readonly role: 'leader'; readonly leadership: Leadership }

const FOLLOWER: State = { role: 'follower' }

export class Raft {
  readonly id: ReplicaId
  readonly #options: RaftOptions
  readonly #random: Random
  readonly #log: RaftLog
  #state: State = FOLLOWER
  #leader: ReplicaId | null = null
  #vote: Vote
  #savedVote: Vote
  #savingVote: Vote | null = null
  #abstainUntil: Position | null
  #outbox: Message[] = []
  #standing: Standing
  #droppedReads: number[] = []
  #readIds = 0
  #now = 0
  /** When the leader was last heard, a vote given, or a campaign begun. */
  #quietSince = 0
  #patience = 0
  /** How far the log is known to agree with this term's leader, and whether it waits to hear of more. */
  #agreed = 0
  #ackDue = false
  /** Whom to ask for the log besides the voters in it. */
  #contacts = new Set<ReplicaId>()
  #hintTaken = false

  constructor(setup: RaftSetup) {
    checkRaftOptions(setup.options)
    this.id = setup.id
    this.#options = setup.options
    this.#random = setup.random
    this.#log = new RaftLog(setup.storage)
    this.#vote = this.#savedVote = setup.storage.vote()
    this.#abstainUntil = setup.abstainUntil ?? null
    assert(this.#vote.term >= this.#log.lastTerm, 'the state file is older than the log')
    this.#standing = this.#standingNow()
    this.#resetPatience()
  }

  get role(): Role {
    return this.#state.role
  }

  get term(): number {
    return this.#vote.term
  }

  get votedFor(): ReplicaId | null {
    return this.#vote.votedFor
  }

  get leader(): ReplicaId | null {
    return this.#leader
  }

  get commitIndex(): number {
    return this.#log.commit
  }

  get appliedIndex(): number {
    return this.#log.applied
  }

  get durableIndex(): number {
    return this.#log.durable
  }

  get lastIndex(): number {
    return this.#log.lastIndex
  }

  get voters(): readonly ReplicaId[] {
    return this.#log.members.current.voters
  }

  /** Where the voter set in force was appended; not yet committed when beyond `commitIndex`. */
  get votersIndex(): number {
    return this.#log.members.current.index
  }

  /** Lost what it had acknowledged and does not hold it again yet. */
  get abstaining(): boolean {
    return this.#abstainUntil !== null
  }

  /** Leads, and has committed an entry of its own term: may answer reads and change the membership. */
  get established(): boolean {
    return this.#state.role === 'leader' && this.#state.leadership.established
  }

  get transferee(): ReplicaId | null {
    return this.#state.role === 'leader' ? this.#state.leadership.transferee : null
  }

  /** Of a leader's follower; null for unknown ones and when not leading. */
  progressOf(replica: ReplicaId): Readonly<Progress> | null {
    return (this.#state.role === 'leader' ? this.#state.leadership.progressOf(replica) : undefined) ?? null
  }

  termOf(index: number): number | null {
    return this.#log.term(index)
  }

  get firstIndex(): number {
    return this.#log.firstIndex
  }

  /** Whole entries, durable or not; null when they are not at hand right now. */
  entries(from: number, upTo: number, bytesMax: number): readonly Entry[] | null {
    return this.#log.entries(from, upTo, bytesMax)
  }

  /** The voters to write into a snapshot that ends at `index`. */
  votersAt(index: number): readonly ReplicaId[] {
    return this.#log.members.at(index).voters
  }

  // Requests

  /** Appends one entry that takes `count` indices. Committed once it is handed out to be applied with this very term. */
  propose(bytes: Uint8Array, count = 1): Proposed | ProposeRefusal | NotLeader {
    if (this.#state.role !== 'leader') return this.#notLeader()
    return this.#state.leadership.propose(bytes, count)
  }

  /** The id comes back in `reads` or in `droppedReads` of a later `Ready`. */
  readIndex():
    { readonly kind: 'reading'; readonly id: number } | Extract<LeaderRefusal, { kind: 'not-ready' }> | NotLeader {
    if (this.#state.role !== 'leader') return this.#notLeader()
    const id = ++this.#readIds
    const read = this.#state.leadership.read(id)
    return read.kind === 'reading' ? { kind: 'reading', id } : read
  }

  changeMembership(change: MembershipChange): Proposed | ChangeRefusal | NotLeader {
    if (this.#state.role !== 'leader') return this.#notLeader()
    return this.#state.leadership.change(change)
  }

  transfer(to: ReplicaId): { readonly kind: 'started' } | TransferRefusal | NotLeader {
    if (this.#state.role !== 'leader') return this.#notLeader()
    return this.#state.leadership.transfer(to)
  }

  /** Campaigns now; nothing happens when this replica leads or may not campaign. A sole voter is leader one save later. */
  campaign(): void {
    if (this.#state.role !== 'leader' && this.#mayCampaign()) this.#becomePreCandidate()
  }

  /** Replicas that may know the leader, besides the voters in the log: what `--join` and the peers' hellos told. */
  contact(replicas: readonly ReplicaId[]): void {
    for (const replica of replicas) if (replica !== this.id) this.#contacts.add(replica)
  }

  /** A leader sends its committed log to `replica` too, unasked. */
  observe(replica: ReplicaId): void {
    if (this.#state.role !== 'leader' || this.#state.leadership.progressOf(replica) !== undefined) return
    this.#state.leadership.observe(replica, this.#log.lastIndex, false)
  }

  /** The connection to `replica` broke: what was in flight may be lost. */
  unreachable(replica: ReplicaId): void {
    if (this.#state.role === 'leader') this.#state.leadership.onUnreachable(replica)
  }

  snapshotReport(replica: ReplicaId, report: 'progressing' | 'failed'): void {
    if (this.#state.role === 'leader') this.#state.leadership.onSnapshotReport(replica, report)
  }

  /** The storage has a new snapshot, and may have let go of the log below it. */
  snapshotMade(index: number): void {
    assert(index <= this.#log.applied, 'a snapshot of what is not applied')
    this.#log.members.forgetBefore(index)
  }

  // What the driver did

  voteSaved(): void {
    const saved = this.#savingVote
    assert(saved !== null, 'no vote was being saved')
    this.#savingVote = null
    this.#savedVote = saved
    if (this.#state.role === 'candidate' && saved.term === this.term && saved.votedFor === this.id)
      this.#onVoteCounted(this.#state.ballot.record(this.id, true))
  }

  stored(seq: number): void {
    this.#log.stored(seq)
    if (this.#state.role === 'leader') this.#afterLeading(this.#state.leadership, (it) => it.onStored())
    else if (this.#ackDue) this.#acknowledge()
  }

  applied(index: number): void {
    this.#log.appliedTo(index)
  }

  /** What is to be done now; null when nothing is. */
  ready(): Ready | null {
    if (this.#abstainUntil !== null && this.#holdsCommitted(this.#abstainUntil)) this.#abstainUntil = null
    if (this.#state.role === 'leader') this.#state.leadership.flush()
    const vote = this.#voteToSave()
    // Nothing that a replica says or writes under a term may outlive a crash that its term and vote do not.
    const settled = this.#vote === this.#savedVote
    const ready: Ready = {
      standing: this.#standingChange(),
      vote,
      writes: settled ? this.#log.takeWrites() : [],
      messages: settled ? this.#outbox.splice(0) : [],
      restore: this.#log.takeRestore(),
      committed: this.#log.takeCommitted(this.#applyLimit(), this.#options.applyBytesMax),
      reads: this.#state.role === 'leader' ? this.#state.leadership.takeReads() : [],
      droppedReads: this.#droppedReads.splice(0),
    }
    return isIdle(ready) ? null : ready
  }

  // Time

  tick(): void {
    this.#now++
    if (this.#state.role === 'leader') {
      if (!this.#state.leadership.tick(this.#now)) this.#becomeFollower(this.term, null)
      return
    }
    if (this.#now - this.#quietSince < this.#patience) return
    const lost = this.#leader === null
    this.#quietSince = this.#now
    this.#hintTaken = false
    this.#leader = null
    if (this.#mayCampaign()) this.#becomePreCandidate()
    else this.#resetPatience()
    // A voter whose campaigns lead nowhere may have been removed without hearing of it.
    if (lost || !this.#mayCampaign()) this.#askForTheLog()
  }

  // Messages

  step(message: Message): void {
    if (message.to !== this.id) return
    switch (message.kind) {
      case 'pre-vote':
        return this.#onPreVote(message)
      case 'pre-vote-reply':
        return this.#onPreVoteReply(message)
      case 'vote':
        // A live leader is not to be disturbed by one who only lost sight of it.
        if (message.term > this.term && this.#leaderIsAlive() && !message.transfer) return
        break
      default:
    }
    if (message.term > this.term) this.#becomeFollower(message.term, null)
    if (message.term < this.term) return this.#onOlderTerm(message)
    switch (message.kind) {
      case 'vote':
        return this.#onVote(message)
      case 'vote-reply':
        if (this.#state.role === 'candidate')
          this.#onVoteCounted(this.#state.ballot.record(message.from, message.granted))
        return
      case 'append':
        this.#heedLeader(message.from)
        return this.#onAppend(message)
      case 'heartbeat':
        this.#heedLeader(message.from)
        return this.#onHeartbeat(message)
      case 'install':
        if (this.#state.role === 'leader') return
        this.#heedLeader(message.from)
        return this.#onInstall(message)
      case 'append-reply':
        return this.#asLeader((it) => it.onAppendReply(message))
      case 'append-refused':
        return this.#asLeader((it) => it.onAppendRefused(message))
      case 'heartbeat-reply':
        return this.#asLeader((it) => it.onHeartbeatReply(message))
      case 'timeout-now':
        if (this.#state.role !== 'leader' && this.#mayCampaign()) this.#becomeCandidate(true)
        return
      case 'follow':
        return this.#onFollow(message)
      case 'leader-hint':
        return this.#onLeaderHint(message)
      case 'newer-term':
        return
      default:
        unreachable(message)
    }
  }

  #onOlderTerm(message: Message): void {
    switch (message.kind) {
      // A leader of an older term, if it can still reach us, must learn of the newer one: a replica that moved ahead
      // would otherwise be stuck, refusing appends and unable to campaign.
      case 'append':
      case 'heartbeat':
      case 'install':
        return this.#send(message.from, { kind: 'newer-term' })
      case 'vote':
        return this.#send(message.from, { kind: 'vote-reply', granted: false })
      case 'follow':
        return this.#onFollow(message)
      default: // an answer to what is over
    }
  }

  // Elections

  #onPreVote(message: MessageOf<'pre-vote'>): void {
    const granted =
      message.term > this.term &&
      !this.#leaderIsAlive() &&
      !this.abstaining &&
      this.#log.isUpToDate(message.lastIndex, message.lastTerm)
    this.#send(message.from, { kind: 'pre-vote-reply', granted }, granted ? message.term : this.term)
    // It does not know that it was removed, or was added and fell behind: the log will tell it.
    if (this.#state.role === 'leader' && !this.voters.includes(message.from))
      this.#state.leadership.observe(message.from, message.lastIndex, false)
  }

  #onPreVoteReply(message: MessageOf<'pre-vote-reply'>): void {
    if (!message.granted && message.term > this.term) return this.#becomeFollower(message.term, null)
    if (this.#state.role !== 'pre-candidate') return
    if (message.granted && message.term !== this.term + 1) return
    const tally = this.#state.ballot.record(message.from, message.granted)
    if (tally === 'won') this.#becomeCandidate(false)
    else if (tally === 'lost') this.#becomeFollower(this.term, null)
  }

  #onVote(message: MessageOf<'vote'>): void {
    const { planted } = this.#options
    const free = this.votedFor === null && this.#leader === null
    const granted =
      (free || this.votedFor === message.from || planted === 'vote-twice') &&
      !this.abstaining &&
      this.#isGoodEnough(message)
    if (granted) {
      if (this.votedFor !== message.from) this.#vote = { term: this.term, votedFor: message.from }
      this.#quietSince = this.#now
    }
    this.#send(message.from, { kind: 'vote-reply', granted })
  }

  #isGoodEnough({ lastIndex, lastTerm }: MessageOf<'pre-vote' | 'vote'>): boolean {
    return this.#log.isUpToDate(lastIndex, lastTerm) || this.#options.planted === 'vote-blindly'
  }

  #onVoteCounted(tally: Tally): void {
    if (tally === 'won') this.#becomeLeader()
    else if (tally === 'lost') this.#becomeFollower(this.term, null)
  }

  /** While its removal is not committed, a voter may be the only one whose log can win (thesis §4.2.2). */
  #mayCampaign(): boolean {
    if (this.abstaining || this.#log.installing) return false
    const { current, before } = this.#log.members
    return current.voters.includes(this.id) || (current.index > this.#log.commit && before.voters.includes(this.id))
  }

  #leaderIsAlive(): boolean {
    if (this.#state.role === 'leader') return true // check-quorum sees to it
    return this.#leader !== null && this.#now - this.#quietSince < this.#options.electionTicks
  }

  #becomeFollower(term: number, leader: ReplicaId | null): void {
    if (this.#state.role === 'leader') this.#droppedReads.push(...this.#state.leadership.dropReads())
    this.#state = FOLLOWER
    if (term > this.term) this.#vote = { term, votedFor: null }
    this.#leader = leader
    this.#forgetAgreement()
    this.#quietSince = this.#now
    this.#resetPatience()
  }

  #becomePreCandidate(): void {
    const ballot = new Ballot(this.voters)
    this.#state = { role: 'pre-candidate', ballot }
    this.#leader = null
    this.#forgetAgreement()
    this.#quietSince = this.#now
    this.#resetPatience()
    const { lastIndex, lastTerm } = this.#log
    for (const voter of this.voters)
      if (voter !== this.id) this.#send(voter, { kind: 'pre-vote', lastIndex, lastTerm }, this.term + 1)
    if (ballot.record(this.id, true) === 'won') this.#becomeCandidate(false)
  }

  /** Its own vote counts once it is saved. */
  #becomeCandidate(transfer: boolean): void {
    this.#vote = { term: this.term + 1, votedFor: this.id }
    this.#state = { role: 'candidate', ballot: new Ballot(this.voters), transfer }
    this.#leader = null
    this.#forgetAgreement()
    this.#quietSince = this.#now
    this.#resetPatience()
    const { lastIndex, lastTerm } = this.#log
    for (const voter of this.voters)
      if (voter !== this.id) this.#send(voter, { kind: 'vote', lastIndex, lastTerm, transfer })
  }

  #becomeLeader(): void {
    const { id, term } = this
    const send = (to: ReplicaId, body: MessageBody) => this.#send(to, body)
    const seat = { id, term, log: this.#log, options: this.#options, send }
    this.#leader = this.id
    this.#state = { role: 'leader', leadership: new Leadership(seat, this.#now) }
  }

  // Following

  #heedLeader(leader: ReplicaId): void {
    assert(this.#state.role !== 'leader', 'two leaders in one term')
    assert(this.#leader === null || this.#leader === leader, 'two leaders in one term')
    if (this.#state.role !== 'follower' || this.#leader === null) this.#becomeFollower(this.term, leader)
    this.#quietSince = this.#now
    this.#hintTaken = true
  }

  #onAppend(message: MessageOf<'append'>): void {
    const { prevIndex, prevTerm, entries } = message
    if (prevIndex < this.#log.commit) return this.#agree(this.#log.commit) // never look at what is committed again
    const last = this.#log.reconcile(prevIndex, prevTerm, entries)
    if (last === null) {
      const hintIndex = Math.max(this.#log.floorByTerm(prevIndex, prevTerm), this.#log.commit)
      const hintTerm = this.#log.term(hintIndex) ?? 0
      return this.#send(message.from, { kind: 'append-refused', prevIndex, hintIndex, hintTerm })
    }
    this.#log.commitTo(Math.min(message.commit, last))
    this.#agree(last)
  }

  #onHeartbeat(message: MessageOf<'heartbeat'>): void {
    // Within what this replica acknowledged, so within what agrees; a mending one may have lost some of it.
    this.#log.commitTo(Math.min(message.commit, this.#log.lastIndex))
    this.#send(message.from, { kind: 'heartbeat-reply', round: message.round, abstaining: this.abstaining })
    if (this.abstaining && !this.#ackDue && this.#agreed === 0) this.#askForTheLog()
  }

  #onInstall({ head }: MessageOf<'install'>): void {
    if (head.index <= this.#log.commit && this.#options.planted !== 'install-over-newer')
      return this.#agree(this.#log.commit)
    if (this.#log.matches(head.index, head.term) && head.index > this.#log.commit) this.#log.commitTo(head.index)
    else this.#log.restore(head)
    this.#agree(head.index)
  }

  /** The log is known to be the leader's up to `index`: acknowledge that, now or when it is durable. */
  #agree(index: number): void {
    this.#agreed = Math.max(this.#agreed, index)
    this.#ackDue = true
    if (this.#log.durable >= index) this.#acknowledge()
  }

  #acknowledge(): void {
    if (this.#leader === null) return
    const matchIndex = Math.min(this.#agreed, this.#log.durable)
    this.#ackDue = matchIndex < this.#agreed
    this.#send(this.#leader, { kind: 'append-reply', matchIndex })
  }

  #forgetAgreement(): void {
    this.#agreed = 0
    this.#ackDue = false
  }

  /** Committed entries are one sequence of rising terms: who holds one at or behind `place` holds all before it. */
  #holdsCommitted(place: Position): boolean {
    const index = Math.min(this.#log.commit, this.#log.durable)
    const term = this.#log.term(index) ?? 0
    return term > place.term || (term === place.term && index >= place.index)
  }

  // Replicas that lost sight of the leader, or may not campaign

  #askForTheLog(): void {
    const known = this.#leader === null ? [...new Set([...this.voters, ...this.#contacts])] : [this.#leader]
    const others = known.filter((replica) => replica !== this.id)
    if (others.length === 0) return
    const asked = others[this.#random.u32() % others.length]!
    this.#send(asked, { kind: 'follow', lastIndex: this.#log.lastIndex, mending: this.abstaining })
  }

  #onFollow({ from, lastIndex, mending }: MessageOf<'follow'>): void {
    if (this.#state.role === 'leader') this.#state.leadership.observe(from, lastIndex, mending)
    else this.#send(from, { kind: 'leader-hint', leader: this.#leader })
  }

  /** One hint a silence is followed: two replicas that point at each other must not keep us running. */
  #onLeaderHint({ leader }: MessageOf<'leader-hint'>): void {
    if (this.#hintTaken || leader === null || leader === this.id || this.#leader !== null) return
    this.#hintTaken = true
    this.#send(leader, { kind: 'follow', lastIndex: this.#log.lastIndex, mending: this.abstaining })
  }

  // The rest

  #asLeader(act: (leadership: Leadership) => void): void {
    if (this.#state.role === 'leader') this.#afterLeading(this.#state.leadership, act)
  }

  /** A leader that the log has removed tells what is committed, names a successor and goes. */
  #afterLeading(leadership: Leadership, act: (leadership: Leadership) => void): void {
    act(leadership)
    if (!leadership.removed) return
    leadership.flush()
    leadership.nominate()
    this.#becomeFollower(this.term, null)
  }

  #send(to: ReplicaId, body: MessageBody, term = this.term): void {
    this.#outbox.push({ from: this.id, to, term, ...body })
  }

  #notLeader(): NotLeader {
    return { kind: 'not-leader', leader: this.#leader }
  }

  #voteToSave(): Vote | null {
    if (this.#savingVote !== null || this.#vote === this.#savedVote) return null
    return (this.#savingVote = this.#vote)
  }

  #applyLimit(): number {
    return this.#options.planted === 'apply-before-commit' ? this.#log.lastIndex : this.#log.commit
  }

  #standingNow(): Standing {
    return { role: this.role, term: this.term, leader: this.#leader }
  }

  #standingChange(): Standing | null {
    const { role, term, leader } = this.#standing
    if (role === this.role && term === this.term && leader === this.#leader) return null
    return (this.#standing = this.#standingNow())
  }

  #resetPatience(): void {
    const { electionTicks } = this.#options
    this.#patience = electionTicks + (this.#random.u32() % electionTicks)
  }
}

function isIdle(ready: Ready): boolean {
  return (
    ready.standing === null &&
    ready.vote === null &&
    ready.writes.length === 0 &&
    ready.messages.length === 0 &&
    ready.restore === null &&
    ready.committed.length === 0 &&
    ready.reads.length === 0 &&
    ready.droppedReads.length === 0
  )
}
