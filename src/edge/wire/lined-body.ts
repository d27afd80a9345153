// A body read by lines as it arrives: chunks in, each line once it is whole, memory bounded by the longest line. A line ends
// at a line feed, and a carriage return before that belongs to the ending; the last line needs no ending. What is said of
// a line is said with its number, blank ones counted.
//
// A chunk is copied behind what is left of the one before, so that a line and its words are always one piece of memory that
// stays the same; its lines are then read in one go.

import { limits } from '../../core/base/index.ts'
import { jsonWords } from '../../core/record/index.ts'
import { bodyFault, type BodyFault } from './body-fault.ts'
import { plainBytes } from './plain-bytes.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
/** What is copied and read at a time of a chunk that is longer. */
const SLICE_BYTES = 256 * 1024
const FIRST_BYTES = 4 * 1024

export abstract class LinedBody {
  /** Lines begun so far. */
  lineCount = 0
  /** Records handed on so far. */
  recordCount = 0
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES)
  #words: Int32Array = jsonWords(this.#bytes)
  /** Bytes of the line that is not whole yet. */
  #leftBytes = 0
  #fault: BodyFault | null = null

  /** The first fault, which ends the reading; null while all is well. `chunk` is the caller's again on return. */
  push(chunk: Uint8Array): BodyFault | null {
    const bytes = plainBytes(chunk)
    for (let at = 0; at < bytes.length && this.#fault === null; at += SLICE_BYTES) {
      this.#take(bytes.subarray(at, at + SLICE_BYTES))
    }
    return this.#fault
  }

  /** No more chunks: reads the line that had no ending. */
  end(): BodyFault | null {
    if (this.#leftBytes > 0 && this.#fault === null) this.#take(Uint8Array.of(LINE_FEED))
    return this.#fault
  }

  /** Lines are about to be read from `bytes`, which are the same until the next call. */
  protected abstract use(bytes: Uint8Array, words: Int32Array): void

  /** What all of the lines `0…end` of `bytes` must be: false, when they are to be looked at one by one. */
  protected abstract isSound(bytes: Uint8Array, end: number): boolean

  /** A line without its ending. `isSound`: of all lines around it. */
  protected abstract readLine(start: number, end: number, isSound: boolean): BodyFault | null

  #take(slice: Uint8Array): void {
    const used = this.#leftBytes + slice.length
    if (used > this.#bytes.length) this.#grow(used)
    this.#bytes.set(slice, this.#leftBytes)
    const lastBreak = slice.lastIndexOf(LINE_FEED)
    let read = 0
    if (lastBreak >= 0) {
      read = this.#leftBytes + lastBreak + 1
      this.#readLines(read)
      if (this.#fault !== null) return
      if (read < used) this.#bytes.copyWithin(0, read, used)
    }
    this.#leftBytes = used - read
    if (this.#leftBytes > limits.LINE_BYTES_MAX) {
      this.lineCount++
      this.#refuse(tooLong())
    }
  }

  #readLines(end: number): void {
    const bytes = this.#bytes
    this.use(bytes, this.#words)
    const isSound = this.isSound(bytes, end)
    let start = 0
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

  #refuse(fault: BodyFault): void {
    this.#fault = { ...fault, line: this.lineCount, record: this.recordCount }
  }

  #grow(bytesMin: number): void {
    const wider = new Uint8Array(Math.max(this.#bytes.length * 2, bytesMin))
    wider.set(this.#bytes.subarray(0, this.#leftBytes))
    this.#bytes = wider
    this.#words = jsonWords(wider)
  }
}

function tooLong(): BodyFault {
  return bodyFault('too-large', '', `a line has ${limits.LINE_BYTES_MAX} bytes at most`)
}
