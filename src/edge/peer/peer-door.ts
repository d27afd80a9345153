// Where sockets of other brokers come in: the HTTP server hands over an upgrade of /v1/peer, and what happens to that socket.

import type { Clock } from '../../core/ports/index.ts'
import { PEER_PROTOCOL } from './dial.ts'
import type { PeerTransport } from './peer-transport.ts'
import type { PeerSocket, RawSocket } from './socket.ts'

/** What the server keeps with a socket of a broker. */
export interface PeerSocketData {
  peer: PeerSocket | null
}

/** Of the server: what turns a request into a socket. */
export interface PeerUpgrading {
  upgrade(request: Request, options: { data: PeerSocketData; headers: Record<string, string> }): boolean
}

type Raw = Bun.ServerWebSocket<PeerSocketData>

/** Whether the request is a socket now. */
export function upgradePeer(request: Request, server: PeerUpgrading): boolean {
  return server.upgrade(request, { data: { peer: null }, headers: { 'sec-websocket-protocol': PEER_PROTOCOL } })
}

export function peerSockets(transport: PeerTransport, clock: Clock): Bun.WebSocketHandler<PeerSocketData> {
  return {
    open(raw) {
      raw.data.peer = transport.accept(rawOf(raw))
    },
    message({ data: { peer } }, message) {
      if (typeof message === 'string') peer?.text(message, clock.monotonic())
      // The server reads the next frame into the same memory.
      else peer?.bytes(new Uint8Array(message), clock.monotonic())
    },
    close({ data: { peer } }, code, reason) {
      peer?.closed({ code, reason: reason === '' ? 'the connection broke' : reason })
    },
  }
}

function rawOf(raw: Raw): RawSocket {
  return {
    sendText: (text) => void raw.sendText(text),
    sendBytes: (bytes) => raw.sendBinary(bytes) !== 0,
    bufferedBytes: () => raw.getBufferedAmount(),
    close: (code, reason) => raw.close(code, reason),
  }
}
