// The log as raft sees it: what storage holds durably, then a tail of entries that are not yet known to be.
//
//   snapshot │ storage …………………… durable │ tail: handed out as writes … handed │ not yet handed
//
// A cut takes entries out of the tail, or puts durable ones out of reach; writes under way that held them no longer count
// for them when they are reported stored, also when the very same entry comes back in a later write. (Counting the first
// write would acknowledge an entry that a write between the two has overwritten.)

import { assert } from '../base/index.ts'
import { type Entry, entryBytes, lastIndexOf } from './entry.ts'
import { MembershipHistory } from './membership.ts'
import type { Write } from './ready.ts'
import type { RaftStorage, SnapshotHead } from './storage.ts'

interface UnderWay {
  readonly seq: number
  /** What it makes durable, as far as it was not cut off since. */
  last: number
  readonly install: SnapshotHead | null
}

export class RaftLog {
  readonly members: MembershipHistory
  readonly #storage: RaftStorage
  #durable: number
  #tail: Entry[] = []
  #handed: number
  #installing: SnapshotHead | null = null
  #installHanded = false
  #restorable: SnapshotHead | null = null
  #underWay: UnderWay[] = []
  #seq = 0
  #commit: number
  #applied: number
  /** The end of what was handed out to be applied. */
  #applying: number

  constructor(storage: RaftStorage) {
    this.#storage = storage
    const snapshot = storage.snapshot()
    this.#durable = this.#handed = storage.lastIndex()
    this.#commit = this.#applied = this.#applying = snapshot?.index ?? 0
    assert(this.#durable >= this.#commit, 'the log ends before its snapshot')
    this.members = new MembershipHistory({ index: this.#commit, voters: snapshot?.voters ?? [] })
    for (const { index, voters } of storage.memberships()) this.members.append(index, voters)
  }

  get commit(): number {
    return this.#commit
  }

  get applied(): number {
    return this.#applied
  }

  /** What survives a power loss; nothing while an installed snapshot is not stored. */
  get durable(): number {
    return this.#installing === null ? this.#durable : 0
  }

  get installing(): boolean {
    return this.#installing !== null
  }

  get firstIndex(): number {
    return this.#installing === null ? this.#storage.firstIndex() : this.#installing.index + 1
  }

  get lastIndex(): number {
    if (this.#tail.length > 0) return lastIndexOf(this.#tail[this.#tail.length - 1]!)
    return this.#installing?.index ?? this.#durable
  }

  get lastTerm(): number {
    const term = this.term(this.lastIndex)
    assert(term !== null, 'the last term is unknown')
    return term
  }

  /** The newest snapshot to send to a follower. */
  get snapshot(): SnapshotHead | null {
    return this.#installing === null ? this.#storage.snapshot() : null
  }

  /** Null beyond the end, and before the beginning except at the snapshot. */
  term(index: number): number | null {
    if (index === 0) return 0
    if (index > this.lastIndex) return null
    if (this.#inTail(index)) return this.#tail[this.#placeInTail(index)]!.term
    if (this.#installing !== null) return index === this.#installing.index ? this.#installing.term : null
    return this.#storage.term(index)
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term
  }

  /** Whether a log that ends so is at least as good as this one: the rule for votes. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)
  }

  /** The highest index ≤ `index` whose term is ≤ `term`; terms never fall along a log. Below the log: any index there. */
  floorByTerm(index: number, term: number): number {
    let low = this.firstIndex - 1
    if ((this.term(low) ?? 0) > term) low--
    let high = Math.min(index, this.lastIndex)
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.term(middle) ?? 0) <= term) low = middle
      else high = middle - 1
    }
    return Math.min(low, index)
  }

  /** The start of the entry that holds `index`; `index` itself when it lies outside. */
  startOf(index: number): number {
    if (index > this.lastIndex || index < this.firstIndex) return index
    return this.#inTail(index) ? this.#tail[this.#placeInTail(index)]!.index : this.#storage.startOf(index)
  }

  /** Whole entries from `from` through `upTo`; null when storage has them not at hand. */
  entries(from: number, upTo: number, bytesMax: number): readonly Entry[] | null {
    if (from > upTo) return []
    const found: Entry[] = []
    let bytes = 0
    if (!this.#inTail(from)) {
      const stored = this.#storage.entries(from, Math.min(upTo, this.#durable), bytesMax)
      if (stored === null) return null
      for (const entry of stored) bytes += entryBytes(entry)
      found.push(...stored)
      from = lastIndexOf(found[found.length - 1]!) + 1
      if (from <= this.#durable || from > upTo) return found
    }
    if (this.#tail.length === 0) return found
    for (let at = this.#placeInTail(from); at < this.#tail.length; at++) {
      const entry = this.#tail[at]!
      bytes += entryBytes(entry)
      if (lastIndexOf(entry) > upTo || (found.length > 0 && bytes > bytesMax)) break
      found.push(entry)
    }
    return found
  }

  /** Adds entries at the end; memberships among them are in force at once. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, 'entries are appended without gaps')
      assert(entry.term >= this.lastTerm, 'terms never fall along a log')
      this.#tail.push(entry)
      if (entry.body.kind === 'voters') this.members.append(entry.index, entry.body.voters)
    }
  }

  /**
   * Takes in what a leader sent: keeps what agrees, cuts off from the first entry that does not, appends the rest. Returns
   * the last index that now agrees with the leader, or null when `prevIndex` does not.
   */
  reconcile(prevIndex: number, prevTerm: number, entries: readonly Entry[]): number | null {
    if (!this.matches(prevIndex, prevTerm)) return null
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!
      if (this.matches(entry.index, entry.term)) continue
      if (entry.index <= this.lastIndex) this.#truncate(entry.index)
      this.append(entries.slice(i))
      break
    }
    return entries.length === 0 ? prevIndex : lastIndexOf(entries[entries.length - 1]!)
  }

  /** Forgets everything for a snapshot that replaces it. */
  restore(head: SnapshotHead): void {
    this.#tail = []
    this.#installing = head
    this.#installHanded = false
    this.#handed = this.#commit = head.index
    this.members.reset({ index: head.index, voters: head.voters })
  }

  commitTo(index: number): void {
    assert(index <= this.lastIndex, 'a commit beyond the end of the log')
    this.#commit = Math.max(this.#commit, index)
  }

  takeWrites(): Write[] {
    const writes: Write[] = []
    if (this.#installing !== null && !this.#installHanded) {
      const head = this.#installing
      this.#installHanded = true
      this.#underWay.push({ seq: ++this.#seq, last: head.index, install: head })
      writes.push({ kind: 'install', seq: this.#seq, head })
    }
    if (this.lastIndex > this.#handed) {
      const entries = this.#tail.slice(this.#placeInTail(this.#handed + 1))
      this.#handed = this.lastIndex
      this.#underWay.push({ seq: ++this.#seq, last: this.#handed, install: null })
      writes.push({ kind: 'append', seq: this.#seq, entries })
    }
    return writes
  }

  stored(seq: number): void {
    assert(seq <= this.#seq, 'a write that was never handed out')
    while (this.#underWay.length > 0 && this.#underWay[0]!.seq <= seq) {
      const write = this.#underWay.shift()!
      if (write.install !== null) {
        if (write.install !== this.#installing) continue
        this.#restorable = write.install
        this.#installing = null
        this.#durable = write.last
      } else if (this.#installing === null) {
        // (while a snapshot waits to be stored, writes from before it count for nothing)
        this.#durable = Math.max(this.#durable, write.last)
      }
    }
    const first = this.#tail.findIndex((entry) => lastIndexOf(entry) > this.#durable)
    if (this.#installing === null) this.#tail.splice(0, first === -1 ? this.#tail.length : first)
  }

  takeRestore(): SnapshotHead | null {
    if (this.#restorable === null || this.#applying > this.#applied) return null
    const head = this.#restorable
    this.#restorable = null
    this.#applying = head.index
    return head
  }

  /** The next entries to apply, up to `limit` and the durable end; one lot at a time. */
  takeCommitted(limit: number, bytesMax: number): readonly Entry[] {
    if (this.#applying > this.#applied || this.#restorable !== null) return []
    const upTo = Math.min(limit, this.durable)
    const entries = this.entries(this.#applied + 1, upTo, bytesMax) ?? []
    if (entries.length > 0) this.#applying = lastIndexOf(entries[entries.length - 1]!)
    return entries
  }

  appliedTo(index: number): void {
    assert(index > this.#applied && index <= this.#applying, 'applied what was not handed out')
    this.#applied = index
  }

  #truncate(from: number): void {
    assert(from > this.#commit, 'a committed entry would be cut off')
    this.members.truncate(from)
    if (this.#inTail(from)) this.#tail.length = this.#placeInTail(from)
    else this.#tail = []
    this.#durable = Math.min(this.#durable, from - 1)
    this.#handed = Math.min(this.#handed, from - 1)
    for (const write of this.#underWay) write.last = Math.min(write.last, from - 1)
  }

  #inTail(index: number): boolean {
    return this.#tail.length > 0 && index >= this.#tail[0]!.index
  }

  /** The place in the tail of the entry that holds `index`. */
  #placeInTail(index: number): number {
    let low = 0
    let high = this.#tail.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#tail[middle]!.index <= index) low = middle
      else high = middle - 1
    }
    return low
  }
}
