// The house's floors: which room may enter which. This table is the architecture; think before adding to it.
//
// A room imports from rooms it lists, through their door (`index.ts`; a room of one file is its own door), and packages it lists.
// A list may only name lower floors, so there are no cycles and rooms on one floor do not know each other.
//
//   bun scripts/floors.ts            fails on an import outside the table
//   bun scripts/floors.ts --print    draws the floors        --write   draws them into README.md

import { Glob } from 'bun'
import { join, posix } from 'node:path'

interface Room {
  enters: readonly string[]
  packages?: readonly string[]
}
type Floor = Readonly<Record<string, Room>>

const GROUND = ['core/base', 'core/ports']
/** What a replicated machine needs: the runtime it runs in, and words. */
const MACHINE = ['core/machine', 'core/record', ...GROUND]

/** The HTTP calls that are generated from openapi.json: outside of src, and entered like a package. */
const GENERATED = 'openapi/client'

/** From the ground up. */
const FLOORS: readonly Floor[] = [
  { 'core/base': { enters: [] }, 'core/ports': { enters: [] } },
  { 'core/record': { enters: GROUND } },
  {
    'core/log': { enters: ['core/record', ...GROUND] },
    'core/machine': { enters: ['core/record', ...GROUND] },
    'core/raft': { enters: ['core/record', ...GROUND] },
  },
  {
    'core/cluster': { enters: MACHINE },
    'core/partition': { enters: ['core/log', 'core/record', ...GROUND] },
    'core/group': { enters: MACHINE },
  },
  {
    'core/broker': {
      enters: [
        'core/cluster',
        'core/partition',
        'core/group',
        'core/machine',
        'core/raft',
        'core/log',
        'core/record',
        ...GROUND,
      ],
    },
  },
  {
    'edge/config': { enters: ['core/base', 'core/cluster'], packages: ['zod'] },
    'edge/host': { enters: GROUND, packages: ['bun', 'node', 'prom-client'] },
    'edge/wire': {
      enters: ['core/broker', 'core/cluster', 'core/group', 'core/record', ...GROUND],
      packages: ['node', 'zod', '@hono/zod-openapi'],
    },
    client: { enters: ['core/record', ...GROUND], packages: [GENERATED] },
    'edge/console': { enters: [], packages: ['bun', 'node', 'swagger-ui-dist'] },
  },
  {
    'edge/http': {
      enters: [
        ...['edge/wire', 'edge/config', 'edge/console'],
        ...['core/broker', 'core/cluster', 'core/group', 'core/record', ...GROUND],
      ],
      packages: ['bun', 'node', 'hono', 'zod', '@hono/zod-openapi'],
    },
    'edge/push': { enters: ['edge/wire', 'core/broker', 'core/group', 'core/record', ...GROUND], packages: ['bun'] },
    'edge/peer': { enters: GROUND, packages: ['bun', 'node', 'zod'] },
    'edge/metrics': { enters: ['edge/host', ...GROUND], packages: ['node', 'prom-client'] },
  },
  {
    'edge/cli': {
      enters: [
        ...['client', 'edge/http', 'edge/push', 'edge/peer', 'edge/metrics', 'edge/wire', 'edge/config', 'edge/host'],
        ...['core/broker', 'core/cluster', 'core/log', 'core/record', ...GROUND],
      ],
      packages: ['bun', 'node', 'commander', 'prom-client'],
    },
  },
  { main: { enters: ['edge/cli'], packages: ['node'] } },
]

/** Rooms of `core` see no platform; the line is drawn under the first floor that is not core's. */
const PLATFORM_LINE = '═'.repeat(15)

export interface Breach {
  path: string
  problem: string
}

const ROOMS = new Map(FLOORS.flatMap((floor) => Object.entries(floor)))

/** Faults of the table itself: a room that enters its own floor or one above. */
export function tableFaults(floors: readonly Floor[] = FLOORS): string[] {
  const below = new Set<string>()
  const faults: string[] = []
  for (const floor of floors) {
    for (const [room, { enters }] of Object.entries(floor))
      for (const other of enters)
        if (!below.has(other)) faults.push(`${room} may not list ${other}: it is no lower floor`)
    for (const room of Object.keys(floor)) below.add(room)
  }
  return faults
}

/** Breaches of one source file. `path` is below src, `/`-separated. */
export function breachesOf(path: string, source: string): Breach[] {
  const room = roomOf(path)
  if (room === undefined) return [{ path, problem: 'lies in no room of the table in scripts/floors.ts' }]
  const problems = importsOf(source).map((imported) => problemOf(path, room, imported))
  return problems.filter((problem) => problem !== null).map((problem) => ({ path, problem }))
}

export function drawing(): string {
  const names = FLOORS.map((floor) => Object.keys(floor).join('  '))
  const line = names.findIndex((name) => name.startsWith('edge/'))
  const drawn = names.map((name, i) => `${String(i).padStart(2)}  ${name}`)
  drawn.splice(line, 0, `${PLATFORM_LINE} platform line ${PLATFORM_LINE}`)
  return drawn.reverse().join('\n')
}

function problemOf(path: string, room: string, imported: string): string | null {
  const { enters, packages = [] } = ROOMS.get(room)!
  if (!imported.startsWith('.')) {
    const name = packageOf(imported)
    return packages.includes(name) ? null : `imports ${imported}: ${room} may not use ${name}`
  }
  const target = posix.join(posix.dirname(path), imported)
  const other = roomOf(target)
  if (other === room) return null
  if (other === undefined) return isOutside(target, packages) ? null : `imports ${imported}, outside every room`
  if (!enters.includes(other)) return `imports ${imported}: ${room} may not enter ${other}`
  return isDoor(target, other) ? null : `imports ${imported}: enter ${other} by its door, index.ts`
}

function isOutside(target: string, packages: readonly string[]): boolean {
  return target === '../package.json' || (packages.includes(GENERATED) && target.startsWith(`../${GENERATED}/`))
}

function isDoor(target: string, room: string): boolean {
  return target === `${room}/index.ts` || target === `${room}.ts`
}

function roomOf(path: string): string | undefined {
  const parts = path.replace(/\.ts$/, '').split('/')
  return [parts.slice(0, 2).join('/'), parts[0]!].find((name) => ROOMS.has(name))
}

function packageOf(imported: string): string {
  if (imported.startsWith('node:')) return 'node'
  if (imported === 'bun' || imported.startsWith('bun:')) return 'bun'
  return imported
    .split('/')
    .slice(0, imported.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Types count too, which Bun's own import scanner drops; the formatter makes every import look alike. */
function importsOf(source: string): string[] {
  const code = source.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
  return [...code.matchAll(/\bfrom '([^']+)'|\bimport\(\s*'([^']+)'|^import '([^']+)'/gm)].map(
    (match) => (match[1] ?? match[2] ?? match[3])!,
  )
}

const MARKS = /(<!-- floors -->\n```\n)[\s\S]*?(\n```\n<!-- \/floors -->)/

/** The README with the drawing between its marks. */
export function drawnInto(readme: string): string {
  return readme.replace(MARKS, (_, before: string, after: string) => before + drawing() + after)
}

async function breachesOfTree(src: string): Promise<Breach[]> {
  const paths = [...new Glob('**/*.ts').scanSync(src)].map((path) => path.replaceAll('\\', '/')).sort()
  const sources = paths.filter((path) => !path.endsWith('.d.ts'))
  const each = sources.map(async (path) => breachesOf(path, await Bun.file(join(src, path)).text()))
  return (await Promise.all(each)).flat()
}

if (import.meta.main) {
  const root = join(import.meta.dir, '..')
  if (process.argv.includes('--print')) console.log(drawing())
  else if (process.argv.includes('--write')) {
    const readme = join(root, 'README.md')
    await Bun.write(readme, drawnInto(await Bun.file(readme).text()))
  } else {
    const breaches = await breachesOfTree(join(root, 'src'))
    for (const { path, problem } of breaches) console.error(`src/${path} ${problem}`)
    for (const fault of tableFaults()) console.error(`scripts/floors.ts: ${fault}`)
    if (breaches.length + tableFaults().length > 0) process.exit(1)
  }
}
