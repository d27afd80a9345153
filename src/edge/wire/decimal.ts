// Whole numbers as decimal digits in bytes. Two halves of eight digits keep the arithmetic within integers.

const ZERO = 0x30
const NINE = 0x39
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

/** A number that stands in a text and changes there, mostly by little, without what is behind it having to move. */
export class PlacedNumber {
  #start = 0
  #end = 0
  #value = 0
  /** Values that take the same room. */
  #min = 0
  #max = -1

  /** Writes it anew. Returns the position behind. */
  place(bytes: Uint8Array, at: number, value: number): number {
    this.#start = at
    this.#end = writeDecimal(bytes, at, value)
    this.#value = value
    const bound = 10 ** (this.#end - at)
    this.#max = value < 0 ? value : bound - 1
    this.#min = value < 10 ? value : bound / 10
    return this.#end
  }

  /** False: it takes other room, and nothing is changed. */
  set(bytes: Uint8Array, value: number): boolean {
    const before = this.#value
    if (value === before) return true
    if (value < this.#min || value > this.#max) return false
    this.#value = value
    if (value === before + 1) {
      increment(bytes, this.#end)
      return true
    }
    const isSameHigh = Math.abs(value - before) < HALF && Math.floor(value / HALF) === Math.floor(before / HALF)
    if (isSameHigh && this.#end - this.#start >= 8) writeDigits(bytes, this.#end - 8, value % HALF, 8)
    else writeDecimal(bytes, this.#start, value)
    return true
  }
}

/** Adds one to digits that end at `end` and are not all nines. */
function increment(bytes: Uint8Array, end: number): void {
  let at = end - 1
  while (bytes[at]! === NINE) bytes[at--] = ZERO
  bytes[at]!++
}
