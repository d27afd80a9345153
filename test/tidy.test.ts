// The rules of the house that no compiler or linter knows. Each message names what to do instead.

import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { breachesOf, drawing, tableFaults } from '../scripts/floors.ts'

const ROOT = join(import.meta.dir, '..')
const TOP_LEVEL = [
  ...['LICENSE', 'README.md', 'bun.lock', 'bunfig.toml', 'openapi', 'package.json', 'scripts', 'src', 'test'],
  'tsconfig.json',
]
const LINE_CHARS_MAX = 140
const FILE_LINES_MAX = 450
/** Longer because it is one thought. */
const LONG_FILES: Record<string, string> = {
  'src/core/raft/raft.ts': 'the quorum’s state machine; what only a leader has is already apart',
}
const MODEL_FROM_LINES = 30

const tracked = Bun.spawnSync(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  .stdout.toString()
  .split('\n')
  .filter((path) => path !== '' && existing(path))
const sources = tracked.filter((path) => /^(src|test|scripts)\/.*\.ts$/.test(path))

function existing(path: string): boolean {
  return Bun.file(join(ROOT, path)).size > 0
}

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

interface Rule {
  name: string
  instead: string
  breaks: (path: string, text: string) => boolean
}

/** Code without its comments and strings. */
function codeOf(text: string): string {
  return text
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/\/\/.*$/gm, '')
    .replace(/\/\*[\s\S]*?\*\//g, '')
}

const PLATFORM =
  /\b(Bun|process|console|setTimeout|setInterval|setImmediate|queueMicrotask|performance|crypto|fetch)\b\s*[.(]|\bDate\.now|\bnew Date\b|\bMath\.random/

const RULES: readonly Rule[] = [
  {
    name: 'long line',
    instead: `break it below ${LINE_CHARS_MAX} characters`,
    breaks: (path, text) => !path.startsWith('test/') && text.split('\n').some((line) => line.length > LINE_CHARS_MAX),
  },
  {
    name: 'long file',
    instead: `split it by noun below ${FILE_LINES_MAX} lines, or give its reason in LONG_FILES`,
    breaks: (path, text) => text.split('\n').length > FILE_LINES_MAX && !(path in LONG_FILES),
  },
  {
    name: 'drawer for everything',
    instead: 'name the file after the noun in it',
    breaks: (path) => /(^|\/)(utils?|helpers?|types?|common|misc|shared)(\.test)?(\.ts|\/)/.test(path),
  },
  {
    name: 'no model',
    instead: 'open the file with what it is, what it guarantees, what it leaves to others',
    breaks: (path, text) =>
      path.startsWith('src/') &&
      !path.endsWith('/index.ts') &&
      text.split('\n').length > MODEL_FROM_LINES &&
      !/^\/[/*]/.test(text),
  },
  {
    name: 'reminder left behind',
    instead: 'do it, or open an issue',
    breaks: (path, text) => path !== 'test/tidy.test.ts' && /\b(TODO|FIXME|XXX|HACK)\b/.test(text),
  },
  {
    name: 'checker switched off',
    instead: 'fix what it found',
    // What is generated is not held to settings of ours, which scripts/client.ts writes into it.
    breaks: (path, text) =>
      path !== 'test/tidy.test.ts' &&
      path !== 'scripts/client.ts' &&
      /@ts-(ignore|expect-error|nocheck)|(ox|es)lint-disable/.test(text),
  },
  {
    name: 'platform in the core',
    instead: 'ask a port (src/core/ports)',
    breaks: (path, text) => path.startsWith('src/core/') && !path.endsWith('.d.ts') && PLATFORM.test(codeOf(text)),
  },
  {
    name: 'test that runs alone',
    instead: 'take the .only away',
    breaks: (path, text) => path.endsWith('.test.ts') && /\b(test|describe|it)\.only\b/.test(codeOf(text)),
  },
]

describe('every source keeps the rules', () => {
  test.each(RULES.map((rule) => [rule.name, rule] as const))('%s', (_, { instead, breaks }) => {
    const breaking = sources.filter((path) => breaks(path, textOf(path)))
    expect(breaking.map((path) => `${path}: ${instead}`)).toEqual([])
  })

  test('reasons for long files are for files that are long', () => {
    for (const path of Object.keys(LONG_FILES)) expect(textOf(path).split('\n').length).toBeGreaterThan(FILE_LINES_MAX)
  })

  test('the rules themselves find what they look for', () => {
    const planted: Record<string, [string, string]> = {
      'long line': ['src/a.ts', 'x'.repeat(LINE_CHARS_MAX + 1)],
      'long file': ['src/a.ts', '\n'.repeat(FILE_LINES_MAX)],
      'drawer for everything': ['src/core/log/utils.ts', ''],
      'no model': ['src/a.ts', 'let x\n'.repeat(MODEL_FROM_LINES)],
      'reminder left behind': ['src/a.ts', '// TODO more'],
      'checker switched off': ['src/a.ts', '// @ts-ignore'],
      'platform in the core': ['src/core/a.ts', 'const now = Date.now()'],
      'test that runs alone': ['test/a.test.ts', 'test.only(name, run)'],
    }
    for (const { name, breaks } of RULES) expect(breaks(...planted[name]!), name).toBe(true)
    const platform = RULES.find(({ name }) => name === 'platform in the core')!
    expect(platform.breaks('src/core/a.ts', "// Date.now()\nconst a = 'Date.now()'")).toBe(false)
  })
})

describe('floors', () => {
  const src = sources.filter((path) => path.startsWith('src/') && !path.endsWith('.d.ts'))

  test('no import leaves its floor, its door or its packages', () => {
    const breaches = src.flatMap((path) => breachesOf(path.slice('src/'.length), textOf(path)))
    expect(breaches).toEqual([])
  })

  test('the table only points down', () => {
    expect(tableFaults()).toEqual([])
    expect(tableFaults([{ a: { enters: [] }, b: { enters: ['a'] } }])).toEqual([
      'b may not list a: it is no lower floor',
    ])
  })

  test.each([
    ['core/log/log.ts', "import type { Broker } from '../broker/index.ts'", 'may not enter core/broker'],
    ['core/log/log.ts', "import { readRecord } from '../record/record.ts'", 'by its door'],
    ['core/log/log.ts', "export { readFileSync } from 'node:fs'", 'may not use node'],
    ['core/broker/fetch.ts', "const { Hono } = await import('hono')", 'may not use hono'],
    ['edge/wire/problem.ts', "import { serve } from '../http/index.ts'", 'may not enter edge/http'],
    ['edge/http/app.ts', "import 'prom-client'", 'may not use prom-client'],
    ['core/thing/thing.ts', '', 'in no room'],
  ])('%s: %s', (path, source, problem) => {
    expect(breachesOf(path, source).map((breach) => breach.problem)).toEqual([expect.stringContaining(problem)])
  })

  test('an import within the room, or through a door below, is fine', () => {
    expect(
      breachesOf('core/log/log.ts', "import { a } from './segment.ts'\nimport { b } from '../base/index.ts'"),
    ).toEqual([])
    expect(breachesOf('main.ts', "import { run } from './edge/cli/index.ts'")).toEqual([])
  })

  test('the README shows the floors as they are', () => {
    expect(textOf('README.md')).toContain(`<!-- floors -->\n\`\`\`\n${drawing()}\n\`\`\`\n<!-- /floors -->`)
  })
})

test('the top level holds what it should and no more', () => {
  const entries = new Set(tracked.map((path) => path.split('/')[0]!).filter((name) => !name.startsWith('.')))
  expect([...entries].sort()).toEqual(TOP_LEVEL)
})

test('every file of src is in a door or reached by one', () => {
  const folders = new Set(
    sources
      .filter((path) => /^src\/(core|edge)\/\w+\//.test(path))
      .map((path) => path.split('/').slice(0, 3).join('/')),
  )
  for (const folder of folders)
    expect([...new Glob('index.ts').scanSync(join(ROOT, folder))], folder).toEqual(['index.ts'])
})

test('no large file is committed', () => {
  for (const path of tracked) expect(Bun.file(join(ROOT, path)).size, path).toBeLessThan(1024 * 1024)
})
