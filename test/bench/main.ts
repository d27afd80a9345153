// scripts/bench: every path of the broker beside a server that does only the unavoidable, in one run.
//
// The compiled binary and the floors share core 0, the load has core 1. Variants of a path are interleaved in rounds and
// reported as medians, so a ratio holds although absolute figures drift. A target missed is shown, and fails the run only
// with --strict; anything that goes wrong fails it always.

import { cpus, freemem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { binaryPath, type BrokerProcess, scratchFolder } from '../e2e/broker-process.ts'
import type { BenchWorld, Row } from './bench-world.ts'
import { client } from './client-paths.ts'
import type { Pace } from './comparison.ts'
import { touchMemory } from './disk-floor.ts'
import { jsonFetch, storedFetch } from './fetch-paths.ts'
import { groupRestart, groups, idleGroups } from './group-paths.ts'
import { ceiling } from './load-ceiling.ts'
import { batches, jsonProduce, manyPartitions, singlePosts } from './produce-paths.ts'
import { idleSubscribers } from './push-idle.ts'
import { push } from './push-paths.ts'
import { parkedPolls, recovery, startOfManySegments, memory, upload } from './reported.ts'
import { Metrics, type Floors, startBroker, startFloors } from './servers.ts'
import { printRows } from './table.ts'

const PATHS: Record<string, (world: BenchWorld) => Promise<Row[]>> = {
  ceiling,
  single: singlePosts,
  batches,
  'json-produce': jsonProduce,
  'json-fetch': jsonFetch,
  stored: storedFetch,
  partitions: manyPartitions,
  push,
  client,
  groups,
}
/** Figures without a floor. They start brokers of their own and take their time, so the short form leaves them out. */
const REPORTED: Record<string, (short: boolean) => Promise<string[]>> = {
  start: startOfManySegments,
  recovery,
  memory,
  polls: parkedPolls,
  subscribers: idleSubscribers,
  'idle-groups': idleGroups,
  'group-restart': groupRestart,
  upload,
}
const HELP = `scripts/bench [--short] [--only NAME[,NAME]] [--seconds S] [--rounds N] [--data DIR] [--strict]

  --short      slices of 0.25 s, 3 rounds, no reported figures: under a minute
  --only       of: ${[...Object.keys(PATHS), ...Object.keys(REPORTED), 'cpu'].join(' ')}
  --seconds    length of a slice (2)
  --rounds     slices of each variant, of which the median counts (5)
  --data       where data folders are made: must be on the disk to be measured (the system's temporary folder)
  --strict     exit 1 when a target is missed
  NARU_BINARY  the executable to measure (dist/naru)`

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    data: { type: 'string' },
    strict: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}
if (options.data !== undefined) process.env['TMPDIR'] = options.data

const seconds = Number(options.seconds ?? (options.short ? 0.25 : 2))
const pace: Pace = {
  seconds,
  warmSeconds: options.short ? 0.6 : 1.5,
  rounds: Number(options.rounds ?? (options.short ? 3 : 5)),
}
const chosen = options.only?.split(',')
for (const name of chosen ?? []) {
  if (!(name in PATHS) && !(name in REPORTED) && name !== 'cpu') {
    console.error(`no path ${name}; there are ${[...Object.keys(PATHS), ...Object.keys(REPORTED), 'cpu'].join(' ')}`)
    process.exit(2)
  }
}

const TOUCH_BYTES_MAX = 3e9

describeMachine()
let failed = false
const paths = Object.entries(PATHS).filter(([name]) => chosen?.includes(name) ?? name !== 'ceiling')
if (paths.length > 0) failed = await runPaths(paths)
const reported = Object.entries(REPORTED).filter(([name]) => chosen?.includes(name) ?? !options.short)
for (const [name, run] of reported)
  for (const line of await run(options.short)) console.log(`${name.padEnd(10)} ${line}`)
if (chosen?.includes('cpu') ?? !options.short) await runCpu()
process.exit(failed && options.strict ? 1 : 0)

async function runPaths(
  chosenPaths: readonly (readonly [string, (world: BenchWorld) => Promise<Row[]>])[],
): Promise<boolean> {
  const scratch = scratchFolder('bench')
  let broker: BrokerProcess | null = null
  let floors: Floors | null = null
  let missed = false
  try {
    if (!options.short) touchMemory(Math.min(TOUCH_BYTES_MAX, freemem() / 2))
    floors = await startFloors()
    broker = await startBroker(scratch.folder)
    const before = await Metrics.scrape(broker)
    for (const [, run] of chosenPaths)
      missed = printRows(await run({ broker, floors, folder: scratch.folder, pace })) || missed
    const lag = Metrics.quantileBetween('naru_loop_lag_seconds', 0.99, before, await Metrics.scrape(broker))
    console.log(`loop lag p99 throughout: at most ${(lag * 1000).toFixed(1)} ms (bucket bound)`)
  } catch (error) {
    console.error(broker?.output ?? '')
    throw error
  } finally {
    await floors?.stop()
    await broker?.kill()
    scratch.remove()
  }
  return missed
}

/** Processor time of the JSON paths against JSON.parse and JSON.stringify, in this process: no sockets. */
async function runCpu(): Promise<void> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'json.ts')], {
    stdout: 'inherit',
    stderr: 'inherit',
  })
  if ((await child.exited) !== 0) throw new Error('test/bench/json.ts failed')
}

function describeMachine(): void {
  const fileSystem = Bun.spawnSync(['stat', '-f', '-c', '%T', process.env['TMPDIR'] ?? '/tmp'])
    .stdout.toString()
    .trim()
  const version = Bun.spawnSync([binaryPath(), '--version']).stdout.toString().trim()
  console.log(`${version} · Bun ${Bun.version} · ${cpus().length} × ${cpus()[0]?.model ?? '?'} · data on ${fileSystem}`)
  console.log(
    `slices of ${pace.seconds} s, ${pace.rounds} rounds, medians; ratios are what holds, absolute figures drift\n`,
  )
}
