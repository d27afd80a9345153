// One broker's metadata as the broker runs it (log, vote, snapshots, driver, runtime, cluster machine) on a simulated disk, clock
// and network. It can be killed, lose its power or its folder, and start again.

import { Metadata } from '../../../src/core/broker/metadata.ts'
import { GroupCommit } from '../../../src/core/log/index.ts'
import type { Meter, Peer } from '../../../src/core/ports/index.ts'
import { type PlantedFault, type ReplicaId, replicaIdOf } from '../../../src/core/raft/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { SimClock } from '../clock.ts'
import { type Outcome, SimDisk } from '../disk.ts'
import { SimRandom } from '../random.ts'
import type { World } from '../world.ts'
import { SimPeers, type Wires } from './sim-peers.ts'
import type { QuorumSwarm } from './swarm.ts'

const meter: Meter = {
  counter: () => ({ add: () => {} }),
  gauge: () => {},
  histogram: () => ({ observe: () => {} }),
}

const CLOSE_MS_MAX = 12_000

export interface NodeWorld {
  readonly world: World
  readonly swarm: QuorumSwarm
  readonly wires: Wires
  readonly planted: PlantedFault | undefined
  /** Mistake: what wrote nothing is answered without asking whether another leads. */
  readonly isUnconfirmed: boolean
  readonly note: (node: SimNode, event: string) => void
  readonly fail: (why: string) => void
}

export class SimNode {
  readonly nodeId: number
  /** Counts data folders. */
  folder = 1
  disk: SimDisk
  metadata: Metadata | null = null
  peers: SimPeers | null = null
  /** Counts lives, and is what a promise of an earlier one goes by. */
  life = 0
  isRunning = false
  /** A failed sync is on its way: a halt is right. */
  mayHalt = false
  slowness = 1
  readonly #around: NodeWorld
  readonly #diskRandom: SimRandom

  constructor(nodeId: number, around: NodeWorld) {
    this.nodeId = nodeId
    this.#around = around
    this.#diskRandom = new SimRandom(around.swarm.seed, `disk ${nodeId}`)
    this.disk = this.#emptyDisk()
  }

  get peer(): Peer {
    return { nodeId: this.nodeId, directoryId: `folder${this.folder}` }
  }

  get replica(): ReplicaId {
    return replicaIdOf(this.nodeId, this.peer.directoryId)
  }

  /** `joins`: others take it in. */
  start(joins: boolean): void {
    const { swarm, wires, planted, note } = this.#around
    const life = ++this.life
    const { disk } = this
    const { clock } = disk
    this.isRunning = true
    this.peers = new SimPeers(this.nodeId, wires)
    wires.attach(this)
    const halt = (why: string, error: unknown): void => this.#onHalt(life, `${why}: ${String(error)}`)
    const say = (event: string): void => note(this, event)
    const events = { info: () => {}, warn: say, error: say }
    note(this, 'start')
    Metadata.open({
      world: { disk, codec: hostCodec, clock, events, commits: new GroupCommit(disk, clock, meter, halt) },
      random: new SimRandom(swarm.seed, `node ${this.nodeId} ${life}`),
      nodeId: this.nodeId,
      replica: this.replica,
      joins,
      peers: this.peers,
      defaults: { partitions: 1, replicationFactor: 3, config: {} },
      snapshotBytes: swarm.snapshotBytes,
      options: { ...swarm.options, ...(planted === undefined ? {} : { planted }) },
      halt,
    }).then(
      (metadata) => {
        if (life !== this.life) return
        this.metadata = metadata
        if (this.#around.isUnconfirmed) Object.assign(metadata.quorum, { confirm: () => null })
      },
      (error: unknown) => this.#onRefused(life, error),
    )
  }

  /** An orderly end, which is to come within a few seconds whatever the others do. */
  close(done: () => void): void {
    const { life, metadata } = this
    let isClosed = false
    this.#around.note(this, 'closes')
    metadata!.close().then(
      () => {
        isClosed = true
        if (life !== this.life) return
        this.end(null)
        done()
      },
      // a failed sync: it has halted
      () => (isClosed = true),
    )
    this.#around.world.after(CLOSE_MS_MAX * Math.max(1, this.slowness), () => {
      if (!isClosed && life === this.life) this.#around.fail(`node ${this.nodeId} does not close`)
    })
  }

  /** The process ends; its page cache lives on, unless the power went. */
  end(outcome: Outcome | null): void {
    this.#around.note(this, outcome === null ? 'killed' : 'power lost')
    if (this.isRunning) this.#stop()
    this.disk = outcome === null ? this.disk.kill() : this.disk.powerLoss(outcome)
  }

  /** An empty folder: another replica, which nobody knows. */
  wipe(): void {
    if (this.isRunning) this.#stop()
    this.folder++
    this.disk = this.#emptyDisk()
    this.#around.note(this, `wiped, is ${this.replica}`)
  }

  #stop(): void {
    this.life++
    this.isRunning = false
    this.metadata = null
    this.mayHalt = false
    this.disk.die()
    this.#around.wires.detach(this)
  }

  #emptyDisk(): SimDisk {
    const { world, swarm } = this.#around
    return new SimDisk(new SimClock(world), {
      syncMs: () => Math.min(1_500, this.#diskRandom.exponential(swarm.syncMsMean) * this.slowness),
    })
  }

  #onHalt(life: number, why: string): void {
    if (life !== this.life) return
    if (!this.mayHalt) this.#around.fail(`node ${this.nodeId} halts: ${why}`)
    this.#around.note(this, 'halted')
    this.#stop()
    this.disk = this.disk.kill()
  }

  #onRefused(life: number, error: unknown): void {
    if (life !== this.life) return
    if (!this.mayHalt && !/disk is full|no space/.test(String(error)))
      this.#around.fail(`node ${this.nodeId} does not start: ${String(error)}`)
    this.#around.note(this, 'does not start')
    this.#stop()
    this.disk = this.disk.kill()
  }
}
