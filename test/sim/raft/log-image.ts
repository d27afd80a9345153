// A replica's log as bytes would hold it: a snapshot and the entries behind or around it, whole or not at all. Two of them
// make a disk: what was written, and what of it is durable. `chain` links every entry to all before it, so that two logs
// are equal up to an index when one number is.

import { assert } from '../../../src/core/base/index.ts'
import {
  type Entry,
  entryBytes,
  lastIndexOf,
  type Membership,
  type SnapshotHead,
  type Write,
} from '../../../src/core/raft/index.ts'

export interface Snapshot {
  readonly head: SnapshotHead
  readonly chain: number
}

interface Slot {
  readonly entry: Entry
  readonly chain: number
}

export class LogImage {
  snapshot: Snapshot | null = null
  firstIndex = 1
  /** One slot an index; those of one entry are the same. */
  #slots: Slot[] = []

  get lastIndex(): number {
    return this.firstIndex + this.#slots.length - 1
  }

  get lastTerm(): number {
    return this.term(this.lastIndex) ?? 0
  }

  term(index: number): number | null {
    if (this.snapshot?.head.index === index) return this.snapshot.head.term
    return this.#slot(index)?.entry.term ?? null
  }

  /** The chain through the entry that holds `index`; null when that is not known here. */
  chain(index: number): number | null {
    if (index === 0) return 0
    if (this.snapshot?.head.index === index) return this.snapshot.chain
    return this.#slot(index)?.chain ?? null
  }

  startOf(index: number): number {
    return this.#slot(index)!.entry.index
  }

  entries(from: number, upTo: number, bytesMax: number): Entry[] {
    const found: Entry[] = []
    let bytes = 0
    for (let index = from; index <= upTo;) {
      const { entry } = this.#slot(index)!
      assert(entry.index === index, 'entries are read from their start')
      bytes += entryBytes(entry)
      if (lastIndexOf(entry) > upTo || (found.length > 0 && bytes > bytesMax)) break
      found.push(entry)
      index = lastIndexOf(entry) + 1
    }
    return found
  }

  /** The voter sets behind the snapshot. */
  memberships(): Membership[] {
    const sets: Membership[] = []
    for (const { entry } of this.#slots) {
      if (entry.body.kind === 'voters' && entry.index > (this.snapshot?.head.index ?? 0))
        sets.push({ index: entry.index, voters: entry.body.voters })
    }
    return sets
  }

  append(entries: readonly Entry[]): void {
    const from = entries[0]!.index
    assert(from <= this.lastIndex + 1 && from >= this.firstIndex, 'a gap in the log')
    this.#slots.length = from - this.firstIndex
    for (const entry of entries) {
      const slot = { entry, chain: chained(this.chain(entry.index - 1) ?? 0, entry) }
      for (let i = 0; i < entry.count; i++) this.#slots.push(slot)
    }
  }

  install(snapshot: Snapshot): void {
    this.snapshot = snapshot
    this.firstIndex = snapshot.head.index + 1
    this.#slots = []
  }

  /** Keeps a snapshot of its own making, and the log from `firstIndex` on. */
  compact(snapshot: Snapshot, firstIndex: number): void {
    this.snapshot = snapshot
    if (firstIndex <= this.firstIndex) return
    this.#slots.splice(0, firstIndex - this.firstIndex)
    this.firstIndex = firstIndex
  }

  /** Loses the entries from the one that holds `index` on. */
  lose(index: number): void {
    const slot = this.#slot(index)
    if (slot !== undefined) this.#slots.length = slot.entry.index - this.firstIndex
  }

  apply(write: Write, payload: (head: SnapshotHead) => Snapshot): void {
    if (write.kind === 'append') this.append(write.entries)
    else this.install(payload(write.head))
  }

  copy(): LogImage {
    const copy = new LogImage()
    copy.snapshot = this.snapshot
    copy.firstIndex = this.firstIndex
    copy.#slots = this.#slots.slice()
    return copy
  }

  #slot(index: number): Slot | undefined {
    return this.#slots[index - this.firstIndex]
  }
}

export function chained(before: number, entry: Entry): number {
  let hash = mix(mix(before, entry.index), entry.term)
  hash = mix(hash, entry.count)
  const { body } = entry
  switch (body.kind) {
    case 'noop':
      return mix(hash, 1)
    case 'voters':
      for (const voter of body.voters) for (let i = 0; i < voter.length; i++) hash = mix(hash, voter.charCodeAt(i))
      return mix(hash, 2)
    case 'records':
      for (const byte of body.bytes) hash = mix(hash, byte)
      return mix(hash, 3)
  }
}

function mix(hash: number, value: number): number {
  hash = Math.imul(hash ^ value, 0x9e3779b1)
  return (hash ^ (hash >>> 15)) >>> 0
}
