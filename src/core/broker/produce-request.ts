// What a produce request asks, what it answers, and what a session needs of the broker around it.

import type { TopicId } from '../base/index.ts'
import type { TopicImage } from '../cluster/index.ts'
import type { Codec } from '../ports/index.ts'
import type { Builders } from './builders.ts'
import type { PartitionResult, ProduceRefusal } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'
import type { Wake } from './waiting.ts'

export interface ProduceRequest {
  topic: string
  /** From the URL; null: by key, or sticky. */
  partition: number | null
  acks: 'all' | '1' | '0'
  /** How long to wait for the acknowledgement; null: until it is known. */
  timeoutMs: number | null
  /** Append batches as they fill, rather than all at the end. */
  streaming: boolean
  /** Compare-and-append: the offset the first record must get. Needs `partition`. */
  expectOffset: number | null
  /** Needs `partition`. */
  producer: { id: number; epoch: number; sequence: number } | null
  idempotency: RequestKey | null
}

export interface RequestKey {
  /** 16 bytes over topic, principal and key. */
  keyHash: Uint8Array
  /** Start of each lane's digest: of the whole body where that is known, else 0. */
  bodySeed: bigint
}

export interface ProduceOutcome {
  topic: TopicImage
  created: boolean
  /** Every record had been kept by an earlier request with the same key. */
  replayed: boolean
  /** Records kept: by this request, or by an earlier one with its key. */
  count: number
  partitions: PartitionResult[]
  refusal: ProduceRefusal | null
  /** Ordinal within the request of the first record that was not kept, when refused. */
  firstUnaccepted: number | null
}

export interface AppendedBatch extends PartitionResult {
  /** Ordinal within the request of the batch's first record. */
  firstRecord: number
}

/** What a session needs of the broker around it. */
export interface ProduceHost {
  readonly codec: Codec
  nowMs(): number
  readonly builders: Builders
  /** The topic as it is now; null: it is gone. */
  route(topicId: TopicId): TopicRoute | null
  /** Turns once for each sticky batch, so that keyless load spreads. */
  nextSticky(): number
  /** What may refuse an append before it is tried. */
  appendRefusal(replica: Replica): ProduceRefusal | null
  /** Resolves when the high watermark of the replica rises, at the deadline, or when the broker closes. */
  advanced(replica: Replica, deadlineMs: number): Promise<Wake>
  monotonicMs(): number
  expired(promise: Promise<unknown>, timeoutMs: number): Promise<boolean>
}
