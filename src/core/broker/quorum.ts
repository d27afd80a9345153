// Who votes on the metadata, as brokers and operators deal with it. The controller makes voters of brokers that are live and hold
// the whole log: from one to three, from three to five, one at a time, so that the number never rests at an even one. Only an
// operator takes a vote away.

import type { ClusterImage } from '../cluster/index.ts'
import type { Events } from '../ports/index.ts'
import { nodeIdOf, type ReplicaId, replicaIdOf } from '../raft/index.ts'
import type { Answer } from './forwarding.ts'
import type { Metadata } from './metadata.ts'
import type { Timers } from './timers.ts'

export type QuorumCommand =
  { readonly kind: 'add-voter'; readonly nodeId: number } | { readonly kind: 'remove-voter'; readonly nodeId: number }

export type QuorumReply =
  | { readonly kind: 'voters'; readonly voters: readonly number[] }
  | { readonly kind: 'voters-refused'; readonly nodeId: number; readonly why: VotersWhy }

export type VotersWhy =
  | 'unknown-broker'
  | 'already-voter'
  | 'not-a-voter'
  | 'node-id-in-use'
  | 'last-voter'
  | 'change-in-flight'
  | 'not-caught-up'
  | 'would-lose-quorum'

const VOTERS_MAX = 5
/** A change is committed in a round trip, or waits for a voter that is away. */
const COMMIT_MS = 5_000

export class Quorum {
  readonly #metadata: Metadata
  readonly #timers: Timers
  readonly #events: Events
  #isGrowing = false

  constructor(metadata: Metadata, timers: Timers, events: Events) {
    this.#metadata = metadata
    this.#timers = timers
    this.#events = events
  }

  get voters(): readonly number[] {
    return (this.#metadata.quorum.raft?.voters ?? []).map(nodeIdOf)
  }

  async decide({ kind, nodeId }: QuorumCommand): Promise<Answer> {
    const { image, quorum } = this.#metadata
    const refused = (why: VotersWhy): Answer => ({
      kind: 'decided',
      reply: { kind: 'voters-refused', nodeId, why },
      end: 0,
    })
    const replica = kind === 'add-voter' ? replicaOf(image, nodeId) : this.#voterOf(nodeId)
    if (replica === null) return refused(kind === 'add-voter' ? 'unknown-broker' : 'not-a-voter')
    const changed = quorum.changeMembership({ kind: kind === 'add-voter' ? 'add' : 'remove', replica })
    switch (changed.kind) {
      case 'proposed': {
        this.#events.info('voters-changed', { nodeId, change: kind })
        const end = changed.index + 1
        const isCommitted = await Promise.race([this.#metadata.reached(end).then(() => true), this.#late()])
        if (!isCommitted) return { kind: 'unknown-outcome' }
        return { kind: 'decided', reply: { kind: 'voters', voters: this.voters }, end }
      }
      case 'not-leader':
      case 'not-ready':
      case 'transferring':
        return { kind: 'refused', why: 'not-controller' }
      default:
        return refused(changed.kind)
    }
  }

  /** Called now and then. Does nothing on a broker that is not the controller. */
  async grow(): Promise<void> {
    if (!this.#metadata.isController || this.#isGrowing) return
    this.#isGrowing = true
    const next = this.#nextVoter()
    if (next !== null) await this.decide({ kind: 'add-voter', nodeId: next })
    this.#isGrowing = false
  }

  /** Null: there are enough, or too few brokers to come to an odd number. */
  #nextVoter(): number | null {
    const { voters } = this
    const live = [...this.#metadata.image.liveBrokers()].map(({ nodeId }) => nodeId)
    const others = live.filter((nodeId) => !voters.includes(nodeId)).sort((a, b) => a - b)
    const missing = voters.length % 2 === 0 ? 1 : 2
    return voters.length < VOTERS_MAX && others.length >= missing ? others[0]! : null
  }

  #voterOf(nodeId: number): ReplicaId | null {
    return this.#metadata.quorum.raft?.voters.find((voter) => nodeIdOf(voter) === nodeId) ?? null
  }

  #late(): Promise<false> {
    return new Promise((resolve) => {
      this.#timers.at(this.#timers.nowMs() + COMMIT_MS, { expire: () => resolve(false) })
    })
  }
}

function replicaOf(image: ClusterImage, nodeId: number): ReplicaId | null {
  const broker = image.broker(nodeId)
  return broker === null ? null : replicaIdOf(nodeId, broker.directoryId)
}
