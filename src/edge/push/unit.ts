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
  readonly topic: string
  readonly recordCount: number
  readonly cursor: string
  readonly #records: string
  readonly #recordsBytes: number
  readonly #tail: string
  #frames: Map<string, string> | null = null
  #event: Uint8Array | null = null

  constructor({ topic, records, recordsBytes, recordCount, cursor, isCaughtUp }: UnitContent) {
    this.topic = topic
    this.recordCount = recordCount
    this.cursor = cursor
    this.#records = records
    this.#recordsBytes = recordsBytes
    this.#tail = `],"cursor":"${cursor}","caughtUp":${isCaughtUp}}`
  }

  /** As the subscription of that name gets it over a socket. */
  frame(sub: string): string {
    const known = this.#frames?.get(sub)
    if (known !== undefined) return known
    const head = `{"op":"records","sub":${JSON.stringify(sub)},"topic":"${this.topic}","records":[`
    const frame = head + this.#records + this.#tail
    this.#frames ??= new Map()
    if (this.#frames.size < FRAMES_KEPT_MAX) this.#frames.set(sub, frame)
    return frame
  }

  /** What a frame of this unit has on the wire: all around the records is ASCII. */
  bytesOf(frame: string): number {
    return frame.length - this.#records.length + this.#recordsBytes
  }

  /** As an event of a stream. */
  get event(): Uint8Array {
    this.#event ??= encoder.encode(
      `id: ${this.cursor}\nevent: records\ndata: ` +
        `{"type":"records","topic":"${this.topic}","records":[${this.#records}${this.#tail}\n\n`,
    )
    return this.#event
  }

  /** Where its first record is: every record begins with that. */
  get firstPlace(): { partition: number; offset: number } {
    const match = /^\{"partition":(\d+),"offset":(\d+),/.exec(this.#records)
    assert(match !== null, 'a record tells its partition and offset first')
    return { partition: Number(match[1]), offset: Number(match[2]) }
  }
}
