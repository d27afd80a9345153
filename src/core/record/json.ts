// JSON read where it lies: finds the end of a value and proves on the way that the bytes are JSON, making nothing. The
// language is exactly that of JSON.parse over UTF-8 (lone surrogate escapes included, a byte order mark not), nested
// `JSON_DEPTH_MAX` deep at most. That the bytes are UTF-8 is the caller's to check, once over the whole.
//
// Every `skip…` returns the position behind what it skipped, or -1 - p where p is the position of the first byte that
// cannot be (`end`: more was due).

import { limits } from '../base/index.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
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

/** Levels whose kinds fit one integer; deeper ones spill. */
const LEVELS_A_WORD = 30

export function skipJsonValue(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let depth = 0
  /** A bit a level, 1 for an object, the innermost lowest. */
  let kinds = 0
  let spilled: number[] | null = null
  for (;;) {
    at = skipJsonSpace(bytes, at, end)
    if (at >= end) return -1 - end
    const byte = bytes[at]!
    if (byte === QUOTE) {
      at = skipJsonString(bytes, at, end)
      if (at < 0) return at
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === limits.JSON_DEPTH_MAX) return -1 - at
      const inner = skipJsonSpace(bytes, at + 1, end)
      if (inner >= end) return -1 - end
      // Their closing brackets are two code points behind the opening ones.
      if (bytes[inner]! === byte + 2) {
        at = inner + 1
      } else {
        if (depth > 0 && depth % LEVELS_A_WORD === 0) {
          spilled ??= []
          spilled.push(kinds)
          kinds = 0
        }
        depth++
        kinds = (kinds << 1) | ((byte >> 5) & 1)
        at = inner
        if (byte === OPEN_OBJECT) {
          at = skipJsonName(bytes, at, end)
          if (at < 0) return at
        }
        continue
      }
    } else {
      at = byte <= 0x39 ? skipJsonNumber(bytes, at, end) : skipLiteral(bytes, at, end)
      if (at < 0) return at
    }
    // Behind a value: close what ends here, until another value is due.
    for (;;) {
      if (depth === 0) return at
      at = skipJsonSpace(bytes, at, end)
      if (at >= end) return -1 - end
      const next = bytes[at]!
      const inObject = (kinds & 1) === 1
      if (next === COMMA) {
        at++
        if (inObject) {
          at = skipJsonName(bytes, skipJsonSpace(bytes, at, end), end)
          if (at < 0) return at
        }
        break
      }
      if (next !== (inObject ? CLOSE_OBJECT : CLOSE_ARRAY)) return -1 - at
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
export function skipJsonName(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1 - end
  if (bytes[at]! !== QUOTE) return -1 - at
  at = skipJsonString(bytes, at, end)
  if (at < 0) return at
  at = skipJsonSpace(bytes, at, end)
  if (at >= end) return -1 - end
  return bytes[at]! === COLON ? at + 1 : -1 - at
}

/** `at` is the opening quote. */
export function skipJsonString(bytes: Uint8Array, at: number, end: number): number {
  at++
  for (;;) {
    while (at < end && STOPS_STRING[bytes[at]!] === 0) at++
    if (at >= end) return -1 - end
    const byte = bytes[at]!
    if (byte === QUOTE) return at + 1
    if (byte !== BACKSLASH) return -1 - at
    at++
    if (at >= end) return -1 - end
    const escape = ESCAPE[bytes[at]!]!
    if (escape === 0) return -1 - at
    at++
    if (escape === 2) {
      for (let i = 0; i < 4; i++, at++) {
        if (at >= end) return -1 - end
        if (HEX[bytes[at]!]! === 0) return -1 - at
      }
    }
  }
}

export function skipJsonNumber(bytes: Uint8Array, at: number, end: number): number {
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
  if (at < end && (bytes[at]! | 0x20) === 0x65) {
    at++
    if (at < end && (bytes[at]! === 0x2b || bytes[at]! === MINUS)) at++
    at = skipDigits(bytes, at, end)
  }
  return at
}

/** At least one. */
function skipDigits(bytes: Uint8Array, at: number, end: number): number {
  const from = at
  while (at < end && bytes[at]! >= ZERO && bytes[at]! <= 0x39) at++
  return at > from ? at : -1 - at
}

function skipLiteral(bytes: Uint8Array, at: number, end: number): number {
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
export function isJson(bytes: Uint8Array, start: number, end: number): boolean {
  const at = skipJsonValue(bytes, start, end)
  return at >= 0 && skipJsonSpace(bytes, at, end) === end
}
