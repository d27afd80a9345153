// All that CI runs, in the order of what fails cheapest: the static checks, the unit tests, then the executable is built and the
// client's, conformance and end-to-end suites run against it. Output is shown for what failed.
//
//   scripts/test            everything           scripts/test --quick    without the executable

import { existsSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dir, '..')
const BINARY = join(ROOT, 'dist/naru')
const PAGE_FOLDER = 'src/edge/console/page'

const SHOWN_CHARS_MAX = 20_000

interface Step {
  name: string
  command: string[]
  env?: Record<string, string>
}

interface Outcome {
  passed: number
  failed: number
}

const tool = (name: string) => join(ROOT, 'node_modules/.bin', name)
const script = (name: string, ...args: string[]) => ['bun', join(ROOT, 'scripts', name), ...args]

const STATIC: readonly Step[] = [
  { name: 'types', command: ['bun', 'check', '--no-script'] },
  { name: 'types of the core, which sees no platform', command: ['bun', 'check', '--no-script', '-p', 'src/core'] },
  { name: 'types of the pages, which see a browser', command: ['bun', 'check', '--no-script', '-p', PAGE_FOLDER] },
  { name: 'lint', command: [tool('oxlint'), '--type-aware'] },
  // emitted documents are laid out by what emits them, prose by who writes it
  {
    name: 'format',
    command: ['bun', 'fmt', '--no-script', '--check', '--ignore-pattern=openapi/**', '--ignore-pattern=*.md'],
  },
  { name: 'floors', command: script('floors.ts') },
  { name: 'unused code', command: [tool('knip')] },
  { name: 'openapi and asyncapi are what the shapes emit', command: script('openapi.ts', '--check') },
  { name: 'the client is what openapi generates', command: script('client.ts', '--check') },
  {
    name: 'openapi and asyncapi lint',
    command: [
      tool('redocly'),
      'lint',
      'openapi/openapi.json',
      'openapi/asyncapi.json',
      '--config',
      'openapi/redocly.yaml',
    ],
    env: { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  },
]

/** Each file in a world of its own; files share the cores. */
const TEST = ['bun', 'test', '--parallel=2', '--only-failures']
/** Brokers under load and crash are slow where cores are few; each test says so itself, this is for the rest. */
const TEST_MS_MAX = '--timeout=20000'

const UNIT: Step = {
  name: 'unit tests',
  command: [...TEST, TEST_MS_MAX, ...testFolders(['core', 'edge', 'sim', 'tidy.test.ts'])],
}
const BUILD: Step = { name: 'build', command: script('build.ts') }
const BUILT: Step = {
  name: 'client, conformance and end to end, on the executable',
  command: [...TEST, TEST_MS_MAX, ...testFolders(['client', 'conformance', 'e2e'])],
  env: { NARU_BINARY: BINARY },
}

function testFolders(names: readonly string[]): string[] {
  return names.filter((name) => existsSync(join(ROOT, 'test', name))).map((name) => `./test/${name}`)
}

async function run({ name, command, env = {} }: Step): Promise<Outcome> {
  const started = performance.now()
  const child = Bun.spawn(command, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  const isTests = command[1] === 'test'
  const counted = isTests ? countOf(out + err) : null
  const ok = code === 0 && (!isTests || (counted !== null && counted.passed > 0))
  const figures = counted === null ? '' : `  ${counted.passed} passed, ${counted.failed} failed`
  console.log(`${ok ? 'ok  ' : 'FAIL'}  ${name}  ${((performance.now() - started) / 1000).toFixed(1)} s${figures}`)
  if (!ok) console.log(tailOf(`${out}${err}`))
  if (counted === null) return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
  return ok ? counted : { passed: counted.passed, failed: Math.max(counted.failed, 1) }
}

function tailOf(output: string): string {
  return output.length <= SHOWN_CHARS_MAX ? output.trimEnd() : `…${output.slice(-SHOWN_CHARS_MAX).trimEnd()}`
}

/** From bun's closing lines, ` 12 pass` and ` 0 fail`. */
function countOf(output: string): Outcome | null {
  const plain = Bun.stripANSI(output)
  const passed = /^ *(\d+) pass$/m.exec(plain)
  const failed = /^ *(\d+) fail$/m.exec(plain)
  return passed === null || failed === null ? null : { passed: Number(passed[1]), failed: Number(failed[1]) }
}

/** Two at a time: each uses a core or more. */
async function runAll(steps: readonly Step[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const left = [...steps]
  const lane = async () => {
    for (let step = left.shift(); step !== undefined; step = left.shift()) outcomes.push(await run(step))
  }
  await Promise.all([lane(), lane()])
  return outcomes
}

const outcomes = await runAll(STATIC)
outcomes.push(await run(UNIT))
if (!process.argv.includes('--quick')) {
  const built = await run(BUILD)
  outcomes.push(built)
  if (built.failed === 0) outcomes.push(await run(BUILT))
}
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0)
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
