// The port to the other brokers, over WebSockets: two a pair, `control` and `bulk`, on the port that serves clients.
//
// The broker with the smaller node id dials both lanes. The one with the larger id, or who knows only an address, asks to be
// introduced: then both know each other's address, and the smaller dials. Where brokers are comes from --join, from introductions,
// from the metadata, and from the runs before. While a broker that is known is not up it is tried again, ever less often.

import {
  type Events,
  type Lane,
  type Peer,
  type PeerListener,
  type Peers,
  type PeerSubject,
} from '../../core/ports/index.ts'
import type { AddressBook } from './address-book.ts'
import { Attempts } from './attempts.ts'
import { dial, type DialWorld, introduce, nonceOf } from './dial.ts'
import { Accepting } from './handshake.ts'
import type { Hello, KnownPeer, PeerIdentity } from './hello.ts'
import { Link } from './link.ts'
import { CloseCode, isFinal, type Refused } from './refused.ts'
import { type Established, PeerSocket, type RawSocket, type SocketOwner } from './socket.ts'

export interface PeerTransportOptions extends DialWorld {
  readonly clusterId: string
  readonly nodeId: number
  readonly directoryId: string
  /** Where others reach this broker. */
  readonly address: string
  readonly book: AddressBook
  /** Addresses of brokers whose ids are not known. */
  readonly seeds: readonly string[]
  readonly events: Events
  /** The folder that a node id belongs to, as the metadata has it. */
  directoryOf(nodeId: number): string | null
}

const LANES: readonly Lane[] = ['control', 'bulk']
const LOOK_MS = 1_000
/** Sockets that have not finished their handshake. */
const HANDSHAKES_MAX = 256

export class PeerTransport implements Peers, SocketOwner {
  readonly #options: PeerTransportOptions
  readonly #self: PeerIdentity
  readonly #links = new Map<number, Link>()
  readonly #listeners = new Map<PeerSubject, PeerListener>()
  /** Every socket, and whose lane it became. */
  readonly #sockets = new Map<PeerSocket, Link | null>()
  readonly #attempts: Attempts
  readonly #dialing = new Map<PeerSocket, number>()
  /** What was last complained of, by whom it was about. */
  readonly #complaints = new Map<string, string>()
  #cancelLook: (() => void) | null = null
  #isClosed = false

  constructor(options: PeerTransportOptions) {
    const { clusterId, nodeId, directoryId, address, clock, random } = options
    this.#options = options
    this.#self = { clusterId, nodeId, directoryId, address }
    this.#attempts = new Attempts(clock, random)
  }

  /** Begins to look for the others. */
  start(): void {
    for (const [nodeId] of this.#options.book.entries()) this.#attend(nodeId)
    for (const seed of this.#options.seeds) this.#attendSeed(seed)
    this.#lookLater()
  }

  get upCount(): number {
    return [...this.#links.values()].filter(({ isUp }) => isUp).length
  }

  send(to: number, lane: Lane, subject: PeerSubject, bytes: Uint8Array): boolean {
    const link = this.#links.get(to)
    if (link === undefined || !link.isUp) return false
    return link.lane(lane)!.send(subject, bytes, this.#nowMs())
  }

  listen(subject: PeerSubject, listener: PeerListener): void {
    this.#listeners.set(subject, listener)
    for (const { isUp, peer } of this.#links.values()) if (isUp) listener.onUp?.(peer)
  }

  /** A broker's address, from whoever can tell. */
  know(nodeId: number, address: string): void {
    if (nodeId === this.#self.nodeId || address === '' || this.#isClosed) return
    if (this.#options.book.put(nodeId, address)) this.#attempts.forget(keyOf(nodeId))
    this.#attend(nodeId)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelLook?.()
    this.#attempts.close()
    for (const socket of [...this.#sockets.keys()]) {
      socket.close({ code: CloseCode.restart, reason: 'the broker stops' })
    }
  }

  // --- sockets opened by others ----------------------------------------------------------------------------------------

  /** Null: it is closed again at once, as too many are not known yet. */
  accept(raw: RawSocket): PeerSocket | null {
    const { secret, random, book } = this.#options
    const pending = [...this.#sockets.values()].filter((link) => link === null).length
    if (this.#isClosed || pending >= HANDSHAKES_MAX) {
      raw.close(CloseCode.busy, this.#isClosed ? 'the broker stops' : 'too many brokers ask at once')
      return null
    }
    const accepting = new Accepting(
      {
        self: this.#self,
        secret,
        refusalOf: (hello) => this.#refusalOf(hello),
        peers: () => [...book.entries()].map(([nodeId, address]): KnownPeer => ({ nodeId, address })),
      },
      nonceOf(random),
    )
    const socket = new PeerSocket(raw, accepting, this, this.#nowMs())
    this.#sockets.set(socket, null)
    return socket
  }

  #refusalOf({ nodeId, directoryId }: Hello): Refused | null {
    const refuse = (reason: string): Refused => ({ code: CloseCode.identity, reason })
    if (directoryId === this.#self.directoryId) return { code: CloseCode.self, reason: 'that is the broker itself' }
    if (nodeId === this.#self.nodeId)
      return refuse(`node id ${nodeId} is that of the broker asked: take another --node-id`)
    const link = this.#links.get(nodeId)
    const folder = this.#options.directoryOf(nodeId) ?? (link?.isUp === true ? link.peer.directoryId : null)
    if (folder === null || folder === directoryId) return null
    return refuse(`node id ${nodeId} belongs to another data folder: take another --node-id, or that folder`)
  }

  // --- every socket ----------------------------------------------------------------------------------------------------

  onEstablished(socket: PeerSocket, { lane, peer, text }: Established): void {
    const { nodeId, directoryId, address, clusterId } = peer
    const isAccepted = text !== null
    if (lane === 'introduce') {
      // Who has not joined yet cannot be dialled. Who asks is there: no reason to wait.
      if (clusterId === null) return
      this.#attempts.forget(keyOf(nodeId))
      return this.know(nodeId, address)
    }
    const wanted = this.#dialing.get(socket)
    if (directoryId === null || (wanted !== undefined && wanted !== nodeId)) {
      return socket.close({ code: CloseCode.identity, reason: `node ${nodeId} is at the address of node ${wanted}` })
    }
    // A lane that stands is dialled no more: should the other be lost, that one is dialled again.
    this.#dialing.delete(socket)
    if (isAccepted) this.know(nodeId, address)
    const link = this.#linkTo({ nodeId, directoryId })
    const wasUp = link.isUp
    this.#sockets.set(socket, link)
    link.put(lane, socket)
    if (!wasUp && link.isUp) this.#onUp(link)
  }

  onMessage(socket: PeerSocket, subject: PeerSubject, bytes: Uint8Array): void {
    const link = this.#sockets.get(socket)
    if (link !== null && link !== undefined) this.#listeners.get(subject)?.onMessage(link.peer, bytes)
  }

  onClosed(socket: PeerSocket, refused: Refused): void {
    const link = this.#sockets.get(socket)
    const wanted = this.#dialing.get(socket)
    this.#sockets.delete(socket)
    this.#dialing.delete(socket)
    if (wanted !== undefined && link === null) this.#complain(`node ${wanted}`, refused)
    if (link !== null && link !== undefined) this.#onLaneClosed(link, socket, refused)
    if (wanted !== undefined) this.#attendLater(wanted)
  }

  #onLaneClosed(link: Link, socket: PeerSocket, { reason }: Refused): void {
    const wasUp = link.isUp
    if (!link.remove(socket)) return
    if (wasUp) this.#onDown(link, reason)
    if (link.isEmpty && this.#links.get(link.peer.nodeId) === link) this.#links.delete(link.peer.nodeId)
    this.#attendLater(link.peer.nodeId)
  }

  /** A node with another folder is another peer: what stood with the one before it goes. */
  #linkTo(peer: Peer): Link {
    const known = this.#links.get(peer.nodeId)
    if (known !== undefined && known.peer.directoryId === peer.directoryId) return known
    const link = new Link(peer)
    this.#links.set(peer.nodeId, link)
    known?.close('the node came back with another data folder')
    return link
  }

  #onUp({ peer }: Link): void {
    this.#attempts.forget(keyOf(peer.nodeId))
    this.#complaints.delete(`node ${peer.nodeId}`)
    this.#options.events.info('peer-up', { nodeId: peer.nodeId })
    for (const listener of this.#listeners.values()) listener.onUp?.(peer)
  }

  #onDown({ peer }: Link, why: string): void {
    this.#options.events.info('peer-down', { nodeId: peer.nodeId, why })
    for (const listener of this.#listeners.values()) listener.onDown?.(peer)
  }

  // --- looking for the others ------------------------------------------------------------------------------------------

  /** Does what is missing to be up with a broker, unless it is under way. */
  #attend(nodeId: number): void {
    const address = this.#options.book.addressOf(nodeId)
    const link = this.#links.get(nodeId)
    if (this.#isClosed || address === null || link?.isUp === true || this.#attempts.isPending(keyOf(nodeId))) return
    if (nodeId < this.#self.nodeId) {
      this.#attendLater(nodeId)
      return this.#introduce(address, `node ${nodeId}`)
    }
    if ([...this.#dialing.values()].includes(nodeId)) return
    for (const lane of LANES) {
      if (link?.lane(lane) !== undefined) continue
      const socket = dial(this.#options, this.#self, address, lane, this)
      this.#sockets.set(socket, null)
      this.#dialing.set(socket, nodeId)
    }
  }

  #attendLater(nodeId: number): void {
    this.#attempts.later(keyOf(nodeId), () => this.#attend(nodeId))
  }

  /** Until somebody there has told who it is. */
  #attendSeed(seed: string): void {
    this.#introduce(seed, seed, () => this.#attempts.later(seed, () => this.#attendSeed(seed)))
  }

  #introduce(address: string, who: string, onRefused?: () => void): void {
    void introduce(this.#options, this.#self, address).then((introduction) => {
      if (this.#isClosed) return
      if (introduction.kind === 'refused') {
        // A list of all brokers, the same for each of them, is a fine --join.
        if (introduction.refused.code === CloseCode.self) return
        this.#complain(who, introduction.refused)
        return onRefused?.()
      }
      const { peer, peers } = introduction
      for (const { nodeId, address: at } of [...peers, peer]) this.know(nodeId, at)
    })
  }

  /** Once, until something else is wrong. */
  #complain(who: string, { code, reason }: Refused): void {
    if (this.#isClosed || this.#complaints.get(who) === reason) return
    this.#complaints.set(who, reason)
    const { events } = this.#options
    if (isFinal(code)) events.error('peer-refused', { who, reason })
    else events.warn('peer-not-reached', { who, reason })
  }

  #lookLater(): void {
    const { clock } = this.#options
    const dueMs = clock.monotonic() + LOOK_MS
    this.#cancelLook = clock.wakeAt(dueMs, () => this.#look(clock.monotonic() - dueMs > LOOK_MS))
  }

  /** After a late wake-up, what has come in meanwhile is heard first: nobody is found silent before the next time. */
  #look(isLate: boolean): void {
    if (this.#isClosed) return
    if (!isLate) for (const socket of [...this.#sockets.keys()]) socket.look(this.#nowMs())
    this.#lookLater()
  }

  #nowMs(): number {
    return this.#options.clock.monotonic()
  }
}

function keyOf(nodeId: number): string {
  return `node ${nodeId}`
}
