// The short form of scripts/soak: kill -9 under load, and everything acknowledged is there, once, in order.

import { expect, test } from 'bun:test'
import { runCrashes } from './soak/crash-run.ts'

test('kill -9 at random moments under load loses and repeats nothing', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const lines = [`seed ${seed}`]
  const figures = await runCrashes({ rounds: 8, seed, upMsMax: 1_000, report: (line) => lines.push(line) }).catch(
    (error: unknown) => {
      console.error(lines.join('\n'))
      throw error
    },
  )
  expect(figures.kills).toBeGreaterThanOrEqual(8)
  expect(figures.acked).toBeGreaterThan(1_000)
}, 120_000)
