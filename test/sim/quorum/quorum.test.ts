// Whole metadata quorums under faults, on the code that a broker runs. NARU_QUORUM_SEEDS=1..5000 runs so many seeds in place
// of a few; one alone is printed.

import { expect, test } from 'bun:test'
import { type Mistake, runQuorum } from './quorum.ts'
import { FAULTS } from './swarm.ts'

const [FIRST, LAST] = seedsOf(process.env['NARU_QUORUM_SEEDS'] ?? '1..200')
const TIMEOUT_MS = 60_000 + (LAST - FIRST) * 500

function seedsOf(text: string): [number, number] {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text)
  if (match === null) throw new Error('NARU_QUORUM_SEEDS is a seed, or a range like 1..500')
  return [Number(match[1]), Number(match[2] ?? match[1])]
}

test(
  'quorums keep every promise and come back to life',
  () => {
    const print = FIRST === LAST ? { print: (line: string) => console.log(line) } : {}
    const failures: string[] = []
    const faults = new Map<string, number>()
    const sums = { acknowledged: 0, unwritten: 0, unknown: 0, elections: 0, committed: 0, events: 0 }
    for (let seed = FIRST; seed <= LAST; seed++) {
      const outcome = runQuorum(seed, print)
      if (outcome.failure !== null) failures.push(`${seed}: ${outcome.failure}`)
      for (const [fault, count] of outcome.faults) faults.set(fault, (faults.get(fault) ?? 0) + count)
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += outcome[key]
    }
    if (process.env['NARU_QUORUM_SEEDS'] !== undefined) console.log(sums, faults)
    expect(failures).toEqual([])
    if (FIRST === LAST) return
    expect(FAULTS.filter((fault) => !faults.has(fault))).toEqual([])
    expect(sums.acknowledged).toBeGreaterThan((LAST - FIRST) * 20)
    expect(sums.elections).toBeGreaterThan(LAST - FIRST)
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
