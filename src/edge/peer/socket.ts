// One socket between two brokers, whichever of them opened it: first a handshake in text, then a lane of binary frames. What it is
// given while it buffers too much is refused; a socket that drops a frame, is silent, or sends what is no frame, is closed.

import type { PeerSubject } from '../../core/ports/index.ts'
import { aliveFrame, Assembly, framesOf } from './frames.ts'
import type { HandshakeStep } from './handshake.ts'
import { CloseCode, reasonText, type Refused } from './refused.ts'

/** Of a socket what is used of it. */
export interface RawSocket {
  sendText(text: string): void
  /** False: dropped. */
  sendBytes(bytes: Uint8Array): boolean
  bufferedBytes(): number
  close(code: number, reason: string): void
}

export interface Handshake {
  receive(text: string): HandshakeStep
}

export type Established = Extract<HandshakeStep, { kind: 'done' }>

export interface SocketOwner {
  onEstablished(socket: PeerSocket, established: Established): void
  onMessage(socket: PeerSocket, subject: PeerSubject, bytes: Uint8Array): void
  /** Once, also when it never was established. `refused` is what the other side said, or what was said to it. */
  onClosed(socket: PeerSocket, refused: Refused): void
}

/** One message fits when half of this is waiting. The server's own limit, for all its sockets, is higher. */
const BUFFERED_BYTES_MAX = 6 << 20
const HANDSHAKE_CHARS_MAX = 256 * 1024
/** Something is sent at least so often, */
const ALIVE_MS = 2_000
/** and a socket from which nothing came for so long is given up. */
const SILENT_MS = 8_000

export class PeerSocket {
  readonly #raw: RawSocket
  readonly #handshake: Handshake
  readonly #owner: SocketOwner
  readonly #assembly = new Assembly()
  #isEstablished = false
  #isClosed = false
  #heardAtMs: number
  #sentAtMs: number

  constructor(raw: RawSocket, handshake: Handshake, owner: SocketOwner, nowMs: number) {
    this.#raw = raw
    this.#handshake = handshake
    this.#owner = owner
    this.#heardAtMs = nowMs
    this.#sentAtMs = nowMs
  }

  /** False: too much waits already, or it is closed; nothing was sent. */
  send(subject: PeerSubject, message: Uint8Array, nowMs: number): boolean {
    if (this.#isClosed || this.#raw.bufferedBytes() + message.length > BUFFERED_BYTES_MAX) return false
    this.#sentAtMs = nowMs
    for (const frame of framesOf(subject, message)) {
      if (this.#raw.sendBytes(frame)) continue
      this.close({ code: CloseCode.busy, reason: 'a frame was dropped' })
      return false
    }
    return true
  }

  text(text: string, nowMs: number): void {
    if (this.#isClosed) return
    this.#heardAtMs = nowMs
    if (this.#isEstablished || text.length > HANDSHAKE_CHARS_MAX)
      return this.#malformed('text is for the handshake only')
    const step = this.#handshake.receive(text)
    switch (step.kind) {
      case 'send':
        return this.#raw.sendText(step.text)
      case 'refuse':
        return this.close(step.refused)
      case 'done':
        this.#isEstablished = true
        if (step.text !== null) this.#raw.sendText(step.text)
        return this.#owner.onEstablished(this, step)
    }
  }

  bytes(frame: Uint8Array, nowMs: number): void {
    if (this.#isClosed) return
    this.#heardAtMs = nowMs
    if (!this.#isEstablished) return this.#malformed('first a handshake')
    const taken = this.#assembly.take(frame)
    if (taken.kind === 'garbage') this.#malformed(taken.why)
    else if (taken.kind === 'message') this.#owner.onMessage(this, taken.subject, taken.bytes)
  }

  /** Called now and then. A handshake has as long as a silence may last. */
  look(nowMs: number): void {
    if (this.#isClosed) return
    if (nowMs - this.#heardAtMs >= SILENT_MS) {
      return this.close({ code: CloseCode.late, reason: `nothing was heard for ${SILENT_MS} ms` })
    }
    if (!this.#isEstablished || nowMs - this.#sentAtMs < ALIVE_MS) return
    this.#sentAtMs = nowMs
    if (!this.#raw.sendBytes(aliveFrame)) this.close({ code: CloseCode.busy, reason: 'a frame was dropped' })
  }

  close(refused: Refused): void {
    if (this.#isClosed) return
    this.#raw.close(refused.code, reasonText(refused.reason))
    this.closed(refused)
  }

  /** The other side closed it, or it broke. */
  closed(refused: Refused): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#owner.onClosed(this, refused)
  }

  #malformed(reason: string): void {
    this.close({ code: CloseCode.malformed, reason })
  }
}
