// A file of a simulated disk: what programs see, what is durable, and what was done to it between the two.

import type { Outcome } from './disk-outcome.ts'

const SECTOR_BYTES = 512

type FileOperation = { kind: 'write'; position: number; bytes: Uint8Array } | { kind: 'truncate'; size: number }

/** Bytes with a size; what was behind the size once is still there, as on a device. */
class Content {
  bytes = new Uint8Array(0)
  size = 0

  write(bytes: Uint8Array, position: number): void {
    this.#reach(position + bytes.length)
    if (position > this.size) this.bytes.fill(0, this.size, position)
    this.bytes.set(bytes, position)
    this.size = Math.max(this.size, position + bytes.length)
  }

  truncate(size: number): void {
    this.grow(size, 'zeros')
    this.size = size
  }

  grow(size: number, over: 'zeros' | 'stale'): void {
    if (size <= this.size) return
    this.#reach(size)
    if (over === 'zeros') this.bytes.fill(0, this.size, size)
    this.size = size
  }

  copy(): Content {
    const copy = new Content()
    copy.bytes = this.bytes.slice()
    copy.size = this.size
    return copy
  }

  #reach(size: number): void {
    if (size <= this.bytes.length) return
    const wider = new Uint8Array(Math.max(1024, size, this.bytes.length * 2))
    wider.set(this.bytes)
    this.bytes = wider
  }
}

export class Inode {
  cache = new Content()
  durable = new Content()
  unsynced: FileOperation[] = []

  do(operation: FileOperation): void {
    apply(this.cache, operation)
    this.unsynced.push(operation)
  }

  synced(operations: ReadonlySet<FileOperation>): void {
    for (const operation of operations) apply(this.durable, operation)
    this.unsynced = this.unsynced.filter((operation) => !operations.has(operation))
  }

  /** Durably. */
  replace(bytes: Uint8Array): void {
    this.unsynced = []
    this.durable = new Content()
    this.durable.write(bytes, 0)
    this.cache = this.durable.copy()
  }

  losePower(outcome: Outcome): void {
    for (const operation of this.unsynced) settle(this.durable, operation, outcome)
    this.unsynced = []
    this.cache = this.durable.copy()
  }

  copy(): Inode {
    const copy = new Inode()
    copy.cache = this.cache.copy()
    copy.durable = this.durable.copy()
    copy.unsynced = [...this.unsynced]
    return copy
  }
}

function apply(content: Content, operation: FileOperation): void {
  if (operation.kind === 'write') content.write(operation.bytes, operation.position)
  else content.truncate(operation.size)
}

function settle(content: Content, operation: FileOperation, outcome: Outcome): void {
  if (operation.kind === 'truncate') {
    if (outcome.truncate() === 'kept') content.truncate(operation.size)
    return
  }
  const { bytes, position } = operation
  const fate = outcome.write()
  if (fate === 'kept') return content.write(bytes, position)
  if (fate === 'torn') {
    for (let at = 0; at < bytes.length;) {
      const sectorEnd = Math.min(bytes.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES))
      if (outcome.sector() === 'kept') content.write(bytes.subarray(at, sectorEnd), position + at)
      at = sectorEnd
    }
  }
  const growth = outcome.growth()
  if (growth !== 'none') content.grow(position + bytes.length, growth)
}
