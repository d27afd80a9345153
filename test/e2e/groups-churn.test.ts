// 200 members joining, leaving and dying at random over 64 partitions while producers run, and a broker killed in between; the
// same for a minute: scripts/soak --groups 60.

import { expect, test } from 'bun:test'
import { runGroupChurn } from './soak/group-run.ts'

const SETTLE_MS_MAX = 2_000
/** A poll that waits for records ends after a second; the rest is the machine. */
const GAP_MS_MAX = 6_000

test('all is handled at least once, through a broker that is killed, in order, and the untouched go on', async () => {
  const figures = await runGroupChurn({
    seed: 1,
    members: 200,
    partitions: 64,
    churnMs: 10_000,
    delivery: 'at-least-once',
    kill: true,
    report: () => {},
  })
  expect(figures.records).toBeGreaterThan(1_000)
  expect(figures.died).toBeGreaterThan(5)
  expect(figures.left).toBeGreaterThan(5)
  expect(figures.settleMs).toBeLessThan(SETTLE_MS_MAX)
  expect(figures.gapMsMax).toBeLessThan(GAP_MS_MAX)
}, 60_000)
