import { expect, test } from 'bun:test'
import type { LogConfig } from '../../../src/core/log/index.ts'
import { retentionStart } from '../../../src/core/log/retention.ts'
import { CONFIG } from './log-rig.ts'

const SEGMENTS = [
  { end: 10, segment: { bytes: 100, lastAppendedAt: 1000 } },
  { end: 20, segment: { bytes: 200, lastAppendedAt: 2000 } },
  { end: 30, segment: { bytes: 300, lastAppendedAt: 3000 } },
]

function startOf(segments: typeof SEGMENTS, limit: number, config: LogConfig, nowMs: number): Promise<number> {
  return retentionStart(segments, 0, 1000, limit, config, nowMs, async (segment) => segment.lastAppendedAt)
}

test.each([
  ['nothing asked', {}, 9000, 30, 0],
  ['age: only what is older', { retentionMs: 1500 }, 3501, 30, 20],
  ['age: exactly as old stays', { retentionMs: 1500 }, 3500, 30, 10],
  ['age: never behind what is synced', { retentionMs: 0 }, 9000, 25, 20],
  ['size: what remains has at least the size', { retentionBytes: 800 }, 0, 30, 10],
  ['size: just not enough', { retentionBytes: 901 }, 0, 30, 0],
  ['size: all sealed ones', { retentionBytes: 0 }, 0, 30, 30],
  ['either is enough', { retentionMs: 1500, retentionBytes: 400 }, 2501, 30, 30],
] as const)('%s', async (_, config, nowMs, limit, start) => {
  expect(await startOf(SEGMENTS, limit, { ...CONFIG, ...config }, nowMs)).toBe(start)
})

test('an unknown age keeps, and keeps what is behind', async () => {
  const segments = [{ end: 10, segment: { bytes: 100, lastAppendedAt: Number.NaN } }, ...SEGMENTS]
  expect(await startOf(segments, 30, { ...CONFIG, retentionMs: 0 }, 9000)).toBe(0)
})
