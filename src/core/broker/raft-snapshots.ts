// Snapshots of the metadata as files beside its log, the two newest of them:
//
//   <20-digit offset behind it>.snapshot    {"kind":"snapshot","index":…,"term":…,"voters":[…]} · records … · {"kind":"end"}
//   ….snapshot.new    one being written            ….snapshot.received    one being received
//
// All of it batches, the first and the last control batches, so a file is whole or it is not a snapshot. It is written under
// another name, synced, renamed, and the folder synced: a name that ends in `.snapshot` is complete, or damaged since.

import { BatchBuilder, batchBytesOf, isControl, RecordReader, storedFault } from '../record/index.ts'
import { controlBatch, controlValue, type Position, type SnapshotHead, votersOf } from '../raft/index.ts'
import { type Codec, type Disk, DiskError, type DiskFile } from '../ports/index.ts'
import type { StoredRecord } from '../machine/index.ts'
import type { LogWorld } from '../log/index.ts'
import { recordsBatch, storedOf } from './raft-records.ts'

const NAME = /^(\d{20})\.snapshot$/
const ANY_NAME = /^(\d{20})\.snapshot(\.new|\.received)?$/
const RECORDS_PER_TURN = 1_000
const KEPT = 2

export class RaftSnapshots {
  readonly #folder: string
  readonly #world: LogWorld
  /** Whole ones, oldest first. */
  #heads: SnapshotHead[]
  #receiving: DiskFile | null = null
  #receivingPath = ''
  #giving: DiskFile | null = null

  private constructor(folder: string, world: LogWorld, heads: SnapshotHead[]) {
    this.#folder = folder
    this.#world = world
    this.#heads = heads
  }

  /** What is there; damaged ones are reported and left out. */
  static open(folder: string, world: LogWorld): RaftSnapshots {
    const { disk, codec, events } = world
    const heads: SnapshotHead[] = []
    for (const name of disk.list(folder)) {
      if (!NAME.test(name)) continue
      const path = `${folder}/${name}`
      const head = headOf(readFile(disk, path), codec)
      if (head !== null && nameOf(head) === name) heads.push(head)
      else events.error('snapshot-damaged', { path })
    }
    return new RaftSnapshots(folder, world, heads)
  }

  get newest(): SnapshotHead | null {
    return this.#heads.at(-1) ?? null
  }

  get oldest(): SnapshotHead | null {
    return this.#heads[0] ?? null
  }

  /** The records of the newest, a slice a turn. Throws when it has become unreadable since the start. */
  async read(visit: (record: StoredRecord) => void): Promise<SnapshotHead | null> {
    const head = this.newest
    if (head === null) return null
    const { disk, codec, clock } = this.#world
    const path = this.#pathOf(head)
    const bytes = readFile(disk, path)
    if (headOf(bytes, codec) === null) throw new Error(`${path} cannot be read`)
    const reader = new RecordReader()
    for (let at = 0; at < bytes.length; at += batchBytesOf(bytes, at)) {
      if (isControl(bytes, at) || !reader.open(bytes, at, codec)) continue
      for (let record = reader.next(); record !== null; record = reader.next()) visit(storedOf(record))
      await new Promise<void>((resolve) => clock.nextTurn(resolve))
    }
    return head
  }

  /** 'overtaken': a newer one was installed meanwhile. */
  async make(head: SnapshotHead, records: Iterable<StoredRecord>): Promise<'made' | 'overtaken' | 'disk-full'> {
    const { disk, commits } = this.#world
    const path = `${this.#pathOf(head)}.new`
    const file = await this.#write(path, head, records)
    if (file === null) return 'disk-full'
    await commits.syncNow([file], [])
    file.close()
    if (this.newest !== null && this.newest.index >= head.index) {
      disk.remove(path)
      return 'overtaken'
    }
    await this.#name(path, head)
    return 'made'
  }

  chunk({ index, term }: Position, from: number, bytesMax: number): { bytes: Uint8Array; bytesTotal: number } | null {
    const head = this.newest
    if (head === null || head.index !== index || head.term !== term) return null
    const path = this.#pathOf(head)
    if (this.#giving?.path !== path) {
      this.#giving?.close()
      this.#giving = this.#world.disk.open(path, 'read')
    }
    const bytesTotal = this.#giving.size()
    if (from >= bytesTotal) return null
    const bytes = new Uint8Array(Math.min(bytesMax, bytesTotal - from))
    return { bytes: bytes.subarray(0, this.#giving.read(bytes, from)), bytesTotal }
  }

  beginReceiving(head: SnapshotHead): void {
    this.#endReceiving()
    this.#receivingPath = `${this.#pathOf(head)}.received`
  }

  /** False: there is no room. */
  receive(from: number, bytes: Uint8Array): boolean {
    try {
      if (this.#receiving === null) {
        this.#receiving = this.#world.disk.open(this.#receivingPath, 'create')
        this.#receiving.truncate(0)
      }
      this.#receiving.write(bytes, from)
      return true
    } catch (error) {
      if (!isNoSpace(error)) throw error
      this.#endReceiving()
      this.#world.disk.remove(this.#receivingPath)
      return false
    }
  }

  async verifyReceived(head: SnapshotHead): Promise<boolean> {
    const { disk, codec, commits } = this.#world
    const file = this.#receiving
    if (file === null) return false
    const found = headOf(readFile(disk, file.path), codec)
    if (found === null || found.index !== head.index || found.term !== head.term) return false
    await commits.syncNow([file], [])
    return true
  }

  /** What was received and verified takes its place, durably. */
  async install(head: SnapshotHead): Promise<void> {
    this.#endReceiving()
    await this.#name(`${this.#pathOf(head)}.received`, head)
  }

  close(): void {
    this.#endReceiving()
    this.#giving?.close()
    this.#giving = null
  }

  #endReceiving(): void {
    this.#receiving?.close()
    this.#receiving = null
  }

  async #name(path: string, head: SnapshotHead): Promise<void> {
    const { disk, commits } = this.#world
    disk.rename(path, this.#pathOf(head))
    await commits.syncNow([], [this.#folder])
    this.#heads = [...this.#heads.filter(({ index }) => index !== head.index), head].sort((a, b) => a.index - b.index)
    this.#heads = this.#heads.slice(-KEPT)
    const kept = this.#heads.map(nameOf)
    const newest = this.newest!.index + 1
    for (const name of disk.list(this.#folder)) {
      const offset = Number(ANY_NAME.exec(name)?.[1] ?? Infinity)
      if (offset <= newest && !kept.includes(name)) disk.remove(`${this.#folder}/${name}`)
    }
  }

  /** Null: no room, and nothing is left of it. */
  async #write(path: string, head: SnapshotHead, records: Iterable<StoredRecord>): Promise<DiskFile | null> {
    const { disk, clock, codec } = this.#world
    const builder = new BatchBuilder(codec)
    const { index, term, voters } = head
    let file: DiskFile | null = null
    try {
      file = disk.open(path, 'create')
      file.truncate(0)
      let position = 0
      const put = (batch: Uint8Array): void => {
        file!.write(batch, position)
        position += batch.length
      }
      put(controlBatch({ kind: 'snapshot', index, term, voters }, index, term, codec))
      let some: StoredRecord[] = []
      for (const record of records) {
        some.push(record)
        if (some.length < RECORDS_PER_TURN) continue
        put(recordsBatch(some, builder, { index, term, nowMs: 0 }, codec))
        some = []
        await new Promise<void>((resolve) => clock.nextTurn(resolve))
      }
      if (some.length > 0) put(recordsBatch(some, builder, { index, term, nowMs: 0 }, codec))
      put(controlBatch({ kind: 'end' }, index, term, codec))
      return file
    } catch (error) {
      file?.close()
      disk.remove(path)
      if (isNoSpace(error)) return null
      throw error
    }
  }

  #pathOf(head: SnapshotHead): string {
    return `${this.#folder}/${nameOf(head)}`
  }
}

function nameOf({ index }: SnapshotHead): string {
  return `${String(index + 1).padStart(20, '0')}.snapshot`
}

/** Null when the bytes are not a whole snapshot. */
function headOf(bytes: Uint8Array, codec: Codec): SnapshotHead | null {
  let head: SnapshotHead | null = null
  for (let at = 0; at < bytes.length; at += batchBytesOf(bytes, at)) {
    if (storedFault(bytes, at, bytes.length, codec) !== null) return null
    if (!isControl(bytes, at)) {
      if (head === null) return null
      continue
    }
    const value = controlValue(bytes, at, codec)
    if (head !== null) return value?.['kind'] === 'end' && at + batchBytesOf(bytes, at) === bytes.length ? head : null
    const voters = votersOf(value?.['voters'])
    const { index, term } = { index: value?.['index'], term: value?.['term'] }
    if (voters === null || typeof index !== 'number' || typeof term !== 'number') return null
    head = { index, term, voters }
  }
  return null
}

function readFile(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path, 'read')
  const bytes = new Uint8Array(file.size())
  const read = file.read(bytes, 0)
  file.close()
  return bytes.subarray(0, read)
}

function isNoSpace(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'no-space'
}
