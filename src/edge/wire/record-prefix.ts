// The part of a record's JSON that mostly just counts on, kept as one text in which digits are changed in place, so that it
// costs a record one copy:
//
//   ,{"topic":"t","partition":0,"offset":1,"timestamp":2,"appendedAt":3,"value":
//   ,{"topic":"t","partition":0,"offset":1,"timestamp":2,"appendedAt":3,"key":"
//
// The comma is for whoever joins records by it; others start behind it.

import { incrementDecimal, writeDecimal } from './decimal.ts'

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
  #offset = -1
  #offsetStart = 0
  #offsetEnd = 0
  #timestamp = 0
  #timestampStart = 0
  #timestampEnd = 0
  /** Timestamps of as many digits. */
  #timestampMin = 0
  #timestampMax = 0
  #appendedAt = 0
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
    this.#offsetStart = bytes.length
    this.#offset = -1
  }

  set(offset: number, timestamp: number, appendedAt: number, hasKey: boolean): void {
    const isNext = offset === this.#offset + 1 && this.#offset >= 0
    const isSame = appendedAt === this.#appendedAt && hasKey === this.#hasKey
    this.#offset = offset
    if (!isNext || !isSame || !incrementDecimal(this.bytes, this.#offsetStart, this.#offsetEnd)) {
      this.#writeAll(offset, timestamp, appendedAt, hasKey)
    } else if (timestamp !== this.#timestamp) {
      this.#setTimestamp(timestamp)
    }
  }

  #setTimestamp(timestamp: number): void {
    if (timestamp < this.#timestampMin || timestamp > this.#timestampMax) {
      this.#writeAll(this.#offset, timestamp, this.#appendedAt, this.#hasKey)
      return
    }
    this.#timestamp = timestamp
    writeDecimal(this.bytes, this.#timestampStart, timestamp)
  }

  #writeAll(offset: number, timestamp: number, appendedAt: number, hasKey: boolean): void {
    const bytes = this.bytes
    this.#timestamp = timestamp
    this.#appendedAt = appendedAt
    this.#hasKey = hasKey
    this.#offsetEnd = writeDecimal(bytes, this.#offsetStart, offset)
    bytes.set(TIMESTAMP, this.#offsetEnd)
    this.#timestampStart = this.#offsetEnd + TIMESTAMP.length
    this.#timestampEnd = writeDecimal(bytes, this.#timestampStart, timestamp)
    this.#timestampMax = timestamp < 0 ? -1 : 10 ** (this.#timestampEnd - this.#timestampStart) - 1
    this.#timestampMin = timestamp < 10 ? 0 : (this.#timestampMax + 1) / 10
    bytes.set(APPENDED_AT, this.#timestampEnd)
    this.bareLength = writeDecimal(bytes, this.#timestampEnd + APPENDED_AT.length, appendedAt)
    const next = hasKey ? KEY_NEXT : VALUE_NEXT
    bytes.set(next, this.bareLength)
    this.length = this.bareLength + next.length
  }
}
