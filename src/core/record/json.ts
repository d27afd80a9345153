// JSON read where it lies: finds the end of a value and proves on the way that the bytes are JSON, making nothing. The
// language is exactly that of JSON.parse over UTF-8 (lone surrogate escapes included, a byte order mark not), nested
// `JSON_DEPTH_MAX` deep at most. That the bytes are UTF-8 is the caller's to check, once over the whole.
//
// Every `skip…` returns the position behind what it skipped, or -1 - p where p is the position of the first byte that
// cannot be (`end`: more was due).

import { limits } from '../base/index.ts'

/** White space is no higher than this. */
const SPACE_MAX = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const SMALL_E = 0x65
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** What a byte means inside a string: 0 itself, 1 the end, an escape or a control character. */
const STOPS_STRING = new Uint8Array(256)
/** 0 may not follow a backslash, 1 may, 2 begins four hex digits. */
const ESCAPE = new Uint8Array(256)
const HEX = new Uint8Array(256)
const SPACE = new Uint8Array(256)
STOPS_STRING.fill(1, 0, 0x20)
STOPS_STRING[QUOTE] = 1
STOPS_STRING[BACKSLASH] = 1
for (const char of '"\\/bfnrt') ESCAPE[char.charCodeAt(0)] = 1
ESCAPE[0x75] = 2
for (const char of '0123456789abcdefABCDEF') HEX[char.charCodeAt(0)] = 1
for (const char of ' \t\n\r') SPACE[char.charCodeAt(0)] = 1

const { JSON_DEPTH_MAX } = limits
const NO_WORDS = new Int32Array(0)

/** Levels whose kinds fit one integer; deeper ones spill. */
const LEVELS_A_WORD = 30

/** The same bytes, four at a time. Who reads many values of an array makes it once; it halves the time strings take. */
export function jsonWords(bytes: Uint8Array): Int32Array {
  if ((bytes.byteOffset & 3) !== 0) return NO_WORDS
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
}

/** `words`: `jsonWords(bytes)`, or none. `depthMax` is less where the value lies within one that is walked already. */
export function skipJsonValue(
  bytes: Uint8Array,
  start: number,
  end: number,
  words: Int32Array = NO_WORDS,
  depthMax: number = JSON_DEPTH_MAX,
): number {
  let at = start
  let depth = 0
  /** A bit a level, 1 for an object, the innermost lowest. */
  let kinds = 0
  let spilled: number[] | null = null
  const wordsEnd = end >> 2 < words.length ? end >> 2 : words.length
  for (;;) {
    if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
    if ((kinds & 1) === 1) {
      // As `skipJsonName`, here for the plain ones.
      let stop = at < end && bytes[at]! === QUOTE ? at + 1 : end
      while (stop < end && STOPS_STRING[bytes[stop]!]! === 0) stop++
      if (stop + 1 < end && bytes[stop]! === QUOTE && bytes[stop + 1]! === COLON) {
        at = stop + 2
      } else {
        at = skipJsonName(bytes, at, end, words)
        if (at < 0) return at
      }
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
    }
    if (at >= end) return -1 - end
    const byte = bytes[at]!
    if (byte === QUOTE) {
      // As `skipJsonString`, here for the plain ones.
      let i = (at + 1) >> 2
      let stops = 0
      if (i < wordsEnd) {
        stops = stopBits(words[i]! | ((1 << (((at + 1) & 3) << 3)) - 1))
        while (stops === 0 && ++i < wordsEnd) stops = stopBits(words[i]!)
      }
      const stop = (i << 2) + ((31 - Math.clz32(stops & -stops)) >> 3)
      if (stops !== 0 && bytes[stop]! === QUOTE) at = stop + 1
      else {
        at = skipJsonString(bytes, at, end, words)
        if (at < 0) return at
      }
    } else if (byte <= NINE) {
      let behind = at + 1
      while (behind < end && (bytes[behind]! - ZERO) >>> 0 <= 9) behind++
      const next = behind < end ? bytes[behind]! : 0
      if (byte <= ZERO || next === DOT || (next | 0x20) === SMALL_E) {
        at = skipJsonNumber(bytes, at, end)
        if (at < 0) return at
      } else {
        at = behind
      }
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth >= depthMax) return -1 - at
      at++
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
      if (at >= end) return -1 - end
      // Closing brackets are two code points behind the opening ones.
      if (bytes[at]! === byte + 2) {
        at++
      } else {
        if (depth > 0 && depth % LEVELS_A_WORD === 0) {
          spilled ??= []
          spilled.push(kinds)
          kinds = 0
        }
        depth++
        kinds = (kinds << 1) | ((byte >> 5) & 1)
        continue
      }
    } else {
      at = skipLiteral(bytes, at, end)
      if (at < 0) return at
    }
    // Behind a value: close what ends here, until another value is due.
    for (;;) {
      if (depth === 0) return at
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
      if (at >= end) return -1 - end
      const next = bytes[at]!
      if (next === COMMA) {
        at++
        break
      }
      if (next !== ((kinds & 1) === 1 ? CLOSE_OBJECT : CLOSE_ARRAY)) return -1 - at
      at++
      depth--
      kinds >>= 1
      if (depth > 0 && depth % LEVELS_A_WORD === 0) kinds = spilled!.pop()!
    }
  }
}

/** Position of the first byte from `at` on that is not white space, or `end`. */
export function skipJsonSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && SPACE[bytes[at]!] === 1) at++
  return at
}

/** A member's name and its colon, `at` being where the quote must be. */
export function skipJsonName(bytes: Uint8Array, at: number, end: number, words: Int32Array = NO_WORDS): number {
  if (at >= end) return -1 - end
  if (bytes[at]! !== QUOTE) return -1 - at
  const quote = at
  at++
  // Names are short and come again and again, which the processor learns: byte by byte is faster here.
  while (at < end && STOPS_STRING[bytes[at]!]! === 0) at++
  if (at < end && bytes[at]! === QUOTE) at++
  else {
    at = skipJsonString(bytes, quote, end, words)
    if (at < 0) return at
  }
  if (at < end && bytes[at]! === COLON) return at + 1
  at = skipJsonSpace(bytes, at, end)
  if (at >= end) return -1 - end
  return bytes[at]! === COLON ? at + 1 : -1 - at
}

/** `at` is the opening quote. */
export function skipJsonString(bytes: Uint8Array, at: number, end: number, words: Int32Array = NO_WORDS): number {
  at = skipPlainText(bytes, at + 1, end, words)
  if (at < end && bytes[at]! === QUOTE) return at + 1
  return skipStringRest(bytes, at, end, words)
}

/** `at` is a byte that is not plain text, or `end`. */
function skipStringRest(bytes: Uint8Array, at: number, end: number, words: Int32Array): number {
  for (;;) {
    if (at >= end) return -1 - end
    const byte = bytes[at]!
    if (byte === QUOTE) return at + 1
    if (byte !== BACKSLASH) return -1 - at
    at = skipEscape(bytes, at + 1, end)
    if (at < 0) return at
    at = skipPlainText(bytes, at, end, words)
  }
}

/** Whether a byte can stand for itself in a JSON string. */
export function isPlainText(byte: number): boolean {
  return STOPS_STRING[byte]! === 0
}

/**
 * Position of the first byte that cannot stand for itself in a JSON string (a quote, a backslash or a control character),
 * or `end`.
 */
export function skipPlainText(bytes: Uint8Array, at: number, end: number, words: Int32Array = NO_WORDS): number {
  const wordsEnd = end >> 2 < words.length ? end >> 2 : words.length
  let i = at >> 2
  if (i < wordsEnd) {
    // Bytes of the first word that lie before `at` are made plain.
    let stops = stopBits(words[i]! | ((1 << ((at & 3) << 3)) - 1))
    while (stops === 0 && ++i < wordsEnd) stops = stopBits(words[i]!)
    // The carry may mark bytes above a stop that are none, never one below.
    if (stops !== 0) return (i << 2) + ((31 - Math.clz32(stops & -stops)) >> 3)
    at = i << 2
  }
  while (at < end && STOPS_STRING[bytes[at]!]! === 0) at++
  return at
}

/** The high bit of the first byte that is below 0x20, a quote (0x22: 0x20 with bit 1 flipped) or a backslash is set. */
function stopBits(word: number): number {
  return (((word ^ 0x02020202) - 0x21212121) | ((word ^ 0x5c5c5c5c) - 0x01010101)) & ~word & 0x80808080
}

/** `at` is behind the backslash. */
function skipEscape(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1 - end
  const escape = ESCAPE[bytes[at]!]!
  if (escape === 0) return -1 - at
  at++
  if (escape === 1) return at
  for (let i = 0; i < 4; i++, at++) {
    if (at >= end) return -1 - end
    if (HEX[bytes[at]!]! === 0) return -1 - at
  }
  return at
}

function skipJsonNumber(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at]! === MINUS) at++
  if (at < end && bytes[at]! === ZERO) {
    at++
  } else {
    at = skipDigits(bytes, at, end)
    if (at < 0) return at
  }
  if (at < end && bytes[at]! === DOT) {
    at = skipDigits(bytes, at + 1, end)
    if (at < 0) return at
  }
  if (at < end && (bytes[at]! | 0x20) === SMALL_E) {
    at++
    if (at < end && (bytes[at]! === 0x2b || bytes[at]! === MINUS)) at++
    at = skipDigits(bytes, at, end)
  }
  return at
}

/** At least one. */
function skipDigits(bytes: Uint8Array, at: number, end: number): number {
  const from = at
  while (at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE) at++
  return at > from ? at : -1 - at
}

function skipLiteral(bytes: Uint8Array, at: number, end: number): number {
  if (at + 5 <= end) {
    const byte = bytes[at]!
    const rest = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
    if (byte === 0x74 && rest === 0x727565) return at + 4
    if (byte === 0x6e && rest === 0x756c6c) return at + 4
    if (byte === 0x66 && rest === 0x616c73 && bytes[at + 4]! === 0x65) return at + 5
  }
  switch (bytes[at]!) {
    case 0x74:
      return skipWord(bytes, at, end, 'true')
    case 0x66:
      return skipWord(bytes, at, end, 'false')
    case 0x6e:
      return skipWord(bytes, at, end, 'null')
    default:
      return -1 - at
  }
}

function skipWord(bytes: Uint8Array, at: number, end: number, word: string): number {
  for (let i = 0; i < word.length; i++, at++) {
    if (at >= end) return -1 - end
    if (bytes[at]! !== word.charCodeAt(i)) return -1 - at
  }
  return at
}

/** Whether the bytes are one JSON value and white space around it at most. */
export function isJson(bytes: Uint8Array, start: number, end: number, words: Int32Array = NO_WORDS): boolean {
  const at = skipJsonValue(bytes, start, end, words)
  return at >= 0 && skipJsonSpace(bytes, at, end) === end
}
