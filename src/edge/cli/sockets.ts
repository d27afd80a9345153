// Every WebSocket of the port, handed to the room it is for: clients, or other brokers. The port opens before the rooms are there;
// until then no request becomes a socket.

import type { Clock } from '../../core/ports/index.ts'
import { peerSockets, type PeerSocketData, type PeerTransport, type PeerUpgrading, upgradePeer } from '../peer/index.ts'
import { type Push, type SocketData, socketSettings } from '../push/index.ts'
import { Problem } from '../wire/index.ts'

type Raw = Bun.ServerWebSocket<SocketData | PeerSocketData>
type Handler = Pick<Bun.WebSocketHandler<unknown>, 'open' | 'message' | 'drain' | 'close'>

export class Sockets {
  readonly websocket: Bun.WebSocketHandler<unknown>
  #push: Handler | null = null
  #peers: Handler | null = null

  constructor(idleS: number) {
    const of = ({ data }: Raw): Handler => ('peer' in data ? this.#peers! : this.#push!)
    const handler: Bun.WebSocketHandler<SocketData | PeerSocketData> = {
      ...socketSettings(idleS),
      open: (raw) => of(raw).open!(raw),
      message: (raw, message) => of(raw).message!(raw, message),
      drain: (raw) => of(raw).drain?.(raw),
      close: (raw, code, reason) => of(raw).close!(raw, code, reason),
    }
    this.websocket = handler as Bun.WebSocketHandler<unknown>
  }

  openToClients(push: Push): void {
    this.#push = push.websocket as Handler
  }

  openToPeers(transport: PeerTransport, clock: Clock): void {
    this.#peers = peerSockets(transport, clock) as Handler
  }

  upgradePeer(request: Request, connection: PeerUpgrading): Problem | null {
    if (this.#peers === null) {
      return new Problem('unsupported', 'This broker takes no others in: start it with --cluster-secret-file')
    }
    if (upgradePeer(request, connection)) return null
    return new Problem('malformed', 'This address is for the sockets of other brokers')
  }
}
