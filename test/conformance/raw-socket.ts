// Bytes to a port and what comes back, for requests that no HTTP client would send.

import { connect, type Socket } from 'node:net'

export class RawSocket {
  readonly #socket: Socket
  #received = ''
  #isClosed = false
  #changed: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1')
      this.#changed()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#changed()
    })
  }

  static async open(port: number): Promise<RawSocket> {
    const socket = connect(port, '127.0.0.1')
    const raw = new RawSocket(socket)
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return raw
  }

  send(text: string): void {
    this.#socket.write(Buffer.from(text, 'latin1'))
  }

  get received(): string {
    return this.#received
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Resolves once `isDone` holds of what has come, or the connection has been closed. */
  async until(isDone: (received: string) => boolean): Promise<string> {
    while (!isDone(this.#received) && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    return this.#received
  }

  async closed(): Promise<string> {
    return this.until(() => false)
  }

  /** Gone without a word. */
  vanish(): void {
    this.#socket.destroy()
  }
}

/** The status of the first answer, 0 if there was none. */
export function statusOf(received: string): number {
  const match = /^HTTP\/1\.1 (\d{3})/.exec(received.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, ''))
  return match === null ? 0 : Number(match[1])
}

export const hasBody = (received: string): boolean => {
  const head = received.indexOf('\r\n\r\n')
  if (head < 0) return false
  const length = /content-length: (\d+)/i.exec(received.slice(0, head))
  return length !== null && received.length >= head + 4 + Number(length[1])
}
