// Memory that answers are built in, used again and again: a `Response` copies what it is given. A parked request holds none.

import { limits } from '../../core/base/index.ts'
import { ByteWriter } from '../wire/index.ts'

const KEPT_MAX = 16
const FIRST_BYTES = 64 * 1024
/** An answer that grew beyond this was a rare one. */
const KEPT_BYTES_MAX = 2 * limits.FETCH_BYTES_MAX

export class AnswerBuffers {
  readonly #kept: ByteWriter[] = []

  take(): ByteWriter {
    const buffer = this.#kept.pop() ?? new ByteWriter(FIRST_BYTES)
    buffer.clear()
    return buffer
  }

  give(buffer: ByteWriter): void {
    if (this.#kept.length < KEPT_MAX && buffer.bytes.length <= KEPT_BYTES_MAX) this.#kept.push(buffer)
  }
}
