// The metadata of the cluster on this broker: the cluster machine on its runtime, over a raft journal. The broker that leads
// that decides (the controller); on every broker there is the image of what is committed. Images are followed one after
// another, so that whoever waits for `followed` finds the replicas in line with the image that answered it.

import { topicIdOf } from '../base/index.ts'
import {
  type ClusterCommand,
  type ClusterDelta,
  type ClusterImage,
  ClusterMachine,
  type ClusterRecord,
  clusterRecords,
  type ClusterReply,
  EMPTY_CLUSTER,
  type TopicDefaults,
  type TopicReply,
} from '../cluster/index.ts'
import type { LogWorld } from '../log/index.ts'
import { Runtime, type Submitted, unkeyed } from '../machine/index.ts'
import type { Clock, Peers, Random } from '../ports/index.ts'
import { nodeIdOf, type RaftDriver, type RaftOptions, type ReplicaId } from '../raft/index.ts'
import { RaftJournal } from './raft-journal.ts'

const FOLDER = 'metadata'

export type MetadataReply = TopicReply | MetadataRefusal

export type MetadataRefusal =
  | { kind: 'closing' }
  | { kind: 'no-space' }
  /** It may or may not come to be. */
  | { kind: 'unknown-outcome' }
  /** Nobody decides at present. */
  | { kind: 'no-controller' }

export interface MetadataSetup {
  readonly world: LogWorld
  readonly random: Random
  readonly nodeId: number
  /** This broker and its data folder. */
  readonly replica: ReplicaId
  /** A fresh folder waits to be taken in by others; else it forms a cluster of its own. */
  readonly joins: boolean
  readonly peers: Peers
  readonly defaults: TopicDefaults
  readonly snapshotBytes: number
  readonly halt: (why: string, error: unknown) => void
  /** Tests have their own. */
  readonly options?: RaftOptions
}

type Undecided = 'not-controller' | 'closing' | 'no-space' | 'busy'

export type Decided =
  /** Committed; all of it lies below `end` of the metadata log. */
  | { kind: 'decided'; reply: ClusterReply; end: number }
  /** Nothing was done. */
  | { kind: 'refused'; why: Undecided }
  | { kind: 'unknown-outcome' }

/** At the end, a quorum that does not answer is not waited for longer than this. */
const CLOSE_MS = 2_000

export class Metadata {
  readonly #journal: RaftJournal
  #runtime!: Runtime<ClusterCommand, ClusterRecord, ClusterReply, ClusterImage>
  #image: ClusterImage = EMPTY_CLUSTER
  #follow: ((delta: ClusterDelta) => Promise<void>) | null = null
  #followed: Promise<void> = Promise.resolve()
  /** The image holds all below this of the metadata log. */
  #end = 0
  #waiting: { readonly end: number; readonly resolve: () => void }[] = []
  readonly #clock: Clock
  readonly #halt: (why: string, error: unknown) => void

  private constructor(journal: RaftJournal, clock: Clock, halt: (why: string, error: unknown) => void) {
    this.#journal = journal
    this.#clock = clock
    this.#halt = halt
  }

  /** Resolves when the image is loaded: of a lone broker all that was ever committed, of others what is known so far. */
  static async open(setup: MetadataSetup): Promise<Metadata> {
    const { world, random, nodeId, defaults, snapshotBytes, halt, ...quorum } = setup
    const journal = await RaftJournal.open({ folder: FOLDER, world, random, halt, ...quorum })
    const metadata = new Metadata(journal, world.clock, halt)
    const idBytes = new Uint8Array(20)
    metadata.#runtime = await Runtime.open<ClusterCommand, ClusterRecord, ClusterReply, ClusterImage>({
      create: () =>
        new ClusterMachine({
          nodeId,
          defaults,
          newTopicId: () => {
            random.fill(idBytes)
            return topicIdOf(idBytes)
          },
        }),
      records: unkeyed(clusterRecords),
      journal,
      clock: world.clock,
      snapshotBytes,
      onCommitted: (image, end) => metadata.#onCommitted(image, end),
      onFailed: (error) => halt('the metadata could not be loaded again', error),
    })
    metadata.#image = metadata.#runtime.committedView
    return metadata
  }

  /** The term of the quorum: of a lone broker, above every epoch of its earlier starts. */
  get leaderEpoch(): number {
    return this.#journal.leaderEpoch
  }

  /** The latest committed image. */
  get image(): ClusterImage {
    return this.#image
  }

  /** Resolves when the latest image has been followed. */
  get followed(): Promise<void> {
    return this.#followed
  }

  /** From now on every change of the image is followed, in order. */
  startFollowing(follow: (delta: ClusterDelta) => Promise<void>): void {
    this.#follow = follow
  }

  /** Told each time another broker comes to decide. */
  onController(told: (nodeId: number) => void): void {
    this.#journal.onLeader = (leader) => told(nodeIdOf(leader))
  }

  /** The broker that decides, as far as this one knows. */
  get controller(): number | null {
    const leader = this.quorum.raft?.leader ?? null
    return leader === null ? null : nodeIdOf(leader)
  }

  /** Whether this broker decides, and has loaded what it needs for that. */
  get isController(): boolean {
    return this.#runtime.phase === 'active'
  }

  /** Who votes, and how far everybody is. */
  get quorum(): RaftDriver {
    return this.#journal.driver
  }

  /** Decides here, if this broker is the controller. */
  async decide(command: ClusterCommand): Promise<Decided> {
    const deciding = this.#runtime.submit(command)
    const end = this.#journal.endOffset
    const submitted = await deciding
    switch (submitted.kind) {
      case 'committed':
        return { kind: 'decided', reply: submitted.reply, end }
      case 'refused':
        return { kind: 'refused', why: this.#whyRefused(submitted.reason) }
      case 'lost':
        if (submitted.outcome === 'unknown') return { kind: 'unknown-outcome' }
        return { kind: 'refused', why: this.#journal.isDiskFull ? 'no-space' : 'not-controller' }
    }
  }

  #whyRefused(reason: Extract<Submitted<never>, { kind: 'refused' }>['reason']): Undecided {
    switch (reason) {
      case 'closed':
        return 'closing'
      case 'disk-full':
        return 'no-space'
      case 'overloaded':
        return 'busy'
      case 'loading':
      case 'following':
      case 'not-leading':
      case 'failed':
        return this.#journal.isDiskFull ? 'no-space' : 'not-controller'
    }
  }

  /** Resolves when this broker's image holds all below `end` of the metadata log, and has been followed. */
  async reached(end: number): Promise<void> {
    if (this.#end < end) await new Promise<void>((resolve) => this.#waiting.push({ end, resolve }))
    await this.#followed
  }

  /** What is under way has its answer, unless there is no quorum to give it; then another controls. */
  async close(): Promise<void> {
    const closed = this.#runtime.close()
    const cancel = this.#clock.wakeAt(this.#clock.monotonic() + CLOSE_MS, () => this.#journal.giveUp())
    await closed
    cancel()
    await this.#followed
    await this.#journal.handOver()
    await this.#journal.close()
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  #onCommitted(image: ClusterImage, end: number): void {
    this.#end = end
    if (image !== this.#image) this.#followImage(image)
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = waiting.filter((waiter) => waiter.end > end)
    for (const waiter of waiting) if (waiter.end <= end) waiter.resolve()
  }

  #followImage(image: ClusterImage): void {
    const delta = image.deltaSince(this.#image)
    this.#image = image
    const follow = this.#follow
    if (follow === null || (delta.changed.length === 0 && delta.removed.length === 0)) return
    this.#followed = this.#followed
      .then(() => follow(delta))
      .catch((error: unknown) => this.#halt('the replicas could not follow the metadata', error))
  }
}
