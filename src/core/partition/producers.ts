// What a partition knows of idempotent producers: the epoch of each and its last few batches. A function of the batches
// appended, in order, and nothing else, so that leader, follower and a start from the log agree to the byte.
//
// Within an epoch sequences follow without a gap, counted in records and wrapping at 2^32; a new epoch begins at 0. A
// producer silent for longer than the expiry is forgotten, and so is the longest silent one when there are too many: it is
// then refused as unknown, not taken for new, unless it begins again at 0.

import { limits } from '../base/index.ts'

export interface ProducerBatch {
  readonly baseSequence: number
  readonly count: number
  readonly baseOffset: number
  readonly appendedAt: number
}

/** Replaced, not edited, so that a snapshot can be taken by keeping references. */
export interface Producer {
  readonly producerId: number
  readonly epoch: number
  /** Oldest first, at most `PRODUCER_BATCHES_KEPT`. */
  readonly batches: readonly ProducerBatch[]
}

export type ProducerVerdict =
  | { kind: 'next' }
  | { kind: 'duplicate'; first: ProducerBatch }
  | { kind: 'producer-fenced'; currentEpoch: number }
  | { kind: 'sequence-gap'; expectedSequence: number; isAhead: boolean }
  | { kind: 'producer-unknown' }

const SEQUENCES = 0x1_0000_0000
const NEXT: ProducerVerdict = { kind: 'next' }
const UNKNOWN: ProducerVerdict = { kind: 'producer-unknown' }

/** A producer's place in the line from the longest silent to the latest. */
interface Place {
  producer: Producer
  before: Place | null
  after: Place | null
}

export class Producers {
  readonly #byId = new Map<number, Place>()
  #longestSilent: Place | null = null
  #latest: Place | null = null
  readonly #producersMax: number

  constructor(producersMax: number = limits.PRODUCERS_PER_PARTITION_MAX) {
    this.#producersMax = producersMax
  }

  get count(): number {
    return this.#byId.size
  }

  /** Those of this moment, longest silent first. */
  capture(): readonly Producer[] {
    const producers: Producer[] = []
    for (let place = this.#longestSilent; place !== null; place = place.after) producers.push(place.producer)
    return producers
  }

  /** Judges a batch that would be appended at `appendedAt`; changes nothing. */
  check(
    producerId: number,
    epoch: number,
    baseSequence: number,
    count: number,
    appendedAt: number,
    expiryMs: number,
  ): ProducerVerdict {
    const producer = this.#byId.get(producerId)?.producer
    if (producer === undefined || lastAppendedAt(producer) < appendedAt - expiryMs) {
      return baseSequence === 0 ? NEXT : UNKNOWN
    }
    if (epoch < producer.epoch) return { kind: 'producer-fenced', currentEpoch: producer.epoch }
    if (epoch > producer.epoch) return baseSequence === 0 ? NEXT : gap(baseSequence, 0)
    for (const first of producer.batches) {
      if (first.baseSequence === baseSequence && first.count === count) return { kind: 'duplicate', first }
    }
    const last = producer.batches.at(-1)!
    const expectedSequence = (last.baseSequence + last.count) % SEQUENCES
    return baseSequence === expectedSequence ? NEXT : gap(baseSequence, expectedSequence)
  }

  /** The batch is in the log. */
  apply(producerId: number, epoch: number, batch: ProducerBatch, expiryMs: number): void {
    this.expire(batch.appendedAt - expiryMs)
    const place = this.#byId.get(producerId)
    const known = place?.producer
    const batches = known !== undefined && known.epoch === epoch ? [...known.batches, batch] : [batch]
    if (batches.length > limits.PRODUCER_BATCHES_KEPT) batches.shift()
    if (place !== undefined) this.#leave(place)
    this.#append({ producerId, epoch, batches })
    if (this.#byId.size > this.#producersMax) this.#forget(this.#longestSilent!)
  }

  /** Forgets who has been silent since before this. */
  expire(beforeMs: number): void {
    while (this.#longestSilent !== null && lastAppendedAt(this.#longestSilent.producer) < beforeMs) {
      this.#forget(this.#longestSilent)
    }
  }

  /** From a snapshot, in its order. */
  restore(producer: Producer): void {
    this.#append(producer)
  }

  #append(producer: Producer): void {
    const place: Place = { producer, before: this.#latest, after: null }
    if (this.#latest === null) this.#longestSilent = place
    else this.#latest.after = place
    this.#latest = place
    this.#byId.set(producer.producerId, place)
  }

  #forget(place: Place): void {
    this.#leave(place)
    this.#byId.delete(place.producer.producerId)
  }

  #leave({ before, after }: Place): void {
    if (before === null) this.#longestSilent = after
    else before.after = after
    if (after === null) this.#latest = before
    else after.before = before
  }
}

function lastAppendedAt(producer: Producer): number {
  return producer.batches.at(-1)!.appendedAt
}

/** Ahead or behind on the circle of sequences, whichever is the shorter way. */
function gap(baseSequence: number, expectedSequence: number): ProducerVerdict {
  const distance = (baseSequence - expectedSequence + SEQUENCES) % SEQUENCES
  return { kind: 'sequence-gap', expectedSequence, isAhead: distance < SEQUENCES / 2 }
}
