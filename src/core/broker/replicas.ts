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
import type { PlaceRefusal, ProduceRefusal, ReplicaRefusal } from './refusal.ts'
import { TopicRoute } from './routing.ts'
import { WaitingRoom } from './waiting.ts'

const TOPICS_FOLDER = 'topics'
const STRAY_FOLDER = 'stray'
/** Opening reads a few small files each: some at once hide the device, many would only queue. */
const OPENS_AT_ONCE = 16

export interface ReplicasOptions {
  nodeId: number
  world: LogWorld
  space: DiskSpace
  topicDefaults: TopicConfigPatch
  onAdvance: (replica: Replica) => void
  /** A topic can be used, or has more partitions or another configuration than before. */
  onRouted: (topic: TopicImage) => void
  onRemoved: () => void
}

export class Replica {
  readonly topicId: TopicId
  readonly partition: number
  readonly live: Partition
  readonly room = new WaitingRoom()
  /** Told when the high watermark has risen, or appended batches were refused. */
  onMove: (() => void) | null = null
  readonly #options: ReplicasOptions
  /** It takes no new records. */
  isRetiring = false
  #end: ReplicaRefusal['kind'] | null = null

  constructor(topicId: TopicId, partition: number, live: Partition, options: ReplicasOptions) {
    this.topicId = topicId
    this.partition = partition
    this.live = live
    this.#options = options
  }

  /** Its removal, or the topic's, is committed, or it is led otherwise. Requests that still hold the replica are told so. */
  get isRemoved(): boolean {
    return this.#end !== null && this.#end !== 'closing'
  }

  /** Its retirement has come to its end. */
  get isRetired(): boolean {
    return this.#end === 'partition-removed'
  }

  /** Null: it is there. */
  removal({ name: topic, partitions }: TopicImage): PlaceRefusal | null {
    if (!this.isRemoved) return null
    if (this.#end === 'topic-removed') return { kind: 'unknown-topic', topic, recentlyDeleted: true }
    if (this.#end === 'lead-ended') return { kind: 'not-leader', topic, leader: null }
    return { kind: 'unknown-partition', topic, partition: this.partition, partitionCount: partitions.length - 1 }
  }

  append(batch: Uint8Array, expectOffset: number | null): Appended | AppendRefusal | ReplicaRefusal {
    if (this.#end !== null) return { kind: this.#end }
    const now = this.#options.world.clock.now()
    const { isRetiring } = this
    return this.live.append(batch, expectOffset === null ? { now, isRetiring } : { now, isRetiring, expectOffset })
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
  load(image: ClusterImage): Promise<void> {
    return this.#inTurn(async () => {
      this.#setStraysAside(image)
      await this.#put([...image.topics()])
    })
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
    const puts = topics.map((whole) => ({ whole, topic: this.#ledOf(whole), replicas: this.#known(whole) }))
    for (const { topic, replicas } of puts) await this.#endLeads(topic, replicas)
    await this.#openMissing(puts)
    for (const { whole, topic, replicas } of puts) {
      if (replicas.size < topic.partitions.length) this.#unopened.set(topic.id, whole)
      else this.#unopened.delete(topic.id)
      const known = this.#routes.get(topic.id)?.replicas ?? []
      if (replicas.size > 0) this.#putRoute(topic, replicas)
      else if (topic.partitions.length === 0) this.#routes.delete(topic.id)
      const numbers = new Set(whole.partitions.map(({ partition }) => partition))
      await this.#removePartitions(known.filter(({ partition }) => !numbers.has(partition)))
    }
  }

  /** The topic with the partitions only that this broker leads. */
  #ledOf(topic: TopicImage): TopicImage {
    const { nodeId } = this.#options
    const partitions = topic.partitions.filter(({ leader }) => leader === nodeId)
    return partitions.length === topic.partitions.length ? topic : { ...topic, partitions }
  }

  /** Those of its partitions that are open. */
  #known(topic: TopicImage): Map<number, Replica> {
    const numbers = new Set(topic.partitions.map(({ partition }) => partition))
    const known = this.#routes.get(topic.id)?.replicas ?? []
    return new Map(known.filter(({ partition }) => numbers.has(partition)).map((one) => [one.partition, one]))
  }

  /** Closes those that this broker does not lead any more, or leads under another epoch from now on; their data stays. */
  async #endLeads(topic: TopicImage, open: Map<number, Replica>): Promise<void> {
    if (open.size === 0) return
    const epochs = new Map(topic.partitions.map(({ partition, leaderEpoch }) => [partition, leaderEpoch]))
    const ended = [...open.values()].filter(({ partition, live }) => epochs.get(partition) !== live.leaderEpoch)
    for (const replica of ended) {
      replica.endTaking('lead-ended')
      open.delete(replica.partition)
    }
    await closeAll(ended)
  }

  /** As long as some partitions are not open, the topic is one that has not grown yet. */
  #putRoute(topic: TopicImage, open: ReadonlyMap<number, Replica>): void {
    const partitions = topic.partitions.slice(0, open.size)
    const replicas = partitions.map(({ partition }) => open.get(partition)!)
    const isWhole = partitions.length === topic.partitions.length
    const nextPartition = isWhole ? topic.nextPartition : partitions.at(-1)!.partition + 1
    const route = new TopicRoute({ ...topic, partitions, nextPartition }, this.#options.topicDefaults, replicas)
    for (const [i, replica] of replicas.entries()) {
      replica.live.configure(route.config)
      replica.isRetiring = partitions[i]!.state === 'retiring'
    }
    this.#routes.set(topic.id, route)
    for (const replica of replicas) this.#options.onAdvance(replica)
    this.#options.onRouted(topic)
  }

  /** Adds the replicas that topics lack; for want of space only the first few, or none. */
  async #openMissing(puts: readonly { topic: TopicImage; replicas: Map<number, Replica> }[]): Promise<void> {
    const jobs = puts.flatMap(({ topic, replicas }) =>
      topic.partitions
        .filter(({ partition }) => !replicas.has(partition))
        .map((image) => async () => {
          const replica = await this.#open(topic, image)
          if (replica !== null) replicas.set(image.partition, replica)
        }),
    )
    await inTurns(jobs, OPENS_AT_ONCE)
    for (const { topic, replicas } of puts) {
      const openCount = topic.partitions.findIndex(({ partition }) => !replicas.has(partition))
      if (openCount < 0) continue
      const behind = topic.partitions.slice(openCount).map(({ partition }) => partition)
      await closeAll(behind.map((partition) => replicas.get(partition)).filter((replica) => replica !== undefined))
      for (const partition of behind) replicas.delete(partition)
      this.#options.world.events.warn('topic-not-opened', { topicId: topic.id, openCount, why: 'no space' })
    }
  }

  /** Their retirement has come to its end: their data goes. */
  async #removePartitions(replicas: readonly Replica[]): Promise<void> {
    for (const replica of replicas) replica.endTaking('partition-removed')
    await closeAll(replicas)
    for (const { topicId, partition } of replicas) this.#sweepLater([`${TOPICS_FOLDER}/${topicId}/${partition}`])
  }

  /** The topic's deletion is committed: its data goes. What was appended is synced before, so that nobody waits for ever. */
  async #remove(topicId: TopicId): Promise<void> {
    const replicas = this.#routes.get(topicId)?.replicas ?? []
    this.#routes.delete(topicId)
    this.#unopened.delete(topicId)
    for (const replica of replicas) replica.endTaking('topic-removed')
    this.#options.onRemoved()
    await closeAll(replicas)
    this.#sweepTopicLater(topicId)
  }

  #sweepTopicLater(topicId: TopicId): void {
    const folder = `${TOPICS_FOLDER}/${topicId}`
    const partitions = this.#options.world.disk.list(folder)
    this.#sweepLater([...partitions.map((partition) => `${folder}/${partition}`), folder])
  }

  /** A file a turn: removing a large one takes a while. What a stop or a crash leaves, the next start removes. */
  #sweepLater(folders: readonly string[]): void {
    this.#sweeping = this.#sweeping.then(async () => {
      for (const folder of folders) await this.#sweep(folder)
    })
  }

  async #sweep(folder: string): Promise<void> {
    const { disk, clock } = this.#options.world
    for (const file of disk.list(folder)) {
      if (this.#isClosing) return
      disk.remove(`${folder}/${file}`)
      await new Promise<void>((resolve) => clock.nextTurn(resolve))
    }
    if (!this.#isClosing) disk.remove(folder)
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
          if (replica === null) return
          replica.onMove?.()
          onAdvance(replica)
        },
      })
      return (replica = new Replica(topic.id, partition, live, this.#options))
    } catch (error) {
      if (error instanceof DiskError && error.code === 'no-space') return null
      throw error
    }
  }

  /** Folders of partitions whose removal is committed, by their numbers. */
  #sweepRetired({ id, partitions, nextPartition }: TopicImage): void {
    if (partitions.length === nextPartition) return
    const there = new Set(partitions.map(({ partition }) => String(partition)))
    for (const name of this.#options.world.disk.list(`${TOPICS_FOLDER}/${id}`)) {
      const isRemoved = /^\d+$/.test(name) && Number(name) < nextPartition && !there.has(name)
      if (isRemoved) this.#sweepLater([`${TOPICS_FOLDER}/${id}/${name}`])
    }
  }

  #setStraysAside(image: ClusterImage): void {
    const { disk, events } = this.#options.world
    for (const name of disk.list(TOPICS_FOLDER)) {
      const topic = isTopicId(name) ? image.topicById(name) : null
      if (topic !== null) {
        this.#sweepRetired(topic)
        continue
      }
      if (isTopicId(name) && image.isDeleted(name)) {
        this.#sweepTopicLater(name)
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
