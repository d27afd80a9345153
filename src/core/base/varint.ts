// Unsigned LEB128 varints, and zigzag for signed ones, of integers below 2^53. Readers return the value and leave the
// position behind it in `varintEnd`; -1 means cut off, longer than need be, or beyond: callers compare, nothing throws.

export let varintEnd = 0

export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : longVarintBytes(value)
}
function longVarintBytes(value: number): number {
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  let bytes = 5
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** Returns the position behind the varint. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x80) {
    bytes[at] = value
    return at + 1
  }
  if (value < 0x4000) {
    bytes[at] = value | 0x80
    bytes[at + 1] = value >>> 7
    return at + 2
  }
  return writeLongVarint(bytes, at, value)
}

function writeLongVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 0x8000_0000) {
    bytes[at++] = (value % 0x80) | 0x80
    value = Math.floor(value / 0x80)
  }
  while (value >= 0x80) {
    bytes[at++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  bytes[at++] = value
  return at
}

export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1
  const first = bytes[at]!
  if (first < 0x80) {
    varintEnd = at + 1
    return first
  }
  return readLongVarint(bytes, at + 1, end, first & 0x7f)
}

function readLongVarint(bytes: Uint8Array, at: number, end: number, value: number): number {
  let scale = 0x80
  for (let i = 1; i < 8; i++) {
    if (at >= end) return -1
    const byte = bytes[at++]!
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER || byte === 0) return -1
      varintEnd = at
      return value
    }
    scale *= 0x80
  }
  return -1
}

/** Of integers from -2^52 to 2^52 - 1. */
export function zigzag(value: number): number {
  if (value >= -0x4000_0000 && value < 0x4000_0000) {
    const small = value | 0
    return (small << 1) ^ (small >> 31)
  }
  return value >= 0 ? value * 2 : -value * 2 - 1
}

export function unzigzag(value: number): number {
  if (value < 0x8000_0000) return (value >>> 1) ^ -(value & 1)
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
