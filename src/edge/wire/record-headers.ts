// A record's headers on their way in: names and values as text, brought into stored form (`varint bytes · name · varint
// bytes · value`, in the order given) in memory of the caller's.

import { limits, writeVarint } from '../../core/base/index.ts'
import { type RecordSpans, skipJsonSpace, skipPlainText } from '../../core/record/index.ts'
import { bodyFault, type BodyFault, pointerStep } from './body-fault.ts'
import type { ByteWriter } from './byte-writer.ts'
import { jsonOf } from './json-text.ts'

const QUOTE = 0x22
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
/** More headers than this are compared by other means than each with each. */
const COMPARED_MAX = 8
const encoder = new TextEncoder()

/** Reads a JSON value that has been scanned. `words` are those of `bytes`. */
export function readHeaders(
  bytes: Uint8Array,
  start: number,
  end: number,
  words: Int32Array,
  record: RecordSpans,
  into: ByteWriter,
): BodyFault | null {
  if (bytes[start]! !== OPEN_OBJECT) return bodyFault('invalid', '/headers', 'headers are an object of strings')
  const from = into.length
  const count = copyPlainHeaders(bytes, start, end, words, into)
  if (count >= 0) return setHeaders(record, into, from, count)
  into.length = from
  const headers = jsonOf(bytes, start, end) as Record<string, unknown>
  return encodeHeaders(Object.entries(headers), record, into)
}

/** Headers from elsewhere, such as a request's own. */
export function encodeHeaders(
  headers: Iterable<readonly [string, unknown]>,
  record: RecordSpans,
  into: ByteWriter,
): BodyFault | null {
  const from = into.length
  let count = 0
  for (const [name, value] of headers) {
    const pointer = `/headers${pointerStep(name)}`
    if (typeof value !== 'string') return bodyFault('invalid', pointer, 'the value of a header is a string')
    if (name === '') return bodyFault('invalid', pointer, 'a header has a name')
    if (!name.isWellFormed() || !value.isWellFormed()) {
      return bodyFault('invalid', pointer, 'half of a surrogate pair cannot be stored as UTF-8')
    }
    for (const text of [name, value]) {
      const utf8 = encoder.encode(text)
      into.reserve(utf8.length + 5)
      into.length = writeVarint(into.bytes, into.length, utf8.length)
      into.copy(utf8, 0, utf8.length)
    }
    if (into.length - from > limits.RECORD_HEADERS_BYTES_MAX) return tooLongFault()
    count++
  }
  return setHeaders(record, into, from, count)
}

function setHeaders(record: RecordSpans, into: ByteWriter, from: number, count: number): BodyFault | null {
  if (count > limits.RECORD_HEADERS_MAX) {
    return bodyFault('too-large', '/headers', `a record has ${limits.RECORD_HEADERS_MAX} headers at most`)
  }
  if (into.length - from > limits.RECORD_HEADERS_BYTES_MAX) return tooLongFault()
  record.headers = into.bytes
  record.headersStart = from
  record.headersEnd = into.length
  record.headerCount = count
  return null
}

function tooLongFault(): BodyFault {
  return bodyFault('too-large', '/headers', `headers take ${limits.RECORD_HEADERS_BYTES_MAX} bytes at most, as stored`)
}

/** Their count, or -1: something is not a plain string, or a name comes twice, or there is more than fits. */
function copyPlainHeaders(bytes: Uint8Array, start: number, end: number, words: Int32Array, into: ByteWriter): number {
  const from = into.length
  if (end - start > limits.RECORD_HEADERS_BYTES_MAX) return -1
  into.reserve(end - start)
  let at = skipJsonSpace(bytes, start + 1, end)
  let count = 0
  while (bytes[at]! !== CLOSE_OBJECT) {
    if (count === COMPARED_MAX) return -1
    const nameStart = at + 1
    at = skipPlainText(bytes, nameStart, end, words)
    if (bytes[at]! !== QUOTE || at === nameStart) return -1
    if (hasName(into.bytes, from, into.length, bytes, nameStart, at)) return -1
    copyText(into, bytes, nameStart, at)
    // The colon, then the value.
    at = skipJsonSpace(bytes, skipJsonSpace(bytes, at + 1, end) + 1, end)
    if (bytes[at]! !== QUOTE) return -1
    const valueStart = at + 1
    at = skipPlainText(bytes, valueStart, end, words)
    if (bytes[at]! !== QUOTE) return -1
    copyText(into, bytes, valueStart, at)
    count++
    at = skipJsonSpace(bytes, at + 1, end)
    if (bytes[at]! !== CLOSE_OBJECT) at = skipJsonSpace(bytes, at + 1, end)
  }
  return count
}

function copyText(into: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  into.reserve(5)
  into.length = writeVarint(into.bytes, into.length, end - start)
  into.copy(bytes, start, end)
}

/** Whether the stored headers `from…to` have the name already. */
function hasName(
  stored: Uint8Array,
  from: number,
  to: number,
  bytes: Uint8Array,
  nameStart: number,
  nameEnd: number,
): boolean {
  let at = from
  for (let isName = true; at < to; isName = !isName) {
    let partBytes = stored[at++]! & 0x7f
    // Lengths are below 2^14 here: two bytes at most.
    if (stored[at - 1]! >= 0x80) partBytes |= stored[at++]! << 7
    if (isName && partBytes === nameEnd - nameStart) {
      let same = 0
      while (same < partBytes && stored[at + same] === bytes[nameStart + same]) same++
      if (same === partBytes) return true
    }
    at += partBytes
  }
  return false
}
