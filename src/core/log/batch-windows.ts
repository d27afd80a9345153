// A sealed segment from its beginning, some whole batches at a time, every one checked as a walk checks it. Unlike a walk it
// leaves the caller alone with them, who may take several turns of the event loop.

import { limits } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { batchBytesOf, type BatchFault, lastOffsetOf, leaderEpochOf, storedFault } from '../record/index.ts'
import { trackFault } from './batch-walk.ts'
import type { Segment } from './segment.ts'

/** Checking so much takes about a millisecond where batches are small. */
const WINDOW_BYTES = 256 * 1024

export class BatchWindows {
  /** Batches back to back up to `end`; valid until the next `next`. */
  bytes = new Uint8Array(WINDOW_BYTES)
  end = 0
  /** Why there is no further window, unless the segment is through. */
  fault: BatchFault | null = null
  /** Where the next batch should begin. */
  offset = 0
  readonly #codec: Codec
  #segment: Segment | null = null
  #position = 0
  #epoch = 0

  constructor(codec: Codec) {
    this.#codec = codec
  }

  open(segment: Segment): void {
    this.#segment = segment
    this.#position = 0
    this.#epoch = 0
    this.offset = segment.base
    this.fault = null
  }

  async next(): Promise<boolean> {
    const segment = this.#segment
    let size = WINDOW_BYTES
    while (segment !== null && this.#position < segment.bytes && this.fault === null) {
      const wanted = Math.min(size, segment.bytes - this.#position)
      const isWhole = this.#position + wanted === segment.bytes
      const count = await segment.readCold(this.bytes.subarray(0, wanted), this.#position)
      const fault = this.#check(count)
      this.#position += this.end
      if (fault !== null && (fault.kind !== 'cut' || isWhole || count < wanted)) this.fault = fault
      else if (this.end > 0) return true
      else if (size === limits.BATCH_BYTES_MAX) this.fault = fault
      else size = this.#widen()
    }
    return false
  }

  /** For a batch that is longer than a window. */
  #widen(): number {
    if (this.bytes.length < limits.BATCH_BYTES_MAX) this.bytes = new Uint8Array(limits.BATCH_BYTES_MAX)
    return limits.BATCH_BYTES_MAX
  }

  #check(count: number): BatchFault | null {
    const { bytes } = this
    this.end = 0
    let fault: BatchFault | null = count === 0 ? { kind: 'cut', detail: 'the file is shorter than it was' } : null
    while (this.end < count) {
      fault = storedFault(bytes, this.end, count, this.#codec) ?? trackFault(bytes, this.end, this.offset, this.#epoch)
      if (fault !== null) return fault
      this.offset = lastOffsetOf(bytes, this.end) + 1
      this.#epoch = leaderEpochOf(bytes, this.end)
      this.end += batchBytesOf(bytes, this.end)
    }
    return fault
  }
}
