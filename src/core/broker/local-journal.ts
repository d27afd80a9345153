// A machine's journal on a log of this broker alone: committed is what is synced. Records are the values of ordinary batches;
// each start takes the next leader epoch and puts a control batch under it, so the epoch is durable before anything uses it.
//
// A snapshot is a file of the same batches, closed by a control batch that says it is whole. It is written beside, synced,
// then renamed: a name that ends in `.snapshot` is complete or damaged, never half made.

import { assert } from '../base/index.ts'
import { type Damage, Log, type LogConfig, type LogListener, type LogWorld } from '../log/index.ts'
import type { DiskFile } from '../ports/index.ts'
import type { Journal, JournalAppended, JournalListener, JournalRefusal, StoredRecord } from '../machine/index.ts'
import {
  BatchAttribute,
  BatchBuilder,
  baseOffsetOf,
  batchBytesOf,
  isControl,
  lastOffsetOf,
  RecordAttribute,
  RecordReader,
  RecordSpans,
  stampBatch,
  storedFault,
} from '../record/index.ts'
import { StartRefused } from './start-refused.ts'

const CONFIG: LogConfig = {
  segmentBytes: 16 << 20,
  segmentMs: Number.MAX_SAFE_INTEGER,
  retentionMs: -1,
  cleanup: 'delete',
  deleteRetentionMs: 0,
  retentionBytes: -1,
  flush: 'group',
}
const SNAPSHOT = /^(\d{20})\.snapshot$/
const SNAPSHOT_RECORDS_PER_TURN = 1_000

export class LocalJournal implements Journal, LogListener {
  readonly leaderEpoch: number
  readonly #folder: string
  readonly #log: Log
  readonly #world: LogWorld
  readonly #builder: BatchBuilder
  readonly #spans = new RecordSpans()
  #listener: JournalListener | null = null
  #saving: Promise<unknown> = Promise.resolve()

  private constructor(folder: string, log: Log, world: LogWorld) {
    this.#folder = folder
    this.#log = log
    this.#world = world
    this.#builder = new BatchBuilder(world.codec)
    this.leaderEpoch = log.latestEpoch + 1
  }

  /** Resolves when this start's leader epoch is durable. Rejects with `StartRefused` when the log is damaged. */
  static async open(folder: string, world: LogWorld): Promise<LocalJournal> {
    const relay = new ListenerRelay()
    const log = await Log.open(folder, CONFIG, world, relay)
    if (log.damage !== null) throw new StartRefused(`the metadata log is damaged: ${damageText(log.damage)}`)
    const journal = new LocalJournal(folder, log, world)
    await journal.#markEpoch(relay)
    relay.next = journal
    return journal
  }

  get endOffset(): number {
    return this.#log.endOffset
  }

  get committedEnd(): number {
    return this.#log.durableEnd
  }

  listen(listener: JournalListener): void {
    this.#listener = listener
  }

  append(records: readonly StoredRecord[]): JournalAppended | JournalRefusal {
    const baseOffset = this.#log.endOffset
    this.#log.append(this.#batchOf(records, 0, baseOffset))
    return { kind: 'appended', baseOffset }
  }

  onDurable(end: number): void {
    this.#listener?.onCommitted(end)
  }

  onRefused(from: number): void {
    this.#listener?.onLost(from, 'none')
  }

  async read(from: number, upTo: number, visit: (record: StoredRecord, offset: number) => void): Promise<void> {
    const reader = new RecordReader()
    let reached = from
    await this.#log.scan(from, upTo, (bytes, at) => {
      if (baseOffsetOf(bytes, at) > reached) throw unreadable(this.#folder, reached)
      reached = lastOffsetOf(bytes, at) + 1
      if (isControl(bytes, at)) return
      assert(reader.open(bytes, at, this.#world.codec), 'a checked batch can be read')
      for (let record = reader.next(); record !== null; record = reader.next()) {
        if (record.offset >= from && record.offset < upTo) {
          visit(storedOf(record), record.offset)
        }
      }
    })
    if (reached < upTo) throw unreadable(this.#folder, reached)
  }

  /** The newest snapshot that is whole; a damaged one is reported and the one before it taken. */
  async readSnapshot(visit: (record: StoredRecord) => void): Promise<number> {
    for (const { name, nextOffset } of this.#snapshots().reverse()) {
      const records = this.#recordsOf(`${this.#folder}/${name}`)
      if (records === null) {
        this.#world.events.error('snapshot-damaged', { path: `${this.#folder}/${name}` })
        continue
      }
      if (nextOffset < this.#log.startOffset) break
      for (const record of records) visit(record)
      return nextOffset
    }
    if (this.#log.startOffset > 0) {
      throw new StartRefused(
        `the newest snapshot in ${this.#folder} cannot be read, and the log it stands for is gone: restore a backup`,
      )
    }
    return 0
  }

  saveSnapshot(nextOffset: number, records: Iterable<StoredRecord>): Promise<'saved' | 'disk-full'> {
    const saving = this.#save(nextOffset, records)
    this.#saving = saving.catch(() => {})
    return saving
  }

  async #save(nextOffset: number, records: Iterable<StoredRecord>): Promise<'saved' | 'disk-full'> {
    const { disk, clock, commits } = this.#world
    const path = `${this.#folder}/${String(nextOffset).padStart(20, '0')}.snapshot`
    const beside = `${path}.new`
    let file: DiskFile | null = null
    try {
      file = disk.open(beside, 'create')
      file.truncate(0)
      let position = 0
      let some: StoredRecord[] = []
      const put = (batch: Uint8Array): void => {
        file!.write(batch, position)
        position += batch.length
      }
      for (const record of records) {
        some.push(record)
        if (some.length < SNAPSHOT_RECORDS_PER_TURN) continue
        put(this.#batchOf(some, 0, 0))
        some = []
        await new Promise<void>((resolve) => clock.nextTurn(resolve))
      }
      if (some.length > 0) put(this.#batchOf(some, 0, 0))
      put(this.#batchOf([], BatchAttribute.control, 0))
    } catch (error) {
      file?.close()
      disk.remove(beside)
      if (isNoSpace(error)) return 'disk-full'
      throw error
    }
    await commits.syncNow([file], [])
    file.close()
    disk.rename(beside, path)
    await commits.syncNow([], [this.#folder])
    // The snapshot is durable: what it stands for may go, all but the snapshot before it.
    await this.#log.trim(nextOffset)
    for (const older of this.#snapshots().slice(0, -2)) disk.remove(`${this.#folder}/${older.name}`)
    return 'saved'
  }

  async close(): Promise<void> {
    await this.#saving
    await this.#log.close()
  }

  #markEpoch(relay: ListenerRelay): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = this.#log.endOffset + 1
      relay.next = {
        onDurable: (durable) => {
          if (durable >= end) resolve()
        },
        onRefused: () => reject(new StartRefused('the disk is full: there is no room for the metadata log')),
      }
      this.#log.append(this.#batchOf([], BatchAttribute.control, this.#log.endOffset))
    })
  }

  /** One batch of the records; a control batch holds one empty record. */
  #batchOf(records: readonly StoredRecord[], attributes: number, baseOffset: number): Uint8Array {
    const { clock, codec } = this.#world
    const now = Math.max(clock.now(), this.#log.appendedAtMax)
    const spans = this.#spans
    spans.clear()
    if (attributes === 0) spans.attributes = RecordAttribute.json
    for (const { key, value } of records.length > 0 ? records : [EMPTY]) {
      assert(key === null && value !== null, 'what a snapshot stands for needs no keys')
      spans.value = value
      spans.valueStart = 0
      spans.valueEnd = value.length
      assert(this.#builder.add(spans, now), 'a decision fits one batch')
    }
    const batch = this.#builder.finish({ attributes })
    stampBatch(batch, 0, baseOffset, now, this.leaderEpoch, codec)
    return batch
  }

  #snapshots(): { name: string; nextOffset: number }[] {
    const found: { name: string; nextOffset: number }[] = []
    for (const name of this.#world.disk.list(this.#folder)) {
      const digits = SNAPSHOT.exec(name)?.[1]
      if (digits !== undefined) found.push({ name, nextOffset: Number(digits) })
    }
    return found
  }

  /** Null when the file is not a whole snapshot. */
  #recordsOf(path: string): StoredRecord[] | null {
    const { disk, codec } = this.#world
    const file = disk.open(path, 'read')
    const bytes = new Uint8Array(file.size())
    const read = file.read(bytes, 0)
    file.close()
    const records: StoredRecord[] = []
    const reader = new RecordReader()
    for (let at = 0; at < read; at += batchBytesOf(bytes, at)) {
      if (storedFault(bytes, at, read, codec) !== null) return null
      if (isControl(bytes, at)) return at + batchBytesOf(bytes, at) === read ? records : null
      if (!reader.open(bytes, at, codec)) return null
      for (let record = reader.next(); record !== null; record = reader.next()) {
        records.push(storedOf(record))
      }
    }
    return null
  }
}

const EMPTY: StoredRecord = { key: null, value: new Uint8Array(0) }

function storedOf({ value, valueStart, valueEnd }: RecordSpans): StoredRecord {
  return { key: null, value: value.slice(valueStart, valueEnd) }
}

/** A log wants its listener when it opens; who that is changes once the epoch is marked. */
class ListenerRelay implements LogListener {
  next: LogListener | null = null

  onDurable(end: number): void {
    this.next?.onDurable(end)
  }

  onRefused(from: number): void {
    this.next?.onRefused(from)
  }
}

function unreadable(folder: string, offset: number): StartRefused {
  return new StartRefused(`the log in ${folder} cannot be read at offset ${offset}; restore the folder from a backup`)
}

function damageText({ path, offset, detail }: Damage): string {
  return `${path} cannot be read at offset ${offset} (${detail}); restore the folder from a backup`
}

function isNoSpace(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'no-space'
}
