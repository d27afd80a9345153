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
  leaderEpoch: number
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

  /** The topic's deletion is committed: its data goes. What was appended is synced before, so that nobody waits for ever. */
  async #remove(topicId: TopicId): Promise<void> {
    const route = this.#routes.get(topicId)
    if (route === undefined) return
    this.#routes.delete(topicId)
    for (const replica of route.replicas) replica.endTaking('removed')
    await closeAll(route.replicas)
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
