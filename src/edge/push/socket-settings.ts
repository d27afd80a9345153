// How the server keeps the sockets of clients.

import { limits } from '../../core/base/index.ts'

/** Buffered by Bun for one socket: more than a unit and its answers, and the end of the socket. */
const BUFFER_BYTES_MAX = 4 * limits.SOCKET_FRAME_BYTES_MAX

/** `idleS`: a socket that has been silent for so long, pings included, is closed. Bun counts from 8. */
export function socketSettings(idleS: number) {
  return {
    maxPayloadLength: limits.SOCKET_FRAME_BYTES_MAX,
    backpressureLimit: BUFFER_BYTES_MAX,
    closeOnBackpressureLimit: true,
    idleTimeout: idleS,
    sendPings: true,
    perMessageDeflate: false,
  } as const
}
