import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readVarint, unzigzag, varintBytes, varintEnd, writeVarint, zigzag } from '../../../src/core/base/index.ts'

const EDGES = [0, 1, 2 ** 7, 2 ** 14, 2 ** 21, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 42, 2 ** 49, 2 ** 53]
const values = fc.oneof(
  fc.constantFrom(...EDGES.flatMap((edge) => [edge - 1, edge, edge + 1])).filter(Number.isSafeInteger),
  fc.nat(),
  fc.maxSafeNat(),
)
const unsigned = values.filter((value) => value >= 0)

/** The dumb twin: LEB128 over BigInt. */
function encodeSlowly(value: number): number[] {
  const bytes: number[] = []
  let rest = BigInt(value)
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return bytes
}

function encode(value: number): number[] {
  const bytes = new Uint8Array(16)
  return [...bytes.subarray(0, writeVarint(bytes, 0, value))]
}

describe('varint', () => {
  test('writes what a slow twin writes, reads it back, and knows its length', () => {
    fc.assert(
      fc.property(unsigned, (value) => {
        const bytes = encode(value)
        expect(bytes).toEqual(encodeSlowly(value))
        expect(varintBytes(value)).toBe(bytes.length)
        expect(readVarint(Uint8Array.from([9, ...bytes, 9]), 1, bytes.length + 1)).toBe(value)
        expect(varintEnd).toBe(bytes.length + 1)
      }),
      { numRuns: 2_000 },
    )
  })

  test('refuses what is cut off anywhere', () => {
    fc.assert(
      fc.property(unsigned, (value) => {
        const bytes = Uint8Array.from(encode(value))
        for (let end = 0; end < bytes.length; end++) expect(readVarint(bytes, 0, end)).toBe(-1)
      }),
    )
  })

  test.each([
    ['2^53', encodeSlowly(2 ** 53)],
    ['the largest of eight bytes', [255, 255, 255, 255, 255, 255, 255, 127]],
    ['nine bytes', [255, 255, 255, 255, 255, 255, 255, 255, 1]],
    ['a zero in two bytes', [128, 0]],
    ['a one in three bytes', [129, 128, 0]],
    ['endless', Array(32).fill(255)],
  ])('refuses %s', (_, bytes) => {
    expect(readVarint(Uint8Array.from(bytes), 0, bytes.length)).toBe(-1)
  })
})

describe('zigzag', () => {
  const signed = fc.oneof(
    fc.constantFrom(
      0,
      1,
      -1,
      2 ** 30 - 1,
      2 ** 30,
      -(2 ** 30),
      -(2 ** 30) - 1,
      2 ** 31,
      -(2 ** 31),
      2 ** 52 - 1,
      -(2 ** 52),
    ),
    fc.integer(),
    fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }),
  )

  test('folds signs as a slow twin does, and back', () => {
    fc.assert(
      fc.property(signed, (value) => {
        const big = BigInt(value)
        expect(BigInt(zigzag(value))).toBe(big >= 0n ? big * 2n : -big * 2n - 1n)
        expect(unzigzag(zigzag(value))).toBe(value)
      }),
      { numRuns: 2_000 },
    )
  })
})
