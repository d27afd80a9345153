// Where the brokers are, and one request to them: done, refused with a problem, or lost on the way. Any broker takes any
// request; when one does not answer, the next in the list is asked.

import { type Client, createClient } from '../../openapi/client/client/index.ts'
import type { Problem } from '../../openapi/client/index.ts'
import { NaruError } from './naru-error.ts'

const RETRY_AFTER_MS_MAX = 30_000

export type Answer<Data> =
  | { readonly kind: 'done'; readonly data: Data; readonly leaderUrl: string | null }
  | {
      readonly kind: 'refused'
      readonly problem: Problem
      readonly retryAfterMs: number
      /** Of the broker to ask instead; null: it said none. */
      readonly leaderUrl: string | null
    }
  /** Not known whether it arrived. */
  | { readonly kind: 'lost'; readonly error: unknown }

/** As the generated client gives it. */
interface Result<Data> {
  data?: Data | undefined
  error?: unknown
  response?: Response | undefined
}

export class Brokers {
  readonly #urls: readonly string[]
  readonly #clients = new Map<string, Client>()
  #at = 0

  constructor(urls: string | readonly string[]) {
    this.#urls = (typeof urls === 'string' ? [urls] : urls).map((url) => url.replace(/\/+$/, ''))
    if (this.#urls.length === 0) throw new TypeError('brokers: give the URL of at least one, http://localhost:7070')
    for (const url of this.#urls) if (!/^https?:\/\//.test(url)) throw new TypeError(`brokers: ${url} is no http URL`)
  }

  get url(): string {
    return this.#urls[this.#at]!
  }

  client(url = this.url): Client {
    let client = this.#clients.get(url)
    if (client === undefined) {
      client = createClient({ baseUrl: url })
      this.#clients.set(url, client)
    }
    return client
  }

  /** It did not answer: another is asked next. */
  failed(url: string): void {
    if (url === this.url) this.#at = (this.#at + 1) % this.#urls.length
  }

  lost(error: unknown): NaruError {
    const hint = 'is it running, and the URL right?'
    const message = `No answer from ${this.#urls.join(', ')} (${textOf(error)}): ${hint}`
    return new NaruError('unreachable', message, { outcome: 'unknown', retryable: true, cause: error })
  }
}

export async function answerOf<Data>(asked: Promise<Result<Data>>): Promise<Answer<Exclude<Data, undefined>>> {
  const { data, error, response } = await asked
  if (response === undefined) return { kind: 'lost', error }
  if (response.ok) {
    // A body that broke off says nothing of what was done.
    return error === undefined
      ? { kind: 'done', data: data as Exclude<Data, undefined>, leaderUrl: leaderUrl(response.headers) }
      : { kind: 'lost', error }
  }
  const { headers } = response
  if (isProblem(error)) {
    return { kind: 'refused', problem: error, retryAfterMs: retryAfterMs(headers), leaderUrl: leaderUrl(headers) }
  }
  return { kind: 'lost', error: new Error(`status ${response.status} from something that is not a broker`) }
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'outcome' in value && 'retryable' in value
}

function retryAfterMs(headers: Headers): number {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, RETRY_AFTER_MS_MAX) : 0
}

function leaderUrl(headers: Headers): string | null {
  const url = headers.get('naru-leader')?.replace(/\/+$/, '') ?? ''
  return /^https?:\/\//.test(url) ? url : null
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
