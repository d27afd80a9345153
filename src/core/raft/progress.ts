// What a leader knows of one follower, and how it sends to it.
//
//   probe ── acknowledged ──► replicate        probe: where do the logs agree? one append, then wait for an answer
//     ▲ ▲───── refused ──────────┘ │           replicate: appends are pipelined within the window
//     └─ gave up ── snapshot ◄─────┘           snapshot: what it needs is no longer in the log; no appends meanwhile
//
// `match` is what the follower holds durably and grows only; `next` is what is sent next, the start of an entry.

export type ProgressState = 'probe' | 'replicate' | 'snapshot'

interface Sent {
  readonly last: number
  readonly bytes: number
}

export interface Window {
  readonly inflightMax: number
  readonly inflightBytesMax: number
}

export class Progress {
  match = 0
  next: number
  state: ProgressState = 'probe'
  /** The tick of the last message from it. */
  heardAt: number
  /** The newest round of reads it answered. */
  round = 0
  /** It said that it does not vote for now. */
  abstaining = false
  /** The commit index last sent to it. */
  sentCommit = 0
  /** The snapshot it is being sent, and since when nothing was heard of that. */
  snapshotIndex = 0
  snapshotAt = 0
  #probing = false
  #window: Window
  #sent: Sent[] = []
  #sentBytes = 0

  constructor(next: number, now: number, window: Window) {
    this.next = next
    this.heardAt = now
    this.#window = window
  }

  get inflight(): number {
    return this.#sent.length
  }

  get paused(): boolean {
    switch (this.state) {
      case 'probe':
        return this.#probing
      case 'replicate':
        return this.windowFull
      case 'snapshot':
        return true
    }
  }

  get windowFull(): boolean {
    return this.#sent.length >= this.#window.inflightMax || this.#sentBytes >= this.#window.inflightBytesMax
  }

  /** An append went out whose entries end at `last`; `bytes` 0 when it had none. */
  sent(last: number, bytes: number): void {
    if (this.state === 'probe') this.#probing = true
    if (bytes === 0 || this.state !== 'replicate') return
    this.next = last + 1
    this.#sent.push({ last, bytes })
    this.#sentBytes += bytes
  }

  /** True when this told something new. */
  acknowledged(index: number): boolean {
    this.#freeThrough(index)
    this.next = Math.max(this.next, index + 1)
    if (index <= this.match) return false
    this.match = index
    return true
  }

  /** The append behind `prevIndex` did not fit; `agreeAt` is the first entry worth trying. False when that is old news. */
  refused(prevIndex: number, agreeAt: number): boolean {
    if (this.state === 'snapshot') return false
    if (this.state === 'replicate') {
      if (prevIndex <= this.match) return false
      this.becomeProbe(this.match + 1)
      return true
    }
    if (prevIndex !== this.next - 1) return false
    this.becomeProbe(Math.max(agreeAt, this.match + 1))
    return true
  }

  /** An answer came: a lost probe, or a window of lost appends, must not silence the leader for ever. */
  nudge(): void {
    this.#probing = false
    if (this.state === 'replicate' && this.windowFull) this.#freeThrough(this.#sent[0]!.last)
  }

  becomeProbe(next: number): void {
    this.#become('probe')
    this.next = next
  }

  becomeReplicate(): void {
    this.#become('replicate')
    this.next = this.match + 1
  }

  becomeSnapshot(index: number, now: number): void {
    this.#become('snapshot')
    this.snapshotIndex = index
    this.snapshotAt = now
    this.next = index + 1
  }

  /** It lost what it had acknowledged. */
  restart(next: number): void {
    this.match = 0
    this.becomeProbe(next)
  }

  #become(state: ProgressState): void {
    this.state = state
    this.#probing = false
    this.#sent = []
    this.#sentBytes = 0
  }

  #freeThrough(index: number): void {
    let freed = 0
    while (freed < this.#sent.length && this.#sent[freed]!.last <= index) this.#sentBytes -= this.#sent[freed++]!.bytes
    if (freed > 0) this.#sent.splice(0, freed)
  }
}
