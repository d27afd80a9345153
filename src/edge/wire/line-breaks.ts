// The one change made to a JSON value on its way in: it must fit a line.

import type { RecordSpans } from '../../core/record/index.ts'
import type { ByteWriter } from './byte-writer.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Takes the line breaks out of a JSON value: they can only lie between tokens, and only part what is parted anyway. */
export function withoutBreaks(record: RecordSpans, own: ByteWriter): void {
  const { value, valueStart, valueEnd } = record
  let at = valueStart
  while (at < valueEnd && value[at]! !== LINE_FEED && value[at]! !== CARRIAGE_RETURN) at++
  if (at === valueEnd) return
  own.reserve(valueEnd - valueStart)
  const start = own.length
  own.copy(value, valueStart, at)
  let to = own.length
  for (; at < valueEnd; at++) {
    const byte = value[at]!
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) own.bytes[to++] = byte
  }
  own.length = to
  record.value = own.bytes
  record.valueStart = start
  record.valueEnd = to
}
