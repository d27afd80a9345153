import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { PlacedNumber, writeDecimal } from '../../../src/edge/wire/decimal.ts'

const decoder = new TextDecoder()

function written(value: number): string {
  const bytes = new Uint8Array(20).fill(0x78)
  const end = writeDecimal(bytes, 2, value)
  expect(decoder.decode(bytes.subarray(0, 2)) + decoder.decode(bytes.subarray(end))).toMatch(/^x+$/)
  return decoder.decode(bytes.subarray(2, end))
}

test('writes what String does, at every number of digits', () => {
  for (let power = 1; power < 2 ** 53; power *= 10) {
    for (const value of [power - 1, power, power + 1, 7 * power]) {
      if (value > Number.MAX_SAFE_INTEGER) continue
      expect(written(value)).toBe(`${value}`)
      if (value > 0) expect(written(-value)).toBe(`${-value}`)
    }
  }
  expect(written(Number.MAX_SAFE_INTEGER)).toBe('9007199254740991')
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      expect(written(value)).toBe(`${value}`)
    }),
  )
})

test('changes in place as long as the room is the same', () => {
  const number = fc.oneof(fc.maxSafeInteger(), fc.maxSafeNat(), fc.integer({ min: -20, max: 120 }))
  const step = fc.oneof(fc.constant(1), fc.integer({ min: -1000, max: 1000 }), fc.maxSafeInteger())
  fc.assert(
    fc.property(number, fc.array(step, { maxLength: 8 }), (first, steps) => {
      const bytes = new Uint8Array(24).fill(0x78)
      const placed = new PlacedNumber()
      let end = placed.place(bytes, 2, first)
      let value = first
      for (const by of steps) {
        const next = value + by
        if (!Number.isSafeInteger(next)) continue
        const isSet = placed.set(bytes, next)
        // Whoever is told no places it anew; room is only ever refused where the length may differ.
        if (isSet) expect(`${next}`.length).toBe(`${value}`.length)
        else end = placed.place(bytes, 2, next)
        value = next
        expect(decoder.decode(bytes.subarray(2, end))).toBe(`${value}`)
      }
      expect(bytes[1]).toBe(0x78)
    }),
    { numRuns: 2000 },
  )
})

test('counts up in place until another digit is due', () => {
  const bytes = new Uint8Array(6).fill(0x78)
  const placed = new PlacedNumber()
  placed.place(bytes, 1, 9_988)
  for (let value = 9_989; value < 10_000; value++) {
    expect(placed.set(bytes, value)).toBe(true)
    expect(decoder.decode(bytes)).toBe(`x${value}x`)
  }
  expect(placed.set(bytes, 10_000)).toBe(false)
  expect(decoder.decode(bytes)).toBe('x9999x')
})

test('the usual steps of a clock and of offsets need no room', () => {
  const bytes = new Uint8Array(20)
  const placed = new PlacedNumber()
  placed.place(bytes, 0, 1_790_000_000_000)
  for (const value of [1_790_000_000_001, 1_790_000_000_007, 1_790_000_000_000, 1_790_199_999_999, 1_800_000_000_000]) {
    expect(placed.set(bytes, value)).toBe(true)
    expect(decoder.decode(bytes.subarray(0, 13))).toBe(`${value}`)
  }
})
