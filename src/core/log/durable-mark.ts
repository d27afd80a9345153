// The durable mark: where the part of a log ends that a sync has covered, and where it starts. Two slots, 4 KiB apart so that no
// torn sector takes both; the valid one with the higher sequence counts. Little-endian:
//
//  0 u32 'NRDM'        24 u64 durableEnd                       48 i64 appendedAtMax below durableEnd
//  4 u32 version = 1   32 u64 base of the segment it lies in   56 i64 latest epoch below durableEnd, −1 none
//  8 u64 sequence      40 u64 its position there, bytes        64 u32 segments in [startOffset, durableEnd)
// 16 u64 startOffset                                           68 u32 state            72 u32 crc of 0–71
//
// After each sync one slot is written and not synced: a mark that is too low only makes recovery check and rewrite more. What
// must not be forgotten, a higher start or a lower end, goes into both slots and is synced before anything is done about it,
// so that no older slot can speak up again. The state says so, for a process may be killed before that sync has ended, and
// the next one sees a mark that a power loss could still take back:
//
//   0 settled    nothing special
//   1 unsettled  sync this mark before relying on it
//   2 cutting    the same, then remove all that lies outside [startOffset, durableEnd): truncation and reset happen
//                entirely or, when the mark did not reach the disk, not at all
//   3 closed     whoever wrote it closed the log: what is seen is durable

import { readI64, readU32, readU64, writeU32, writeU64 } from '../base/index.ts'
import type { Codec, Disk, DiskFile } from '../ports/index.ts'
import { StorageRefusal } from './damage.ts'

export type MarkState = 'settled' | 'unsettled' | 'cutting' | 'closed'

export interface MarkFields {
  startOffset: number
  durableEnd: number
  segmentBase: number
  segmentBytes: number
  appendedAtMax: number
  latestEpoch: number
  segmentCount: number
  state: MarkState
}

const STATES: readonly MarkState[] = ['settled', 'unsettled', 'cutting', 'closed']
const MAGIC = 0x4d44_524e
const VERSION = 1
const SLOT_BYTES = 76
const SLOT_SPACING = 4096
const FILE_BYTES = SLOT_SPACING + SLOT_BYTES
const NAME = 'durable'
const UNNAMED = '.new'

export class DurableMark {
  readonly #disk: Disk
  readonly #codec: Codec
  readonly #path: string
  #file: DiskFile | null = null
  #sequence = 0
  readonly #slot = new Uint8Array(SLOT_BYTES)

  constructor(disk: Disk, codec: Codec, folder: string) {
    this.#disk = disk
    this.#codec = codec
    this.#path = `${folder}/${NAME}`
  }

  /** `bad`: there is a file, and neither slot is whole. */
  read(): MarkFields | 'absent' | 'bad' {
    if (!this.#disk.exists(this.#path)) return 'absent'
    const bytes = new Uint8Array(FILE_BYTES)
    const count = this.#open().read(bytes, 0)
    let newest: MarkFields | null = null
    for (const at of [0, SLOT_SPACING]) {
      if (at + SLOT_BYTES > count || !this.#isGood(bytes, at)) continue
      const version = readU32(bytes, at + 4)
      if (version !== VERSION)
        throw new StorageRefusal('newer-format', `${this.#path} has version ${version}, known is ${VERSION}`)
      const sequence = readU64(bytes, at + 8)
      if (sequence <= this.#sequence) continue
      this.#sequence = sequence
      newest = fieldsOf(bytes, at)
    }
    return newest ?? 'bad'
  }

  /** Under another name until it is synced and `name` is called: a mark that can be seen has been whole. */
  create(fields: MarkFields): DiskFile {
    this.#file = this.#disk.open(this.#path + UNNAMED, 'create')
    this.#sequence = 0
    return this.writeTwice(fields)
  }

  /** The same once more, over a fresh mark that can be read: on a full disk there is no room for another. */
  createAgain(fields: MarkFields): DiskFile {
    this.#sequence = 0
    return this.writeTwice(fields)
  }

  /** Whether nothing was written since `create`: the names on the way to this file may not be durable. */
  get isFresh(): boolean {
    return this.#sequence <= 2
  }

  name(): void {
    this.closeFile()
    this.#disk.rename(this.#path + UNNAMED, this.#path)
  }

  /** Into the older slot, not synced. */
  write(fields: MarkFields): void {
    this.#sequence++
    this.#fill(fields)
    this.#open().write(this.#slot, (this.#sequence % 2) * SLOT_SPACING)
  }

  /** Into both slots; whoever calls syncs the file before relying on it. */
  writeTwice(fields: MarkFields): DiskFile {
    this.write(fields)
    this.write(fields)
    return this.#open()
  }

  closeFile(): void {
    this.#file?.close()
    this.#file = null
  }

  #open(): DiskFile {
    this.#file ??= this.#disk.open(this.#path, 'create')
    return this.#file
  }

  #isGood(bytes: Uint8Array, at: number): boolean {
    return readU32(bytes, at) === MAGIC && readU32(bytes, at + 72) === this.#codec.crc32(bytes.subarray(at, at + 72))
  }

  #fill(fields: MarkFields): void {
    const slot = this.#slot
    writeU32(slot, 0, MAGIC)
    writeU32(slot, 4, VERSION)
    writeU64(slot, 8, this.#sequence)
    writeU64(slot, 16, fields.startOffset)
    writeU64(slot, 24, fields.durableEnd)
    writeU64(slot, 32, fields.segmentBase)
    writeU64(slot, 40, fields.segmentBytes)
    writeU64(slot, 48, fields.appendedAtMax)
    writeU64(slot, 56, fields.latestEpoch)
    writeU32(slot, 64, fields.segmentCount)
    writeU32(slot, 68, STATES.indexOf(fields.state))
    writeU32(slot, 72, this.#codec.crc32(slot.subarray(0, 72)))
  }
}

function fieldsOf(bytes: Uint8Array, at: number): MarkFields {
  return {
    startOffset: readU64(bytes, at + 16),
    durableEnd: readU64(bytes, at + 24),
    segmentBase: readU64(bytes, at + 32),
    segmentBytes: readU64(bytes, at + 40),
    appendedAtMax: readI64(bytes, at + 48),
    latestEpoch: readI64(bytes, at + 56),
    segmentCount: readU32(bytes, at + 64),
    state: STATES[readU32(bytes, at + 68)]!,
  }
}
