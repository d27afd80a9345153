// The two servers side by side on core 0: the broker under test and the floors it is measured against. Beside starting
// them, what can be read of a running one: processor time, memory, and the broker's own metrics.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess } from '../e2e/broker-process.ts'

export const SERVER_CORE = 0

export interface Server {
  readonly port: number
  readonly pid: number
}

export interface Floors extends Server {
  readonly trivialPort: number
  stop(): Promise<void>
}

export async function startFloors(): Promise<Floors> {
  const pinned = Bun.which('taskset') === null ? [] : ['taskset', '-c', String(SERVER_CORE)]
  const command = [...pinned, process.execPath, join(import.meta.dir, 'floor-server.ts')]
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  let line = ''
  for await (const chunk of child.stdout) {
    line += new TextDecoder().decode(chunk)
    if (line.includes('\n')) break
  }
  const { port, trivialPort } = JSON.parse(line) as { port: number; trivialPort: number }
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await child.exited
  }
  return { port, trivialPort, pid: child.pid, stop }
}

export function startBroker(data: string, flags: readonly string[] = [], readyMs = 60_000): Promise<BrokerProcess> {
  return BrokerProcess.start({ data, flags, core: SERVER_CORE, readyMs })
}

/** Processor time of the process so far, all its threads together. NaN where /proc is not. */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0
  for (const thread of threadsOf(pid)) nanoseconds += Number(procFile(pid, `task/${thread}/schedstat`).split(' ')[0])
  return nanoseconds === 0 ? Number.NaN : nanoseconds / 1e9
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

export function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(procFile(pid, 'status'))?.[1]) * 1024
}

function procFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}

/** Metrics by name with labels, as scraped. */
export class Metrics {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  static async scrape(server: Server): Promise<Metrics> {
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics`)
    return new Metrics(await response.text())
  }

  /** The sum of all series of that name; NaN when there is none. */
  value(name: string): number {
    let sum = Number.NaN
    for (const [, value] of this.#text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))) {
      sum = (Number.isNaN(sum) ? 0 : sum) + Number(value)
    }
    return sum
  }

  /** Mean of what a histogram took in between two scrapes. */
  static meanBetween(name: string, before: Metrics, after: Metrics): number {
    const count = after.value(`${name}_count`) - before.value(`${name}_count`)
    return (after.value(`${name}_sum`) - before.value(`${name}_sum`)) / count
  }

  /** Upper bound of the bucket in which that share of a histogram's observations between two scrapes lies. */
  static quantileBetween(name: string, share: number, before: Metrics, after: Metrics): number {
    const earlier = before.#buckets(name)
    const buckets = [...after.#buckets(name)].map(
      ([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)] as const,
    )
    const total = buckets.at(-1)?.[1] ?? 0
    return buckets.find(([, count]) => total > 0 && count >= total * share)?.[0] ?? Number.NaN
  }

  #buckets(name: string): Map<number, number> {
    const buckets = new Map<number, number>()
    for (const [, bound, count] of this.#text.matchAll(
      new RegExp(`^${name}_bucket\\{[^}]*le="([^"]+)"[^}]*\\} (\\S+)`, 'gm'),
    )) {
      buckets.set(bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), Number(count))
    }
    return buckets
  }
}
