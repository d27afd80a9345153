// What goes to a reader at once: some records of one topic, already JSON, and the place behind them. Many readers who stand at
// the same place get the same unit, and those who named their subscriptions alike the very same text.

import { assert } from '../../core/base/index.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const FRAMES_KEPT_MAX = 16

export class Unit {
  readonly kind = 'unit'
  readonly topic: string
  /** Of JSON: comma-joined records. */
  readonly records: Uint8Array
  /** 0: records were passed by, and the place has moved. */
  readonly recordCount: number
  readonly cursor: string
  readonly isCaughtUp: boolean
  readonly #tail: string
  #text: string | null = null
  #frames: Map<string, string> | null = null
  #event: Uint8Array | null = null

  constructor(content: UnitContent) {
    this.topic = content.topic
    this.records = content.records
    this.recordCount = content.recordCount
    this.cursor = content.cursor
    this.isCaughtUp = content.isCaughtUp
    this.#tail = `],"cursor":"${content.cursor}","caughtUp":${content.isCaughtUp}}`
  }

  /** As the subscription of that name gets it over a socket. */
  frame(sub: string): string {
    const known = this.#frames?.get(sub)
    if (known !== undefined) return known
    this.#text ??= decoder.decode(this.records)
    const head = `{"op":"records","sub":${JSON.stringify(sub)},"topic":"${this.topic}","records":[`
    const frame = head + this.#text + this.#tail
    this.#frames ??= new Map()
    if (this.#frames.size < FRAMES_KEPT_MAX) this.#frames.set(sub, frame)
    return frame
  }

  /** What a frame of this unit has on the wire: all around the records is ASCII. */
  bytesOf(frame: string): number {
    return frame.length - this.#text!.length + this.records.length
  }

  /** As an event of a stream. */
  get event(): Uint8Array {
    this.#event ??= this.#encodeEvent()
    return this.#event
  }

  /** Where its first record is: every record begins with that. */
  get firstPlace(): { partition: number; offset: number } {
    const start = decoder.decode(this.records.subarray(0, 64))
    const match = /^\{"partition":(\d+),"offset":(\d+),/.exec(start)
    assert(match !== null, 'a record tells its partition and offset first')
    return { partition: Number(match[1]), offset: Number(match[2]) }
  }

  #encodeEvent(): Uint8Array {
    const head = encoder.encode(
      `id: ${this.cursor}\nevent: records\ndata: {"type":"records","topic":"${this.topic}","records":[`,
    )
    const tail = encoder.encode(`${this.#tail}\n\n`)
    const event = new Uint8Array(head.length + this.records.length + tail.length)
    event.set(head)
    event.set(this.records, head.length)
    event.set(tail, head.length + this.records.length)
    return event
  }
}

export interface UnitContent {
  topic: string
  records: Uint8Array
  recordCount: number
  cursor: string
  isCaughtUp: boolean
}
