// The partitions this broker holds, opened, configured and closed as the metadata image says. Folders are named by topic id
// and partition number. A folder whose topic the image does not know is never deleted, it is set aside and reported: only a
// committed deletion removes data.

import { isTopicId, type TopicId } from '../base/index.ts'
import {
  type ClusterDelta,
  type ClusterImage,
  type PartitionImage,
  resolveTopicConfig,
  type TopicConfigPatch,
  type TopicImage,
} from '../cluster/index.ts'
import type { DiskSpace, LogWorld } from '../log/index.ts'
import { DiskError } from '../ports/index.ts'
import { type Appended, type AppendRefusal, KeyBudget, Partition } from '../partition/index.ts'
import type { ProduceRefusal, ReplicaRefusal } from './refusal.ts'
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
  onAdvance: (replica: Replica) => void
}

export class Replica {
  readonly topicId: TopicId
  readonly partition: number
  readonly live: Partition
  readonly room = new WaitingRoom()
  readonly #options: ReplicasOptions
  #end: ReplicaRefusal['kind'] | null = null

  constructor(topicId: TopicId, partition: number, live: Partition, options: ReplicasOptions) {
    this.topicId = topicId
    this.partition = partition
    this.live = live
    this.#options = options
  }

  /** The topic's deletion is committed. Requests that still hold the replica are told so. */
  get isRemoved(): boolean {
    return this.#end === 'removed'
  }

  append(batch: Uint8Array, expectOffset: number | null): Appended | AppendRefusal | ReplicaRefusal {
    if (this.#end !== null) return { kind: this.#end }
    const now = this.#options.world.clock.now()
    return this.live.append(batch, expectOffset === null ? { now } : { now, expectOffset })
  }

  /** Nothing is appended from here on, and whoever waits for records looks again. */
  endTaking(end: ReplicaRefusal['kind']): void {
    this.#end ??= end
    this.#options.onAdvance(this)
  }

  whenCommitted(lastOffset: number): 'committed' | Promise<'committed' | 'disk-full'> {
    return this.live.whenCommitted(lastOffset)
  }

  isCommitted(lastOffset: number): boolean {
    return lastOffset < this.live.highWatermark
  }

  /** Resolves when all that has been appended so far is committed, or was refused by the disk. */
  async settled(): Promise<void> {
    const { endOffset } = this.live
    if (endOffset > 0) await this.live.whenCommitted(endOffset - 1)
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
  /** Topics with partitions that there was no room to open. */
  readonly #unopened = new Map<TopicId, TopicImage>()
  #changing: Promise<void> = Promise.resolve()
  /** Folders of deleted topics go one after the other, beside all else. */
  #sweeping: Promise<void> = Promise.resolve()
  #isClosing = false

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
    await this.#put([...image.topics()])
  }

  /** Brings the replicas in line with a change of the image. */
  follow(delta: ClusterDelta): Promise<void> {
    return this.#inTurn(async () => {
      await this.#put(delta.changed)
      for (const topicId of delta.removed) await this.#remove(topicId)
    })
  }

  /** Tries again what there was no room for. */
  openRest(): Promise<void> {
    if (this.#unopened.size === 0 || this.#options.space.isLow) return Promise.resolve()
    return this.#inTurn(() => this.#put([...this.#unopened.values()]))
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => {})
    return changed
  }

  async #put(topics: readonly TopicImage[]): Promise<void> {
    const puts = topics.map((topic) => ({ topic, replicas: [...(this.#routes.get(topic.id)?.replicas ?? [])] }))
    const unopened = await this.#openMissing(puts)
    for (const { topic, replicas } of puts) {
      if (unopened.has(topic)) this.#unopened.set(topic.id, topic)
      else this.#unopened.delete(topic.id)
      if (replicas.length > 0) this.#putRoute(topic, replicas)
    }
  }

  /** As long as some partitions are not open, the topic is one that has not grown yet. */
  #putRoute(topic: TopicImage, replicas: readonly Replica[]): void {
    const known = this.#routes.get(topic.id)
    const partitions = topic.partitions.slice(0, replicas.length)
    const route = new TopicRoute({ ...topic, partitions }, this.#options.topicDefaults, replicas)
    for (const replica of known?.replicas ?? []) replica.live.configure(route.config)
    this.#routes.set(topic.id, route)
    for (const replica of known?.replicas ?? []) this.#options.onAdvance(replica)
  }

  /** Adds the replicas that topics lack. Returns the topics that have, for want of space, only the first few, or none. */
  async #openMissing(puts: readonly { topic: TopicImage; replicas: Replica[] }[]): Promise<Set<TopicImage>> {
    const unopened = new Set<TopicImage>()
    const jobs = puts.flatMap(({ topic, replicas }) =>
      topic.partitions.slice(replicas.length).map((image) => async () => {
        const replica = await this.#open(topic, image)
        if (replica === null) unopened.add(topic)
        else replicas[image.partition] = replica
      }),
    )
    await inTurns(jobs, OPENS_AT_ONCE)
    for (const { topic, replicas } of puts) {
      if (!unopened.has(topic)) continue
      const openCount = topic.partitions.findIndex(({ partition }) => replicas[partition] === undefined)
      await closeAll(replicas.splice(openCount).filter((replica) => replica !== undefined))
      this.#options.world.events.warn('topic-not-opened', { topicId: topic.id, openCount, why: 'no space' })
    }
    return unopened
  }

  /** The topic's deletion is committed: its data goes. What was appended is synced before, so that nobody waits for ever. */
  async #remove(topicId: TopicId): Promise<void> {
    const replicas = this.#routes.get(topicId)?.replicas ?? []
    this.#routes.delete(topicId)
    this.#unopened.delete(topicId)
    for (const replica of replicas) replica.endTaking('removed')
    await closeAll(replicas)
    this.#sweeping = this.#sweeping.then(() => this.#sweep(`${TOPICS_FOLDER}/${topicId}`))
  }

  /** A file a turn: removing a large one takes a while. What a stop or a crash leaves, the next start removes. */
  async #sweep(folder: string): Promise<void> {
    const { disk, clock } = this.#options.world
    for (const partition of disk.list(folder)) {
      for (const file of disk.list(`${folder}/${partition}`)) {
        if (this.#isClosing) return
        disk.remove(`${folder}/${partition}/${file}`)
        await new Promise<void>((resolve) => clock.nextTurn(resolve))
      }
    }
    disk.remove(folder)
  }

  /** Requests that still hold a replica are told that the broker closes. */
  async close(): Promise<void> {
    this.#isClosing = true
    const replicas = [...this.all()]
    for (const replica of replicas) replica.endTaking('closing')
    await closeAll(replicas)
    await this.#sweeping
    this.#routes.clear()
  }

  /** Null: there is no room to make it. */
  async #open(topic: TopicImage, { partition, leaderEpoch }: PartitionImage): Promise<Replica | null> {
    const { world, topicDefaults, onAdvance } = this.#options
    let replica: Replica | null = null
    try {
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
      return (replica = new Replica(topic.id, partition, live, this.#options))
    } catch (error) {
      if (error instanceof DiskError && error.code === 'no-space') return null
      throw error
    }
  }

  #setStraysAside(image: ClusterImage): void {
    const { disk, events } = this.#options.world
    for (const name of disk.list(TOPICS_FOLDER)) {
      if (isTopicId(name) && image.topicById(name) !== null) continue
      if (isTopicId(name) && image.isDeleted(name)) {
        this.#sweeping = this.#sweeping.then(() => this.#sweep(`${TOPICS_FOLDER}/${name}`))
        continue
      }
      disk.createFolder(STRAY_FOLDER)
      let folder = `${STRAY_FOLDER}/${name}`
      while (disk.exists(folder)) folder += '.again'
      disk.rename(`${TOPICS_FOLDER}/${name}`, folder)
      events.warn('stray-topic-folder', { folder })
    }
  }
}

function closeAll(replicas: readonly Replica[]): Promise<void> {
  const closes = replicas.map((replica) => () => replica.live.close())
  return inTurns(closes, OPENS_AT_ONCE)
}

async function inTurns(jobs: readonly (() => Promise<void>)[], atOnce: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < jobs.length) await jobs[next++]!()
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, jobs.length) }, worker))
}
