import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { IdempotencyKeys, KeyBudget } from '../../../src/core/partition/idempotency-keys.ts'

const EXPIRY_MS = 1_000

/** Keys whose hashes share words, so that tables meet in every way. */
function hashOf(key: number): Uint8Array {
  const hash = new Uint8Array(16)
  hash[0] = key % 3
  hash[3] = key % 2
  hash[4] = key % 5
  hash[8] = key >> 8
  hash[12] = key
  return hash
}

const entryOf = (key: number, firstOrdinal: number, digest = BigInt(key), partitionCount = 4) => ({
  keyHash: hashOf(key),
  firstOrdinal,
  partitionCount,
  digest,
})

describe('one key', () => {
  test('a request in two batches, its repeat, another body', () => {
    const keys = new IdempotencyKeys()
    expect(keys.held(hashOf(1))).toBeNull()
    expect(keys.check(entryOf(1, 0, 11n), 3)).toEqual({ kind: 'next' })
    keys.apply(entryOf(1, 0, 11n), 3, 100, 5, EXPIRY_MS)
    expect(keys.check(entryOf(1, 3, 12n), 2)).toEqual({ kind: 'next' })
    keys.apply(entryOf(1, 3, 0xffff_ffff_ffff_fffen), 2, 110, 6, EXPIRY_MS)
    const first = { firstOrdinal: 0, count: 3, baseOffset: 100, lastOffset: 102, appendedAt: 5, digest: 11n }
    expect(keys.held(hashOf(1))).toEqual({
      partitionCount: 4,
      nextOrdinal: 5,
      ranges: [
        first,
        { firstOrdinal: 3, count: 2, baseOffset: 110, lastOffset: 111, appendedAt: 6, digest: 0xffff_ffff_ffff_fffen },
      ],
    })
    expect(keys.check(entryOf(1, 0, 11n), 3)).toEqual({ kind: 'duplicate', range: first })
    const conflict = { kind: 'key-conflict', nextOrdinal: 5 } as const
    expect(keys.check(entryOf(1, 0, 12n), 3)).toEqual(conflict)
    expect(keys.check(entryOf(1, 0, 11n), 2)).toEqual(conflict)
    expect(keys.check(entryOf(1, 1, 11n), 3)).toEqual(conflict)
    expect(keys.check(entryOf(1, 6, 11n), 3)).toEqual(conflict)
    expect(keys.check(entryOf(1, 5, 11n, 8), 3)).toEqual(conflict)
  })

  test('offsets and times of any size', () => {
    const keys = new IdempotencyKeys()
    keys.apply(entryOf(1, 0), 10_000, 2 ** 52 + 1, -5, EXPIRY_MS)
    expect(keys.held(hashOf(1))!.ranges[0]).toMatchObject({ baseOffset: 2 ** 52 + 1, appendedAt: -5, count: 10_000 })
  })

  test('forgotten by age, oldest range first; a long upload goes on after its beginning is forgotten', () => {
    const keys = new IdempotencyKeys()
    keys.apply(entryOf(1, 0), 1, 0, 0, EXPIRY_MS)
    keys.apply(entryOf(1, 1), 1, 1, 600, EXPIRY_MS)
    keys.apply(entryOf(2, 0), 1, 2, 1_001, EXPIRY_MS)
    expect(keys.held(hashOf(1))).toMatchObject({ nextOrdinal: 2, ranges: [{ firstOrdinal: 1 }] })
    keys.apply(entryOf(2, 1), 1, 3, 1_601, EXPIRY_MS)
    expect(keys.held(hashOf(1))).toBeNull()
    expect(keys.check(entryOf(1, 2), 1)).toEqual({ kind: 'next' })
  })
})

test('the bounds: of a partition, and of a broker, which leaves each its latest thousand', () => {
  const own = new IdempotencyKeys(new KeyBudget(), 10)
  for (let key = 0; key < 15; key++) own.apply(entryOf(key, 0), 1, key, 0, EXPIRY_MS)
  expect(own.count).toBe(10)
  expect(own.forgottenEarly).toBe(5)
  expect(own.held(hashOf(4))).toBeNull()
  expect(own.held(hashOf(5))).not.toBeNull()

  const budget = new KeyBudget(3_000)
  const [a, b] = [new IdempotencyKeys(budget), new IdempotencyKeys(budget)]
  for (let key = 0; key < 2_500; key++) a.apply(entryOf(key, 0), 1, key, 0, EXPIRY_MS)
  for (let key = 0; key < 2_500; key++) b.apply(entryOf(key, 0), 1, key, 0, EXPIRY_MS)
  expect([a.count, b.count, budget.ranges]).toEqual([2_500, 1_000, 3_500])
  a.apply(entryOf(9_000, 0), 1, 9_000, 0, EXPIRY_MS)
  expect([a.count, b.count, budget.ranges]).toEqual([2_000, 1_000, 3_000])
  b.close()
  expect(budget.ranges).toBe(2_000)
})

test('agrees with a list of everything', () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 40 }),
    count: fc.integer({ min: 1, max: 3 }),
    waitMs: fc.integer({ min: 0, max: 120 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
      const keys = new IdempotencyKeys()
      let list: { key: number; first: number; count: number; offset: number; at: number }[] = []
      let nowMs = 0
      let offset = 0
      for (const { key, count, waitMs } of steps) {
        nowMs += waitMs
        const latest = list.findLast((range) => range.key === key)
        const first = latest === undefined ? 0 : latest.first + latest.count
        keys.apply(entryOf(key, first), count, offset, nowMs, EXPIRY_MS)
        list.push({ key, first, count, offset, at: nowMs })
        list = list.filter((range) => range.at >= nowMs - EXPIRY_MS)
        offset += count
        expect(keys.count).toBe(list.length)
        for (let k = 0; k <= 40; k++) {
          const ranges = list.filter((range) => range.key === k).map((r) => [r.first, r.count, r.offset, r.at])
          const held = keys.held(hashOf(k))
          expect(held?.ranges.map((r) => [r.firstOrdinal, r.count, r.baseOffset, r.appendedAt]) ?? []).toEqual(ranges)
        }
      }
    }),
    { numRuns: 30 },
  )
})
