// Brokers' transports over real sockets of this machine, each behind a server of its own on a port of its own choosing.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Events, Lane, Peer, PeerSubject } from '../../../src/core/ports/index.ts'
import { hostClock, hostRandom } from '../../../src/edge/host/index.ts'
import {
  AddressBook,
  peerSockets,
  type PeerSocketData,
  PeerTransport,
  type PeerTransportOptions,
  upgradePeer,
} from '../../../src/edge/peer/index.ts'
import { until } from '../../e2e/broker-process.ts'

export const SECRET = 'correct horse battery staple'
export const CLUSTER = 'cluster-a'
const WITHIN_MS = 8_000

export interface NodeOptions extends Partial<PeerTransportOptions> {
  folder?: string
}

export class PeerNode {
  readonly transport: PeerTransport
  readonly address: string
  readonly folder: string
  readonly #server: Bun.Server<PeerSocketData>
  /** What happened, in order: `up 2`, `down 2`. */
  readonly news: string[] = []
  readonly complaints: string[] = []
  readonly received: { from: Peer; subject: PeerSubject; bytes: Uint8Array }[] = []
  onMessage: ((from: Peer, bytes: Uint8Array) => void) | null = null
  /** Of those who came, in order. */
  readonly raws: Bun.ServerWebSocket<PeerSocketData>[] = []

  constructor(nodeId: number, options: NodeOptions = {}) {
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), 'naru-peer-'))
    let sockets: ReturnType<typeof peerSockets> | null = null
    this.#server = Bun.serve<PeerSocketData>({
      hostname: '127.0.0.1',
      port: 0,
      fetch: (request, server) => (upgradePeer(request, server) ? undefined : new Response(null, { status: 400 })),
      websocket: {
        maxPayloadLength: 2 << 20,
        backpressureLimit: 8 << 20,
        open: (raw) => {
          this.raws.push(raw)
          void sockets!.open?.(raw)
        },
        message: (raw, message) => sockets!.message?.(raw, message),
        close: (raw, code, reason) => sockets!.close?.(raw, code, reason),
      },
    })
    this.address = `http://127.0.0.1:${this.#server.port}`
    const say = (event: string, fields: object = {}): void =>
      void this.complaints.push(`${event} ${JSON.stringify(fields)}`)
    const events: Events = { info: () => {}, warn: say, error: say }
    this.transport = new PeerTransport({
      clusterId: CLUSTER,
      nodeId,
      directoryId: `folder-${nodeId}`,
      address: this.address,
      secret: SECRET,
      trusted: null,
      seeds: [],
      clock: hostClock,
      random: hostRandom,
      events,
      book: new AddressBook(this.folder, events),
      directoryOf: () => null,
      ...options,
    })
    sockets = peerSockets(this.transport, hostClock)
    this.transport.listen('raft', {
      onMessage: (from, bytes) => {
        this.received.push({ from, subject: 'raft', bytes })
        this.onMessage?.(from, bytes)
      },
      onUp: ({ nodeId: peer }) => void this.news.push(`up ${peer}`),
      onDown: ({ nodeId: peer }) => void this.news.push(`down ${peer}`),
    })
    this.transport.listen('replication', {
      onMessage: (from, bytes) => void this.received.push({ from, subject: 'replication', bytes }),
    })
  }

  start(): this {
    this.transport.start()
    return this
  }

  text(to: number, lane: Lane, text: string): boolean {
    return this.transport.send(to, lane, lane === 'control' ? 'raft' : 'replication', new TextEncoder().encode(text))
  }

  get texts(): string[] {
    return this.received.map(({ from, bytes }) => `${from.nodeId}: ${new TextDecoder().decode(bytes)}`)
  }

  async end(): Promise<void> {
    this.transport.close()
    await this.#server.stop(true)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function soon(probe: () => boolean, withinMs = WITHIN_MS): Promise<void> {
  return until(Date.now() + withinMs, async () => probe(), 2)
}

/** Runs with brokers that are ended whatever happens. */
export async function withNodes(
  run: (make: (nodeId: number, options?: NodeOptions) => PeerNode) => Promise<void>,
): Promise<void> {
  const nodes: PeerNode[] = []
  try {
    await run((nodeId, options) => {
      const node = new PeerNode(nodeId, options)
      nodes.push(node)
      return node
    })
  } finally {
    await Promise.all(nodes.map((node) => node.end()))
  }
}
