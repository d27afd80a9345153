// The broker a command speaks to, over the same HTTP everybody uses.

import { CommandFailed } from './output.ts'

export const SERVER_DEFAULT = 'http://localhost:7070'

/** The broker said no, in its own words. */
export class Refused extends CommandFailed {
  constructor(
    /** Of the problem; empty where the answer was none. */
    readonly code: string,
    /** Whether the same can succeed later. */
    readonly isRetryable: boolean,
    message: string,
  ) {
    super(message)
  }
}

export interface RemoteOptions {
  server: string
}

export class Remote {
  readonly base: string

  constructor({ server }: RemoteOptions) {
    this.base = server.replace(/\/+$/, '')
  }

  /** The answer's JSON. Throws `Refused` when there is none. */
  async call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await this.send(path, {
      method,
      ...(body === undefined ? null : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.text()
    return (text === '' ? null : JSON.parse(text)) as Answer
  }

  async send(path: string, init: RequestInit): Promise<Response> {
    let response: Response
    try {
      response = await fetch(this.base + path, init)
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error
      throw new CommandFailed(`no broker answers at ${this.base}: is it running? (naru serve; or --server URL)`)
    }
    if (!response.ok) throw await refusalOf(response)
    return response
  }
}

async function refusalOf(response: Response): Promise<Refused> {
  const text = await response.text()
  try {
    const problem = JSON.parse(text) as Told
    const said = problem.detail ?? problem.title ?? `status ${response.status}`
    const errors = (problem.errors ?? []).map((error) => `${error.pointer}: ${error.message}`)
    return new Refused(
      problem.code ?? '',
      problem.retryable === true,
      [said, ...errors.filter((error) => error !== said)].join('\n  '),
    )
  } catch {
    return new Refused('', false, `the broker answered ${response.status}: ${text.slice(0, 200)}`)
  }
}

interface Told {
  code?: string
  retryable?: boolean
  title?: string
  detail?: string
  errors?: ProblemError[]
}

interface ProblemError {
  pointer: string
  message: string
}
