// One file of a log: batches back to back from its base offset, which is its name. Only the last segment of a log grows, and only at
// its end; the others never change. The file is opened when needed and closed when it has not been for a while.
//
// `warmFrom…warmTo` is the part this process wrote or read lately: a read inside it is a copy out of the page cache, any
// other may wait for the device and goes off the event loop.

import { type Codec, type Disk, DiskError, type DiskFile } from '../ports/index.ts'
import { SparseIndex } from './sparse-index.ts'

const OFFSET_DIGITS = 20
const SUFFIX = '.log'
const INDEX_SUFFIX = '.index'
const NAME = /^\d{20}\.log$/

export function segmentStem(folder: string, base: number): string {
  return `${folder}/${String(base).padStart(OFFSET_DIGITS, '0')}`
}

export function segmentBaseOf(name: string): number | null {
  return NAME.test(name) ? Number(name.slice(0, OFFSET_DIGITS)) : null
}

export function isSegmentPath(path: string): boolean {
  return NAME.test(path.slice(path.lastIndexOf('/') + 1))
}

export class Segment {
  readonly base: number
  readonly index: SparseIndex
  /** Bytes of whole batches; what may lie behind them in the file is not part of the log. */
  bytes: number
  /** Of the first and last batch; NaN until read from the file. */
  firstAppendedAt = Number.NaN
  lastAppendedAt = Number.NaN
  warmFrom = 0
  warmTo = 0
  #path: string
  /** Removed, or another took its place: nothing is read from it any more. */
  #isGone = false
  /** Used since the last `rest`. */
  #isUsed = false
  readonly #disk: Disk
  #file: DiskFile | null = null

  constructor(disk: Disk, codec: Codec, folder: string, base: number, bytes: number) {
    this.#disk = disk
    this.base = base
    const stem = segmentStem(folder, base)
    this.#path = stem + SUFFIX
    this.index = new SparseIndex(disk, codec, stem + INDEX_SUFFIX, bytes === 0)
    this.bytes = bytes
  }

  get path(): string {
    return this.#path
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** Makes the file, or empties one of an earlier life that lost its place in the log. */
  create(): void {
    this.#file = this.#disk.open(this.path, 'create')
    if (this.#file.size() > 0) this.#file.truncate(0)
    this.#disk.remove(this.index.path)
  }

  /** Throws `DiskError('not-found')` when the segment is gone. */
  file(): DiskFile {
    if (this.#isGone) throw new DiskError('not-found', `${this.path} is gone`)
    this.#isUsed = true
    this.#file ??= this.#disk.open(this.path, 'write')
    return this.#file
  }

  /** Off the loop. */
  async readCold(into: Uint8Array, position: number): Promise<number> {
    return this.file().readCold(into, position)
  }

  isWarm(from: number, to: number): boolean {
    return from >= this.warmFrom && to <= this.warmTo
  }

  warm(from: number, to: number): void {
    if (from > this.warmTo || to < this.warmFrom) {
      this.warmFrom = from
      this.warmTo = to
      return
    }
    this.warmFrom = Math.min(this.warmFrom, from)
    this.warmTo = Math.max(this.warmTo, to)
  }

  /** Called now and then: gives back what was not used since the last time. `isDirty`: not synced yet, so keep the file. */
  rest(isDirty: boolean): void {
    if (!this.#isUsed && !isDirty) {
      this.closeFile()
      this.index.forget()
      this.warmFrom = 0
      this.warmTo = 0
    }
    this.#isUsed = false
  }

  closeFile(): void {
    this.#file?.close()
    this.#file = null
  }

  /** Its bytes are in a file of this name: one that was written beside, or was given its last name. */
  namedAs(path: string): void {
    this.closeFile()
    this.#path = path
  }

  /** Whoever is reading it finds it gone at the next step. */
  remove(): void {
    this.#isGone = true
    this.closeFile()
    this.index.detach()
    this.#disk.remove(this.path)
    this.#disk.remove(this.index.path)
  }
}
