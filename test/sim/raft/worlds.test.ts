// Whole clusters under drawn faults, every invariant after every event, and life demanded in the end. NARU_SIM_SEEDS=N runs
// more of them; a seed that fails is looked at with `scripts/sim --seed N` and stays below as a case.

import { describe, expect, test } from 'bun:test'
import { runSeed } from './run.ts'
import { FAULTS, type Mistake, MISTAKES } from './swarm.ts'

const SEEDS = Number(process.env['NARU_SIM_SEEDS'] ?? 2000)
const PATIENCE_MS = 240_000

/** Seeds that once failed, or nearly did, and why. */
const REGRESSIONS: readonly (readonly [number, string])[] = [
  [11_499, 'life was demanded of a core whose syncs and links were as slow as its election timeout'],
  [8_761, 'a voter removed while cut off knew none who lead, and never heard of its removal'],
]

/** How many seeds, from 1, each mistake may go unnoticed at most. */
const FOUND_WITHIN: Record<Mistake, number> = {
  'ack-before-sync': 5,
  'apply-before-commit': 5,
  'reply-before-commit': 20,
  'count-old-terms': 50,
  'vote-twice': 50,
  'install-over-newer': 100,
  'skip-vote-sync': 200,
  'two-changes': 300,
  'reuse-read-round': 600,
  'vote-blindly': 2000,
}

describe('simulated raft clusters', () => {
  test('the same seed gives the same bytes, printed or not', () => {
    for (const seed of [1, 2, 3, 17, 99, 1234]) {
      const traces = [1, 2].map(() => {
        const lines: string[] = []
        const outcome = runSeed(seed, { print: (line) => lines.push(line) })
        return { text: lines.join('\n'), outcome }
      })
      expect(traces[0]!.text.length).toBeGreaterThan(1000)
      expect(traces[1]!.text === traces[0]!.text).toBe(true)
      expect(runSeed(seed)).toEqual(traces[0]!.outcome)
    }
  })

  test('other seeds give other histories', () => {
    const prints = new Set(Array.from({ length: 50 }, (_, i) => runSeed(i + 1).fingerprint))
    expect(prints.size).toBe(50)
  })

  test(
    `${SEEDS} worlds keep every invariant and come back to life`,
    () => {
      const failures: string[] = []
      const faults = new Set<string>()
      let elections = 0
      let acknowledged = 0
      for (let seed = 1; seed <= SEEDS; seed++) {
        const outcome = runSeed(seed)
        if (outcome.failure !== null) failures.push(`seed ${seed}: ${outcome.failure}`)
        for (const [fault, count] of outcome.faults) if (count > 0) faults.add(fault)
        elections += outcome.elections
        acknowledged += outcome.written
      }
      expect(failures).toEqual([])
      expect([...faults].sort()).toEqual([...FAULTS, 'lost', 'repeated'].sort())
      expect(elections).toBeGreaterThan(2 * SEEDS)
      expect(acknowledged).toBeGreaterThan(10 * SEEDS)
    },
    PATIENCE_MS,
  )

  test.each(REGRESSIONS)('seed %i: %s', (seed) => expect(runSeed(seed).failure).toBeNull(), PATIENCE_MS)
})

describe('the checker is checked: a planted mistake is found', () => {
  test.each(MISTAKES)(
    '%s',
    (mistake) => {
      let seed = 1
      while (seed <= FOUND_WITHIN[mistake] && runSeed(seed, { mistake }).failure === null) seed++
      expect(seed).toBeLessThanOrEqual(FOUND_WITHIN[mistake])
    },
    PATIENCE_MS,
  )
})
