// The part of a record's JSON that mostly just counts on, kept as one text in which digits are changed in place, so that it
// costs a record one copy:
//
//   ,{"topic":"t","partition":0,"offset":1,"timestamp":2,"appendedAt":3,"value":
//   ,{"topic":"t","partition":0,"offset":1,"timestamp":2,"appendedAt":3,"key":"
//
// The comma is for whoever joins records by it; others start behind it.

import { PlacedNumber } from './decimal.ts'

const encoder = new TextEncoder()
const TIMESTAMP = encoder.encode(',"timestamp":')
const APPENDED_AT = encoder.encode(',"appendedAt":')
const VALUE_NEXT = encoder.encode(',"value":')
const KEY_NEXT = encoder.encode(',"key":"')
const DIGITS_MAX = 17

export class RecordPrefix {
  bytes = new Uint8Array(512)
  length = 0
  /** Without what is next. */
  bareLength = 0
  #head = ''
  #headEnd = 0
  #isWritten = false
  readonly #offset = new PlacedNumber()
  readonly #timestamp = new PlacedNumber()
  readonly #appendedAt = new PlacedNumber()
  #hasKey = false

  /** Topic null: not told. */
  begin(topic: string | null, partition: number): void {
    const topicMember = topic === null ? '' : `"topic":${JSON.stringify(topic)},`
    const head = `,{${topicMember}"partition":${partition},"offset":`
    if (head === this.#head) return
    this.#head = head
    const bytes = encoder.encode(head)
    const bytesMax = bytes.length + 3 * DIGITS_MAX + TIMESTAMP.length + APPENDED_AT.length + VALUE_NEXT.length
    if (bytesMax > this.bytes.length) this.bytes = new Uint8Array(bytesMax)
    this.bytes.set(bytes)
    this.#headEnd = bytes.length
    this.#isWritten = false
  }

  set(offset: number, timestamp: number, appendedAt: number, hasKey: boolean): void {
    const { bytes } = this
    const isInPlace =
      this.#isWritten &&
      hasKey === this.#hasKey &&
      this.#offset.set(bytes, offset) &&
      this.#timestamp.set(bytes, timestamp) &&
      this.#appendedAt.set(bytes, appendedAt)
    if (!isInPlace) this.#write(offset, timestamp, appendedAt, hasKey)
  }

  #write(offset: number, timestamp: number, appendedAt: number, hasKey: boolean): void {
    const { bytes } = this
    let at = this.#offset.place(bytes, this.#headEnd, offset)
    bytes.set(TIMESTAMP, at)
    at = this.#timestamp.place(bytes, at + TIMESTAMP.length, timestamp)
    bytes.set(APPENDED_AT, at)
    this.bareLength = this.#appendedAt.place(bytes, at + APPENDED_AT.length, appendedAt)
    const next = hasKey ? KEY_NEXT : VALUE_NEXT
    bytes.set(next, this.bareLength)
    this.length = this.bareLength + next.length
    this.#hasKey = hasKey
    this.#isWritten = true
  }
}
