// How long to wait before the next attempt: twice as long each time, spread so that clients do not come back all at once.

export class Backoff {
  readonly #firstMs: number
  readonly #longestMs: number
  #failures = 0

  constructor(firstMs: number, longestMs: number) {
    this.#firstMs = firstMs
    this.#longestMs = longestMs
  }

  reset(): void {
    this.#failures = 0
  }

  /** Half to all of it; `atLeastMs` is what the broker asked for. */
  next(atLeastMs = 0): number {
    const longest = Math.min(this.#firstMs * 2 ** Math.min(this.#failures++, 20), this.#longestMs)
    return Math.max(atLeastMs, longest / 2 + Math.random() * (longest / 2))
  }
}

/** Ends early when `signal` aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const wake = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    signal.addEventListener('abort', wake)
  })
}
