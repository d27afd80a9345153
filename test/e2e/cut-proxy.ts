// A wire that can be cut: connections to its port go on to whichever port the broker has now. Clients keep one address while the
// broker restarts, and lose their connections when the test says so.

import { connect, createServer, type Server, type Socket } from 'node:net'

export class CutProxy {
  /** Where new connections go. */
  target: number
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(server: Server, target: number) {
    this.#server = server
    this.target = target
  }

  static async start(target: number): Promise<CutProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const proxy = new CutProxy(server, target)
    server.on('connection', (client) => proxy.#join(client))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** Every connection breaks, as when a cable is pulled and put back. */
  cutAll(): void {
    for (const socket of this.#open) socket.destroy()
    this.#open.clear()
  }

  stop(): void {
    this.cutAll()
    this.#server.close()
  }

  #join(client: Socket): void {
    const broker = connect(this.target, '127.0.0.1')
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#open.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#open.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  }
}
