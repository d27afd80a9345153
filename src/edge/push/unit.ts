// What goes to a reader at once: some records of one topic, already JSON, and the place behind them. Many readers who stand at
// the same place get the same unit, and those who named their subscriptions alike the very same text.

import { assert } from '../../core/base/index.ts'

const encoder = new TextEncoder()
const FRAMES_KEPT_MAX = 16

export interface UnitContent {
  readonly topic: string
  /** The frame of the subscription `sub`: the one its reader was made for gets it as it was made. */
  readonly sub: string
  readonly frame: string
  /** What of it the records are, comma-joined, in bytes. */
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
  #records: string | null = null
  #frames: Map<string, string> | null = null
  #event: Uint8Array | null = null
  /** The same, told as having caught up, or as not. */
  #other: Unit | null = null

  constructor(content: UnitContent) {
    this.#content = content
    this.#tail = frameTail(content.cursor, content.isCaughtUp)
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
    if (this.#other === null) {
      const frame = this.#head(this.#content.sub) + this.#text + frameTail(this.cursor, isCaughtUp)
      this.#other = new Unit({ ...this.#content, isCaughtUp, frame })
    }
    return this.#other
  }

  /** As the subscription of that name gets it over a socket. */
  frame(sub: string): string {
    if (sub === this.#content.sub) return this.#content.frame
    const known = this.#frames?.get(sub)
    if (known !== undefined) return known
    const frame = this.#head(sub) + this.#text + this.#tail
    this.#frames ??= new Map()
    if (this.#frames.size < FRAMES_KEPT_MAX) this.#frames.set(sub, frame)
    return frame
  }

  /** What a frame of this unit has on the wire: all around the records is ASCII. */
  bytesOf(frame: string): number {
    return frame.length - this.#text.length + this.#content.recordsBytes
  }

  /** As an event of a stream. */
  get event(): Uint8Array {
    this.#event ??= encoder.encode(
      `id: ${this.cursor}\nevent: records\ndata: ` +
        `{"type":"records","topic":"${this.topic}","records":[${this.#text}${this.#tail}\n\n`,
    )
    return this.#event
  }

  /** Where its first record is: every record begins with that. */
  get firstPlace(): { partition: number; offset: number } {
    const match = /^\{"partition":(\d+),"offset":(\d+),/.exec(this.#text)
    assert(match !== null, 'a record tells its partition and offset first')
    return { partition: Number(match[1]), offset: Number(match[2]) }
  }

  #head(sub: string): string {
    return frameHead(sub, this.topic)
  }

  /** The records alone. */
  get #text(): string {
    const { sub, frame } = this.#content
    this.#records ??= frame.slice(this.#head(sub).length, frame.length - this.#tail.length)
    return this.#records
  }
}

/** Before the records of a frame. All around them is ASCII. */
export function frameHead(sub: string, topic: string): string {
  return `{"op":"records","sub":${JSON.stringify(sub)},"topic":"${topic}","records":[`
}

export function frameTail(cursor: string, isCaughtUp: boolean): string {
  return `],"cursor":"${cursor}","caughtUp":${isCaughtUp}}`
}
