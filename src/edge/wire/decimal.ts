// Whole numbers as decimal digits in bytes. Two halves of eight digits keep the arithmetic within integers.

const ZERO = 0x30
const MINUS = 0x2d
const HALF = 100_000_000
/** 00 01 … 99. */
const PAIRS = new Uint8Array(200)
for (let pair = 0; pair < 100; pair++) {
  PAIRS[pair * 2] = ZERO + Math.floor(pair / 10)
  PAIRS[pair * 2 + 1] = ZERO + (pair % 10)
}

/** Within ±2^53; there must be room for 17 bytes. Returns the position behind the digits. */
export function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    bytes[at++] = MINUS
    value = -value
  }
  if (value < HALF) return writeDigits(bytes, at, value, digitCount(value))
  const high = Math.floor(value / HALF)
  const low = value - high * HALF
  return writeDigits(bytes, writeDecimal(bytes, at, high), low, 8)
}

function writeDigits(bytes: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value | 0
  let i = at + digits
  while (i > at + 1) {
    const next = (rest / 100) | 0
    const pair = (rest - next * 100) << 1
    i -= 2
    bytes[i] = PAIRS[pair]!
    bytes[i + 1] = PAIRS[pair + 1]!
    rest = next
  }
  if (i > at) bytes[at] = ZERO + rest
  return at + digits
}

function digitCount(value: number): number {
  let digits = 1
  for (let bound = 10; value >= bound; bound *= 10) digits++
  return digits
}

/** Adds one to the digits `start…end` in place; false, and all zeros, when that needs one digit more. */
export function incrementDecimal(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = end - 1; i >= start; i--) {
    if (bytes[i]! !== ZERO + 9) {
      bytes[i]!++
      return true
    }
    bytes[i] = ZERO
  }
  return false
}
