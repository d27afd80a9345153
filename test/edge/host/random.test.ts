import { expect, test } from 'bun:test'
import { hostRandom } from '../../../src/edge/host/index.ts'

test('numbers are 32-bit and use all of them; bytes are filled', () => {
  const numbers = Array.from({ length: 200 }, () => hostRandom.u32())
  for (const number of numbers) expect(number >>> 0).toBe(number)
  expect(new Set(numbers).size).toBeGreaterThan(190)
  expect(Math.max(...numbers)).toBeGreaterThan(2 ** 31)
  expect(Math.min(...numbers)).toBeLessThan(2 ** 31)
  const bytes = new Uint8Array(64)
  hostRandom.fill(bytes)
  expect(bytes.some((byte) => byte !== 0)).toBe(true)
})
