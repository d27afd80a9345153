// Whole metadata quorums under faults, on the code that a broker runs. More of them: `scripts/sim --world quorum --seeds 1..5000`;
// one with its trace: `--seed 17`.

import { expect, test } from 'bun:test'
import { type Mistake, runQuorum } from './quorum.ts'
import { FAULTS } from './swarm.ts'

const SEEDS = 200
const TIMEOUT_MS = 120_000

test(
  'quorums keep every promise and come back to life',
  () => {
    const failures: string[] = []
    const faults = new Set<string>()
    let acknowledged = 0
    let elections = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = runQuorum(seed)
      if (outcome.failure !== null) failures.push(`${seed}: ${outcome.failure}`)
      for (const fault of outcome.faults.keys()) faults.add(fault)
      acknowledged += outcome.acknowledged
      elections += outcome.elections
    }
    expect(failures).toEqual([])
    expect(FAULTS.filter((fault) => !faults.has(fault))).toEqual([])
    expect(acknowledged).toBeGreaterThan(20 * SEEDS)
    expect(elections).toBeGreaterThan(SEEDS)
  },
  TIMEOUT_MS,
)

test('one seed is one history', () => {
  let told = 0
  for (const seed of [3, 5, 9, 12]) {
    const lines: string[][] = [[], []]
    const [first, second] = lines.map((into) => runQuorum(seed, { print: (line) => into.push(line) }))
    expect(second).toEqual(first!)
    expect(lines[1]).toEqual(lines[0]!)
    told += lines[0]!.length
  }
  expect(told).toBeGreaterThan(50)
})

/** From seed 1 on, how many go by at most before it is noticed. The rest of the state machine's are found in test/sim/raft. */
const FOUND_WITHIN: Partial<Record<Mistake, number>> = {
  'lying-disk': 5,
  'apply-before-commit': 20,
  'vote-twice': 40,
  unconfirmed: 200,
}

test.each(Object.entries(FOUND_WITHIN))(
  'a planted mistake is found: %s',
  (mistake, within) => {
    let seed = 1
    while (seed <= within && runQuorum(seed, { mistake: mistake as Mistake }).failure === null) seed++
    expect(seed).toBeLessThanOrEqual(within)
  },
  TIMEOUT_MS,
)
