// Where other brokers were reached before, kept in the data folder: after a restart the metadata, which tells it too, can only
// be had from them. Losing the file costs nothing where --join is given, and a hint otherwise.

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Events } from '../../core/ports/index.ts'

/** What the book leaves in the folder. */
export const BOOK_FILES: readonly string[] = ['peers', 'peers.new']

const BookShape = z.record(z.string().regex(/^[1-9][0-9]{0,8}$/), z.string().max(512))

export class AddressBook {
  readonly #path: string
  readonly #events: Events
  readonly #addresses: Map<number, string>

  constructor(folder: string, events: Events) {
    this.#path = join(folder, BOOK_FILES[0]!)
    this.#events = events
    this.#addresses = readBook(this.#path)
  }

  entries(): Iterable<[nodeId: number, address: string]> {
    return this.#addresses.entries()
  }

  addressOf(nodeId: number): string | null {
    return this.#addresses.get(nodeId) ?? null
  }

  /** Whether that is new. */
  put(nodeId: number, address: string): boolean {
    if (this.#addresses.get(nodeId) === address) return false
    this.#addresses.set(nodeId, address)
    this.#save()
    return true
  }

  #save(): void {
    const beside = `${this.#path}.new`
    try {
      writeFileSync(beside, `${JSON.stringify(Object.fromEntries(this.#addresses))}\n`)
      renameSync(beside, this.#path)
    } catch (error) {
      this.#events.warn('peers-not-kept', { error: String(error) })
    }
  }
}

function readBook(path: string): Map<number, string> {
  try {
    const book = BookShape.parse(JSON.parse(readFileSync(path, 'utf8')))
    return new Map(Object.entries(book).map(([nodeId, address]) => [Number(nodeId), address]))
  } catch {
    return new Map()
  }
}
