import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { incrementDecimal, writeDecimal } from '../../../src/edge/wire/decimal.ts'

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

test('counts up in place until another digit is due', () => {
  const bytes = new Uint8Array(6).fill(0x78)
  let end = writeDecimal(bytes, 1, 9_988)
  for (let value = 9_989; value < 10_000; value++) {
    expect(incrementDecimal(bytes, 1, end)).toBe(true)
    expect(decoder.decode(bytes)).toBe(`x${value}x`)
  }
  expect(incrementDecimal(bytes, 1, end)).toBe(false)
  end = writeDecimal(bytes, 1, 10_000)
  expect(decoder.decode(bytes.subarray(0, end))).toBe('x10000')
})
