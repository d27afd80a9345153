// scripts/soak: the long forms of what the end-to-end tests run briefly.

import { parseArgs } from 'node:util'
import { runCrashes } from './soak/crash-run.ts'

const HELP = `scripts/soak [--rounds N] [--seed S] [--up MS]

  --rounds     how often the broker is killed under load (50)
  --seed       repeats a run's choices (random; timing is the machine's)
  --up         longest time between start and kill (1500)
  NARU_BINARY  the executable to kill (dist/naru)`

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string' },
    up: { type: 'string', default: '1500' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}

const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 32))
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
