// How much a client is ready for. While both records and bytes are above 0 one unit goes, whatever its size, and the rest may
// turn negative: a record larger than any credit does not stand still for ever.

import { limits } from '../../core/base/index.ts'

export class Credit {
  #records: number
  #bytes: number

  constructor(records: number, bytes: number) {
    this.#records = records
    this.#bytes = bytes
  }

  get isLeft(): boolean {
    return this.#records > 0 && this.#bytes > 0
  }

  /** False, and nothing granted: it would be more than any client can mean. */
  grant(records: number, bytes: number): boolean {
    if (this.#records + records > limits.CREDIT_MAX || this.#bytes + bytes > limits.CREDIT_MAX) return false
    this.#records += records
    this.#bytes += bytes
    return true
  }

  spend(records: number, bytes: number): void {
    this.#records -= records
    this.#bytes -= bytes
  }
}
