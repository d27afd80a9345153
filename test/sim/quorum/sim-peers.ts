// The peers port on a simulated network: a link between two running nodes comes up after a while and goes with either of them.
// Lanes deliver in order, and lose what the rates say or what a cut swallows.

import type { Lane, PeerListener, Peers, PeerSubject } from '../../../src/core/ports/index.ts'
import { decodeMessage, type Message } from '../../../src/core/raft/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { Network } from '../network.ts'
import { SimRandom } from '../random.ts'
import type { World } from '../world.ts'
import type { SimNode } from './sim-node.ts'
import type { QuorumSwarm } from './swarm.ts'

interface Packet {
  readonly link: number
  readonly subject: PeerSubject
  readonly bytes: Uint8Array
}

const LINK_MS = 40

export class Wires {
  readonly lanes: Readonly<Record<Lane, Network<Packet>>>
  readonly #world: World
  readonly #random: SimRandom
  readonly #onRaft: (message: Message) => void
  readonly #running = new Map<number, SimNode>()
  /** By pair of nodes, the number of the link that stands. */
  readonly #links = new Map<string, number>()
  #linksMade = 0
  #cuts: { readonly from: number; readonly to: number }[] = []

  constructor(world: World, swarm: QuorumSwarm, onRaft: (message: Message) => void) {
    this.#world = world
    this.#onRaft = onRaft
    this.#random = new SimRandom(swarm.seed, 'links')
    const lane = (name: Lane) =>
      new Network<Packet>(world, new SimRandom(swarm.seed, name), { ...swarm.network }, (from, to, packet) =>
        this.#deliver(from, to, packet),
      )
    this.lanes = { control: lane('control'), bulk: lane('bulk') }
  }

  attach(node: SimNode): void {
    this.#running.set(node.nodeId, node)
    for (const other of this.#running.values()) if (other !== node) this.#connectLater(node, other)
  }

  detach(node: SimNode): void {
    this.#running.delete(node.nodeId)
    for (const other of this.#running.values()) this.#disconnect(node, other)
  }

  /** Connections break, and are made again. */
  breakLinks(node: SimNode): void {
    for (const other of this.#running.values()) {
      if (other === node || !this.isUp(node.nodeId, other.nodeId)) continue
      this.#disconnect(node, other)
      this.#connectLater(node, other)
    }
  }

  isUp(a: number, b: number): boolean {
    return this.#links.has(keyOf(a, b))
  }

  upOf(nodeId: number): SimNode[] {
    return [...this.#running.values()].filter((other) => this.isUp(nodeId, other.nodeId))
  }

  send(from: number, to: number, lane: Lane, subject: PeerSubject, bytes: Uint8Array): boolean {
    const link = this.#links.get(keyOf(from, to))
    if (link === undefined) return false
    if (subject === 'raft') this.#onRaft(decodeMessage(bytes, hostCodec)!)
    this.lanes[lane].send(from, to, { link, subject, bytes })
    return true
  }

  /** Whether what it says is swallowed on the way to more than one. */
  isCut(from: number): boolean {
    return this.#cuts.filter((cut) => cut.from === from).length > 1
  }

  cut(from: number, to: number): void {
    this.#cuts.push({ from, to })
    for (const network of Object.values(this.lanes)) network.cut(from, to)
  }

  heal(from: number, to: number): void {
    this.#cuts = this.#cuts.filter((cut) => cut.from !== from || cut.to !== to)
    for (const network of Object.values(this.lanes)) network.heal(from, to)
  }

  calm(): void {
    for (const network of Object.values(this.lanes)) {
      network.healAll()
      network.rates.loss = 0
      network.rates.capacity = 1_000
      network.rates.delayMsMean = Math.min(network.rates.delayMsMean, 5)
    }
  }

  #connectLater(a: SimNode, b: SimNode): void {
    const lives = [a.life, b.life]
    this.#world.after(this.#random.exponential(LINK_MS), () => {
      if (lives[0] !== a.life || lives[1] !== b.life || this.isUp(a.nodeId, b.nodeId)) return
      this.#links.set(keyOf(a.nodeId, b.nodeId), ++this.#linksMade)
      a.peers!.told('onUp', b)
      b.peers!.told('onUp', a)
    })
  }

  #disconnect(a: SimNode, b: SimNode): void {
    if (!this.#links.delete(keyOf(a.nodeId, b.nodeId))) return
    for (const [node, other] of [[a, b] as const, [b, a] as const]) {
      const { life } = node
      this.#world.after(0, () => {
        if (node.isRunning && node.life === life) node.peers!.told('onDown', other)
      })
    }
  }

  #deliver(from: number, to: number, { link, subject, bytes }: Packet): void {
    const sender = this.#running.get(from)
    if (sender === undefined || this.#links.get(keyOf(from, to)) !== link) return
    this.#running.get(to)?.peers!.receive(sender, subject, bytes)
  }
}

export class SimPeers implements Peers {
  readonly #nodeId: number
  readonly #wires: Wires
  readonly #listeners = new Map<PeerSubject, PeerListener>()

  constructor(nodeId: number, wires: Wires) {
    this.#nodeId = nodeId
    this.#wires = wires
  }

  send(to: number, lane: Lane, subject: PeerSubject, bytes: Uint8Array): boolean {
    return this.#wires.send(this.#nodeId, to, lane, subject, bytes.slice())
  }

  listen(subject: PeerSubject, listener: PeerListener): void {
    this.#listeners.set(subject, listener)
    for (const other of this.#wires.upOf(this.#nodeId)) listener.onUp?.(other.peer)
  }

  receive(from: SimNode, subject: PeerSubject, bytes: Uint8Array): void {
    this.#listeners.get(subject)?.onMessage(from.peer, bytes)
  }

  told(what: 'onUp' | 'onDown', other: SimNode): void {
    for (const listener of this.#listeners.values()) listener[what]?.(other.peer)
  }
}

function keyOf(a: number, b: number): string {
  return `${Math.min(a, b)} ${Math.max(a, b)}`
}
