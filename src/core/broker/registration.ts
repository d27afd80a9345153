// This broker among the others: it registers at each start, and is heard every two seconds from then on. Whoever the controller does
// not know any more (its registration was lost with a leader) registers again. A broker that stops says so.

import { topicIdOf } from '../base/index.ts'
import type { BrokerReply } from '../cluster/index.ts'
import type { Random } from '../ports/index.ts'
import type { Forwarding } from './forwarding.ts'
import type { Metadata, MetadataRefusal } from './metadata.ts'
import type { Quorum } from './quorum.ts'
import type { Timers } from './timers.ts'

export interface RegistrationWorld {
  readonly nodeId: number
  readonly directoryId: string
  readonly site: { readonly address: string; readonly rack: string | null }
  readonly metadata: Metadata
  readonly forwarding: Forwarding
  readonly quorum: Quorum
  readonly timers: Timers
  readonly random: Random
}

const HEARTBEAT_MS = 2_000
/** While it leads nothing it is heard more often, to lead again soon. */
const FENCED_MS = 200
/** A stop is told at most so long. */
const FAREWELL_MS = 500

export class Registration {
  readonly #world: RegistrationWorld
  readonly #incarnationId: string
  #brokerEpoch = 0
  #isClosed = false

  constructor(world: RegistrationWorld) {
    this.#world = world
    const bytes = new Uint8Array(20)
    world.random.fill(bytes)
    this.#incarnationId = topicIdOf(bytes)
  }

  /** This broker's image holds its own registration, and so all that came before. */
  get isCaughtUp(): boolean {
    const { metadata, nodeId } = this.#world
    return this.#brokerEpoch > 0 && metadata.image.broker(nodeId)?.brokerEpoch === this.#brokerEpoch
  }

  async register(): Promise<BrokerReply | MetadataRefusal> {
    const { nodeId, directoryId, site, metadata, forwarding } = this.#world
    const reply = await forwarding.submit({
      kind: 'register-broker',
      nodeId,
      incarnationId: this.#incarnationId,
      directoryId,
      rack: site.rack,
      address: site.address,
      isCaughtUp: metadata.isController,
      epochAtLeast: metadata.leaderEpoch,
    })
    if (reply.kind === 'registered') this.#brokerEpoch = reply.brokerEpoch
    return reply
  }

  /** From now on it is heard. */
  start(): void {
    void this.#beat()
  }

  async #beat(): Promise<void> {
    const { timers, quorum } = this.#world
    const reply = await this.#heartbeat(false)
    if (this.#isClosed) return
    if (reply.kind === 'stale-broker') await this.register()
    const isWell = reply.kind === 'heard' && !reply.isFenced
    void quorum.grow()
    timers.at(timers.nowMs() + (isWell ? HEARTBEAT_MS : FENCED_MS), { expire: () => void this.#beat() })
  }

  #heartbeat(isStopping: boolean): Promise<BrokerReply | MetadataRefusal> {
    const { nodeId, forwarding } = this.#world
    const { isCaughtUp } = this
    return forwarding.submit({
      kind: 'broker-heartbeat',
      nodeId,
      brokerEpoch: this.#brokerEpoch,
      isCaughtUp,
      isStopping,
    })
  }

  /** Says that it stops, if anybody is there to hear it. */
  async close(): Promise<void> {
    this.#isClosed = true
    const { timers } = this.#world
    const late = new Promise((resolve) => timers.at(timers.nowMs() + FAREWELL_MS, { expire: () => resolve(null) }))
    await Promise.race([this.#heartbeat(true), late])
  }
}
