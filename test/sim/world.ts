// Virtual time: a heap of events ordered by (time, number), so that the order is total and one seed is one history.
// Nothing here waits; a day passes as fast as its events run.

interface SimEvent {
  readonly at: number
  readonly seq: number
  readonly run: () => void
}

export class World {
  /** Milliseconds since the world began. */
  now = 0
  /** Events run so far. */
  events = 0
  readonly #heap: SimEvent[] = []
  #seq = 0

  after(delayMs: number, run: () => void): void {
    const event = { at: this.now + delayMs, seq: this.#seq++, run }
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    const heap = this.#heap
    const next = heap[0]
    if (next === undefined) return false
    const last = heap.pop()!
    if (heap.length > 0) this.#sink(last)
    this.now = next.at
    this.events++
    next.run()
    return true
  }

  /** Runs events until `ms`, or until `done` says so after one. */
  runUntil(ms: number, done: () => boolean = () => false): boolean {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= ms) {
      this.step()
      if (done()) return true
    }
    this.now = Math.max(this.now, ms)
    return false
  }

  #sink(event: SimEvent): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, event)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = event
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq)
}
