// A file of the journaled disk, and what is known of the bytes it got: which of them nothing has made durable yet. Handles on one
// path share one state; the file below stays open while a handle or the journal needs it.

import { assert } from '../base/index.ts'
import type { DiskFile } from '../ports/index.ts'
import type { Range } from './journal-entry.ts'

/** Stands for "not cut": no file is this long. */
export const NOT_TRUNCATED = Number.MAX_SAFE_INTEGER

/** What one sync of the file has to make durable. */
export interface Pending {
  ranges: readonly Range[]
  truncatedTo: number
}

const NOTHING: Pending = { ranges: [], truncatedTo: NOT_TRUNCATED }

export class FileState {
  path: string
  readonly file: DiskFile
  handles = 0
  isRemoved = false
  /**
   * All of it is known to this process, and its path can name no older file after a crash, on which a replay would do harm: it
   * was made in a settled folder, or was synced in one.
   */
  isProved = false
  #ranges: Range[] = []
  #truncatedTo = NOT_TRUNCATED

  constructor(path: string, file: DiskFile) {
    this.path = path
    this.file = file
  }

  get needsSync(): boolean {
    // nobody can read a removed file again once it is closed
    return (this.isPending || !this.isProved) && !(this.isRemoved && this.handles === 0)
  }

  get isPending(): boolean {
    return this.#ranges.length > 0 || this.#truncatedTo !== NOT_TRUNCATED
  }

  get pending(): Pending {
    if (!this.isPending) return NOTHING
    // a write that was refused halfway is shorter than was noted
    this.#clip(this.file.size())
    return { ranges: this.#ranges, truncatedTo: this.#truncatedTo }
  }

  get pendingBytes(): number {
    let bytes = 0
    for (const { position, end } of this.#ranges) bytes += end - position
    return bytes
  }

  /** A sync has taken over what is pending; what comes from now on is the next one's. */
  taken(): void {
    this.#ranges = []
    this.#truncatedTo = NOT_TRUNCATED
  }

  wrote(position: number, end: number): void {
    const last = this.#ranges.at(-1)
    if (last !== undefined && position <= last.end && position >= last.position) last.end = Math.max(last.end, end)
    else if (end > position) this.#ranges.push({ position, end })
  }

  truncated(size: number): void {
    this.#truncatedTo = Math.min(this.#truncatedTo, size)
    this.#clip(size)
  }

  #clip(size: number): void {
    if (this.#ranges.every(({ end }) => end <= size)) return
    this.#ranges = this.#ranges.filter(({ position }) => position < size)
    for (const range of this.#ranges) range.end = Math.min(range.end, size)
  }
}

export class JournaledFile implements DiskFile {
  readonly state: FileState
  readonly #released: (state: FileState) => void
  #isOpen = true

  constructor(state: FileState, released: (state: FileState) => void) {
    this.state = state
    this.#released = released
    state.handles++
  }

  get path(): string {
    return this.state.path
  }

  size(): number {
    return this.#file.size()
  }

  write(bytes: Uint8Array, position: number): void {
    const file = this.#file
    // before the write: a refused one may have left a part
    this.state.wrote(position, position + bytes.length)
    file.write(bytes, position)
  }

  read(into: Uint8Array, position: number): number {
    return this.#file.read(into, position)
  }

  readCold(into: Uint8Array, position: number): Promise<number> {
    return this.#file.readCold(into, position)
  }

  truncate(size: number): void {
    this.#file.truncate(size)
    this.state.truncated(size)
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.state.handles--
    this.#released(this.state)
  }

  get #file(): DiskFile {
    assert(this.#isOpen, 'use of a closed file')
    return this.state.file
  }
}
