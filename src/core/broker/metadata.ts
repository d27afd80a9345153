// The metadata of the cluster on this broker: the topics machine on its runtime, over a local journal until a quorum keeps
// it. Committed images are followed one after another, so that whoever waits for `followed` finds the replicas in line with
// the image that answered it.

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
import type { Random } from '../ports/index.ts'
import { LocalJournal } from './local-journal.ts'

const FOLDER = 'metadata'

export type MetadataReply = TopicReply | MetadataRefusal

export type MetadataRefusal =
  | { kind: 'closing' }
  | { kind: 'no-space' }
  /** It may or may not come to be. */
  | { kind: 'unknown-outcome' }

export class Metadata {
  readonly leaderEpoch: number
  readonly #journal: LocalJournal
  #runtime!: Runtime<ClusterCommand, ClusterRecord, ClusterReply, ClusterImage>
  #image: ClusterImage = EMPTY_CLUSTER
  #follow: ((delta: ClusterDelta) => Promise<void>) | null = null
  #followed: Promise<void> = Promise.resolve()
  readonly #halt: (why: string, error: unknown) => void

  private constructor(journal: LocalJournal, halt: (why: string, error: unknown) => void) {
    this.#journal = journal
    this.leaderEpoch = journal.leaderEpoch
    this.#halt = halt
  }

  static async open(
    world: LogWorld,
    random: Random,
    nodeId: number,
    defaults: TopicDefaults,
    snapshotBytes: number,
    halt: (why: string, error: unknown) => void,
  ): Promise<Metadata> {
    const journal = await LocalJournal.open(FOLDER, world)
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
