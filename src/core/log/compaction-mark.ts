// How far compaction has come in a log: below `end` no key is there twice. And when it may next leave out tombstones. File
// `compacted`, little-endian:
//
//   0 u32 crc of what follows · 4 u64 end · 12 i64 nextHorizon, ms
//
// Not synced: a lost or bad one only makes the next compaction begin at the start. It is removed, durably, before the log is
// cut, so that it never speaks of other records than it was written about.

import { readI64, readU32, readU64, writeU32, writeU64 } from '../base/index.ts'
import { type Codec, type Disk, DiskError } from '../ports/index.ts'
import type { GroupCommit } from './group-commit.ts'

export interface CompactionFields {
  readonly end: number
  /** The earliest time at which a tombstone below `end` may go; NO_HORIZON: there is none. */
  readonly nextHorizon: number
}

export const NO_HORIZON = Number.MAX_SAFE_INTEGER

const NAME = 'compacted'
const FILE_BYTES = 20
const NOTHING: CompactionFields = { end: 0, nextHorizon: NO_HORIZON }

export class CompactionMark {
  readonly #disk: Disk
  readonly #codec: Codec
  readonly #folder: string
  #fields: CompactionFields | null = null

  constructor({ disk, codec }: { disk: Disk; codec: Codec }, folder: string) {
    this.#disk = disk
    this.#codec = codec
    this.#folder = folder
  }

  get fields(): CompactionFields {
    return (this.#fields ??= this.#read())
  }

  write(fields: CompactionFields): void {
    this.#fields = fields
    const bytes = new Uint8Array(FILE_BYTES)
    writeU64(bytes, 4, fields.end)
    writeU64(bytes, 12, fields.nextHorizon)
    writeU32(bytes, 0, this.#codec.crc32(bytes.subarray(4)))
    try {
      const file = this.#disk.open(this.#path, 'create')
      file.write(bytes, 0)
      file.close()
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'no-space')) throw error
    }
  }

  /** Durable when resolved. */
  async forget(commits: GroupCommit): Promise<void> {
    this.#fields = NOTHING
    if (!this.#disk.exists(this.#path)) return
    this.#disk.remove(this.#path)
    await commits.syncNow([], [this.#folder])
  }

  get #path(): string {
    return `${this.#folder}/${NAME}`
  }

  #read(): CompactionFields {
    if (!this.#disk.exists(this.#path)) return NOTHING
    const file = this.#disk.open(this.#path, 'read')
    const bytes = new Uint8Array(FILE_BYTES)
    const count = file.read(bytes, 0)
    file.close()
    if (count < FILE_BYTES || readU32(bytes, 0) !== this.#codec.crc32(bytes.subarray(4))) return NOTHING
    return { end: readU64(bytes, 4), nextHorizon: readI64(bytes, 12) }
  }
}
