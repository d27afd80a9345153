import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { LatestOffsets } from '../../../src/core/log/latest-offsets.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'

/** Keys around the length up to which they stand for themselves, with bytes that look like padding. */
const key = fc.uint8Array({ maxLength: 18, max: 2 })

test('a table holds what a map holds, until it is full', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 200 }), fc.array(key), fc.integer(), (keys, others, seed) => {
      const table = new LatestOffsets(1_000, seed, hostCodec, 64)
      const map = new Map<string, number>()
      const framed = (bytes: Uint8Array) => Uint8Array.from([9, ...bytes, 9])
      for (const [offset, bytes] of keys.entries()) {
        if (!table.hasRoom) break
        table.put(framed(bytes), 1, bytes.length + 1, offset)
        map.set(bytes.toHex(), offset)
      }
      expect(table.count).toBe(map.size)
      expect(table.hasRoom).toBe(map.size <= 48)
      for (const bytes of [...keys, ...others]) {
        expect(table.offsetOf(framed(bytes), 1, bytes.length + 1)).toBe(map.get(bytes.toHex()) ?? -1)
      }
    }),
  )
})

test('it has room for as many keys as were said', () => {
  const table = new LatestOffsets(5_000, 7, hostCodec)
  for (let i = 0; i < 5_000; i++) {
    expect(table.hasRoom).toBe(true)
    table.put(new TextEncoder().encode(`key ${i}`), 0, 5 + String(i).length - 1, i)
  }
  expect(table.count).toBe(5_000)
})
