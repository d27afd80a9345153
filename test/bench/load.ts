// The load: a closed loop of HTTP/1.1 over raw sockets, one request in flight on each connection. Requests are bytes made
// beforehand, replies are measured and dropped, so that this side costs less than any server it measures
// (`scripts/bench --only ceiling` shows by how much).

import { ReplyReader } from './reply-reader.ts'

export interface Load {
  port: number
  connections: number
  /** Whole requests, head and body; each connection goes round them all, from a place of its own. */
  requests: readonly Uint8Array[]
}

export interface Sample {
  seconds: number
  requests: number
  /** Latencies in milliseconds, sorted. */
  latencies: Float64Array
  bytesIn: number
}

const CONNECT_MS_MAX = 10_000
const LATENCIES_MAX = 1 << 20

/** Connections that stay open between slices, so that a slice measures requests and not handshakes. */
export class LoadRun {
  readonly #lanes: Lane[]
  readonly #slice: Slice

  private constructor(lanes: Lane[], slice: Slice) {
    this.#lanes = lanes
    this.#slice = slice
  }

  static async open(load: Load): Promise<LoadRun> {
    const slice = new Slice()
    const lanes: Lane[] = []
    for (let c = 0; c < load.connections; c++) {
      const first = Math.floor((c * load.requests.length) / load.connections)
      lanes.push(await Lane.open(load.port, load.requests, first, slice))
    }
    return new LoadRun(lanes, slice)
  }

  async measure(seconds: number): Promise<Sample> {
    const slice = this.#slice
    slice.begin(this.#lanes.length)
    for (const lane of this.#lanes) lane.send()
    const stop = setTimeout(() => slice.stop(), seconds * 1000)
    try {
      await slice.finished
    } finally {
      clearTimeout(stop)
    }
    return slice.sample()
  }

  close(): void {
    for (const lane of this.#lanes) lane.close()
  }
}

/** What all connections of a slice count together. */
class Slice {
  finished: Promise<void> = Promise.resolve()
  running = false
  requests = 0
  bytesIn = 0
  readonly #latencies = new Float64Array(LATENCIES_MAX)
  #startedAt = 0
  #stoppedAt = 0
  #lanesBusy = 0
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}

  begin(lanes: number): void {
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.running = true
    this.requests = 0
    this.bytesIn = 0
    this.#lanesBusy = lanes
    this.#startedAt = Bun.nanoseconds()
  }

  stop(): void {
    this.running = false
  }

  took(nanoseconds: number, bytes: number): void {
    this.#latencies[this.requests++ & (LATENCIES_MAX - 1)] = nanoseconds / 1e6
    this.bytesIn += bytes
  }

  laneDone(): void {
    if (--this.#lanesBusy > 0) return
    this.#stoppedAt = Bun.nanoseconds()
    this.#resolve()
  }

  fail(error: Error): void {
    this.running = false
    this.#reject(error)
  }

  sample(): Sample {
    return {
      seconds: (this.#stoppedAt - this.#startedAt) / 1e9,
      requests: this.requests,
      latencies: this.#latencies.slice(0, Math.min(this.requests, LATENCIES_MAX)).sort(),
      bytesIn: this.bytesIn,
    }
  }
}

/** One connection. */
class Lane {
  readonly #requests: readonly Uint8Array[]
  readonly #slice: Slice
  readonly #reply = new ReplyReader()
  #socket: Bun.Socket<undefined> | null = null
  #next: number
  #pending: Uint8Array | null = null
  #sentAt = 0
  #bytes = 0
  #closing = false

  private constructor(requests: readonly Uint8Array[], first: number, slice: Slice) {
    this.#requests = requests
    this.#next = first
    this.#slice = slice
  }

  static async open(port: number, requests: readonly Uint8Array[], first: number, slice: Slice): Promise<Lane> {
    const lane = new Lane(requests, first, slice)
    const connected = Bun.connect<undefined>({
      hostname: '127.0.0.1',
      port,
      socket: {
        binaryType: 'uint8array',
        open: (socket) => void socket.setNoDelay(true),
        data: (_, bytes) => lane.#onData(bytes),
        drain: () => lane.#flush(),
        close: () => lane.#onClose(),
        error: (_, error) => slice.fail(error),
      },
    })
    const late = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new Error(`no connection to port ${port}`)), CONNECT_MS_MAX)
      void connected.finally(() => clearTimeout(timer)).catch(() => {})
    })
    lane.#socket = await Promise.race([connected, late])
    return lane
  }

  send(): void {
    this.#pending = this.#requests[this.#next]!
    this.#next = (this.#next + 1) % this.#requests.length
    this.#bytes = 0
    this.#sentAt = Bun.nanoseconds()
    this.#flush()
  }

  close(): void {
    this.#closing = true
    this.#socket?.end()
  }

  #flush(): void {
    const pending = this.#pending
    if (pending === null) return
    const written = this.#socket!.write(pending)
    if (written < 0) return this.#slice.fail(new Error('the server closed a connection while it was written to'))
    this.#pending = written < pending.length ? pending.subarray(written) : null
  }

  #onData(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (!this.#reply.take(bytes)) return
    if (this.#reply.status >= 300) {
      return this.#slice.fail(new Error(`status ${this.#reply.status}: ${new TextDecoder().decode(bytes)}`))
    }
    this.#slice.took(Bun.nanoseconds() - this.#sentAt, this.#bytes)
    if (this.#slice.running) this.send()
    else this.#slice.laneDone()
  }

  #onClose(): void {
    if (!this.#closing) this.#slice.fail(new Error('the server closed a connection'))
  }
}

/** `share` 0.99 is p99. `sorted` is ascending. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function request(
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: Uint8Array | string,
  headers: Readonly<Record<string, string>> = {},
): Uint8Array {
  const content = body === undefined ? null : Buffer.from(body)
  let head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n`
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`
  if (content !== null) head += `content-length: ${content.length}\r\n`
  return Buffer.concat([Buffer.from(`${head}\r\n`), content ?? Buffer.alloc(0)])
}
