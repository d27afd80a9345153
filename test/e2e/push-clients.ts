// The clients that people have, behind one face: each subscribes, and when its connection breaks comes back by itself to where it
// was. Bun puts its own WebSocket in the place of `ws` and `undici`, so these are taken from their folders.

import { join } from 'node:path'
import { EventSource } from 'eventsource'

/** What all implementations of WebSocket have. */
export interface AnySocket {
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  readonly protocol: string
  send(text: string): void
  close(): void
}

export type OpenSocket = (url: string, protocols: string[]) => AnySocket

export interface Pushed {
  partition: number
  offset: number
  value: unknown
}

const PACKAGES = join(import.meta.dir, '../../node_modules')
const RETRY_MS = 50

export async function socketClients(): Promise<Record<string, OpenSocket>> {
  const ws = (await import(join(PACKAGES, 'ws/lib/websocket.js'))) as { default: new (...of: unknown[]) => AnySocket }
  const undici = (await import(join(PACKAGES, 'undici/index.js'))) as { WebSocket: new (...of: unknown[]) => AnySocket }
  return {
    "Bun's WebSocket": (url, protocols) => new WebSocket(url, protocols) as unknown as AnySocket,
    ws: (url, protocols) => new ws.default(url, protocols),
    undici: (url, protocols) => new undici.WebSocket(url, protocols),
  }
}

export interface Follower {
  readonly records: Pushed[]
  /** Other than records and positions, by name. */
  readonly told: string[]
  /** Connections that were made. */
  readonly connections: number
  close(): void
}

export class SocketFollower implements Follower {
  readonly records: Pushed[] = []
  readonly told: string[] = []
  readonly closeCodes: number[] = []
  connections = 0
  readonly #open: OpenSocket
  readonly #url: string
  readonly #topics: string[]
  #cursor: string | null = null
  #socket: AnySocket | null = null
  #isOver = false

  constructor(open: OpenSocket, port: number, topics: string[]) {
    this.#open = open
    this.#url = `ws://127.0.0.1:${port}/v1/ws`
    this.#topics = topics
    this.#connect()
  }

  close(): void {
    this.#isOver = true
    this.#socket?.close()
  }

  #connect(): void {
    const socket = this.#open(this.#url, ['naru.v1.json'])
    this.#socket = socket
    socket.onopen = () => {
      this.connections++
      const place = this.#cursor === null ? {} : { cursor: this.#cursor }
      socket.send(JSON.stringify({ op: 'subscribe', id: 's', topics: this.#topics, ...place }))
    }
    socket.onmessage = ((event: { data: string }) => this.#take(JSON.parse(event.data))) as AnySocket['onmessage']
    socket.onerror = () => {}
    socket.onclose = ((event: { code: number }) => {
      this.closeCodes.push(event.code)
      if (!this.#isOver) setTimeout(() => this.#isOver || this.#connect(), RETRY_MS)
    }) as AnySocket['onclose']
  }

  #take(message: { op: string; cursor?: string; records?: Pushed[] }): void {
    if (message.cursor !== undefined) this.#cursor = message.cursor
    if (message.op === 'records') this.records.push(...message.records!)
    else if (message.op !== 'position') this.told.push(message.op)
  }
}

/** Resumes with nothing of its own: the standard says how. */
export class EventFollower implements Follower {
  readonly records: Pushed[] = []
  readonly told: string[] = []
  connections = 0
  readonly #source: EventSource

  constructor(port: number, topics: string[]) {
    this.#source = new EventSource(`http://127.0.0.1:${port}/v1/records/stream?topics=${topics.join(',')}`)
    this.#source.addEventListener('open', () => this.connections++)
    this.#source.addEventListener('records', ({ data }) => {
      this.records.push(...(JSON.parse(data as string) as { records: Pushed[] }).records)
    })
    for (const name of ['reset', 'problem', 'drain']) this.#source.addEventListener(name, () => this.told.push(name))
  }

  close(): void {
    this.#source.close()
  }
}
