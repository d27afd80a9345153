// Subscribers as raw sockets that only count, and a producer that never has more than so much on its way to them. Of all
// subscribers one is looked at, the rest must have got as many bytes in the end: what is equal is sent equal.

import { request } from './load.ts'

const CONNECT_AT_ONCE = 100
const OFFSET = Buffer.from('"offset":')
/** Heartbeats come to each at times of its own; less than a frame. */
const DRIFT_BYTES = 280
const DELIVER_MS_MAX = 30_000

type Socket = Bun.Socket<undefined>

export interface Subscribed {
  port: number
  path: string
  /** A message to begin with. */
  hello: object
  count: number
  /** Records are counted at the last of them: that takes longer than receiving them. */
  countsRecords?: boolean
}

/** A frame as a client would send it; the mask is zero. */
export function clientFrame(message: object): Buffer {
  const payload = Buffer.from(JSON.stringify(message))
  const head =
    payload.length < 126 ? [0x81, 0x80 | payload.length] : [0x81, 0xfe, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}

export class Subscribers {
  readonly bytes: Float64Array
  /** Seen by the last of them. */
  records = 0
  onRecords: (() => void) | null = null
  /** Where records are not counted. */
  onBytes: ((bytes: number, chunk: Buffer) => void) | null = null
  readonly #sockets: Socket[] = []
  #tail: Buffer = Buffer.alloc(0)

  private constructor(count: number) {
    this.bytes = new Float64Array(count)
  }

  static async open(subscribed: Subscribed): Promise<Subscribers> {
    const { count } = subscribed
    const all = new Subscribers(count)
    for (let opened = 0; opened < count; opened += CONNECT_AT_ONCE) {
      const wave = Array.from({ length: Math.min(CONNECT_AT_ONCE, count - opened) }, (_, i) =>
        all.#open(subscribed, opened + i),
      )
      await Promise.all(wave)
    }
    return all
  }

  /** Resolves when every one has been sent as much as the one that is looked at has had. */
  async whole(records: number): Promise<void> {
    const deadline = Date.now() + DELIVER_MS_MAX
    const last = this.bytes.length - 1
    while (this.records < records || this.bytes.some((bytes) => this.bytes[last]! - bytes > DRIFT_BYTES)) {
      if (Date.now() > deadline) throw new Error(`${this.records} of ${records} records; not all have the same bytes`)
      await Bun.sleep(2)
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.end()
  }

  #open({ port, path, hello, count, countsRecords = true }: Subscribed, index: number): Promise<void> {
    const { bytes } = this
    const isLast = index === count - 1
    const isLookedAt = isLast && countsRecords
    let isOpen = false
    return new Promise((resolve, reject) => {
      void Bun.connect({
        hostname: '127.0.0.1',
        port,
        socket: {
          open: (socket) => {
            this.#sockets.push(socket)
            socket.write(upgradeRequest(port, path))
          },
          data: (socket, chunk) => {
            if (isOpen) {
              bytes[index]! += chunk.length
              if (isLookedAt) this.#look(chunk)
              else if (isLast) this.onBytes?.(bytes[index]!, chunk)
              return
            }
            const text = chunk.toString('latin1')
            if (text.includes('"error"')) reject(new Error(text))
            if (text.includes('HTTP/1.1 101 ')) socket.write(clientFrame(hello))
            if (!text.includes('subscribed')) return
            isOpen = true
            resolve()
          },
          error: (_, error) => reject(error),
        },
      })
    })
  }

  #look(chunk: Buffer): void {
    const bytes = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk])
    let at = bytes.indexOf(OFFSET)
    let end = 0
    while (at >= 0) {
      this.records++
      end = at + OFFSET.length
      at = bytes.indexOf(OFFSET, end)
    }
    this.#tail = bytes.subarray(Math.max(end, bytes.length - OFFSET.length + 1))
    this.onRecords?.()
  }
}

function upgradeRequest(port: number, path: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  )
}

/** Requests on a few connections, as long as less than so many records are on their way. */
export class Producer {
  sent = 0
  readonly #sockets: Socket[] = []
  readonly #idle: Socket[] = []
  readonly #body: Buffer
  readonly #records: number
  readonly #onWayMax: number
  readonly #subscribers: Subscribers
  #isRunning = false

  private constructor(post: Buffer, records: number, onWayMax: number, subscribers: Subscribers) {
    this.#body = post
    this.#records = records
    this.#onWayMax = onWayMax
    this.#subscribers = subscribers
    subscribers.onRecords = () => this.#pour()
  }

  static async open(
    port: number,
    path: string,
    body: string,
    records: number,
    messagesOnWay: number,
    subscribers: Subscribers,
  ): Promise<Producer> {
    const post = Buffer.from(request('POST', path, Buffer.from(body), { 'content-type': 'application/json' }))
    const producer = new Producer(post, records, records * messagesOnWay, subscribers)
    for (let i = 0; i < messagesOnWay; i++) {
      const socket = await Bun.connect({
        hostname: '127.0.0.1',
        port,
        socket: {
          data: (self, reply) => {
            if (!reply.includes(' 200 ')) throw new Error(reply.toString())
            producer.#idle.push(self)
            producer.#pour()
          },
        },
      })
      producer.#sockets.push(socket)
      producer.#idle.push(socket)
    }
    return producer
  }

  /** Records delivered to each subscriber in the time. */
  async run(seconds: number): Promise<{ records: number; seconds: number }> {
    const startedAt = performance.now()
    const before = this.#subscribers.records
    this.#isRunning = true
    this.#pour()
    await Bun.sleep(seconds * 1_000)
    this.#isRunning = false
    await this.#subscribers.whole(this.sent)
    return { records: this.#subscribers.records - before, seconds: (performance.now() - startedAt) / 1_000 }
  }

  close(): void {
    for (const socket of this.#sockets) socket.end()
  }

  #pour(): void {
    while (this.#isRunning && this.#idle.length > 0) {
      if (this.sent - this.#subscribers.records >= this.#onWayMax) return
      this.sent += this.#records
      this.#idle.pop()!.write(this.#body)
    }
  }
}
