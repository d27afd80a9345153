// At most once, while members join, leave and die at random: nothing is handled twice.

import { expect, test } from 'bun:test'
import { runGroupChurn } from './soak/group-run.ts'

const SETTLE_MS_MAX = 2_000

test('nothing is handled twice, whoever dies', async () => {
  const figures = await runGroupChurn({
    seed: 2,
    members: 40,
    partitions: 16,
    churnMs: 2_000,
    delivery: 'at-most-once',
    kill: false,
    report: () => {},
  })
  expect(figures.repeated).toBe(0)
  expect(figures.died).toBeGreaterThan(2)
  // What was on its way to somebody who died is lost, and no more than that.
  expect(figures.missed).toBeLessThan(figures.records / 4)
  expect(figures.settleMs).toBeLessThan(SETTLE_MS_MAX)
}, 60_000)
