// Runs seeded worlds of raft clusters. One seed is one history, byte for byte.
//
//   scripts/sim --seed 17              its trace in fixed columns, then what became of it
//   scripts/sim --seeds 1..2000        a range: each failing seed, then totals, faults injected by kind, events a second
//   … --mistake ack-before-sync        with a planted mistake, which should be found; stops at the first seed that does
//
// Columns: virtual ms, replica, role, term, commit, applied and last index, event.

import { parseArgs } from 'node:util'
import { type Outcome, runSeed } from '../test/sim/raft/run.ts'
import { isMistake, type Mistake, MISTAKES } from '../test/sim/raft/swarm.ts'

function stop(why: string): never {
  console.error(why)
  process.exit(2)
}

const { values } = parseArgs({
  options: { seed: { type: 'string' }, seeds: { type: 'string' }, mistake: { type: 'string' } },
})

function mistakeOf(name: string | undefined): { mistake?: Mistake } {
  if (name === undefined) return {}
  return isMistake(name) ? { mistake: name } : stop(`--mistake is one of: ${MISTAKES.join(' ')}`)
}

const planted = mistakeOf(values.mistake)

function runOne(seed: number): never {
  const outcome = runSeed(seed, { ...planted, print: (line) => console.log(line) })
  console.log(`\nseed ${seed}: ${outcome.failure ?? 'good'}`)
  console.log(totals([outcome]))
  process.exit(outcome.failure === null ? 0 : 1)
}

function runRange(from: number, to: number): never {
  const started = performance.now()
  const outcomes: Outcome[] = []
  for (let seed = from; seed <= to; seed++) {
    const outcome = runSeed(seed, planted)
    outcomes.push(outcome)
    if (outcome.failure === null) continue
    console.log(`seed ${seed}: ${outcome.failure}`)
    if (planted.mistake !== undefined) break
  }
  const failures = outcomes.filter(({ failure }) => failure !== null).length
  const seconds = (performance.now() - started) / 1000
  const events = outcomes.reduce((sum, outcome) => sum + outcome.events, 0)
  console.log(totals(outcomes))
  console.log(
    `${outcomes.length} seeds, ${failures} failed, ${seconds.toFixed(1)} s, ${Math.round(events / seconds)} events a second`,
  )
  process.exit(failures === 0 ? 0 : 1)
}

function totals(outcomes: readonly Outcome[]): string {
  const faults = new Map<string, number>()
  for (const outcome of outcomes)
    for (const [fault, count] of outcome.faults) faults.set(fault, (faults.get(fault) ?? 0) + count)
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0)
  return [
    `events ${sum((it) => it.events)}  elections ${sum((it) => it.elections)}  committed ${sum((it) => it.committed)}  ` +
      `writes acknowledged ${sum((it) => it.written)}, unknown ${sum((it) => it.unknown)}  reads ${sum((it) => it.reads)}`,
    `faults ${[...faults].map(([fault, count]) => `${fault} ${count}`).join(', ')}`,
  ].join('\n')
}

const range = /^(\d+)\.\.(\d+)$/.exec(values.seeds ?? '')
if (values.seed !== undefined && /^\d+$/.test(values.seed)) runOne(Number(values.seed))
if (range === null) stop('usage: scripts/sim --seed N | --seeds A..B [--mistake NAME]')
runRange(Number(range[1]), Number(range[2]))
