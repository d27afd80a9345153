// Whole brokers under power loss: no promise to a client is broken, whatever the disk call at which a life ends.
//
//   NARU_BROKER_LIVES=1..5000 bun test test/sim/broker     so many seeds, in place of a few
//   NARU_BROKER_LIVES=17 …                                 one, with its trace

import { describe, expect, test } from 'bun:test'
import { allKept, allLost, randomOutcome } from '../disk.ts'
import { SimRandom } from '../random.ts'
import { runLives } from './lives.ts'

const [FIRST, LAST] = seedsOf(process.env.NARU_BROKER_LIVES ?? '1..120')
const TIMEOUT_MS = 60_000 + (LAST - FIRST) * 500
const SHORT = { lives: 3, steps: 8 }

function seedsOf(text: string): [number, number] {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text)
  if (match === null) throw new Error('NARU_BROKER_LIVES is a seed, or a range like 1..500')
  return [Number(match[1]), Number(match[2] ?? match[1])]
}

test(
  'lives that end anywhere',
  () => {
    const print = FIRST === LAST ? { print: (line: string) => console.log(line) } : {}
    const failures: string[] = []
    let acknowledged = 0
    for (let seed = FIRST; seed <= LAST; seed++) {
      const report = runLives(seed, { ...SHORT, ...print })
      if (report.failure !== null) failures.push(`${seed}: ${report.failure}`)
      acknowledged += report.acknowledged
    }
    expect(failures).toEqual([])
    expect(acknowledged).toBeGreaterThan((LAST - FIRST) * 20)
  },
  TIMEOUT_MS,
)

describe.each([
  ['as it is', false],
  ['behind the shared journal', true],
])('on the disk %s, a short life that ends at every disk call', (_, isJournaled) => {
  /** In which every client has its turns, and topics are created, changed, grown, trimmed and deleted. */
  const seed = 31
  const short = { lives: 1, senders: 4, steps: 5, isJournaled }
  const { calls } = runLives(seed, { ...short, dieAt: Infinity })

  test.each([
    ['what was not synced is lost', () => allLost],
    [
      'it is kept, torn, or all there since only the process ended',
      (dieAt: number) => [allKept, randomOutcome(new SimRandom(dieAt, 'power')), 'killed' as const][dieAt % 3]!,
    ],
  ])(
    '%s',
    (_name, ending) => {
      expect(calls).toBeGreaterThan(200)
      for (let dieAt = 1; dieAt <= calls; dieAt++) {
        const { failure } = runLives(seed, { ...short, dieAt, ending: ending(dieAt) })
        expect(failure === null ? null : `at call ${dieAt}: ${failure}`).toBeNull()
      }
    },
    TIMEOUT_MS,
  )
})

describe('a planted fault is found', () => {
  test.each([
    ['sync', false],
    ['sync', true],
    ['sync-folder', false],
    ['sync-folder', true],
  ] as const)(
    'acknowledgements before a %s that does nothing; behind the journal: %p',
    (lies, isJournaled) => {
      const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
      const found = seeds.filter((seed) => runLives(seed, { ...SHORT, lies, isJournaled }).failure !== null)
      expect(found.length).toBeGreaterThanOrEqual(4)
    },
    TIMEOUT_MS,
  )
})

test('one seed is one history', () => {
  const seeds = [1, 2, 3, 4]
  const prints = seeds.map((seed) => runLives(seed, SHORT).fingerprint)
  expect(seeds.map((seed) => runLives(seed, SHORT).fingerprint)).toEqual(prints)
  expect(new Set(prints).size).toBe(4)
})
