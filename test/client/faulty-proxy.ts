// Stands between a client and its broker, and does to chosen requests what networks and brokers do: refuses them, loses the
// answer of one that was done, answers late, or answers nothing.

import { problemOf } from '../../src/edge/wire/index.ts'

export type Fault =
  | { kind: 'refuse'; response: Response }
  /** It is done, and nobody learns of it. */
  | { kind: 'lose-answer' }
  | { kind: 'delay'; ms: number }
  /** It is done, and the answer says who leads. */
  | { kind: 'name-leader'; url: string }

export class FaultyProxy {
  /** What happens to a request; null: it is passed on. */
  fault: (request: Request, nth: number) => Fault | null = () => null
  seen = 0
  readonly #server: Bun.Server<undefined>
  readonly #brokerUrl: () => string

  constructor(brokerUrl: () => string) {
    this.#brokerUrl = brokerUrl
    this.#server = Bun.serve({ port: 0, idleTimeout: 0, fetch: (request) => this.#pass(request) })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`
  }

  async end(): Promise<void> {
    await this.#server.stop(true)
  }

  async #pass(request: Request): Promise<Response> {
    const fault = this.fault(request, this.seen++)
    if (fault?.kind === 'refuse') return fault.response
    if (fault?.kind === 'delay') await Bun.sleep(fault.ms)
    const { pathname, search } = new URL(request.url)
    const body = request.body === null ? null : await request.arrayBuffer()
    const { method, headers } = request
    const answer = await fetch(this.#brokerUrl() + pathname + search, { method, headers, body })
    if (fault?.kind === 'name-leader') answer.headers.set('naru-leader', fault.url)
    if (fault?.kind !== 'lose-answer') return answer
    await answer.arrayBuffer()
    return new Response('no answer from upstream', { status: 502 })
  }
}

/** As the broker says it. */
export function shuttingDown(): Response {
  return problemOf({ kind: 'closing' }).response()
}

export function notLeader(address: string): Response {
  return problemOf({ kind: 'not-leader', topic: 't', leader: { nodeId: 2, address } }).response()
}

export function diskLow(): Response {
  return problemOf({ kind: 'disk-low', freeBytes: 1_000, freeBytesMin: 10_000 }).response()
}

export function isBatches(request: Request): boolean {
  return request.url.includes('/batches')
}
