import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import { limits } from '../../../src/core/base/index.ts'
import { slotOfKey, SlotTable } from '../../../src/core/record/index.ts'
import vectors from './slots.json' with { type: 'json' }

const hashOf = (key: Uint8Array): number => Bun.hash.murmur32v3(key, 0)

function partitionsOf(active: readonly number[]): Uint16Array {
  const table = new SlotTable(active)
  return new Uint16Array(limits.SLOTS).map((_, slot) => table.partitionOf(slot))
}

/** As the comment in slots.ts says it, with BigInt. */
function partitionSlowly(active: readonly number[], slot: number): number {
  const weight = (partition: number): bigint => {
    let mixed = BigInt.asUintN(32, BigInt(slot) * 65_536n + BigInt(partition) + 0x9e3779b9n)
    mixed = BigInt.asUintN(32, (mixed ^ (mixed >> 16n)) * 0x85ebca6bn)
    mixed = BigInt.asUintN(32, (mixed ^ (mixed >> 13n)) * 0xc2b2ae35n)
    return mixed ^ (mixed >> 16n)
  }
  return active.reduce((best, other) => (weight(other) > weight(best) ? other : best))
}

describe('slot of a key', () => {
  // Published for murmur3_x86_32, seed 0.
  test.each([
    ['', 0],
    ['00', 0x514e28b7],
    ['0000', 0x30f4c306],
    ['000000', 0x85f0b427],
    ['00000000', 0x2362f9de],
    ['ffffffff', 0x76293b50],
    ['21', 0x72661cf4],
    ['2143', 0xa0f7b07a],
    ['214365', 0x7e4a8634],
    ['21436587', 0xf55b516b],
    [Buffer.from('test').toString('hex'), 0xba6bd213],
    [Buffer.from('Hello, world!').toString('hex'), 0xc0363e43],
    [Buffer.from('The quick brown fox jumps over the lazy dog').toString('hex'), 0x2e4ff723],
  ])('of %p', (hex, hash) => {
    const key = Uint8Array.fromHex(hex)
    expect(hashOf(key)).toBe(hash)
    expect(slotOfKey(key, 0, key.length)).toBe(hash % limits.SLOTS)
  })

  test('is the hash of exactly the key’s bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(8), (key, at) => {
        const bytes = new Uint8Array(key.length + 16).fill(0xab)
        bytes.set(key, at)
        expect(slotOfKey(bytes, at, at + key.length)).toBe(hashOf(key) % limits.SLOTS)
      }),
      { numRuns: 1_000 },
    )
  })

  test.each(vectors.keys)('vector $keyHex', ({ keyHex, hash, slot }) => {
    const key = Uint8Array.fromHex(keyHex)
    expect([hashOf(key), slotOfKey(key, 0, key.length)]).toEqual([hash, slot])
  })
})

describe('partition of a slot', () => {
  test.each(vectors.tables)('vectors of $active.length partitions', ({ active, partitions, crc32: sum }) => {
    const all = partitionsOf(active)
    expect(vectors.slots.map((slot) => all[slot])).toEqual(partitions)
    expect(vectors.slots.map((slot) => partitionSlowly(active, slot))).toEqual(partitions)
    expect(crc32(new Uint8Array(all.buffer))).toBe(sum)
  })

  test('does not depend on the order of the partitions, or on what was asked before', () => {
    const table = new SlotTable([3, 1, 2])
    const twice = [7, 7, 9, 7].map((slot) => table.partitionOf(slot))
    const other = new SlotTable([1, 2, 3])
    expect(twice).toEqual([7, 7, 9, 7].map((slot) => other.partitionOf(slot)))
  })

  test.each([1, 2, 3, 8, 63])('growth from %i moves its share of slots, only to the new partition', (count) => {
    const active = Array.from({ length: count }, (_, i) => i)
    const before = partitionsOf(active)
    const after = partitionsOf([...active, count])
    const moved = [...after.keys()].filter((slot) => before[slot] !== after[slot])
    expect(moved.every((slot) => after[slot] === count)).toBe(true)
    const share = limits.SLOTS / (count + 1)
    expect(Math.abs(moved.length - share)).toBeLessThan(5 * Math.sqrt(share))
  })

  test('retirement moves only the slots of the retired', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1_023), { minLength: 2, maxLength: 20 }), fc.nat(), (active, pick) => {
        const retired = active[pick % active.length]!
        const before = partitionsOf(active)
        const after = partitionsOf(active.filter((partition) => partition !== retired))
        for (let slot = 0; slot < limits.SLOTS; slot++) {
          if (before[slot] === retired ? after[slot] === retired : after[slot] !== before[slot]) {
            throw new Error(`slot ${slot} went from ${before[slot]} to ${after[slot]}`)
          }
        }
      }),
      { numRuns: 20 },
    )
  })

  test.each([2, 5, 16, 100])('%i partitions get equal shares', (count) => {
    const shares = new Array<number>(count).fill(0)
    for (const partition of partitionsOf([...shares.keys()])) shares[partition]!++
    const fair = limits.SLOTS / count
    // Chi-squared against an even spread, five deviations wide.
    const spread = shares.reduce((sum, share) => sum + (share - fair) ** 2 / fair, 0)
    expect(spread).toBeLessThan(count - 1 + 5 * Math.sqrt(2 * (count - 1)) + 10)
  })
})
