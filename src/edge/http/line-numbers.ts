// Which line a record of an upload stood in. Blank lines are skipped, so that the two counts drift apart; what is kept is
// where they did.

const KEPT_MAX = 4_096

export class LineNumbers {
  /** First record and its line, wherever the distance between the two changed. */
  #drifts: { record: number; line: number }[] = []

  get isLong(): boolean {
    return this.#drifts.length > KEPT_MAX
  }

  note(record: number, line: number): void {
    const last = this.#drifts.at(-1)
    if (last === undefined || line - last.line !== record - last.record) this.#drifts.push({ record, line })
  }

  lineOf(record: number): number {
    const drift = this.#drifts.findLast((candidate) => candidate.record <= record)
    return drift === undefined ? record + 1 : drift.line + record - drift.record
  }

  /** Records before this one are asked for no more. */
  forgetBelow(record: number): void {
    const last = this.#drifts.findLastIndex((candidate) => candidate.record <= record)
    if (last > 0) this.#drifts = this.#drifts.slice(last)
  }
}
