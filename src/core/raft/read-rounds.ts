// Linearizable reads without a clock. A read notes the commit index, then waits until a majority has answered a round of
// heartbeats that was begun after the read arrived: nobody newer was leader when it did. Rounds are numbered through one
// leadership and never reused; a late answer to an earlier round proves nothing to a later read. An answer to a round
// also answers all before it. The whole queue dies with its leadership.

interface PendingRead {
  readonly id: number
  readonly index: number
  readonly round: number
}

export class ReadRounds {
  #round = 0
  #begun = 0
  #pending: PendingRead[] = []

  /** The newest round begun: every heartbeat carries it. */
  get round(): number {
    return this.#begun
  }

  get waiting(): boolean {
    return this.#pending.length > 0
  }

  /** Reads that arrive before the next round begins share it. */
  add(id: number, index: number, reuseRound = false): void {
    if (this.#round === this.#begun && !(reuseRound && this.#begun > 0)) this.#round++
    this.#pending.push({ id, index, round: this.#round })
  }

  /** True when there are new reads: heartbeats must go out. */
  begin(): boolean {
    if (this.#begun === this.#round) return false
    this.#begun = this.#round
    return true
  }

  /** The reads confirmed by a majority having answered `round`, once everything up to their index is applied. */
  take(round: number, applied: number): readonly number[] {
    const ready: number[] = []
    this.#pending = this.#pending.filter((read) => {
      if (read.round > round || read.index > applied) return true
      ready.push(read.id)
      return false
    })
    return ready
  }

  drop(): readonly number[] {
    return this.#pending.splice(0).map((read) => read.id)
  }
}
