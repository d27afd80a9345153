// The metadata of the cluster on this broker: the cluster machine on its runtime, over a raft journal. The broker that leads
// that decides (the controller); on every broker there is the image of what is committed. Images are followed one after
// another, so that whoever waits for `followed` finds the replicas in line with the image that answered it.

import { topicIdOf } from '../base/index.ts'
import {
  type BrokerCommand,
  type BrokerReply,
  type ClusterCommand,
  type ClusterDelta,
  type ClusterImage,
  ClusterMachine,
  type ClusterRecord,
  clusterRecords,
  type ClusterReply,
  EMPTY_CLUSTER,
  type TopicCommand,
  type TopicDefaults,
  type TopicReply,
} from '../cluster/index.ts'
import type { LogWorld } from '../log/index.ts'
import { Runtime, unkeyed } from '../machine/index.ts'
import type { Peers, Random } from '../ports/index.ts'
import type { ReplicaId } from '../raft/index.ts'
import { RaftJournal } from './raft-journal.ts'

const FOLDER = 'metadata'

export type MetadataReply = TopicReply | MetadataRefusal

export type MetadataRefusal =
  | { kind: 'closing' }
  | { kind: 'no-space' }
  /** It may or may not come to be. */
  | { kind: 'unknown-outcome' }

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
}

export class Metadata {
  readonly #journal: RaftJournal
  #runtime!: Runtime<ClusterCommand, ClusterRecord, ClusterReply, ClusterImage>
  #image: ClusterImage = EMPTY_CLUSTER
  #follow: ((delta: ClusterDelta) => Promise<void>) | null = null
  #followed: Promise<void> = Promise.resolve()
  readonly #halt: (why: string, error: unknown) => void

  private constructor(journal: RaftJournal, halt: (why: string, error: unknown) => void) {
    this.#journal = journal
    this.#halt = halt
  }

  /** Resolves when the image is loaded: of a lone broker all that was ever committed, of others what is known so far. */
  static async open(setup: MetadataSetup): Promise<Metadata> {
    const { world, random, nodeId, defaults, snapshotBytes, halt, ...quorum } = setup
    const journal = await RaftJournal.open({ folder: FOLDER, world, random, halt, ...quorum })
    const metadata = new Metadata(journal, halt)
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
      onCommitted: (image) => metadata.#onCommitted(image),
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

  /** Resolves when the answer is committed and every image up to it has been followed. */
  submit(command: TopicCommand): Promise<TopicReply | MetadataRefusal>
  submit(command: BrokerCommand): Promise<BrokerReply | MetadataRefusal>
  async submit(command: ClusterCommand): Promise<ClusterReply | MetadataRefusal> {
    const submitted = await this.#runtime.submit(command)
    switch (submitted.kind) {
      case 'committed':
        await this.#followed
        return submitted.reply
      case 'refused':
        // It is loading again only after the disk had no room for what came before.
        return submitted.reason === 'closed' ? { kind: 'closing' } : { kind: 'no-space' }
      case 'lost':
        return submitted.outcome === 'none' ? { kind: 'no-space' } : { kind: 'unknown-outcome' }
    }
  }

  async close(): Promise<void> {
    await this.#runtime.close()
    await this.#followed
    await this.#journal.close()
  }

  #onCommitted(image: ClusterImage): void {
    const delta = image.deltaSince(this.#image)
    this.#image = image
    const follow = this.#follow
    if (follow === null || (delta.changed.length === 0 && delta.removed.length === 0)) return
    this.#followed = this.#followed
      .then(() => follow(delta))
      .catch((error: unknown) => this.#halt('the replicas could not follow the metadata', error))
  }
}
