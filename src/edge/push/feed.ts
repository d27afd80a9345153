// All who have read the same partitions to their end, carried on together: one session parks and reads for them, each unit is
// made once and offered to every member. A member that cannot take a unit leaves with a reader of its own at that place, and
// comes back when it has caught up. Offers are spread over turns of the loop, so that ten thousand members do not hold it.

import type { Step, UnitReader } from './unit-reader.ts'

export interface FeedMember {
  /** False: not now. The member has left the feed then, and goes on by itself with `reader`. */
  take(step: Step): boolean
  goOn(reader: UnitReader): void
  fail(error: unknown): void
}

const OFFERS_PER_TURN = 256

export class Feed {
  readonly #members = new Set<FeedMember>()
  readonly #reader: UnitReader
  readonly #turn: () => Promise<void>
  readonly #onEnd: (feed: Feed) => void
  #isResting = false
  #hasEnded = false
  #rested: { promise: Promise<void>; resolve: () => void } | null = null

  /** `reader` has caught up. */
  constructor(reader: UnitReader, turn: () => Promise<void>, onEnd: (feed: Feed) => void) {
    this.#reader = reader
    this.#turn = turn
    this.#onEnd = onEnd
  }

  get memberCount(): number {
    return this.#members.size
  }

  /** Where every member stands; null while they move. */
  get cursor(): string | null {
    return this.#isResting ? this.#reader.cursor : null
  }

  /** Parked, and at the end of every partition. */
  get isAtEnd(): boolean {
    return this.#isResting && this.#reader.isCaughtUp
  }

  isAt(reader: UnitReader): boolean {
    return this.#isResting && this.#reader.isAt(reader)
  }

  /** For who stands where the feed does. */
  add(member: FeedMember): void {
    this.#members.add(member)
  }

  leave(member: FeedMember): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    this.#end()
    this.#reader.cancelWait()
  }

  /** Resolves when the feed next parks, or has ended. */
  rested(): Promise<void> {
    if (this.#hasEnded) return Promise.resolve()
    this.#rested ??= Promise.withResolvers<void>()
    return this.#rested.promise
  }

  async run(): Promise<void> {
    try {
      while (!this.#hasEnded) {
        const next = this.#reader.next()
        const step = next instanceof Promise ? await next : next
        if (step !== null) await this.#offer(step)
        else if ((await this.#rest()) !== 'advanced') break
      }
    } catch (error) {
      for (const member of this.#members) member.fail(error)
    }
    this.#end()
  }

  async #rest(): Promise<string> {
    this.#isResting = true
    this.#tellRested()
    const wake = await this.#reader.wait()
    this.#isResting = false
    return wake
  }

  async #offer(step: Step): Promise<void> {
    let offers = 0
    for (const member of this.#members) {
      if (!member.take(step)) {
        this.#members.delete(member)
        member.goOn(this.#reader.fork())
      }
      if (++offers % OFFERS_PER_TURN === 0) await this.#turn()
    }
    if (this.#members.size === 0) this.#end()
    // What comes meanwhile goes into the next unit, and others have their turn.
    await this.#turn()
  }

  #end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#isResting = false
    this.#onEnd(this)
    this.#tellRested()
  }

  #tellRested(): void {
    this.#rested?.resolve()
    this.#rested = null
  }
}
