// scripts/soak: the long forms of what the end-to-end tests run briefly.

import { parseArgs } from 'node:util'
import { runCrashes } from './soak/crash-run.ts'
import { runFailovers } from './soak/failover-run.ts'
import { runGroupChurn } from './soak/group-run.ts'

const HELP = `scripts/soak [--rounds N] [--seed S] [--up MS] [--groups SECONDS] [--failovers N]

  --rounds     how often the broker is killed under load (50)
  --seed       repeats a run's choices (random; timing is the machine's)
  --up         longest time between start and kill (1500)
  --groups     instead: so long 200 members join, leave and die over 64 partitions, at least once and then at most once
  --failovers  instead: how often three brokers lose their controller, killed or held up
  NARU_BINARY  the executable to kill (dist/naru)`

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string' },
    up: { type: 'string', default: '1500' },
    groups: { type: 'string' },
    failovers: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}

const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 32))
if (options.groups !== undefined) {
  for (const delivery of ['at-least-once', 'at-most-once'] as const) {
    const figures = await runGroupChurn({
      seed,
      members: 200,
      partitions: 64,
      churnMs: Number(options.groups) * 1_000,
      delivery,
      kill: true,
      report: (line) => console.log(line),
    })
    console.log(`${delivery}: ${JSON.stringify(figures)}`)
  }
  process.exit(0)
}
if (options.failovers !== undefined) {
  const { medianMs, slowestMs, topics } = await runFailovers({
    rounds: Number(options.failovers),
    report: (line) => console.log(line),
  })
  console.log(
    `${options.failovers} rounds: another decided after ${medianMs.toFixed(0)} ms (median), ${slowestMs.toFixed(0)} ms at most; ` +
      `${topics} topics committed, all listed by every broker`,
  )
  process.exit(0)
}
const figures = await runCrashes({
  rounds: Number(options.rounds),
  seed,
  upMsMax: Number(options.up),
  report: (line) => console.log(line),
})
console.log(
  `${figures.kills} kills in ${figures.rounds} rounds: ${figures.acked} records acknowledged, all read back once and in order; ` +
    `${figures.records} in the log`,
)
process.exit(0)
