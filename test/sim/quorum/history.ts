// What clients asked of the metadata and what they were told. One register a name, of which every answer says where in the one
// order of all decisions it stands, so that an answer from the past shows:
//
//   allocate    blocks of ids: never the same twice, and behind every block that was given before the request began
//   register    a broker's epoch: above every epoch of it that was given before
//   heartbeat   writes nothing: `heard` under an epoch is a lie once a later epoch was given before the request began

import type { Decided } from '../../../src/core/broker/metadata.ts'
import type { BrokerCommand, TopicCommand } from '../../../src/core/cluster/index.ts'
import { SimRandom } from '../random.ts'
import type { World } from '../world.ts'
import type { SimNode } from './sim-node.ts'
import type { QuorumSwarm } from './swarm.ts'

const BROKERS = 3
const FIRST_BROKER = 900
const PATIENCE_MS = 3_000

interface Known {
  /** The highest epoch that was given, and all there were. */
  epoch: number
  readonly given: number[]
  /** Registrations asked for and not answered with an epoch: any of them may be, or come to be. */
  unsettled: number
}

export interface HistoryWorld {
  readonly world: World
  readonly swarm: QuorumSwarm
  readonly isWary: boolean
  readonly nodes: () => readonly SimNode[]
  readonly isCut: (nodeId: number) => boolean
  readonly fail: (why: string) => void
}

export class History {
  acknowledged = 0
  unknown = 0
  unwritten = 0
  /** Behind the last block that was given. */
  idsEnd = 0
  readonly #world: HistoryWorld
  readonly #random: SimRandom
  readonly #blocks = new Set<number>()
  readonly #brokers = new Map<number, Known>()
  #incarnations = 0
  #isActive = true

  constructor(world: HistoryWorld) {
    this.#world = world
    this.#random = new SimRandom(world.swarm.seed, 'clients')
    for (let client = 0; client < world.swarm.clients; client++) this.#next(client)
  }

  stop(): void {
    this.#isActive = false
  }

  #next(client: number): void {
    this.#world.world.after(this.#random.exponential(this.#world.swarm.thinkMsMean), () => {
      if (this.#isActive) this.#operate(client)
    })
  }

  /**
   * The first client writes; the others mostly do not. In some worlds it writes to nobody who is cut off: an old leader with
   * an unanswered write answers nothing else either, and what it may still believe would never be seen.
   */
  #operate(client: number): void {
    const next = (): void => this.#next(client)
    const { isWary, nodes, isCut } = this.#world
    const running = nodes().filter(
      ({ metadata, nodeId }) => metadata !== null && !(client === 0 && isWary && isCut(nodeId)),
    )
    if (running.length === 0) return next()
    const leading = running.filter(({ metadata }) => metadata!.isController)
    const node = this.#random.pick(leading.length > 0 && this.#random.chance(0.9) ? leading : running)
    const nodeId = FIRST_BROKER + this.#random.int(0, BROKERS - 1)
    const reads = this.#random.chance(client === 0 ? 0.3 : isWary ? 1 : 0.95) && this.#known(nodeId).epoch > 0
    if (reads) this.#heartbeat(node, nodeId, next)
    else if (this.#random.chance(0.5)) this.#register(node, nodeId, next)
    else this.#allocate(node, next)
  }

  /** The answer, or null when none came: the outcome is not known. */
  #ask(
    node: SimNode,
    command: TopicCommand | BrokerCommand,
    done: (decided: Decided | null) => void,
    next: () => void,
  ): void {
    let isDone = false
    const finish = (decided: Decided | null): void => {
      if (isDone) return
      isDone = true
      if (decided?.kind === 'decided') this.acknowledged++
      else if (decided?.kind !== 'refused') this.unknown++
      done(decided)
      next()
    }
    this.#world.world.after(PATIENCE_MS, () => finish(null))
    const { life } = node
    void node.metadata!.decide(command).then((decided) => {
      if (life === node.life) finish(decided)
    })
  }

  #allocate(node: SimNode, next: () => void): void {
    const { idsEnd } = this
    const done = (decided: Decided | null): void => {
      if (decided?.kind !== 'decided' || decided.reply.kind !== 'producer-ids') return
      const { firstId, count } = decided.reply
      if (this.#blocks.has(firstId)) this.#world.fail(`the ids from ${firstId} were given twice`)
      if (firstId < idsEnd) this.#world.fail(`the ids from ${firstId} were given, after those below ${idsEnd}`)
      this.#blocks.add(firstId)
      this.idsEnd = Math.max(this.idsEnd, firstId + count)
    }
    this.#ask(node, { kind: 'allocate-producer-ids', count: 1 }, done, next)
  }

  #register(node: SimNode, nodeId: number, next: () => void): void {
    const known = this.#known(nodeId)
    const { epoch } = known
    known.unsettled++
    const command = {
      kind: 'register-broker',
      nodeId,
      incarnationId: `i${++this.#incarnations}`,
      directoryId: 'd',
      rack: null,
      address: 'a',
      isCaughtUp: true,
      epochAtLeast: 1,
    } as const
    this.#ask(
      node,
      command,
      (decided) => {
        if (decided?.kind === 'refused') known.unsettled--
        if (decided?.kind !== 'decided') return
        if (decided.reply.kind !== 'registered')
          return this.#world.fail(`a registration is answered ${decided.reply.kind}`)
        const { brokerEpoch } = decided.reply
        if (brokerEpoch <= epoch) this.#world.fail(`broker ${nodeId} is given epoch ${brokerEpoch} after ${epoch}`)
        known.unsettled--
        known.epoch = Math.max(known.epoch, brokerEpoch)
        known.given.push(brokerEpoch)
      },
      next,
    )
  }

  #heartbeat(node: SimNode, nodeId: number, next: () => void): void {
    const known = this.#known(nodeId)
    const { epoch, unsettled } = known
    const brokerEpoch = this.#random.chance(0.4) ? epoch : this.#random.pick(known.given.slice(-4))
    const command = { kind: 'broker-heartbeat', nodeId, brokerEpoch, isCaughtUp: true, isStopping: false } as const
    this.#ask(
      node,
      command,
      (decided) => {
        if (decided?.kind !== 'decided') return
        this.unwritten++
        if (decided.reply.kind === 'heard' && brokerEpoch < epoch)
          this.#world.fail(`broker ${nodeId} is heard under epoch ${brokerEpoch} after it was given ${epoch}`)
        const isCurrent = brokerEpoch === known.epoch && unsettled === 0 && known.unsettled === 0
        if (decided.reply.kind === 'stale-broker' && isCurrent)
          this.#world.fail(`broker ${nodeId} is not known under its epoch ${brokerEpoch}`)
      },
      next,
    )
  }

  #known(nodeId: number): Known {
    let known = this.#brokers.get(nodeId)
    if (known === undefined) this.#brokers.set(nodeId, (known = { epoch: 0, given: [], unsettled: 0 }))
    return known
  }
}
