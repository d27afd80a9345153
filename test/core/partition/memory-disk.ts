// A disk in memory: files as arrays, every sync succeeds. It can be full, and it can be copied as it is at a moment, which is
// what a crash of the process leaves behind.

import { type Disk, DiskError, type DiskFile } from '../../../src/core/ports/index.ts'

interface Content {
  bytes: Uint8Array
  size: number
}

export class MemoryDisk implements Disk {
  readonly #files = new Map<string, Content>()
  readonly #folders = new Set<string>()
  /** Bytes that may still be written; infinite unless the test says so. */
  freeBytes = Number.POSITIVE_INFINITY

  copy(): MemoryDisk {
    const copy = new MemoryDisk()
    for (const [path, { bytes, size }] of this.#files) copy.#files.set(path, { bytes: bytes.slice(), size })
    for (const folder of this.#folders) copy.#folders.add(folder)
    return copy
  }

  /** Flips a bit of a file. */
  damage(path: string, position: number): void {
    this.#content(path).bytes[position]! ^= 4
  }

  list(folder: string): string[] {
    const names = new Set<string>()
    for (const path of [...this.#files.keys(), ...this.#folders]) {
      if (path.startsWith(`${folder}/`)) names.add(path.slice(folder.length + 1).split('/')[0]!)
    }
    return [...names].sort()
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.#folders.has(path)
  }

  createFolder(folder: string): void {
    this.#folders.add(folder)
  }

  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    if (!this.#files.has(path)) {
      if (mode !== 'create') throw new DiskError('not-found', path)
      this.#files.set(path, { bytes: new Uint8Array(64), size: 0 })
    }
    return this.#fileOf(path, this.#content(path))
  }

  rename(from: string, to: string): void {
    this.#files.set(to, this.#content(from))
    this.#files.delete(from)
  }

  remove(path: string): void {
    this.#files.delete(path)
    this.#folders.delete(path)
    for (const inside of this.#files.keys()) if (inside.startsWith(`${path}/`)) this.#files.delete(inside)
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  syncFolder(): Promise<void> {
    return Promise.resolve()
  }

  space(): { freeBytes: number; totalBytes: number } {
    return { freeBytes: this.freeBytes, totalBytes: 2 ** 40 }
  }

  #content(path: string): Content {
    const content = this.#files.get(path)
    if (content === undefined) throw new DiskError('not-found', path)
    return content
  }

  #fileOf(path: string, content: Content): DiskFile {
    const read = (into: Uint8Array, position: number): number => {
      const end = Math.min(content.size, position + into.length)
      if (end <= position) return 0
      into.set(content.bytes.subarray(position, end))
      return end - position
    }
    return {
      path,
      size: () => content.size,
      read,
      readCold: (into, position) => Promise.resolve(read(into, position)),
      write: (bytes, position) => {
        const end = position + bytes.length
        const growth = Math.max(0, end - content.size)
        if (growth > this.freeBytes) throw new DiskError('no-space', path)
        this.freeBytes -= growth
        if (end > content.bytes.length) {
          const wider = new Uint8Array(end * 2)
          wider.set(content.bytes.subarray(0, content.size))
          content.bytes = wider
        }
        content.bytes.set(bytes, position)
        content.size = Math.max(content.size, end)
      },
      truncate: (size) => {
        if (size < content.size) content.bytes.fill(0, size, content.size)
        this.freeBytes += Math.max(0, content.size - size)
        content.size = size
      },
      close: () => {},
    }
  }
}
