// Time as the core sees it. Wall time is data (it may jump); everything that waits uses monotonic time.

export interface Clock {
  /** Wall time, integer milliseconds since 1970 UTC. May jump either way. */
  now(): number
  /** Monotonic milliseconds (fractional) since an arbitrary start. Never falls. */
  monotonic(): number
  /** Calls `wake` once, at or after `monotonicMs`. Returns what cancels it. */
  wakeAt(monotonicMs: number, wake: () => void): () => void
  /** Calls `run` after the input already waiting in this turn of the event loop has been taken in. */
  nextTurn(run: () => void): void
}
