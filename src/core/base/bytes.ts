// Little-endian integers at a position of a byte array, without a DataView per array. Unsigned 64-bit values stay below
// 2^53, so they are plain numbers; the one exception, all ones, is the caller's to know.

const TWO_32 = 0x1_0000_0000

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8)
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** May exceed 2^53 on hostile input, losing low bits: compare before use. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * TWO_32
}

/** Two's complement; milliseconds fit a number exactly. */
export function readI64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + (readU32(bytes, at + 4) | 0) * TWO_32
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

/** Unsigned or negative integers below 2^53 alike (two's complement). */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value | 0)
  writeU32(bytes, at + 4, Math.floor(value / TWO_32) | 0)
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
