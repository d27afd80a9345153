// A socket to another broker, opened from here.

import type { Clock, Random } from '../../core/ports/index.ts'
import { Dialing } from './handshake.ts'
import type { HelloLane, KnownPeer, PeerIdentity } from './hello.ts'
import { CloseCode, type Refused } from './refused.ts'
import { PeerSocket, type RawSocket, type SocketOwner } from './socket.ts'

export const PEER_PATH = '/v1/peer'
export const PEER_PROTOCOL = 'naru.peer'

const INTRODUCTION_MS = 5_000

export interface DialWorld {
  readonly clock: Clock
  readonly random: Random
  readonly secret: string
  /** Certificates (PEM) that are trusted beside the system's. */
  readonly trusted: string | null
}

export function dial(
  world: DialWorld,
  self: PeerIdentity,
  address: string,
  lane: HelloLane,
  owner: SocketOwner,
): PeerSocket {
  const { clock, random, secret, trusted } = world
  const options = { protocols: [PEER_PROTOCOL], ...(trusted === null ? null : { tls: { ca: trusted } }) }
  const raw = new WebSocket(socketUrl(address), options as unknown as string[])
  raw.binaryType = 'arraybuffer'
  const dialing = new Dialing(self, secret, lane, nonceOf(random))
  const socket = new PeerSocket(rawOf(raw), dialing, owner, clock.monotonic())
  raw.addEventListener('open', () => raw.send(dialing.hello))
  raw.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === 'string') socket.text(data, clock.monotonic())
    else socket.bytes(new Uint8Array(data), clock.monotonic())
  })
  raw.addEventListener('close', ({ code, reason }) => {
    socket.closed({ code, reason: reason === '' ? 'the connection broke, or nobody listens there' : reason })
  })
  return socket
}

export type Introduction =
  { kind: 'met'; peer: PeerIdentity; peers: readonly KnownPeer[] } | { kind: 'refused'; refused: Refused }

/** Asks who is at an address, and says who asks. */
export function introduce(world: DialWorld, self: PeerIdentity, address: string): Promise<Introduction> {
  return new Promise((resolve) => {
    const { clock } = world
    const socket = dial(world, self, address, 'introduce', {
      onEstablished(met, { peer, peers }) {
        resolve({ kind: 'met', peer, peers })
        met.close({ code: 1000, reason: '' })
      },
      onMessage() {},
      onClosed(_, refused) {
        cancel()
        resolve({ kind: 'refused', refused })
      },
    })
    const cancel = clock.wakeAt(clock.monotonic() + INTRODUCTION_MS, () => {
      socket.close({ code: CloseCode.late, reason: 'no answer' })
    })
  })
}

/** Never the same twice. */
export function nonceOf(random: Random): string {
  const bytes = new Uint8Array(32)
  random.fill(bytes)
  return bytes.toHex()
}

/** `http://host:port` as a WebSocket's address. */
function socketUrl(address: string): string {
  const url = new URL(PEER_PATH, address)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

function rawOf(raw: WebSocket): RawSocket {
  return {
    sendText: (text) => raw.send(text),
    sendBytes(bytes) {
      if (raw.readyState !== WebSocket.OPEN) return false
      raw.send(bytes as Uint8Array<ArrayBuffer>)
      return true
    },
    bufferedBytes: () => raw.bufferedAmount,
    close: (code, reason) => raw.close(code, reason),
  }
}
