// Where to start looking in a segment: one entry for every 32 KiB of batches, found by offset or by time (both rise along a
// log, so one file serves both). File `<base>.index`, blocks of up to 64 entries, written as they fill and never synced:
//
//   u32 crc of what follows in the block · u32 entry count · { u64 base offset · u32 position · i64 appendedAt }…
//
// Derived: a bad file is rebuilt from the segment, and readers check that the batch at the position is the one the entry
// names. Entries are kept in memory only while they are used; a log that only appends holds less than a block of them.

import { readI64, readU32, readU64, writeU32, writeU64 } from '../base/index.ts'
import { type Codec, type Disk, DiskError, type DiskFile } from '../ports/index.ts'

export const INDEX_EVERY_BYTES = 32 * 1024
const BLOCK_ENTRIES = 64
const BLOCK_HEADER_BYTES = 8
const ENTRY_BYTES = 20
/** Offset, position, appendedAt. */
const COLUMNS = 3

export class SparseIndex {
  readonly path: string
  readonly #disk: Disk
  readonly #codec: Codec
  /** Rows known here. All there are when `isComplete`, else only those the file does not have yet. */
  #rows = new Float64Array(0)
  #count = 0
  /** Of the rows, how many the file has. */
  #filed = 0
  #fileBytes: number
  #lastPosition = Number.NEGATIVE_INFINITY
  isComplete: boolean
  /** The path is another segment's from now on, or nobody's. */
  #isDetached = false

  /** `isComplete` for a segment that has no batches yet. */
  constructor(disk: Disk, codec: Codec, path: string, isComplete: boolean) {
    this.#disk = disk
    this.#codec = codec
    this.path = path
    this.isComplete = isComplete
    this.#fileBytes = isComplete ? 0 : -1
  }

  note(offset: number, position: number, appendedAt: number): void {
    if (position - this.#lastPosition < INDEX_EVERY_BYTES) return
    this.#lastPosition = position
    this.#push(offset, position, appendedAt)
  }

  /** Whether a block's worth of entries waits to be written. */
  get isBlockFull(): boolean {
    return this.#count - this.#filed >= BLOCK_ENTRIES
  }

  /** Writes what the file lacks. Without space the entries stay here. */
  persist(): void {
    if (this.#filed === this.#count || this.#isDetached) return
    try {
      const file = this.#disk.open(this.path, 'create')
      if (this.#fileBytes < 0) this.#fileBytes = file.size()
      if (this.#fileBytes === 0) file.truncate(0)
      this.#persistTo(file)
      file.close()
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'no-space')) throw error
    }
  }

  /** The file is left alone from here on. */
  detach(): void {
    this.#isDetached = true
  }

  /** Frees the memory of what the file has. */
  forget(): void {
    if (this.#filed === 0) return
    this.#rows = this.#rows.slice(this.#filed * COLUMNS, this.#count * COLUMNS)
    this.#count -= this.#filed
    this.#filed = 0
    this.isComplete = false
  }

  /** Reads the file off the loop. False: the file is lost or bad and the index must be rebuilt. */
  async load(segmentBytes: number): Promise<boolean> {
    if (this.isComplete) return true
    if (this.#isDetached || !this.#disk.exists(this.path)) return false
    const file = this.#disk.open(this.path, 'read')
    const bytes = new Uint8Array(file.size())
    const count = await file.readCold(bytes, 0)
    file.close()
    if (this.isComplete) return true
    if (this.#isDetached) return false
    const fresh = this.#rows.slice(0, this.#count * COLUMNS)
    const freshFiled = this.#filed
    this.#count = 0
    const isGood = count === bytes.length && this.#take(bytes, segmentBytes)
    const filed = this.#count
    for (let at = freshFiled * COLUMNS; at < fresh.length; at += COLUMNS) this.#pushRow(fresh, at)
    this.#filed = filed
    this.#fileBytes = bytes.length
    this.isComplete = isGood && filed > 0 && this.#isRising()
    return this.isComplete
  }

  /** An empty one for the same file, to be filled by a walk and then given to `replaceBelow`. */
  fresh(): SparseIndex {
    return new SparseIndex(this.#disk, this.#codec, this.path, true)
  }

  /** Takes the rows of `fresh` for everything below `position`, and writes the file anew. */
  replaceBelow(position: number, fresh: SparseIndex): void {
    const own = this.#rows.slice(0, this.#count * COLUMNS)
    this.#count = 0
    for (let at = 0; at < fresh.#count * COLUMNS; at += COLUMNS) this.#pushRow(fresh.#rows, at)
    for (let at = 0; at < own.length; at += COLUMNS) if (own[at + 1]! >= position) this.#pushRow(own, at)
    this.#filed = 0
    this.#fileBytes = 0
    this.isComplete = true
    this.persist()
  }

  /** Forgets what lies at or behind `position`; the file is written anew when it has any of it. */
  cutTo(position: number): void {
    let count = this.#count
    while (count > 0 && this.#rows[(count - 1) * COLUMNS + 1]! >= position) count--
    this.#count = count
    this.#lastPosition = count > 0 ? this.#rows[(count - 1) * COLUMNS + 1]! : Number.NEGATIVE_INFINITY
    if (count >= this.#filed) return
    this.#filed = 0
    this.#fileBytes = 0
    this.persist()
  }

  /** The row to start from for `offset`, when the index is complete; -1 before the first. */
  rowOfOffset(offset: number): number {
    return this.#floor(0, offset)
  }

  /** The last row whose batch was appended before `ms`. */
  rowBefore(ms: number): number {
    return this.#floor(2, ms - 1)
  }

  position(row: number): number {
    return row < 0 ? 0 : this.#rows[row * COLUMNS + 1]!
  }

  offset(row: number): number {
    return this.#rows[row * COLUMNS]!
  }

  get count(): number {
    return this.#count
  }

  #persistTo(file: DiskFile): void {
    while (this.#filed < this.#count) {
      const entries = Math.min(BLOCK_ENTRIES, this.#count - this.#filed)
      const block = new Uint8Array(BLOCK_HEADER_BYTES + entries * ENTRY_BYTES)
      writeU32(block, 4, entries)
      for (let i = 0; i < entries; i++) {
        const row = (this.#filed + i) * COLUMNS
        const at = BLOCK_HEADER_BYTES + i * ENTRY_BYTES
        writeU64(block, at, this.#rows[row]!)
        writeU32(block, at + 8, this.#rows[row + 1]!)
        writeU64(block, at + 12, this.#rows[row + 2]!)
      }
      writeU32(block, 0, this.#codec.crc32(block.subarray(4)))
      file.write(block, this.#fileBytes)
      this.#fileBytes += block.length
      this.#filed += entries
    }
  }

  #take(bytes: Uint8Array, segmentBytes: number): boolean {
    let at = 0
    while (at < bytes.length) {
      if (at + BLOCK_HEADER_BYTES > bytes.length) return false
      const entries = readU32(bytes, at + 4)
      const end = at + BLOCK_HEADER_BYTES + entries * ENTRY_BYTES
      if (entries === 0 || entries > BLOCK_ENTRIES || end > bytes.length) return false
      if (readU32(bytes, at) !== this.#codec.crc32(bytes.subarray(at + 4, end))) return false
      for (at += BLOCK_HEADER_BYTES; at < end; at += ENTRY_BYTES) {
        const position = readU32(bytes, at + 8)
        if (position >= segmentBytes) return false
        this.#push(readU64(bytes, at), position, readI64(bytes, at + 12))
      }
    }
    return true
  }

  #pushRow(rows: Float64Array, at: number): void {
    this.#push(rows[at]!, rows[at + 1]!, rows[at + 2]!)
  }

  #push(offset: number, position: number, appendedAt: number): void {
    const at = this.#count * COLUMNS
    if (at === this.#rows.length) {
      const wider = new Float64Array(Math.max(8 * COLUMNS, at * 2))
      wider.set(this.#rows)
      this.#rows = wider
    }
    this.#rows[at] = offset
    this.#rows[at + 1] = position
    this.#rows[at + 2] = appendedAt
    this.#count++
  }

  #isRising(): boolean {
    for (let at = COLUMNS; at < this.#count * COLUMNS; at += COLUMNS) {
      if (this.#rows[at]! <= this.#rows[at - COLUMNS]! || this.#rows[at + 1]! <= this.#rows[at - COLUMNS + 1]!)
        return false
      if (this.#rows[at + 2]! < this.#rows[at - COLUMNS + 2]!) return false
    }
    return true
  }

  #floor(column: number, value: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rows[middle * COLUMNS + column]! <= value) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
