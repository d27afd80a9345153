// What must hold of the quorum after every event, seen from outside:
//
//   R1 one leader a term       R2 the terms a replica shows never fall, nor does its commit; it votes once a term
//   R3, R7 whatever index two replicas have committed, they have it in the same term
//   images: what two brokers have published up to the same place is the same picture

import type { ClusterImage } from '../../../src/core/cluster/index.ts'
import type { Message, ReplicaId } from '../../../src/core/raft/index.ts'
import type { SimNode } from './sim-node.ts'

interface Seen {
  term: number
  life: number
  commit: number
}

export class Checker {
  elections = 0
  committed = 0
  readonly #fail: (why: string) => void
  readonly #leaders = new Map<number, ReplicaId>()
  readonly #seen = new Map<ReplicaId, Seen>()
  readonly #terms = new Map<number, number>()
  readonly #votes = new Map<string, ReplicaId>()

  constructor(fail: (why: string) => void) {
    this.#fail = fail
  }

  look(node: SimNode): void {
    const raft = node.metadata?.quorum.raft ?? null
    if (raft === null) return
    const { replica, life } = node
    let seen = this.#seen.get(replica)
    if (seen === undefined) this.#seen.set(replica, (seen = { term: 0, life, commit: 0 }))
    if (raft.term < seen.term) this.#fail(`R2: ${replica} falls from term ${seen.term} to ${raft.term}`)
    if (raft.role === 'leader') this.#noteLeader(replica, raft.term)
    const commitIndex = node.metadata!.quorum.committedEnd - 1
    // a replica that starts knows no more than its snapshot
    if (seen.life === life && commitIndex < seen.commit)
      this.#fail(`R2: the commit index of ${replica} falls from ${seen.commit} to ${commitIndex}`)
    if (commitIndex === seen.commit && seen.life === life) return
    seen.life = life
    seen.commit = commitIndex
    const term = raft.termOf(commitIndex)
    if (commitIndex === 0 || term === null) return
    const known = this.#terms.get(commitIndex)
    if (known !== undefined && known !== term)
      this.#fail(`R7: ${replica} has committed ${commitIndex} in term ${term}, others in term ${known}`)
    this.#terms.set(commitIndex, term)
    this.committed = Math.max(this.committed, commitIndex)
  }

  /** What a replica says: only that counts of a term or a vote that may not have been saved. */
  onSend(message: Message): void {
    const { from, to, term, kind } = message
    if (kind === 'pre-vote' || kind === 'pre-vote-reply') return
    const seen = this.#seen.get(from)
    if (seen !== undefined && term < seen.term) this.#fail(`R2: ${from} shows term ${term} after ${seen.term}`)
    if (seen !== undefined) seen.term = term
    if (kind === 'vote' || (kind === 'vote-reply' && message.granted)) {
      const candidate = kind === 'vote' ? from : to
      const key = `${term} ${from}`
      const known = this.#votes.get(key) ?? candidate
      if (known !== candidate) this.#fail(`R2: ${from} votes in term ${term} for ${known} and for ${candidate}`)
      this.#votes.set(key, candidate)
    }
  }

  #noteLeader(replica: ReplicaId, term: number): void {
    const known = this.#leaders.get(term)
    if (known === replica) return
    if (known !== undefined) this.#fail(`R1: ${known} and ${replica} both lead term ${term}`)
    this.#leaders.set(term, replica)
    this.elections++
  }
}

/** The whole picture as text. */
export function pictureOf(image: ClusterImage): string {
  return JSON.stringify([image.nextProducerId, image.nextEpoch, [...image.brokers()], [...image.topics()]])
}
