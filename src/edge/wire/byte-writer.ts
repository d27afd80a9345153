// Bytes under construction, in memory that only grows and is used again: who makes many answers keeps one writer. What
// `view` returns is good until the writer's next use.

import { copySpan } from '../../core/record/index.ts'

const encoder = new TextEncoder()

export class ByteWriter {
  /** Room for at least `length` bytes; replaced when it grows. */
  bytes: Uint8Array
  length = 0

  constructor(bytesHint = 256) {
    this.bytes = new Uint8Array(bytesHint)
  }

  clear(): void {
    this.length = 0
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  /** Makes sure of room for that many bytes more. */
  reserve(more: number): void {
    if (this.length + more > this.bytes.length) this.#grow(more)
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    copySpan(this.bytes, this.length, from, start, end)
    this.length += end - start
  }

  text(text: string): void {
    this.reserve(text.length * 3)
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written
  }

  #grow(more: number): void {
    const wider = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more))
    wider.set(this.bytes.subarray(0, this.length))
    this.bytes = wider
  }
}
