// The broker as one of a cluster: its commands go to the controller, it is registered, heard, and may come to vote. A broker alone
// is all of that by itself.

import type { DataFolderIdentity } from '../log/index.ts'
import type { Events, Peers, Random } from '../ports/index.ts'
import { Forwarding } from './forwarding.ts'
import type { Metadata, MetadataRefusal } from './metadata.ts'
import { Quorum, type QuorumCommand, type QuorumReply } from './quorum.ts'
import { Registration } from './registration.ts'
import { StartRefused } from './start-refused.ts'
import type { Timers } from './timers.ts'

export interface BrokerCluster {
  peers: Peers
  /** A fresh folder waits to be taken in by the others; else it forms a cluster of its own. */
  joins: boolean
  /** Where other brokers and clients find this one: a URL. */
  address: string
  rack: string | null
}

export interface ClusterMemberWorld {
  readonly identity: DataFolderIdentity
  /** Null: the broker is alone. */
  readonly cluster: BrokerCluster | null
  readonly peers: Peers
  readonly metadata: Metadata
  readonly timers: Timers
  readonly random: Random
  readonly events: Events
}

const REGISTER_AGAIN_MS = 200

export class ClusterMember {
  readonly forwarding: Forwarding
  readonly #quorum: Quorum
  readonly #world: ClusterMemberWorld
  readonly #registration: Registration

  constructor(world: ClusterMemberWorld) {
    const { identity, cluster, peers, metadata, timers, random, events } = world
    const { nodeId, directoryId } = identity
    this.#world = world
    this.#quorum = new Quorum(metadata, timers, events)
    this.forwarding = new Forwarding({ nodeId, peers, timers, random, metadata, quorum: this.#quorum })
    this.#registration = new Registration({
      nodeId,
      directoryId,
      site: { address: cluster?.address ?? '', rack: cluster?.rack ?? null },
      metadata,
      forwarding: this.forwarding,
      quorum: this.#quorum,
      timers,
      random,
    })
  }

  /** As far as this broker knows. Null: nobody decides. */
  get controller(): number | null {
    return this.#world.metadata.controller
  }

  get voters(): readonly number[] {
    return this.#quorum.voters
  }

  /** Resolves when this broker knows all that was answered anywhere before this was asked; to why not, where it cannot. */
  async catchUp(): Promise<MetadataRefusal | null> {
    if (this.#world.cluster === null) return null
    const reply = await this.forwarding.submit({ kind: 'look' })
    if (reply.kind === 'no-controller' || reply.kind === 'closing') return reply
    return reply.kind === 'done' ? null : { kind: 'no-controller' }
  }

  changeVoters(command: QuorumCommand): Promise<QuorumReply | MetadataRefusal> {
    return this.forwarding.submit(command)
  }

  /**
   * This start becomes known; under new epochs from here on it leads what it led. One of several waits for the controller, and
   * until it has heard all that came before: by less it would take good folders for strays.
   */
  async register(): Promise<void> {
    const { cluster, events, timers } = this.#world
    for (let isWaiting = false; ; isWaiting = true) {
      const reply = await this.#registration.register()
      if (reply.kind === 'registered' && this.#registration.isCaughtUp) return
      if (reply.kind === 'foreign-directory') throw new StartRefused(foreignDirectory(reply.nodeId, reply.address))
      if (reply.kind === 'no-space' && cluster === null) {
        throw new StartRefused('the disk is full: there is no room for the metadata log')
      }
      if (!isWaiting) events.warn('waiting-for-controller', { why: reply.kind })
      await new Promise<void>((resolve) => {
        timers.at(timers.nowMs() + REGISTER_AGAIN_MS, { expire: resolve })
      })
    }
  }

  /** From now on it is heard. Nobody listens to one that is alone. */
  start(): void {
    if (this.#world.cluster !== null) this.#registration.start()
  }

  async close(): Promise<void> {
    if (this.#world.cluster !== null) await this.#registration.close()
    this.forwarding.close()
  }
}

function foreignDirectory(nodeId: number, address: string): string {
  return (
    `node id ${nodeId} belongs to another data folder, that of the broker at ${address}: ` +
    'start with another --node-id and an empty folder, or with that folder'
  )
}
