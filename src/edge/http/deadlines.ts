// Deadlines of uploads: many are set and nearly all are met, so they are links of one chain, which costs nothing to enter and
// leave, and one timer serves all, armed for the nearest. A late firing is no harm; a body that arrives meanwhile has won.

export abstract class Deadline {
  atMs: number
  before: Deadline | null = null
  behind: Deadline | null = null

  constructor(atMs: number) {
    this.atMs = atMs
  }

  abstract expire(): void
}

class Head extends Deadline {
  override expire(): void {}
}

export class Deadlines {
  readonly #head = new Head(0)
  #timer: ReturnType<typeof setTimeout> | null = null
  #timerAtMs = Number.POSITIVE_INFINITY

  add(deadline: Deadline): void {
    const { behind } = this.#head
    deadline.before = this.#head
    deadline.behind = behind
    if (behind !== null) behind.before = deadline
    this.#head.behind = deadline
    if (deadline.atMs < this.#timerAtMs) this.#arm(deadline.atMs)
  }

  /** Of one that was added. */
  bringForward(deadline: Deadline, atMs: number): void {
    if (atMs >= deadline.atMs) return
    deadline.atMs = atMs
    if (atMs < this.#timerAtMs) this.#arm(atMs)
  }

  /** One that has expired, or was never added, is left as it is. */
  delete(deadline: Deadline): void {
    const { before, behind } = deadline
    if (before === null) return
    before.behind = behind
    if (behind !== null) behind.before = before
    deadline.before = null
    deadline.behind = null
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
    for (let deadline = this.#head.behind; deadline !== null;) {
      const { behind, atMs } = deadline
      if (atMs <= nowMs) {
        this.delete(deadline)
        deadline.expire()
      } else if (atMs < nextMs) {
        nextMs = atMs
      }
      deadline = behind
    }
    if (nextMs < this.#timerAtMs) this.#arm(nextMs)
  }
}
