// What becomes of one batch offered to a leader. A refusal leaves everything as it was. What an outcome tells (offsets, a
// sequence, an epoch) may rest on batches that are not committed yet: whoever passes it on first waits until all that was
// appended before is, `whenCommitted(endOffset - 1)`; for a duplicate `whenCommitted(lastOffset)` is enough.

interface Placed {
  baseOffset: number
  lastOffset: number
  count: number
  appendedAt: number
}

/** A duplicate was appended before, and these are its places. */
export type Appended = ({ kind: 'appended' } & Placed) | ({ kind: 'duplicate' } & Placed)

export type AppendRefusal =
  /** Part of this log cannot be read: nothing is added to it. */
  | { kind: 'damaged'; offset: number; nextReadableOffset: number }
  /** The state of producers and keys is being read again, after the disk refused a write. */
  | { kind: 'loading' }
  /** It takes nothing new; repeats of what it has are told so first. */
  | { kind: 'retiring' }
  | { kind: 'offset-mismatch'; nextOffset: number }
  | { kind: 'producer-fenced'; currentEpoch: number }
  /** Not the sequence that comes next. `isAhead`: what is between may yet arrive; else it is an old batch, long kept. */
  | { kind: 'sequence-gap'; expectedSequence: number; isAhead: boolean }
  /** The producer has no batch here, or its last is too long ago: only sequence 0 can begin. */
  | { kind: 'producer-unknown' }
  /** Other records under the same Idempotency-Key, or not those that come next. */
  | { kind: 'key-conflict'; nextOrdinal: number }
