// The pair of lanes between this broker and another. It is up while both stand; a lane that comes anew takes the place of the one
// before it, whose end the other side saw first.

import type { Lane, Peer } from '../../core/ports/index.ts'
import { CloseCode } from './refused.ts'
import type { PeerSocket } from './socket.ts'

export class Link {
  readonly peer: Peer
  readonly #lanes = new Map<Lane, PeerSocket>()

  constructor(peer: Peer) {
    this.peer = peer
  }

  get isUp(): boolean {
    return this.#lanes.size === 2
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0
  }

  lane(lane: Lane): PeerSocket | undefined {
    return this.#lanes.get(lane)
  }

  put(lane: Lane, socket: PeerSocket): void {
    const before = this.#lanes.get(lane)
    this.#lanes.set(lane, socket)
    before?.close({ code: CloseCode.replaced, reason: 'another connection took its place' })
  }

  /** Whether it was a lane of this link, and not one replaced before. */
  remove(socket: PeerSocket): boolean {
    for (const [lane, known] of this.#lanes) if (known === socket) return this.#lanes.delete(lane)
    return false
  }

  close(reason: string): void {
    for (const socket of [...this.#lanes.values()]) socket.close({ code: CloseCode.restart, reason })
  }
}
