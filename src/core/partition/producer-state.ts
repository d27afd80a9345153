// What a partition derives from the batches appended: producers and keys, together with how far they reach. The same
// function of the same batches on every replica; `apply` is the only writer.

import { assert } from '../base/index.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  appendedAtOf,
  baseSequenceOf,
  findMeta,
  lastOffsetDeltaOf,
  metaBytesOf,
  MetaType,
  NO_PRODUCER,
  producerEpochOf,
  producerIdOf,
  readIdempotency,
} from '../record/index.ts'
import { IdempotencyKeys, type KeyBudget } from './idempotency-keys.ts'
import { Producers } from './producers.ts'

export class ProducerState {
  readonly producers: Producers
  readonly keys: IdempotencyKeys
  /** Every batch below is in. */
  nextOffset: number

  constructor(nextOffset: number, budget: KeyBudget, producers = new Producers()) {
    this.nextOffset = nextOffset
    this.producers = producers
    this.keys = new IdempotencyKeys(budget)
  }

  /** A stamped batch of the log, each once and in order; holes are where the log has none. */
  apply(bytes: Uint8Array, at: number, expiryMs: number): void {
    const baseOffset = baseOffsetOf(bytes, at)
    assert(baseOffset >= this.nextOffset, 'batches come in order')
    const count = lastOffsetDeltaOf(bytes, at) + 1
    this.nextOffset = baseOffset + count
    const appendedAt = appendedAtOf(bytes, at)
    // whatever the batch is: what compaction has left out of the log by its age must not come back from a snapshot
    this.expire(appendedAt - expiryMs)
    const producerId = producerIdOf(bytes, at)
    const keyAt = idempotencyAt(bytes, at)
    if (producerId === NO_PRODUCER && keyAt < 0) return
    if (producerId !== NO_PRODUCER) {
      const batch = { baseSequence: baseSequenceOf(bytes, at), count, baseOffset, appendedAt }
      this.producers.apply(producerId, producerEpochOf(bytes, at), batch, expiryMs)
    }
    if (keyAt >= 0) this.keys.apply(readIdempotency(bytes, keyAt), count, baseOffset, appendedAt, expiryMs)
  }

  expire(beforeMs: number): void {
    this.producers.expire(beforeMs)
    this.keys.expire(beforeMs)
  }
}

/** Where the batch's idempotency entry is, or -1. */
export function idempotencyAt(bytes: Uint8Array, at: number): number {
  const metaBytes = metaBytesOf(bytes, at)
  if (metaBytes === 0) return -1
  const start = at + BATCH_HEADER_BYTES
  return findMeta(bytes, start, start + metaBytes, MetaType.idempotency)
}
