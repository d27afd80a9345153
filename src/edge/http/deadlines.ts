// Deadlines of uploads: many are set and nearly all are met, so setting one is a set insertion and one timer serves all,
// armed for the nearest. A late firing is no harm; a body that arrives meanwhile has won.

export interface Deadline {
  readonly atMs: number
  expire(): void
}

export class Deadlines {
  readonly #open = new Set<Deadline>()
  #timer: ReturnType<typeof setTimeout> | null = null
  #timerAtMs = Number.POSITIVE_INFINITY

  add(deadline: Deadline): void {
    this.#open.add(deadline)
    if (deadline.atMs < this.#timerAtMs) this.#arm(deadline.atMs)
  }

  delete(deadline: Deadline): void {
    this.#open.delete(deadline)
  }

  #arm(atMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    this.#timer = setTimeout(() => this.#fire(), Math.max(1, atMs - performance.now()))
    this.#timer.unref()
  }

  #fire(): void {
    this.#timer = null
    this.#timerAtMs = Number.POSITIVE_INFINITY
    const nowMs = performance.now()
    let nextMs = Number.POSITIVE_INFINITY
    for (const deadline of this.#open) {
      if (deadline.atMs <= nowMs) {
        this.#open.delete(deadline)
        deadline.expire()
      } else if (deadline.atMs < nextMs) {
        nextMs = deadline.atMs
      }
    }
    if (nextMs < this.#timerAtMs) this.#arm(nextMs)
  }
}
