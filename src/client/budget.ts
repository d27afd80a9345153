// How much of the buffer is in use: what was taken and is not settled.

export class Budget {
  usedBytes = 0
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** One more may go beyond the bound, so that a record larger than it does not wait for ever. */
  get hasRoom(): boolean {
    return this.usedBytes < this.#bytesMax
  }
}
