// The file under the shared journal: entries one after the other in two halves that alternate, in blocks that are already
// written once the first lap is over, so that making an entry durable is one sync without a change of any file's metadata.
//
//   0 header slot   4096 header slot   8192 half 0   8192 + half: half 1
//   slot: 0 8 B "naru.jnl"  8 u32 crc of 12…44  12 u32 version  16 u64 count  24 8 B salt  32 u64 halfBytes
//         40 u32 1 when nothing in it is needed
//
// The slot with the higher count holds. Entries are written one at a time, each durable before the next begins; a half is
// written again only after an entry that says its content is not needed any more (`oldestSequence`) is durable. The last
// block of a half is kept for that entry. Who calls decides what is needed; this file only keeps the order.

import { assert, equalBytes, readU32, readU64, writeU32, writeU64 } from '../base/index.ts'
import { type Codec, type Disk, DiskError, type DiskFile, type Random } from '../ports/index.ts'
import { StorageRefusal } from './damage.ts'
import {
  BLOCK_BYTES,
  decodeEntry,
  encodeEntry,
  entryBytesOf,
  inBlocks,
  type JournalEntry,
  type JournalItem,
  SALT_BYTES,
} from './journal-entry.ts'

export const JOURNAL_PATH = 'journal'

const MAGIC = new TextEncoder().encode('naru.jnl')
const VERSION = 1
const SLOT_BYTES = 44
const HALVES_AT = 2 * BLOCK_BYTES
/** A half grows by this much, in zeros, so that its size changes seldom and the blocks after it are written ones. */
const GROWTH_BYTES = 1024 * 1024
export const HALF_BYTES_MIN = 16 * BLOCK_BYTES

export type HalfNumber = 0 | 1

interface Slot {
  count: number
  salt: Uint8Array
  halfBytes: number
  /** Closed with nothing in it that a replay would apply. */
  isSpent: boolean
}

export interface JournalContent {
  /** In order, from the oldest that is needed. */
  entries: readonly JournalEntry[]
  /** Entries that had been durable and are not readable any more. */
  missing: number
}

export class Journal {
  readonly #disk: Disk
  readonly #codec: Codec
  readonly #file: DiskFile
  readonly #slot: Slot
  /** Written at least once. */
  readonly #writtenBytes: [number, number] = [0, 0]
  #active: HalfNumber = 0
  #position = 0
  #sequence = 0
  /** First sequence of each half's present content. */
  readonly #firstSequence: [number, number] = [0, 0]
  #buffer = new Uint8Array(HALF_BYTES_MIN)

  private constructor(disk: Disk, codec: Codec, file: DiskFile, slot: Slot) {
    this.#disk = disk
    this.#codec = codec
    this.#file = file
    this.#slot = slot
  }

  /** What the last owner left; empty when there is no journal. */
  static read(disk: Disk, codec: Codec): JournalContent {
    if (!disk.exists(JOURNAL_PATH)) return { entries: [], missing: 0 }
    const file = disk.open(JOURNAL_PATH, 'read')
    try {
      const slot = slotIn(file, codec)
      if (slot === null || slot.isSpent) return { entries: [], missing: 0 }
      const bytes = new Uint8Array(file.size())
      file.read(bytes, 0)
      return contentOf(bytes, slot, codec)
    } finally {
      file.close()
    }
  }

  /** An empty journal, which voids all that was in it. Throws `DiskError('no-space')` where not even the least fits. */
  static async create(disk: Disk, codec: Codec, random: Random, halfBytes: number): Promise<Journal> {
    assert(halfBytes >= HALF_BYTES_MIN && halfBytes % BLOCK_BYTES === 0, 'a half is whole blocks')
    const file = disk.open(JOURNAL_PATH, 'create')
    const count = (slotIn(file, codec)?.count ?? 0) + 1
    const salt = new Uint8Array(SALT_BYTES)
    random.fill(salt)
    const journal = new Journal(disk, codec, file, { count, salt, halfBytes, isSpent: false })
    // first of all, so that what is about to be overwritten is not missed by a start that finds it half gone
    await journal.#writeSlot(journal.#slot)
    await disk.syncFolder('')
    journal.#grow(0, HALF_BYTES_MIN)
    journal.#grow(1, HALF_BYTES_MIN)
    await disk.sync([file])
    return journal
  }

  get active(): HalfNumber {
    return this.#active
  }

  get nextSequence(): number {
    return this.#sequence
  }

  firstSequenceOf(half: HalfNumber): number {
    return this.#firstSequence[half]
  }

  /** Nothing was written to the active half yet. */
  get isFresh(): boolean {
    return this.#position === 0
  }

  /** Whether the active half has room for it, and for the entry that ends the half. */
  hasRoom(items: readonly JournalItem[]): boolean {
    const end = this.#position + entryBytesOf(items) + BLOCK_BYTES
    if (end > this.#slot.halfBytes) return false
    if (end <= this.#writtenBytes[this.#active]) return true
    try {
      this.#grow(this.#active, end)
      return true
    } catch (error) {
      if (error instanceof DiskError && error.code === 'no-space') return false
      throw error
    }
  }

  /** Starts over in the other half, whose content nobody needs. */
  turn(): void {
    this.#active = this.#active === 0 ? 1 : 0
    this.#position = 0
    this.#firstSequence[this.#active] = this.#sequence
  }

  /** Resolves when the entry is durable. Without items it only moves `oldestSequence`, and may use the half's last block. */
  async append(
    items: readonly JournalItem[],
    oldestSequence: number,
    fill: (path: string, position: number, data: Uint8Array) => void,
  ): Promise<void> {
    const room = entryBytesOf(items)
    if (room > this.#buffer.length) this.#buffer = new Uint8Array(2 * room)
    const stamp = { sequence: this.#sequence, oldestSequence, salt: this.#slot.salt }
    const bytes = encodeEntry(this.#buffer, items, stamp, this.#codec, fill)
    assert(this.#position + bytes <= this.#writtenBytes[this.#active], 'no room in the active half')
    this.#file.write(this.#buffer.subarray(0, bytes), this.#startOf(this.#active) + this.#position)
    this.#sequence++
    this.#position += bytes
    await this.#disk.sync([this.#file])
  }

  /** The caller has made sure that nothing in it is needed. */
  async closeSpent(): Promise<void> {
    await this.#writeSlot({ ...this.#slot, count: this.#slot.count + 1, isSpent: true })
    this.#file.close()
  }

  async #writeSlot(slot: Slot): Promise<void> {
    this.#file.write(encodeSlot(slot, this.#codec), (slot.count % 2) * BLOCK_BYTES)
    await this.#disk.sync([this.#file])
  }

  #startOf(half: HalfNumber): number {
    return HALVES_AT + half * this.#slot.halfBytes
  }

  #grow(half: HalfNumber, toBytes: number): void {
    const written = this.#writtenBytes[half]
    const to = Math.min(Math.max(inBlocks(toBytes), written + GROWTH_BYTES), this.#slot.halfBytes)
    this.#file.write(new Uint8Array(to - written), this.#startOf(half) + written)
    this.#writtenBytes[half] = to
  }
}

function encodeSlot({ count, salt, halfBytes, isSpent }: Slot, codec: Codec): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES)
  bytes.set(MAGIC)
  writeU32(bytes, 12, VERSION)
  writeU64(bytes, 16, count)
  bytes.set(salt, 24)
  writeU64(bytes, 32, halfBytes)
  writeU32(bytes, 40, isSpent ? 1 : 0)
  writeU32(bytes, 8, codec.crc32(bytes.subarray(12, SLOT_BYTES)))
  return bytes
}

function decodeSlot(bytes: Uint8Array, at: number, codec: Codec): Slot | null {
  if (bytes.length < at + SLOT_BYTES || !equalBytes(bytes.subarray(at, at + 8), MAGIC)) return null
  if (codec.crc32(bytes.subarray(at + 12, at + SLOT_BYTES)) !== readU32(bytes, at + 8)) return null
  if (readU32(bytes, at + 12) > VERSION)
    throw new StorageRefusal('newer-format', 'the journal was written by a newer version of Naru')
  return {
    count: readU64(bytes, at + 16),
    salt: bytes.slice(at + 24, at + 32),
    halfBytes: readU64(bytes, at + 32),
    isSpent: readU32(bytes, at + 40) === 1,
  }
}

/** The newest header. */
function slotIn(file: DiskFile, codec: Codec): Slot | null {
  const bytes = new Uint8Array(HALVES_AT)
  file.read(bytes, 0)
  const [a, b] = [decodeSlot(bytes, 0, codec), decodeSlot(bytes, BLOCK_BYTES, codec)]
  if (a === null || b === null) return a ?? b
  return a.count > b.count ? a : b
}

/**
 * A block that is no entry ends nothing: what follows shows whether it was the last, torn, or one that was durable. Each entry
 * was durable before the next was written, so a gap in the sequence is damage.
 */
function contentOf(bytes: Uint8Array, slot: Slot, codec: Codec): JournalContent {
  const found: JournalEntry[] = []
  for (let at = HALVES_AT; at < bytes.length;) {
    const entry = decodeEntry(bytes, at, slot.salt, codec)
    if (entry !== null) found.push(entry)
    at += entry?.blockBytes ?? BLOCK_BYTES
  }
  found.sort((a, b) => a.sequence - b.sequence)
  const newest = found.at(-1)
  if (newest === undefined) return { entries: [], missing: 0 }
  const entries = found.filter(({ sequence }) => sequence >= newest.oldestSequence)
  return { entries, missing: newest.sequence - newest.oldestSequence + 1 - entries.length }
}
