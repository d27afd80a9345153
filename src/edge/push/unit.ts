// What goes to a reader at once: some records of one topic, already JSON, and the place behind them. Many readers who stand at
// the same place get the same unit, and those who named their subscriptions alike the very same text.

import { assert } from '../../core/base/index.ts'

const encoder = new TextEncoder()
const FRAMES_KEPT_MAX = 16

export interface UnitContent {
  readonly topic: string
  /** Records as JSON, comma-joined, and how many bytes they are. */
  readonly records: string
  readonly recordsBytes: number
  /** 0: records were passed by, and the place has moved. */
  readonly recordCount: number
  readonly cursor: string
  readonly isCaughtUp: boolean
}

export class Unit {
  readonly kind = 'unit'
  readonly #content: UnitContent
  readonly #tail: string
  #frames: Map<string, string> | null = null
  #event: Uint8Array | null = null
  /** The same, told as having caught up, or as not. */
  #other: Unit | null = null

  constructor(content: UnitContent) {
    this.#content = content
    this.#tail = `],"cursor":"${content.cursor}","caughtUp":${content.isCaughtUp}}`
  }

  get topic(): string {
    return this.#content.topic
  }

  get recordCount(): number {
    return this.#content.recordCount
  }

  get cursor(): string {
    return this.#content.cursor
  }

  /** About what it keeps in memory, with one frame made of it. */
  get heldBytes(): number {
    return 2 * this.#content.recordsBytes + 512
  }

  asCaughtUp(isCaughtUp: boolean): Unit {
    if (isCaughtUp === this.#content.isCaughtUp) return this
    this.#other ??= new Unit({ ...this.#content, isCaughtUp })
    return this.#other
  }

  /** As the subscription of that name gets it over a socket. */
  frame(sub: string): string {
    const known = this.#frames?.get(sub)
    if (known !== undefined) return known
    const head = `{"op":"records","sub":${JSON.stringify(sub)},"topic":"${this.topic}","records":[`
    const frame = head + this.#content.records + this.#tail
    this.#frames ??= new Map()
    if (this.#frames.size < FRAMES_KEPT_MAX) this.#frames.set(sub, frame)
    return frame
  }

  /** What a frame of this unit has on the wire: all around the records is ASCII. */
  bytesOf(frame: string): number {
    return frame.length - this.#content.records.length + this.#content.recordsBytes
  }

  /** As an event of a stream. */
  get event(): Uint8Array {
    this.#event ??= encoder.encode(
      `id: ${this.cursor}\nevent: records\ndata: ` +
        `{"type":"records","topic":"${this.topic}","records":[${this.#content.records}${this.#tail}\n\n`,
    )
    return this.#event
  }

  /** Where its first record is: every record begins with that. */
  get firstPlace(): { partition: number; offset: number } {
    const match = /^\{"partition":(\d+),"offset":(\d+),/.exec(this.#content.records)
    assert(match !== null, 'a record tells its partition and offset first')
    return { partition: Number(match[1]), offset: Number(match[2]) }
  }
}
