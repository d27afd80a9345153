// Bytes under construction, in memory that only grows and is used again: who makes many answers keeps one writer. What
// `view` returns is good until the writer's next use.

import { Buffer } from 'node:buffer'

const encoder = new TextEncoder()
/** Up from here a native copy is faster than a loop; unlike `set` of a `subarray` it makes no object. */
const NATIVE_COPY_BYTES = 24
const nativeCopy = Buffer.prototype.copy

export class ByteWriter {
  /** Replaced when it grows. */
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

  byte(byte: number): void {
    this.reserve(1)
    this.bytes[this.length++] = byte
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    this.length = copyBytes(this.bytes, this.length, from, start, end)
  }

  append(bytes: Uint8Array): void {
    this.copy(bytes, 0, bytes.length)
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

/** There must be room. Returns the position behind the copy. */
export function copyBytes(into: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  if (end - start >= NATIVE_COPY_BYTES) {
    nativeCopy.call(from, into, at, start, end)
    return at + end - start
  }
  while (start < end) into[at++] = from[start++]!
  return at
}
