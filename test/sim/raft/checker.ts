// The invariants R1 to R10, watched from outside: the checker sees every disk, message and state at once, keeps its own
// account of what is committed, and throws at the first event that breaks one.
//
//  R1 one leader a term                        R6 what is committed is durable at a majority of the voters in force
//  R2 term, vote and commit never fall         R7 what is applied is what is committed, everywhere in the same order
//  R3 equal index and term: equal prefix       R8 one uncommitted membership at most, neighbours differ by one voter
//  R4 a leader holds what was committed before R9 snapshots hold committed state; the log begins at or below them
//  R5 nothing committed is cut off             R10 a read sees every write acknowledged before it began
//
// Beyond the list: an acknowledgement of entries is only sent when they are durable, and a vote only once a term.

import {
  type Entry,
  distance,
  lastIndexOf,
  majorityOf,
  type Message,
  type ReplicaId,
} from '../../../src/core/raft/index.ts'
import type { LogImage } from './log-image.ts'
import type { SimReplica } from './sim-replica.ts'

export class InvariantBroken extends Error {}

function broken(rule: string, what: string): never {
  throw new InvariantBroken(`${rule}: ${what}`)
}

export class Checker {
  /** The highest index any replica knew to be committed, and the chain of the entry at each index up to there. */
  committed = 0
  ackedIndex = 0
  readonly #chains: number[] = [0]
  /** Where commits of a term began to reach, in order. */
  readonly #commits: { readonly term: number; readonly index: number }[] = []
  readonly #leaders = new Map<number, ReplicaId>()
  readonly #votes = new Map<string, ReplicaId>()
  readonly #chainOf = new Map<number, number>()
  /** Durable logs that were lost with their folder or damaged: what they acknowledged was true. */
  readonly #ghosts = new Map<ReplicaId, LogImage[]>()
  /** Highest term each replica has shown to others. */
  readonly #shown = new Map<ReplicaId, number>()
  /** The voters as of the newest committed entry. */
  committedVoters: readonly ReplicaId[]
  /** Every set that ever was in a log, by term and index. */
  readonly #sets = new Map<number, readonly ReplicaId[]>()
  readonly #replicaOf: (id: ReplicaId) => SimReplica | undefined

  constructor(voters: readonly ReplicaId[], replicaOf: (id: ReplicaId) => SimReplica | undefined) {
    this.committedVoters = voters
    this.#replicaOf = replicaOf
  }

  ghost(id: ReplicaId, durable: LogImage): void {
    this.#ghosts.set(id, [...(this.#ghosts.get(id) ?? []), durable])
  }

  /** Before `entries` are written to the log of `replica`. */
  onAppend(replica: SimReplica, entries: readonly Entry[]): void {
    const log = replica.disk.written
    const from = entries[0]!.index
    for (let index = from; index <= Math.min(log.lastIndex, this.committed); index++)
      if (log.chain(index) === this.#chains[index] && this.#chains[index] !== undefined)
        broken('R5', `${replica.id} cuts off the committed entry at ${index}`)
  }

  /** After. */
  onAppended(replica: SimReplica, entries: readonly Entry[]): void {
    const log = replica.disk.written
    for (const entry of entries) {
      const key = keyOf(entry.term, entry.index)
      const chain = log.chain(entry.index)!
      const known = this.#chainOf.get(key)
      if (known === undefined) this.#chainOf.set(key, chain)
      else if (known !== chain) broken('R3', `two logs differ up to ${entry.index} of term ${entry.term}`)
      if (entry.body.kind === 'voters') {
        this.#sets.set(key, entry.body.voters)
        this.#checkSets(replica, log, lastIndexOf(entry))
      }
    }
  }

  onSend(replica: SimReplica, message: Message): void {
    const { term, from } = message
    if (message.kind === 'pre-vote' || message.kind === 'pre-vote-reply') return
    if (term < (this.#shown.get(from) ?? 0)) broken('R2', `${from} shows term ${term} after ${this.#shown.get(from)}`)
    this.#shown.set(from, Math.max(term, this.#shown.get(from) ?? 0))
    switch (message.kind) {
      case 'vote-reply':
        if (message.granted) this.#noteVote(term, from, message.to)
        return
      case 'vote':
        return this.#noteVote(term, from, from)
      case 'append-reply':
        if (replica.disk.durable.lastIndex < message.matchIndex)
          broken('R6', `${from} acknowledges ${message.matchIndex}, durable is ${replica.disk.durable.lastIndex}`)
        return
      default:
    }
  }

  /** After every event, for the replica it touched. */
  after(replica: SimReplica): void {
    const { raft } = replica
    if (raft === null) return
    if (raft.term < (this.#shown.get(replica.id) ?? 0)) broken('R2', `${replica.id} fell back to term ${raft.term}`)
    this.noteCommit(replica)
    if (raft.role === 'leader') this.#noteLeader(replica, raft.term)
  }

  noteCommit(replica: SimReplica): void {
    const raft = replica.raft!
    const { commitIndex } = raft
    if (commitIndex === replica.commitSeen) return
    if (commitIndex < replica.commitSeen) broken('R2', `the commit index of ${replica.id} falls to ${commitIndex}`)
    const log = replica.disk.written
    // Taken in, but the write waits for a vote to be saved: looked at then.
    if (log.lastIndex < commitIndex || log.term(commitIndex) !== raft.termOf(commitIndex)) return
    const chain = log.chain(commitIndex)
    if (chain === null) broken('R9', `${replica.id} has committed ${commitIndex} and neither entry nor snapshot of it`)
    replica.commitSeen = commitIndex
    if (commitIndex <= this.committed) {
      if (chain !== this.#chains[commitIndex])
        broken('R7', `${replica.id} has committed something else at ${commitIndex}`)
      return
    }
    if (raft.role === 'leader' && log.term(commitIndex) !== raft.term)
      broken('R4', `${replica.id} commits ${commitIndex}, an entry of an earlier term, by counting`)
    this.#checkMajority(raft.voters, commitIndex, chain)
    for (let index = this.committed + 1; index <= commitIndex; index++) {
      this.#chains.push(log.chain(index)!)
      const set = this.#sets.get(keyOf(log.term(index)!, index))
      if (set !== undefined) this.committedVoters = set
    }
    this.#commits.push({ term: raft.term, index: commitIndex })
    this.committed = commitIndex
  }

  onApply(replica: SimReplica, index: number, chain: number): void {
    this.noteCommit(replica)
    if (index > this.committed) broken('R7', `${replica.id} applies ${index}, which is not committed`)
    if (this.#chains[index] !== chain) broken('R7', `${replica.id} has applied something else up to ${index}`)
  }

  onSnapshot(replica: SimReplica): void {
    const { snapshot, firstIndex } = replica.disk.written
    if (snapshot === null) return
    const { index } = snapshot.head
    if (index > this.committed) broken('R9', `${replica.id} has a snapshot at ${index} of what is not committed`)
    if (firstIndex > index + 1) broken('R9', `the log of ${replica.id} begins behind its snapshot`)
    if (snapshot.chain !== this.#chains[index])
      broken('R9', `${replica.id} has a snapshot of something else at ${index}`)
  }

  onRead(replica: SimReplica, mustSee: number): void {
    if (replica.appliedIndex < mustSee)
      broken('R10', `${replica.id} answers a read at ${replica.appliedIndex}; ${mustSee} was acknowledged before it`)
  }

  onAcknowledged(index: number): void {
    if (index > this.committed) broken('R7', `${index} is acknowledged and not committed`)
    this.ackedIndex = Math.max(this.ackedIndex, index)
  }

  get elections(): number {
    return this.#leaders.size
  }

  #noteLeader(replica: SimReplica, term: number): void {
    const known = this.#leaders.get(term)
    if (known === replica.id) return
    if (known !== undefined) broken('R1', `${known} and ${replica.id} both lead term ${term}`)
    this.#leaders.set(term, replica.id)
    let before = 0
    for (const commit of this.#commits) if (commit.term < term) before = Math.max(before, commit.index)
    if (replica.disk.written.chain(before) !== this.#chains[before])
      broken('R4', `${replica.id} leads term ${term} without the committed entry at ${before}`)
  }

  #noteVote(term: number, voter: ReplicaId, candidate: ReplicaId): void {
    const key = `${term} ${voter}`
    const known = this.#votes.get(key)
    if (known !== undefined && known !== candidate)
      broken('R2', `${voter} votes in term ${term} for ${known} and for ${candidate}`)
    this.#votes.set(key, candidate)
  }

  #checkMajority(voters: readonly ReplicaId[], index: number, chain: number): void {
    const holds = (log: LogImage | undefined) => log?.chain(index) === chain
    const holders = voters.filter(
      (voter) => holds(this.#replicaOf(voter)?.disk.durable) || this.#ghosts.get(voter)?.some(holds),
    )
    if (holders.length < majorityOf(voters.length))
      broken('R6', `${index} is committed and durable only at ${holders.join(' ')} of ${voters.join(' ')}`)
  }

  /** The memberships along this one log. */
  #checkSets(replica: SimReplica, log: LogImage, last: number): void {
    let before = log.snapshot?.head.voters ?? null
    let uncommitted = 0
    for (let index = Math.max(log.firstIndex, (log.snapshot?.head.index ?? 0) + 1); index <= last; index++) {
      const set = this.#sets.get(keyOf(log.term(index)!, index))
      if (set === undefined) continue
      if (before !== null && distance(before, set) > 1) broken('R8', `${replica.id} changes two voters at once`)
      before = set
      if (log.chain(index) !== this.#chains[index]) uncommitted++
    }
    if (uncommitted > 1) broken('R8', `${replica.id} has ${uncommitted} uncommitted memberships in its log`)
  }
}

function keyOf(term: number, index: number): number {
  return term * 0x100_0000 + index
}
