// The data folder as the core sees it: a flat set of folders with append-mostly files.
//
// Paths are relative to the data folder, `/`-separated, made by the core from ids and numbers only.
// Writes and warm reads are synchronous (page cache); what waits for the device is a promise.
// Durability: bytes of a file survive a power loss once `sync` of that file has resolved; a created, renamed or
// removed name survives once `syncFolder` of its folder has resolved. A rejected `sync` or `syncFolder` means the
// bytes may be gone although a later sync succeeds: the caller stops the broker, it never retries.

export interface Disk {
  /** Names in a folder, sorted; empty when the folder does not exist. */
  list(folder: string): string[]
  exists(path: string): boolean
  /** Creates the folder and its parents; no error when it is there. */
  createFolder(folder: string): void
  /** Opens for reading and writing; `create` makes an empty file when there is none. Throws `DiskError`. */
  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile
  rename(from: string, to: string): void
  /** Removes a file, or a folder with all in it; no error when absent. */
  remove(path: string): void
  /** Makes every byte written so far to each of `files` durable, as one set. */
  sync(files: readonly DiskFile[]): Promise<void>
  /** Makes the names in `folder` durable. */
  syncFolder(folder: string): Promise<void>
  /** Free and total bytes of the volume, from the operating system. */
  space(): { freeBytes: number; totalBytes: number }
}

export interface DiskFile {
  readonly path: string
  size(): number
  /** Writes all of `bytes` at `position`. Throws `DiskError('no-space')` having written any prefix of it. */
  write(bytes: Uint8Array, position: number): void
  /** Reads up to `into.length` bytes; returns how many there were. For ranges likely in the page cache. */
  read(into: Uint8Array, position: number): number
  /** The same off the event loop, for ranges likely on the device. */
  readCold(into: Uint8Array, position: number): Promise<number>
  truncate(size: number): void
  close(): void
}

export class DiskError extends Error {
  constructor(
    readonly code: 'no-space' | 'not-found' | 'io',
    message: string,
  ) {
    super(message)
  }
}
