// Bytes written as JSON strings: UTF-8 as the text it is, with escapes where JSON needs them.

import type { Codec } from '../../core/ports/index.ts'
import { skipPlainText } from '../../core/record/index.ts'
import type { ByteWriter } from './byte-writer.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const HIGH_BITS = 0x80808080
const HEX = '0123456789abcdef'
/** The letter behind the backslash, for bytes that have a short escape. */
const SHORT = new Uint8Array(0x60)
SHORT[0x08] = 0x62
SHORT[0x09] = 0x74
SHORT[0x0a] = 0x6e
SHORT[0x0c] = 0x66
SHORT[0x0d] = 0x72
SHORT[QUOTE] = QUOTE
SHORT[BACKSLASH] = BACKSLASH

/**
 * Writes the text of a span and the closing quote; the opening one is the caller's. False, and nothing written, when the
 * span is not UTF-8. `words` are those of `bytes`.
 */
export function writeText(
  out: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  words: Int32Array,
  codec: Codec,
): boolean {
  const before = out.length
  let isAscii = true
  let at = start
  for (;;) {
    const plainEnd = isAscii ? skipPlainAscii(bytes, at, end, words) : skipPlainText(bytes, at, end, words)
    out.copy(bytes, at, plainEnd)
    at = plainEnd
    if (at === end) break
    if (bytes[at]! < 0x80) {
      writeEscape(out, bytes[at++]!)
    } else if (codec.isUtf8(bytes.subarray(at, end))) {
      isAscii = false
    } else {
      out.length = before
      return false
    }
  }
  out.byte(QUOTE)
  return true
}

function writeEscape(out: ByteWriter, byte: number): void {
  out.reserve(2)
  const letter = SHORT[byte]!
  if (letter === 0) {
    out.text(`\\u00${HEX[byte >> 4]}${HEX[byte & 15]}`)
    return
  }
  out.bytes[out.length] = BACKSLASH
  out.bytes[out.length + 1] = letter
  out.length += 2
}

/** Position of the first byte that needs an escape in a JSON string or is not ASCII, or `end`. */
export function skipPlainAscii(bytes: Uint8Array, at: number, end: number, words: Int32Array): number {
  const wordsEnd = end >> 2 < words.length ? end >> 2 : words.length
  let i = at >> 2
  if (i < wordsEnd) {
    // Bytes of the first word that lie before `at` are made plain.
    const before = (1 << ((at & 3) << 3)) - 1
    let stops = stopBits((words[i]! & ~before) | (0x2e2e2e2e & before))
    while (stops === 0 && ++i < wordsEnd) stops = stopBits(words[i]!)
    if (stops !== 0) return (i << 2) + ((31 - Math.clz32(stops & -stops)) >> 3)
    at = i << 2
  }
  while (at < end) {
    const byte = bytes[at]!
    if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) break
    at++
  }
  return at
}

/** The high bit of the first byte that is no plain ASCII is set: as in core/record/json.ts, with bytes from 0x80 on. */
function stopBits(word: number): number {
  return (((word ^ 0x02020202) - 0x21212121) | ((word ^ 0x5c5c5c5c) - 0x01010101) | word) & HIGH_BITS
}
