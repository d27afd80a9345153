// The snapshots of one partition on disk: the newest two are kept, and the newest that is synced where the log has no longer
// all that it stands for. Written in slices, once everything they stand for is durable, and not synced unless the log below
// them is about to go: until then the log can make them again.

import type { Log, LogWorld } from '../log/index.ts'
import { DiskError } from '../ports/index.ts'
import type { KeyBudget } from './idempotency-keys.ts'
import {
  encodeSnapshot,
  readSnapshotHeader,
  restoreSnapshot,
  snapshotBytes,
  type StateCapture,
} from './producer-snapshot.ts'
import { ProducerState } from './producer-state.ts'

const KEPT = 2
const NAME = /^(\d{20})\.producers$/
const WRITTEN_PER_TURN_BYTES = 1024 * 1024
const RESTORE_SLICE_MS = 5

export class SnapshotStore {
  readonly #world: LogWorld
  readonly #folder: string
  /** Next offsets of the snapshots there are, rising. */
  readonly #offsets: number[] = []
  /** Size of the newest. */
  newestBytes = 0
  /** Next offset of the newest that is known to be synced. */
  durableOffset = 0

  constructor(world: LogWorld, folder: string) {
    this.#world = world
    this.#folder = folder
  }

  /** Next offset of the newest, 0 when there is none. */
  get newestOffset(): number {
    return this.#offsets.at(-1) ?? 0
  }

  /** The state at the log's end: the newest snapshot that is of this log, and the batches since. */
  async load(log: Log, budget: KeyBudget, expiryMs: number): Promise<ProducerState> {
    this.#list()
    let state: ProducerState | null = null
    while (state === null && this.#offsets.length > 0) {
      state = await this.#read(this.newestOffset, log, budget)
      if (state === null) this.#drop(this.#offsets.pop()!)
    }
    let from = log.startOffset
    if (state !== null) from = Math.max(from, state.nextOffset)
    // What is older has expired already.
    else if (from < log.endOffset) from = await log.offsetAtTime(log.appendedAtMax - expiryMs)
    const loaded = state ?? new ProducerState(0, budget)
    if (from < log.endOffset) await log.scan(from, log.endOffset, (bytes, at) => loaded.apply(bytes, at, expiryMs))
    loaded.nextOffset = log.endOffset
    return loaded
  }

  /** Everything captured is durable in the log. `durably`: the snapshot too, when this resolves. */
  async save(capture: StateCapture, log: Log, durably: boolean): Promise<'saved' | 'disk-full'> {
    const { nextOffset } = capture
    if (nextOffset > this.newestOffset) {
      const path = this.#pathOf(nextOffset)
      if (!(await this.#write(path, capture)) && !(this.#makeRoom(log) && (await this.#write(path, capture)))) {
        return 'disk-full'
      }
      this.#offsets.push(nextOffset)
      this.newestBytes = snapshotBytes(capture)
    }
    if (durably) {
      const file = this.#world.disk.open(this.#pathOf(this.newestOffset), 'write')
      await this.#world.commits.syncNow([file], [this.#folder])
      file.close()
      this.durableOffset = this.newestOffset
    }
    while (this.#offsets.length > KEPT && this.#mayDropOldest(log)) this.#drop(this.#offsets.shift()!)
    return 'saved'
  }

  /** The log, or a later snapshot that is synced, has all that it stands for. */
  #mayDropOldest(log: Log): boolean {
    return log.startOffset === 0 || this.#offsets[0]! < this.durableOffset
  }

  /** On a full disk older ones make room for the next. */
  #makeRoom(log: Log): boolean {
    const count = this.#offsets.length
    while (this.#offsets.length > 0 && this.#mayDropOldest(log)) this.#drop(this.#offsets.shift()!)
    return this.#offsets.length < count
  }

  async #write(path: string, capture: StateCapture): Promise<boolean> {
    const { disk, codec, clock } = this.#world
    disk.remove(path)
    try {
      const file = disk.open(path, 'create')
      let position = 0
      let pauseAt = WRITTEN_PER_TURN_BYTES
      for (const chunk of encodeSnapshot(capture, codec)) {
        file.write(chunk, position)
        position += chunk.length
        if (position < pauseAt) continue
        pauseAt += WRITTEN_PER_TURN_BYTES
        await new Promise<void>((resolve) => clock.nextTurn(resolve))
      }
      file.close()
      return true
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== 'no-space') throw error
      disk.remove(path)
      return false
    }
  }

  async #read(offset: number, log: Log, budget: KeyBudget): Promise<ProducerState | null> {
    const { disk, codec, clock, events } = this.#world
    const path = this.#pathOf(offset)
    if (offset > log.endOffset) return null
    const file = disk.open(path, 'read')
    const bytes = new Uint8Array(file.size())
    const count = await file.readCold(bytes, 0)
    file.close()
    const header = count === bytes.length ? readSnapshotHeader(bytes, codec) : null
    if (header === null || header.nextOffset !== offset) {
      events.warn('producer-snapshot-unreadable', { path })
      return null
    }
    const end = log.endOffsetOfEpoch(header.epoch)
    if (end === null || end.endOffset < offset) return null
    this.newestBytes = bytes.length
    const steps = restoreSnapshot(bytes, budget)
    let sliceEndMs = clock.monotonic() + RESTORE_SLICE_MS
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      if (clock.monotonic() < sliceEndMs) continue
      await new Promise<void>((resolve) => clock.nextTurn(resolve))
      sliceEndMs = clock.monotonic() + RESTORE_SLICE_MS
    }
  }

  #list(): void {
    this.#offsets.length = 0
    for (const name of this.#world.disk.list(this.#folder)) {
      const match = NAME.exec(name)
      if (match !== null) this.#offsets.push(Number(match[1]))
    }
  }

  #drop(offset: number): void {
    this.#world.disk.remove(this.#pathOf(offset))
  }

  #pathOf(offset: number): string {
    return `${this.#folder}/${String(offset).padStart(20, '0')}.producers`
  }
}
