// A body read by lines as it arrives: chunks in, each line once it is whole, memory bounded by the longest line. A line ends
// at a line feed, and a carriage return before that belongs to the ending; the last line needs no ending. What is said of
// a line is said with its number, blank ones counted.
//
// Whole lines are read where the chunk has them; only a line that goes over its edge is put together in memory of the
// reader's own.

import { limits } from '../../core/base/index.ts'
import { jsonWords } from '../../core/record/index.ts'
import { bodyFault, type BodyFault } from './body-fault.ts'
import { plainBytes } from './plain-bytes.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const NO_BYTES = new Uint8Array(0)

export abstract class LinedBody {
  /** Lines begun so far. */
  lineCount = 0
  /** Records handed on so far. */
  recordCount = 0
  /** The line that is not whole yet. */
  #begun: Uint8Array = NO_BYTES
  #begunBytes = 0
  #fault: BodyFault | null = null

  /** The first fault, which ends the reading; null while all is well. `chunk` is the caller's again on return. */
  push(chunk: Uint8Array): BodyFault | null {
    if (this.#fault !== null || chunk.length === 0) return this.#fault
    const bytes = plainBytes(chunk)
    let at = 0
    if (this.#begunBytes > 0) {
      const lineFeed = bytes.indexOf(LINE_FEED)
      at = lineFeed < 0 ? bytes.length : lineFeed + 1
      this.#keep(bytes, 0, at)
      if (lineFeed >= 0) this.#readBegun()
    }
    if (this.#fault === null && at < bytes.length) this.#readChunk(bytes, at)
    return this.#fault
  }

  /** No more chunks: reads the line that had no ending. */
  end(): BodyFault | null {
    return this.#begunBytes > 0 ? this.push(Uint8Array.of(LINE_FEED)) : this.#fault
  }

  /** Lines are about to be read from `bytes`, until the next call. */
  protected abstract use(bytes: Uint8Array, words: Int32Array): void

  /** Whether all of the lines `start…end` of `bytes` are what lines must be: if not, they are looked at one by one. */
  protected abstract isSound(bytes: Uint8Array, start: number, end: number): boolean

  /** A line without its ending. `isSound`: of all lines around it. */
  protected abstract readLine(start: number, end: number, isSound: boolean): BodyFault | null

  #readChunk(bytes: Uint8Array, at: number): void {
    const whole = bytes.lastIndexOf(LINE_FEED) + 1
    if (whole > at) {
      this.#readLines(bytes, jsonWords(bytes), at, whole)
      if (this.#fault !== null) return
      at = whole
    }
    if (at < bytes.length) this.#keep(bytes, at, bytes.length)
  }

  #readBegun(): void {
    const end = this.#begunBytes
    this.#begunBytes = 0
    if (this.#fault === null) this.#readLines(this.#begun, jsonWords(this.#begun), 0, end)
  }

  /** Lines with their endings, `start…end`. */
  #readLines(bytes: Uint8Array, words: Int32Array, start: number, end: number): void {
    this.use(bytes, words)
    const isSound = this.isSound(bytes, start, end)
    while (start < end) {
      const lineFeed = bytes.indexOf(LINE_FEED, start)
      const lineEnd = lineFeed > start && bytes[lineFeed - 1]! === CARRIAGE_RETURN ? lineFeed - 1 : lineFeed
      this.lineCount++
      const fault = lineEnd - start > limits.LINE_BYTES_MAX ? tooLong() : this.readLine(start, lineEnd, isSound)
      if (fault !== null) {
        this.#refuse(fault)
        return
      }
      start = lineFeed + 1
    }
  }

  /** Adds to the line begun. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    const keptBytes = this.#begunBytes + end - start
    // The ending may take two bytes more.
    if (keptBytes > limits.LINE_BYTES_MAX + 2) {
      this.lineCount++
      this.#refuse(tooLong())
      return
    }
    if (keptBytes > this.#begun.length) {
      const wider = new Uint8Array(Math.max(this.#begun.length * 2, keptBytes))
      wider.set(this.#begun.subarray(0, this.#begunBytes))
      this.#begun = wider
    }
    this.#begun.set(bytes.subarray(start, end), this.#begunBytes)
    this.#begunBytes = keptBytes
  }

  #refuse(fault: BodyFault): void {
    this.#fault = { ...fault, line: this.lineCount, record: this.recordCount }
  }
}

function tooLong(): BodyFault {
  return bodyFault('too-large', '', `a line has ${limits.LINE_BYTES_MAX} bytes at most`)
}
