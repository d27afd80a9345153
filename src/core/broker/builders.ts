// What batches are built in, kept for the next ones, but not what a few large requests left behind.

import type { Codec } from '../ports/index.ts'
import { BatchBuilder } from '../record/index.ts'

const KEPT = 64
const LARGE_KEPT = 8
const BYTES_SMALL = 128 * 1024

export class Builders {
  readonly #codec: Codec
  readonly #idle: BatchBuilder[] = []

  constructor(codec: Codec) {
    this.#codec = codec
  }

  take(): BatchBuilder {
    return this.#idle.pop() ?? new BatchBuilder(this.#codec)
  }

  give(builder: BatchBuilder): void {
    const isSmall = builder.capacityBytes <= BYTES_SMALL
    if (this.#idle.length < (isSmall ? KEPT : LARGE_KEPT)) this.#idle.push(builder)
  }
}
