// A proxy as bad as they come: the broker has done what was asked and has answered, but the client gets half of the answer, or
// nothing and a closed connection; or the request is passed on twice; or it is passed on once more much later.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Mischief = 'none' | 'cut' | 'half' | 'twice' | 'late'

interface Passed {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
}

/** A late repeat comes behind so many other requests. */
const LATE_BEHIND = 7

export class LossyProxy {
  /** How often what was done. */
  readonly done = { none: 0, cut: 0, half: 0, twice: 0, late: 0 }
  readonly #server: Server
  readonly #brokerUrl: () => Promise<string>
  readonly #mischiefFor: (path: string) => Mischief
  readonly #late: { passed: Passed; left: number }[] = []

  private constructor(brokerUrl: () => Promise<string>, mischiefFor: (path: string) => Mischief) {
    this.#brokerUrl = brokerUrl
    this.#mischiefFor = mischiefFor
    this.#server = createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy())
    })
  }

  static async start(brokerUrl: () => Promise<string>, mischiefFor: (path: string) => Mischief): Promise<LossyProxy> {
    const proxy = new LossyProxy(brokerUrl, mischiefFor)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body: Buffer[] = []
    for await (const chunk of request) body.push(chunk as Buffer)
    const { accept, 'content-type': type } = request.headers
    const headers = {
      ...(accept === undefined ? null : { accept }),
      ...(type === undefined ? null : { 'content-type': type }),
    }
    const passed = { method: request.method!, path: request.url!, headers }
    const mischief = this.#mischiefFor(passed.path)
    this.done[mischief]++
    if (mischief === 'twice') await this.#send(passed, body)
    if (mischief === 'late') this.#late.push({ passed, left: LATE_BEHIND })
    const answer = await this.#send(passed, body)
    await this.#repeatLate()
    if (mischief === 'cut') {
      response.destroy()
      return
    }
    const bytes = Buffer.from(await answer.arrayBuffer())
    const contentType = answer.headers.get('content-type') ?? 'application/octet-stream'
    response.writeHead(answer.status, { 'content-type': contentType, 'content-length': bytes.length })
    if (mischief !== 'half') {
      response.end(bytes)
      return
    }
    response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
  }

  async #send({ method, path, headers }: Passed, body: readonly Buffer[]): Promise<Response> {
    const url = (await this.#brokerUrl()) + path
    return fetch(url, { method, headers, ...(body.length === 0 ? null : { body: Buffer.concat(body) }) })
  }

  async #repeatLate(): Promise<void> {
    for (const one of this.#late) one.left--
    while (this.#late[0] !== undefined && this.#late[0].left <= 0) {
      const { passed } = this.#late.shift()!
      await (await this.#send(passed, [])).arrayBuffer()
    }
  }
}
