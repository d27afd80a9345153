// The epoch cache: which leader epoch begins at which offset, rising in both. It answers where a follower's history parts from
// ours. File `epochs`: entries of 16 bytes, appended in order:
//
//   u32 epoch · u64 first offset · u32 crc of the 12 bytes before, seeded with the previous entry's crc
//
// The chained sum makes a lost, doubled or moved entry as visible as a changed one. Derived from the batches, so a bad file is
// rebuilt; it is synced in the same round as the first batch of an epoch, before the durable mark passes that batch, so a
// good mark whose latest epoch is not the file's last also tells of a bad file.

import { assert, readU32, readU64, writeU32, writeU64 } from '../base/index.ts'
import { type Codec, type Disk, DiskError, type DiskFile } from '../ports/index.ts'

const ENTRY_BYTES = 16
const NAME = 'epochs'

export class Epochs {
  readonly #disk: Disk
  readonly #codec: Codec
  readonly #path: string
  #file: DiskFile | null = null
  readonly #epochs: number[] = []
  readonly #starts: number[] = []
  /** Checksum of each entry, the seed of the next. */
  readonly #sums: number[] = []
  /** Entries that the file holds as they are here. */
  #filed = 0

  constructor(disk: Disk, codec: Codec, folder: string) {
    this.#disk = disk
    this.#codec = codec
    this.#path = `${folder}/${NAME}`
  }

  get latest(): number {
    return this.#epochs.at(-1) ?? -1
  }

  get count(): number {
    return this.#epochs.length
  }

  /** Whether the next `write` changes the file. */
  get isDirty(): boolean {
    return this.#filed < this.#epochs.length
  }

  /** False when an entry is not as written: what is before it is kept, the rest cut from the file. */
  load(): boolean {
    if (!this.#disk.exists(this.#path)) return true
    const file = this.file()
    const bytes = new Uint8Array(file.size())
    const count = file.read(bytes, 0)
    while ((this.#filed + 1) * ENTRY_BYTES <= count && this.#take(bytes, this.#filed * ENTRY_BYTES)) this.#filed++
    const isWhole = this.#filed * ENTRY_BYTES === count
    if (!isWhole) file.truncate(this.#filed * ENTRY_BYTES)
    return isWhole
  }

  /** A batch of `epoch` begins at `offset`; nothing happens when the epoch is known. */
  note(epoch: number, offset: number): void {
    if (epoch === this.latest) return
    assert(epoch > this.latest, 'an epoch below the latest')
    const entry = new Uint8Array(12)
    writeU32(entry, 0, epoch)
    writeU64(entry, 4, offset)
    this.#push(epoch, offset, this.#codec.crc32(entry, this.#sums.at(-1) ?? 0))
  }

  /** Forgets what begins at or above `offset`. */
  cutFrom(offset: number): void {
    let count = this.#epochs.length
    while (count > 0 && this.#starts[count - 1]! >= offset) count--
    this.#epochs.length = count
    this.#starts.length = count
    this.#sums.length = count
    if (this.#filed <= count) return
    this.#filed = count
    this.file().truncate(count * ENTRY_BYTES)
  }

  clear(): void {
    this.#epochs.length = 0
    this.#starts.length = 0
    this.#sums.length = 0
    this.#filed = 0
    this.file().truncate(0)
  }

  /** Appends what the file lacks. Returns the file, to be synced. */
  write(): DiskFile {
    const file = this.file()
    const fresh = this.#epochs.length - this.#filed
    if (fresh <= 0) return file
    const bytes = new Uint8Array(fresh * ENTRY_BYTES)
    for (let i = 0; i < fresh; i++) {
      const from = this.#filed + i
      writeU32(bytes, i * ENTRY_BYTES, this.#epochs[from]!)
      writeU64(bytes, i * ENTRY_BYTES + 4, this.#starts[from]!)
      writeU32(bytes, i * ENTRY_BYTES + 12, this.#sums[from]!)
    }
    file.write(bytes, this.#filed * ENTRY_BYTES)
    this.#filed = this.#epochs.length
    return file
  }

  /** `write` where a full disk must not be in the way: what the file then lacks is rebuilt at the next start. */
  writeIfRoom(): DiskFile {
    try {
      return this.write()
    } catch (error) {
      if (error instanceof DiskError && error.code === 'no-space') return this.file()
      throw error
    }
  }

  /** The epoch that `offset` belongs to; -1 below the first. */
  at(offset: number): number {
    return this.#epochs[this.#floorStart(offset)] ?? -1
  }

  /**
   * Where the history of `epoch` ends here: the greatest known epoch that is not above it, and the offset behind its last
   * batch. Below all known epochs: `epoch` itself, ending where the first known begins. Null above the latest.
   */
  endOf(epoch: number, logEnd: number): { epoch: number; endOffset: number } | null {
    if (epoch > this.latest) return null
    let next = 0
    while (next < this.#epochs.length && this.#epochs[next]! <= epoch) next++
    const endOffset = this.#starts[next] ?? logEnd
    return next === 0 ? { epoch, endOffset } : { epoch: this.#epochs[next - 1]!, endOffset }
  }

  entries(): { epoch: number; startOffset: number }[] {
    return this.#epochs.map((epoch, i) => ({ epoch, startOffset: this.#starts[i]! }))
  }

  closeFile(): void {
    this.#file?.close()
    this.#file = null
  }

  file(): DiskFile {
    this.#file ??= this.#disk.open(this.#path, 'create')
    return this.#file
  }

  #take(bytes: Uint8Array, at: number): boolean {
    const sum = this.#codec.crc32(bytes.subarray(at, at + 12), this.#sums.at(-1) ?? 0)
    if (sum !== readU32(bytes, at + 12)) return false
    const epoch = readU32(bytes, at)
    const start = readU64(bytes, at + 4)
    if (epoch <= this.latest || start < (this.#starts.at(-1) ?? 0)) return false
    this.#push(epoch, start, sum)
    return true
  }

  #push(epoch: number, start: number, sum: number): void {
    this.#epochs.push(epoch)
    this.#starts.push(start)
    this.#sums.push(sum)
  }

  #floorStart(offset: number): number {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#starts[middle]! <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
