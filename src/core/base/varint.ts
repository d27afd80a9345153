// Unsigned LEB128 varints, and zigzag for signed ones, of integers within 2^53. Readers return the value and leave the
// position behind it in `varintEnd`; -1 means cut off, too long, or beyond 2^53: callers compare, nothing throws.

export let varintEnd = 0

export function varintBytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  let bytes = 5
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** Returns the position behind the varint. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
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
  let value = 0
  let scale = 1
  for (let i = 0; i < 8; i++) {
    if (at >= end) return -1
    const byte = bytes[at++]!
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER || (byte === 0 && i > 0)) return -1
      varintEnd = at
      return value
    }
    scale *= 0x80
  }
  return -1
}

export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
