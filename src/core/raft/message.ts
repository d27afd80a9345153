// What replicas say to each other. Delivery may lose, repeat, delay and reorder; a message is believed only through its
// term. `term` is the sender's, except in pre-votes, where it is the term the candidate would campaign in (and which a
// grant repeats). A snapshot's payload travels beside `install`: the driver steps the message when the payload is whole.

import type { Entry } from './entry.ts'
import type { ReplicaId } from './replica-id.ts'
import type { SnapshotHead } from './storage.ts'

export interface Envelope {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly term: number
}

export type MessageBody =
  | { readonly kind: 'pre-vote'; readonly lastIndex: number; readonly lastTerm: number }
  | { readonly kind: 'pre-vote-reply'; readonly granted: boolean }
  /** `transfer`: the leader asked for it, so a live leader is no reason to refuse. */
  | { readonly kind: 'vote'; readonly lastIndex: number; readonly lastTerm: number; readonly transfer: boolean }
  | { readonly kind: 'vote-reply'; readonly granted: boolean }
  | {
      readonly kind: 'append'
      readonly prevIndex: number
      readonly prevTerm: number
      readonly entries: readonly Entry[]
      readonly commit: number
    }
  /** The follower holds durably what the leader has up to `matchIndex`. */
  | { readonly kind: 'append-reply'; readonly matchIndex: number }
  /** `prevIndex` did not match; the logs can agree no later than at the hint. */
  | {
      readonly kind: 'append-refused'
      readonly prevIndex: number
      readonly hintIndex: number
      readonly hintTerm: number
    }
  /** `commit` is capped at what the receiver is known to hold; `round` numbers the newest round of reads. */
  | { readonly kind: 'heartbeat'; readonly commit: number; readonly round: number }
  /** `abstaining`: it lost entries it once acknowledged, and does not vote for now. */
  | { readonly kind: 'heartbeat-reply'; readonly round: number; readonly abstaining: boolean }
  | { readonly kind: 'install'; readonly head: SnapshotHead }
  /** Campaign now: you hold everything and I step aside. */
  | { readonly kind: 'timeout-now' }
  /** Your term is over; mine is in the envelope. */
  | { readonly kind: 'newer-term' }
  /** A replica that may not campaign, or cannot succeed, asks to be sent the log. `mending`: it lost entries it once acknowledged. */
  | { readonly kind: 'follow'; readonly lastIndex: number; readonly mending: boolean }
  | { readonly kind: 'leader-hint'; readonly leader: ReplicaId | null }

export type Message = Envelope & MessageBody

export type MessageOf<Kind extends MessageBody['kind']> = Extract<Message, { kind: Kind }>
