// The leader's judgement of one batch: is it new, a repeat, or refused. It reads only; what it lets through is stamped and
// appended by the partition.
//
// Repeats are recognised before the expected offset is compared: a compare-and-append that is sent again because its answer
// was lost finds its own first success, not a mismatch.

import {
  baseSequenceOf,
  lastOffsetDeltaOf,
  NO_PRODUCER,
  producerEpochOf,
  producerIdOf,
  readIdempotency,
} from '../record/index.ts'
import type { Appended, AppendRefusal } from './append-outcome.ts'
import { idempotencyAt, type ProducerState } from './producer-state.ts'

export interface Offer {
  /** What the batch would be stamped with. */
  baseOffset: number
  appendedAt: number
  expectOffset: number | null
  expiryMs: number
}

/** Null: append it. `batch` is one whole batch, admitted. */
export function judge(state: ProducerState, batch: Uint8Array, offer: Offer): Appended | AppendRefusal | null {
  return judgeProducer(state, batch, offer) ?? judgeKey(state, batch) ?? judgeOffset(offer)
}

function judgeProducer(state: ProducerState, batch: Uint8Array, offer: Offer): Appended | AppendRefusal | null {
  const producerId = producerIdOf(batch, 0)
  if (producerId === NO_PRODUCER) return null
  const verdict = state.producers.check(
    producerId,
    producerEpochOf(batch, 0),
    baseSequenceOf(batch, 0),
    lastOffsetDeltaOf(batch, 0) + 1,
    offer.appendedAt,
    offer.expiryMs,
  )
  if (verdict.kind === 'next') return null
  if (verdict.kind !== 'duplicate') return verdict
  const { baseOffset, count, appendedAt } = verdict.first
  return { kind: 'duplicate', baseOffset, lastOffset: baseOffset + count - 1, count, appendedAt }
}

function judgeKey(state: ProducerState, batch: Uint8Array): Appended | AppendRefusal | null {
  const at = idempotencyAt(batch, 0)
  if (at < 0) return null
  const verdict = state.keys.check(readIdempotency(batch, at), lastOffsetDeltaOf(batch, 0) + 1)
  if (verdict.kind === 'next') return null
  if (verdict.kind !== 'duplicate') return verdict
  const { baseOffset, lastOffset, count, appendedAt } = verdict.range
  return { kind: 'duplicate', baseOffset, lastOffset, count, appendedAt }
}

function judgeOffset(offer: Offer): AppendRefusal | null {
  if (offer.expectOffset === null || offer.expectOffset === offer.baseOffset) return null
  return { kind: 'offset-mismatch', nextOffset: offer.baseOffset }
}
