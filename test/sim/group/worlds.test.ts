// Groups under drawn faults, every invariant after every event, and all handled in the end. NARU_SIM_SEEDS=N runs more of
// them; a seed that fails is looked at with `scripts/sim --world group --seed N`.

import { describe, expect, test } from 'bun:test'
import type { PlantedFault } from '../../../src/core/group/index.ts'
import { runSeed } from './run.ts'

const SEEDS = Number(process.env['NARU_SIM_SEEDS'] ?? 250)
const PATIENCE_MS = 240_000

/** How many seeds, from 1, each mistake may go unnoticed at most. */
const FOUND_WITHIN: Record<PlantedFault, number> = {
  'assign-before-revoked': 5,
  'commit-without-fencing': 40,
  'session-reset-by-stale-commit': 20,
}

const FAULTS = ['crash', 'lost append', 'disk full', 'pause', 'die', 'leave', 'come', 'grow', 'recreate'].concat([
  'lost request',
  'lost answer',
  'repeated request',
])

describe('simulated groups', () => {
  test('the same seed gives the same trace, printed or not; another gives another', () => {
    for (const seed of [2, 17]) {
      const traces = [1, 2].map(() => {
        const lines: string[] = []
        const outcome = runSeed(seed, { print: (line) => lines.push(line) })
        return { text: lines.join('\n'), outcome }
      })
      expect(traces[0]!.text.length).toBeGreaterThan(1000)
      expect(traces[1]!.text === traces[0]!.text).toBe(true)
      expect(runSeed(seed)).toEqual(traces[0]!.outcome)
    }
    expect(runSeed(2).fingerprint).not.toBe(runSeed(17).fingerprint)
  })

  test(
    `${SEEDS} worlds keep every invariant, and every record is handled`,
    () => {
      const failures: string[] = []
      const faults = new Set<string>()
      let commits = 0
      for (let seed = 1; seed <= SEEDS; seed++) {
        const outcome = runSeed(seed)
        if (outcome.failure !== null) failures.push(`seed ${seed}: ${outcome.failure}`)
        for (const fault of outcome.faults.keys()) faults.add(fault)
        commits += outcome.commits
      }
      expect(failures).toEqual([])
      expect(commits).toBeGreaterThan(SEEDS * 50)
      expect(FAULTS.filter((fault) => !faults.has(fault))).toEqual([])
    },
    PATIENCE_MS,
  )

  for (const [mistake, seeds] of Object.entries(FOUND_WITHIN) as [PlantedFault, number][]) {
    test(`${mistake} is found within ${seeds} seeds`, () => {
      let found: string | null = null
      for (let seed = 1; seed <= seeds && found === null; seed++) found = runSeed(seed, { mistake }).failure
      expect(found).toMatch(/^(G1|G2|S|C):/)
    })
  }
})
