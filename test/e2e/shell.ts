// Runs lines of shell as a reader of the documentation would paste them.

const SCRIPT_MS_MAX = 60_000

export interface ShellResult {
  code: number
  out: string
  err: string
}

export class ShellRun {
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  readonly #result: Promise<ShellResult>
  /** Standard error so far; curl's progress among it. */
  errSoFar = ''

  /** `timeout` puts the script and all it starts into a group of its own, and passes a signal on to all of it. */
  constructor(script: string, folder: string, environment: Readonly<Record<string, string>> = {}) {
    this.#child = Bun.spawn(['timeout', '-k', '1', String(SCRIPT_MS_MAX / 1000), 'bash', '-c', script], {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    this.#result = this.#collect()
  }

  get result(): Promise<ShellResult> {
    return this.#result
  }

  async end(): Promise<ShellResult> {
    this.#child.kill('SIGTERM')
    return this.#result
  }

  async #collect(): Promise<ShellResult> {
    const { stdout, stderr, exited } = this.#child
    const decoder = new TextDecoder()
    const reading = (async () => {
      for await (const chunk of stderr) this.errSoFar += decoder.decode(chunk, { stream: true })
    })()
    const [out, code] = await Promise.all([stdout.text(), exited, reading])
    return { code, out, err: this.errSoFar }
  }
}

/** Its standard output; throws when it fails. */
export async function sh(
  script: string,
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, out, err } = await new ShellRun(script, folder, environment).result
  if (code !== 0) throw new Error(`exit ${code} of: ${script}\n${err}\n${out}`)
  return out
}
