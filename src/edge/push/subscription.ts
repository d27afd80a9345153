// One reader of pushes: over a socket one of several, or an event stream. It reads for itself until it has caught up, while its
// credit lasts and its connection takes what it is given; then a feed carries it along with others. What it is given is in
// order and without gaps, and it can say at any time where it goes on.

import type { Problem } from '../wire/index.ts'
import type { Credit } from './credit.ts'
import type { Feed, FeedMember } from './feed.ts'
import type { Reset, Step, UnitReader } from './unit-reader.ts'
import type { Unit } from './unit.ts'
import type { PushWorld } from './world.ts'

/** Read and sent, of a long log, before others have their turn: about two milliseconds. */
const TURN_BYTES = 1024 * 1024

/** What of a subscription its connection knows, be it a reader's own or a member's. */
export interface Pushing {
  readonly name: string
  /** More may be sent than when it was last tried. */
  resume(): void
  /** False: not of a kind that is granted, or too much; nothing is changed. */
  grant(records: number, bytes: number): boolean
  /** Called every so often: the client is told where it stands, and that all are there. */
  beat(): void
  close(): void
}

/** Where pushes go. */
export interface Outlet {
  /** Whether it takes a unit now; when it does again it calls `resume` of its subscriptions. Small messages always go. */
  readonly isWritable: boolean
  /** Bytes of the frame; -1: it does not fit one, which the client has been told. */
  sendUnit(to: Pushing, unit: Unit): number
  sendPosition(to: Pushing, cursor: string): void
  sendReset(to: Pushing, reset: Reset): void
  /** The last word: the subscription is over. */
  sendEnd(to: Pushing, problem: Problem): void
  /** Something failed that should not: also the last word. */
  failed(to: Pushing, error: unknown): void
}

export class Subscription implements Pushing, FeedMember {
  readonly name: string
  readonly #credit: Credit | null
  readonly #outlet: Outlet
  readonly #world: PushWorld
  readonly #key: string
  /** Null while a feed carries it. */
  #reader: UnitReader | null
  #feed: Feed | null = null
  #isRunning = false
  /** Sent since others had their turn. */
  #turnBytes = 0
  /** paused: what comes next fits no frame. */
  #state: 'open' | 'paused' | 'closed' = 'open'
  #owesPosition = false

  /** `credit` null: the broker's own, given anew whenever the connection has taken all it had. */
  constructor(name: string, credit: Credit | null, reader: UnitReader, outlet: Outlet, world: PushWorld) {
    this.name = name
    this.#credit = credit
    this.#reader = reader
    this.#key = reader.key
    this.#outlet = outlet
    this.#world = world
    world.drafts.units.join(this.#key)
  }

  resume(): void {
    if (this.#reader !== null && !this.#isRunning && this.#mayTake) void this.#run()
  }

  grant(records: number, bytes: number): boolean {
    if (this.#credit === null || !this.#credit.grant(records, bytes)) return false
    this.resume()
    return true
  }

  beat(): void {
    if (this.#state === 'closed' || !this.#outlet.isWritable) return
    const cursor = this.#restingCursor
    if (cursor === null) this.#owesPosition = true
    else this.#outlet.sendPosition(this, cursor)
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#world.drafts.units.leave(this.#key)
    this.#reader = null
    this.#feed?.leave(this)
    this.#feed = null
  }

  // --- as a member of a feed -------------------------------------------------------------------------------------------

  take(step: Step): boolean {
    switch (step.kind) {
      case 'unit':
        return step.recordCount === 0 ? this.#passBy(step) : this.#mayTake && this.#send(step)
      case 'reset':
        this.#outlet.sendReset(this, step)
        return true
      case 'gone':
        this.#outlet.sendEnd(this, step.problem)
        return true
    }
  }

  goOn(reader: UnitReader): void {
    this.#feed = null
    this.#reader = reader
    this.resume()
  }

  fail(error: unknown): void {
    this.#feed = null
    this.#outlet.failed(this, error)
  }

  // --- reading for itself ----------------------------------------------------------------------------------------------

  get #mayTake(): boolean {
    return this.#state === 'open' && this.#outlet.isWritable && (this.#credit === null || this.#credit.isLeft)
  }

  /** Null while it moves. */
  get #restingCursor(): string | null {
    if (this.#isRunning) return null
    return this.#feed === null ? this.#reader!.cursor : this.#feed.cursor
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    try {
      while (this.#mayTake && this.#reader !== null) await this.#readOn(this.#reader)
    } catch (error) {
      this.#outlet.failed(this, error)
    } finally {
      this.#isRunning = false
    }
  }

  async #readOn(reader: UnitReader): Promise<void> {
    const next = reader.next()
    const step = next instanceof Promise ? await next : next
    if (this.#state === 'closed') return
    if (step === null) {
      const joined = this.#world.feeds.join(this, reader)
      if (joined instanceof Promise) return joined
      this.#feed = joined
      this.#reader = null
      return
    }
    const sentBefore = this.#turnBytes
    // While it was read, the connection may have filled.
    if (!this.take(step)) this.#reader = reader.fork()
    else if (this.#turnBytes === sentBefore || this.#turnBytes >= TURN_BYTES) {
      this.#turnBytes = 0
      await this.#world.turn()
    }
  }

  #send(unit: Unit): boolean {
    const bytes = this.#outlet.sendUnit(this, unit)
    if (bytes < 0) {
      this.#state = 'paused'
      return false
    }
    this.#owesPosition = false
    this.#credit?.spend(unit.recordCount, bytes)
    this.#turnBytes += bytes
    return true
  }

  #passBy({ cursor }: Unit): true {
    if (this.#owesPosition) {
      this.#owesPosition = false
      this.#outlet.sendPosition(this, cursor)
    }
    return true
  }
}
