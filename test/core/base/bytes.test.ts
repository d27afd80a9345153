import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  concatBytes,
  equalBytes,
  readI64,
  readU16,
  readU32,
  readU64,
  writeU16,
  writeU32,
  writeU64,
} from '../../../src/core/base/index.ts'

const safe = fc.oneof(
  fc.constantFrom(0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER),
  fc.integer(),
  fc.maxSafeInteger(),
)

/** Writes in the middle of a filled array, so that a write too wide shows. */
function written(width: number, write: (bytes: Uint8Array, at: number) => void): DataView {
  const bytes = new Uint8Array(width + 2).fill(0xa5)
  write(bytes, 1)
  expect([bytes[0], bytes[width + 1]]).toEqual([0xa5, 0xa5])
  return new DataView(bytes.buffer, 1, width)
}

describe('integers at a position', () => {
  test('u16 and u32 are those of DataView', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (value) => {
        expect(written(4, (bytes, at) => writeU32(bytes, at, value)).getUint32(0, true)).toBe(value)
        expect(written(2, (bytes, at) => writeU16(bytes, at, value)).getUint16(0, true)).toBe(value % 0x1_0000)
        const bytes = new Uint8Array(new Uint32Array([value]).buffer)
        expect(readU32(bytes, 0)).toBe(value)
        expect(readU16(bytes, 2)).toBe(Math.floor(value / 0x1_0000))
      }),
    )
  })

  test('64 bits hold every safe integer, in two’s complement', () => {
    fc.assert(
      fc.property(safe, (value) => {
        const view = written(8, (bytes, at) => writeU64(bytes, at, value))
        expect(view.getBigInt64(0, true)).toBe(BigInt(value))
        const bytes = new Uint8Array(view.buffer, 1, 8)
        expect(readI64(bytes, 0)).toBe(value)
        if (value >= 0) expect(readU64(bytes, 0)).toBe(value)
        else expect(readU64(bytes, 0)).toBeGreaterThan(Number.MAX_SAFE_INTEGER)
      }),
      { numRuns: 1_000 },
    )
  })
})

test('equalBytes and concatBytes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9 })), (parts) => {
      const whole = concatBytes(parts)
      expect([...whole]).toEqual(parts.flatMap((part) => [...part]))
      expect(equalBytes(whole, whole.slice())).toBe(true)
      expect(equalBytes(whole, Uint8Array.from([...whole, 0]))).toBe(false)
      if (whole.length > 0) {
        const other = whole.slice()
        other[other.length - 1]! ^= 1
        expect(equalBytes(whole, other)).toBe(false)
      }
    }),
  )
})
