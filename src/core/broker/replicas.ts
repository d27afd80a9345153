// The partitions this broker holds, opened, configured and closed as the metadata image says. Folders are named by topic id
// and partition number. A folder whose topic the image does not know is never deleted, it is set aside and reported: only a
// committed deletion removes data.

import { isTopicId, type TopicId } from '../base/index.ts'
import {
  type ClusterDelta,
  type ClusterImage,
  resolveTopicConfig,
  type TopicConfigPatch,
  type TopicImage,
} from '../cluster/index.ts'
import type { DiskSpace, LogWorld } from '../log/index.ts'
import { type Appended, type AppendRefusal, KeyBudget, Partition } from '../partition/index.ts'
import type { ProduceRefusal } from './refusal.ts'
import { TopicRoute } from './routing.ts'
import { WaitingRoom } from './waiting.ts'

const TOPICS_FOLDER = 'topics'
const STRAY_FOLDER = 'stray'
/** Opening reads a few small files each: some at once hide the device, many would only queue. */
const OPENS_AT_ONCE = 16

export interface ReplicasOptions {
  world: LogWorld
  space: DiskSpace
  topicDefaults: TopicConfigPatch
  leaderEpoch: number
  onAdvance: (replica: Replica) => void
}

export class Replica {
  readonly topicId: TopicId
  readonly partition: number
  readonly live: Partition
  readonly room = new WaitingRoom()
  readonly #options: ReplicasOptions
  #isRemoved = false

  constructor(topicId: TopicId, partition: number, live: Partition, options: ReplicasOptions) {
    this.topicId = topicId
    this.partition = partition
    this.live = live
    this.#options = options
  }

  /** The topic's deletion is committed. Requests that still hold the replica are told so. */
  get isRemoved(): boolean {
    return this.#isRemoved
  }

  append(batch: Uint8Array, expectOffset: number | null): Appended | AppendRefusal | { kind: 'removed' } {
    if (this.#isRemoved) return { kind: 'removed' }
    const now = this.#options.world.clock.now()
    return this.live.append(batch, expectOffset === null ? { now } : { now, expectOffset })
  }

  whenCommitted(lastOffset: number): 'committed' | Promise<'committed' | 'disk-full'> {
    return this.live.whenCommitted(lastOffset)
  }

  /** Resolves when all that has been appended so far is committed, or was refused by the disk. */
  async settled(): Promise<void> {
    const { endOffset } = this.live
    if (endOffset > 0) await this.live.whenCommitted(endOffset - 1)
  }

  /** Syncs what was appended before, so that nobody waits for ever, and closes. */
  async remove(): Promise<void> {
    this.#isRemoved = true
    this.#options.onAdvance(this)
    await this.live.close()
  }

  diskLow(): ProduceRefusal {
    return {
      kind: 'disk-low',
      freeBytes: this.#options.space.freeBytes,
      freeBytesMin: this.#options.space.freeBytesMin,
    }
  }
}

export class Replicas {
  readonly #options: ReplicasOptions
  readonly #routes = new Map<TopicId, TopicRoute>()
  readonly #keyBudget = new KeyBudget()

  constructor(options: ReplicasOptions) {
    this.#options = options
  }

  get count(): number {
    let count = 0
    for (const route of this.#routes.values()) count += route.replicas.length
    return count
  }

  route(topicId: TopicId): TopicRoute | null {
    return this.#routes.get(topicId) ?? null
  }

  *all(): Iterable<Replica> {
    for (const route of this.#routes.values()) yield* route.replicas
  }

  /** Opens what the image has and sets aside folders it does not know. Before the first use, once. */
  async load(image: ClusterImage): Promise<void> {
    this.#setStraysAside(image)
    const opens: (() => Promise<void>)[] = []
    const loaded: { topic: TopicImage; replicas: Replica[] }[] = []
    for (const topic of image.topics()) {
      const replicas: Replica[] = []
      loaded.push({ topic, replicas })
      for (const { partition } of topic.partitions) {
        opens.push(async () => {
          replicas[partition] = await this.#open(topic, partition)
        })
      }
    }
    await inTurns(opens, OPENS_AT_ONCE)
    for (const { topic, replicas } of loaded) {
      this.#routes.set(topic.id, new TopicRoute(topic, this.#options.topicDefaults, replicas))
    }
  }

  /** Brings the replicas in line with a change of the image. */
  async follow(delta: ClusterDelta): Promise<void> {
    for (const topic of delta.changed) await this.#put(topic)
    for (const topicId of delta.removed) await this.#remove(topicId)
  }

  async #put(topic: TopicImage): Promise<void> {
    const known = this.#routes.get(topic.id)
    const replicas = known === undefined ? [] : [...known.replicas]
    const fresh = topic.partitions.filter((p) => replicas[p.partition] === undefined)
    await inTurns(
      fresh.map(({ partition }) => async () => {
        replicas[partition] = await this.#open(topic, partition)
      }),
      OPENS_AT_ONCE,
    )
    const route = new TopicRoute(topic, this.#options.topicDefaults, replicas)
    for (const replica of replicas) replica.live.configure(route.config)
    this.#routes.set(topic.id, route)
    for (const replica of known?.replicas ?? []) this.#options.onAdvance(replica)
  }

  /** The topic's deletion is committed: its data goes. */
  async #remove(topicId: TopicId): Promise<void> {
    const route = this.#routes.get(topicId)
    if (route === undefined) return
    this.#routes.delete(topicId)
    for (const replica of route.replicas) await replica.remove()
    this.#options.world.disk.remove(`${TOPICS_FOLDER}/${topicId}`)
  }

  async close(): Promise<void> {
    await inTurns(
      [...this.all()].map((replica) => () => replica.live.close()),
      OPENS_AT_ONCE,
    )
    this.#routes.clear()
  }

  async #open(topic: TopicImage, partition: number): Promise<Replica> {
    const { world, leaderEpoch, topicDefaults, onAdvance } = this.#options
    let replica: Replica | null = null
    const live = await Partition.open({
      folder: `${TOPICS_FOLDER}/${topic.id}/${partition}`,
      config: resolveTopicConfig(topic.config, topicDefaults).config,
      world,
      leaderEpoch,
      keyBudget: this.#keyBudget,
      onAdvance: () => {
        if (replica !== null) onAdvance(replica)
      },
    })
    replica = new Replica(topic.id, partition, live, this.#options)
    return replica
  }

  #setStraysAside(image: ClusterImage): void {
    const { disk, events } = this.#options.world
    for (const name of disk.list(TOPICS_FOLDER)) {
      if (isTopicId(name) && image.topicById(name) !== null) continue
      if (isTopicId(name) && image.isDeleted(name)) {
        disk.remove(`${TOPICS_FOLDER}/${name}`)
        continue
      }
      disk.createFolder(STRAY_FOLDER)
      disk.rename(`${TOPICS_FOLDER}/${name}`, `${STRAY_FOLDER}/${name}`)
      events.warn('stray-topic-folder', { folder: `${STRAY_FOLDER}/${name}` })
    }
  }
}

async function inTurns(jobs: readonly (() => Promise<void>)[], atOnce: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < jobs.length) await jobs[next++]!()
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, jobs.length) }, worker))
}
