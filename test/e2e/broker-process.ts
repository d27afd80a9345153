// The compiled broker as a process of its own: started on a data folder, spoken to over HTTP, ended by signal. It takes a
// port of its own choosing, so any number may run side by side; what it printed is kept for the report of a failure.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const REPOSITORY = join(import.meta.dir, '../..')
const READY_MS_MAX = 20_000
const OUTPUT_CHARS_KEPT = 20_000

export interface BrokerStart {
  data: string
  flags?: readonly string[]
  /** Pin to this core, where `taskset` is present. */
  core?: number
  readyMs?: number
}

export class BrokerProcess {
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  #output = ''
  #port = 0
  #portKnown: () => void = () => {}

  private constructor(command: readonly string[]) {
    this.#child = Bun.spawn([...command], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
    void this.#keep(this.#child.stdout)
    void this.#keep(this.#child.stderr)
  }

  /** Resolves once the broker says it is ready. */
  static async start(start: BrokerStart): Promise<BrokerProcess> {
    const broker = BrokerProcess.spawn(start)
    try {
      await broker.ready(start.readyMs)
      return broker
    } catch (error) {
      await broker.kill()
      throw error
    }
  }

  /** Does not wait: for brokers that are to be killed, or to refuse, while they start. */
  static spawn({ data, flags = [], core }: BrokerStart): BrokerProcess {
    const pinned = core !== undefined && Bun.which('taskset') !== null ? ['taskset', '-c', String(core)] : []
    return new BrokerProcess([...pinned, binaryPath(), 'serve', '--data', data, '--port', '0', ...flags])
  }

  get pid(): number {
    return this.#child.pid
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** What it printed on both outputs, the last of it. */
  get output(): string {
    return this.#output
  }

  get exited(): Promise<number> {
    return this.#child.exited
  }

  async ready(readyMs = READY_MS_MAX): Promise<void> {
    const deadline = Date.now() + readyMs
    const known = new Promise<void>((resolve) => {
      this.#portKnown = resolve
      if (this.#port > 0) resolve()
    })
    const gone = this.exited.then((code) => {
      throw new Error(`the broker exited with ${code} before it was ready:\n${this.#output}`)
    })
    gone.catch(() => {})
    await Promise.race([known, gone, failAt(deadline, () => `no port within ${readyMs} ms:\n${this.#output}`)])
    const answers = until(deadline, async () => (await fetch(`${this.url}/readyz`)).ok)
    await Promise.race([answers, gone, failAt(deadline, () => `not ready within ${readyMs} ms:\n${this.#output}`)])
  }

  /** SIGKILL: nothing in it gets to run again. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#child.exited
  }

  /** SIGTERM, and its exit code. */
  async stop(withinMs = READY_MS_MAX): Promise<number> {
    this.#child.kill('SIGTERM')
    const late = failAt(Date.now() + withinMs, () => `still running ${withinMs} ms after SIGTERM:\n${this.#output}`)
    return Promise.race([this.#child.exited, late])
  }

  /** A request whose success is taken for granted; returns the parsed answer. */
  async call<Answer = unknown>(method: string, path: string, body?: unknown): Promise<Answer> {
    const init: RequestInit = { method }
    if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { 'content-type': 'application/json' }
    }
    const response = await fetch(this.url + path, init)
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? null : JSON.parse(text)) as Answer
  }

  async #keep(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      this.#output = (this.#output + decoder.decode(chunk, { stream: true })).slice(-OUTPUT_CHARS_KEPT)
      if (this.#port === 0) this.#findPort()
    }
  }

  /** From the line that says where it listens, in either log format. */
  #findPort(): void {
    const found = /https?:\/\/[^\s"/]*:(\d+)/.exec(this.#output) ?? /"?port"?[=:]\s*(\d+)/.exec(this.#output)
    if (found === null || Number(found[1]) === 0) return
    this.#port = Number(found[1])
    this.#portKnown()
  }
}

export function binaryPath(): string {
  const path = process.env['NARU_BINARY'] ?? join(REPOSITORY, 'dist/naru')
  if (!existsSync(path)) throw new Error(`no executable at ${path}: run scripts/build first, or set NARU_BINARY`)
  return path
}

/** An empty folder for one test, and what removes it. */
export function scratchFolder(name: string): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), `naru-${name}-`))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Asks again until it is true; an error counts as not yet. */
export async function until(deadline: number, probe: () => Promise<boolean>, everyMs = 10): Promise<void> {
  for (;;) {
    if (await probe().catch(() => false)) return
    if (Date.now() > deadline) throw new Error(`not so before the deadline: ${probe.toString()}`)
    await Bun.sleep(everyMs)
  }
}

function failAt(deadline: number, message: () => string): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(message())), deadline - Date.now())
    timer.unref()
  })
}
