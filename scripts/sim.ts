// Runs seeded worlds: raft clusters, with `--world quorum` brokers' metadata on all that a broker runs, with `--world group`
// consumer groups. One seed is one history, byte for byte.
//
//   scripts/sim --seed 17              its trace in fixed columns, then what became of it
//   scripts/sim --seeds 1..2000        a range: each failing seed, then totals, faults injected by kind, events a second
//   … --mistake ack-before-sync        with a planted mistake, which should be found; stops at the first seed that does
//
// Columns: virtual ms, replica, role, term, commit, applied and last index, event; of groups virtual ms and event.

import { parseArgs } from 'node:util'
import * as group from '../test/sim/group/run.ts'
import * as quorum from '../test/sim/quorum/quorum.ts'
import * as raft from '../test/sim/raft/run.ts'
import { isMistake, MISTAKES } from '../test/sim/raft/swarm.ts'

interface Outcome {
  readonly failure: string | null
  readonly events: number
  readonly faults: ReadonlyMap<string, number>
}

interface World<Of extends Outcome> {
  readonly mistakes: readonly string[]
  readonly run: (seed: number, mistake: string | undefined, print: ((line: string) => void) | undefined) => Of
  readonly counts: (sum: (of: (outcome: Of) => number) => number) => string
}

const RAFT: World<raft.Outcome> = {
  mistakes: MISTAKES,
  run: (seed, mistake, print) => {
    const planted = mistake !== undefined && isMistake(mistake) ? { mistake } : {}
    return raft.runSeed(seed, { ...planted, ...(print === undefined ? {} : { print }) })
  },
  counts: (sum) =>
    `events ${sum((it) => it.events)}  elections ${sum((it) => it.elections)}  committed ${sum((it) => it.committed)}  ` +
    `writes acknowledged ${sum((it) => it.written)}, unknown ${sum((it) => it.unknown)}  reads ${sum((it) => it.reads)}`,
}

const GROUP: World<group.Outcome> = {
  mistakes: group.MISTAKES,
  run: (seed, mistake, print) => {
    const planted = mistake !== undefined && group.isMistake(mistake) ? { mistake } : {}
    return group.runSeed(seed, { ...planted, ...(print === undefined ? {} : { print }) })
  },
  counts: (sum) =>
    `events ${sum((it) => it.events)}  records ${sum((it) => it.records)}  ` +
    `commits acknowledged ${sum((it) => it.commits)}  refusals ${sum((it) => it.refusals)}`,
}

const QUORUM: World<quorum.Outcome> = {
  mistakes: quorum.MISTAKES,
  run: (seed, mistake, print) => {
    const planted = mistake !== undefined && quorum.isMistake(mistake) ? { mistake } : {}
    return quorum.runQuorum(seed, { ...planted, ...(print === undefined ? {} : { print }) })
  },
  counts: (sum) =>
    `events ${sum((it) => it.events)}  elections ${sum((it) => it.elections)}  committed ${sum((it) => it.committed)}  ` +
    `acknowledged ${sum((it) => it.acknowledged)}, ${sum((it) => it.unwritten)} of them unwritten, unknown ${sum((it) => it.unknown)}`,
}

function stop(why: string): never {
  console.error(why)
  process.exit(2)
}

const { values } = parseArgs({
  options: {
    world: { type: 'string', default: 'raft' },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    mistake: { type: 'string' },
  },
})

function runOne<Of extends Outcome>(world: World<Of>, seed: number): never {
  const outcome = world.run(seed, values.mistake, (line) => console.log(line))
  console.log(`\nseed ${seed}: ${outcome.failure ?? 'good'}`)
  console.log(totals(world, [outcome]))
  process.exit(outcome.failure === null ? 0 : 1)
}

function runRange<Of extends Outcome>(world: World<Of>, from: number, to: number): never {
  const started = performance.now()
  const outcomes: Of[] = []
  for (let seed = from; seed <= to; seed++) {
    const outcome = world.run(seed, values.mistake, undefined)
    outcomes.push(outcome)
    if (outcome.failure === null) continue
    console.log(`seed ${seed}: ${outcome.failure}`)
    if (values.mistake !== undefined) break
  }
  const failures = outcomes.filter(({ failure }) => failure !== null).length
  const seconds = (performance.now() - started) / 1000
  const events = outcomes.reduce((sum, outcome) => sum + outcome.events, 0)
  console.log(totals(world, outcomes))
  console.log(
    `${outcomes.length} seeds, ${failures} failed, ${seconds.toFixed(1)} s, ${Math.round(events / seconds)} events a second`,
  )
  process.exit(failures === 0 ? 0 : 1)
}

function totals<Of extends Outcome>(world: World<Of>, outcomes: readonly Of[]): string {
  const faults = new Map<string, number>()
  for (const outcome of outcomes)
    for (const [fault, count] of outcome.faults) faults.set(fault, (faults.get(fault) ?? 0) + count)
  const counts = world.counts((of) => outcomes.reduce((total, outcome) => total + of(outcome), 0))
  return `${counts}\nfaults ${[...faults].map(([fault, count]) => `${fault} ${count}`).join(', ')}`
}

function runIn<Of extends Outcome>(world: World<Of>): never {
  if (values.mistake !== undefined && !world.mistakes.includes(values.mistake)) {
    stop(`--mistake is one of: ${world.mistakes.join(' ')}`)
  }
  const range = /^(\d+)\.\.(\d+)$/.exec(values.seeds ?? '')
  if (values.seed !== undefined && /^\d+$/.test(values.seed)) runOne(world, Number(values.seed))
  if (range === null) stop('usage: scripts/sim [--world raft|quorum|group] --seed N | --seeds A..B [--mistake NAME]')
  runRange(world, Number(range[1]), Number(range[2]))
}

if (values.world === 'group') runIn(GROUP)
if (values.world === 'quorum') runIn(QUORUM)
if (values.world !== 'raft') stop('--world is one of: raft quorum group')
runIn(RAFT)
