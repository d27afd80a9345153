// A node's disk. Programs see the page cache; a power loss leaves what was synced and, of the rest, whatever chance leaves:
//
//   a write      lost, kept, or torn at 512-byte sectors; when lost, the file may still have grown over zeros or old bytes
//   truncate     lost or kept                        name (create, rename, remove)   undone unless its folder was synced
//
// `sync` takes what was written before it was called, when it resolves. A sync of files made to fail drops what it was to write
// and later ones say nothing of it: the page cache still shows those bytes. `kill` ends the process only: the page cache stays.
//
// Every call is counted and shown to `onCall`, after its effect: a hook that calls `die` there ends the program at that call.
// What it does until it next waits reaches only a shadow; its clock has stopped, so nothing it waits for comes. What a fault may not do is not modelled: synced bytes change
// only by `flip`.

import { type Disk, DiskError, type DiskFile } from '../../src/core/ports/index.ts'
import type { SimClock } from './clock.ts'
import { Inode } from './disk-inode.ts'
import type { Outcome } from './disk-outcome.ts'

export { allKept, allLost, type Fate, type Outcome, randomOutcome } from './disk-outcome.ts'

const SYNC_MS = 0.2
const READ_MS = 0.1

export type DiskCallKind =
  | 'list'
  | 'exists'
  | 'create-folder'
  | 'open'
  | 'rename'
  | 'remove'
  | 'sync'
  | 'sync-folder'
  | 'write'
  | 'read'
  | 'read-cold'
  | 'truncate'

export interface DiskCall {
  readonly kind: DiskCallKind
  readonly path: string
}

const FOLDER = 'folder'
type Names = Map<string, Inode | typeof FOLDER>

type NameChange =
  | { readonly kind: 'create'; readonly path: string; readonly inode: Inode | typeof FOLDER }
  | { readonly kind: 'rename'; readonly path: string; readonly from: string; readonly inode: Inode | typeof FOLDER }
  | { readonly kind: 'remove'; readonly path: string }

function changeNames(names: Names, change: NameChange): void {
  if (change.kind === 'create') {
    names.set(change.path, change.inode)
    return
  }
  const source = change.kind === 'rename' ? change.from : change.path
  const below = [...names].filter(([path]) => path === source || path.startsWith(`${source}/`))
  for (const [path] of below) names.delete(path)
  if (change.kind === 'remove') return
  names.set(change.path, change.inode)
  for (const [path, inode] of below) names.set(change.path + path.slice(source.length), inode)
}

export interface SimDiskOptions {
  totalBytes?: number
  /** How long a sync and a cold read take. */
  syncMs?: () => number
  readMs?: () => number
}

export class SimDisk implements Disk {
  /** Calls so far. */
  calls = 0
  onCall: ((call: DiskCall, number: number) => void) | null = null
  /** To see that a test would notice: syncs that say they have done it, and have done nothing. */
  lies: 'none' | 'sync' | 'sync-folder' = 'none'
  /** This many syncs from now one fails; 0: none does. */
  syncsUntilFailure = 0
  totalBytes: number
  readonly clock: SimClock
  readonly #options: SimDiskOptions
  #names: Names = new Map()
  #durableNames: Names = new Map()
  #unsyncedNames: NameChange[] = []
  /** How everything was when the program ended. */
  #image: SimDisk | null = null

  constructor(clock: SimClock, options: SimDiskOptions = {}) {
    this.clock = clock
    this.#options = options
    this.totalBytes = options.totalBytes ?? Number.POSITIVE_INFINITY
  }

  // ── the port ──────────────────────────────────────────────────────────────────────────────────────────────────────

  list(folder: string): string[] {
    const prefix = folder === '' ? '' : `${folder}/`
    const names = [...this.#names.keys()].filter(
      (path) => path.startsWith(prefix) && !path.includes('/', prefix.length),
    )
    this.called('list', folder)
    return names.map((path) => path.slice(prefix.length)).sort()
  }

  exists(path: string): boolean {
    this.called('exists', path)
    return path === '' || this.#names.has(path)
  }

  createFolder(folder: string): void {
    for (let end = folder.indexOf('/'); ; end = folder.indexOf('/', end + 1)) {
      const path = end < 0 ? folder : folder.slice(0, end)
      if (!this.#names.has(path)) this.#change({ kind: 'create', path, inode: FOLDER })
      if (end < 0) break
    }
    this.called('create-folder', folder)
  }

  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    let inode = this.#names.get(path)
    if (inode === undefined) {
      const folder = parentOf(path)
      if (mode !== 'create' || (folder !== '' && this.#names.get(folder) !== FOLDER)) {
        throw new DiskError('not-found', `no ${path}`)
      }
      const made = new Inode()
      inode = made
      this.#change({ kind: 'create', path, inode: made })
    }
    if (inode === FOLDER) throw new DiskError('io', `${path} is a folder`)
    this.called('open', path)
    return new SimFile(this, path, inode)
  }

  rename(from: string, to: string): void {
    const inode = this.#names.get(from)
    if (inode === undefined) throw new DiskError('not-found', `no ${from}`)
    this.#change({ kind: 'rename', path: to, from, inode })
    this.called('rename', from)
  }

  remove(path: string): void {
    if (this.#names.has(path)) this.#change({ kind: 'remove', path })
    this.called('remove', path)
  }

  async sync(files: readonly DiskFile[]): Promise<void> {
    const taken = files.map((file) => {
      if (!(file instanceof SimFile)) throw new Error('a file of another disk')
      return { inode: file.inode, operations: new Set(this.lies === 'sync' ? [] : file.inode.unsynced) }
    })
    this.called('sync', files.map((file) => file.path).join(' '))
    await this.#wait(this.#options.syncMs?.() ?? SYNC_MS)
    const isFailing = this.#isSyncFailing()
    for (const { inode, operations } of taken) {
      if (isFailing) inode.unsynced = inode.unsynced.filter((operation) => !operations.has(operation))
      else inode.synced(operations)
    }
    if (isFailing) throw new DiskError('io', 'sync: input/output error')
  }

  async syncFolder(folder: string): Promise<void> {
    const taken = new Set(
      this.lies === 'sync-folder' ? [] : this.#unsyncedNames.filter((change) => parentOf(change.path) === folder),
    )
    this.called('sync-folder', folder)
    await this.#wait(this.#options.syncMs?.() ?? SYNC_MS)
    // names are the file system's own journal's: a failure leaves them to a later sync, it does not lie about them
    if (this.#isSyncFailing()) throw new DiskError('io', 'sync: input/output error')
    for (const change of taken) changeNames(this.#durableNames, change)
    this.#unsyncedNames = this.#unsyncedNames.filter((change) => !taken.has(change))
  }

  space(): { freeBytes: number; totalBytes: number } {
    return { freeBytes: this.freeBytes, totalBytes: this.totalBytes }
  }

  // ── what tests do to it ───────────────────────────────────────────────────────────────────────────────────────────

  get usedBytes(): number {
    let used = 0
    for (const inode of new Set(this.#names.values())) if (inode !== FOLDER) used += inode.cache.size
    return used
  }

  get freeBytes(): number {
    return Math.max(this.totalBytes - this.usedBytes, 0)
  }

  /** The program ends here. */
  die(): void {
    if (this.#image !== null) return
    this.#image = this.#copy(this.clock)
    this.clock.stop()
  }

  get isDead(): boolean {
    return this.#image !== null
  }

  /** The disk as the next program finds it after a power loss. */
  powerLoss(outcome: Outcome): SimDisk {
    const next = this.#next()
    for (const change of next.#unsyncedNames) if (outcome.name() === 'kept') changeNames(next.#durableNames, change)
    next.#unsyncedNames = []
    for (const inode of new Set([...next.#names.values(), ...next.#durableNames.values()])) {
      if (inode !== FOLDER) inode.losePower(outcome)
    }
    // what lies in a folder that is not there cannot be found
    for (const path of [...next.#durableNames.keys()]) {
      for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
        if (next.#durableNames.get(folder) !== FOLDER) next.#durableNames.delete(path)
      }
    }
    next.#names = new Map(next.#durableNames)
    return next
  }

  /** The disk as the next program finds it when only the process was killed. */
  kill(): SimDisk {
    return this.#next()
  }

  flip(path: string, byte: number, bit: number): void {
    const inode = this.#inode(path)
    inode.cache.bytes[byte]! ^= 1 << bit
    inode.durable.bytes[byte]! ^= 1 << bit
  }

  /** Puts `bytes` in place of a file's content, durably. */
  replace(path: string, bytes: Uint8Array): void {
    const inode = this.#inode(path)
    inode.replace(bytes)
  }

  /** Removes a file without a trace, durably. */
  lose(path: string): void {
    this.#names.delete(path)
    this.#durableNames.delete(path)
  }

  contentOf(path: string): Uint8Array {
    const { cache } = this.#inode(path)
    return cache.bytes.slice(0, cache.size)
  }

  paths(): string[] {
    return [...this.#names].filter(([, inode]) => inode !== FOLDER).map(([path]) => path)
  }

  /** For `SimFile`. */
  called(kind: DiskCallKind, path: string): void {
    this.calls++
    this.onCall?.({ kind, path }, this.calls)
  }

  /** For `SimFile`: how many of `bytes` more bytes there is room for. */
  roomFor(bytes: number): number {
    return this.totalBytes === Number.POSITIVE_INFINITY ? bytes : Math.min(bytes, this.freeBytes)
  }

  readMs(): number {
    return this.#options.readMs?.() ?? READ_MS
  }

  #isSyncFailing(): boolean {
    return this.syncsUntilFailure > 0 && --this.syncsUntilFailure === 0
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.clock.after(ms, resolve))
  }

  #change(change: NameChange): void {
    changeNames(this.#names, change)
    this.#unsyncedNames.push(change)
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined || inode === FOLDER) throw new Error(`no file ${path}`)
    return inode
  }

  #next(): SimDisk {
    this.die()
    return this.#image!.#copy(this.clock.successor())
  }

  #copy(clock: SimClock): SimDisk {
    const next = new SimDisk(clock, this.#options)
    next.totalBytes = this.totalBytes
    next.lies = this.lies
    const copies = new Map<Inode, Inode>()
    const copyOf = (inode: Inode | typeof FOLDER): Inode | typeof FOLDER => {
      if (inode === FOLDER) return FOLDER
      const copy = copies.get(inode) ?? inode.copy()
      copies.set(inode, copy)
      return copy
    }
    for (const [path, inode] of this.#names) next.#names.set(path, copyOf(inode))
    for (const [path, inode] of this.#durableNames) next.#durableNames.set(path, copyOf(inode))
    next.#unsyncedNames = this.#unsyncedNames.map((change) =>
      change.kind === 'remove' ? change : { ...change, inode: copyOf(change.inode) },
    )
    return next
  }
}

class SimFile implements DiskFile {
  readonly path: string
  readonly inode: Inode
  readonly #disk: SimDisk
  #isClosed = false

  constructor(disk: SimDisk, path: string, inode: Inode) {
    this.#disk = disk
    this.path = path
    this.inode = inode
  }

  size(): number {
    return this.inode.cache.size
  }

  write(bytes: Uint8Array, position: number): void {
    this.#usable()
    const growth = Math.max(position + bytes.length - this.inode.cache.size, 0)
    const room = this.#disk.roomFor(growth)
    const count = bytes.length - (growth - room)
    if (count > 0) this.inode.do({ kind: 'write', position, bytes: bytes.slice(0, count) })
    this.#disk.called('write', this.path)
    if (room < growth) throw new DiskError('no-space', `write ${this.path}: no space left on device`)
  }

  read(into: Uint8Array, position: number): number {
    this.#usable()
    const count = this.#copy(into, position)
    this.#disk.called('read', this.path)
    return count
  }

  async readCold(into: Uint8Array, position: number): Promise<number> {
    this.#usable()
    this.#disk.called('read-cold', this.path)
    await new Promise<void>((resolve) => this.#disk.clock.after(this.#disk.readMs(), resolve))
    return this.#copy(into, position)
  }

  truncate(size: number): void {
    this.#usable()
    this.inode.do({ kind: 'truncate', size })
    this.#disk.called('truncate', this.path)
  }

  close(): void {
    this.#isClosed = true
  }

  #copy(into: Uint8Array, position: number): number {
    const { bytes, size } = this.inode.cache
    const count = Math.max(Math.min(into.length, size - position), 0)
    into.set(bytes.subarray(position, position + count))
    return count
  }

  #usable(): void {
    if (this.#isClosed) throw new Error(`${this.path} is closed`)
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}
