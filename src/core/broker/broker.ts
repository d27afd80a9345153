// The broker: where the rooms meet, and the one face the edge sees. It owns the metadata, the replicas, the timers and the
// waiters of one node; the two data paths are in produce.ts and fetch.ts.
//
// Start: identity, metadata journal (its epoch is this start's leader epoch), then the replicas the image names. Stop: new
// work is refused, waiters are answered, everything appended is synced, files are closed.

import { isInternalName, isName, type TopicId } from '../base/index.ts'
import type { ClusterImage, InternalTopic, TopicCommand, TopicDefaults, TopicImage } from '../cluster/index.ts'
import { DataFolder, type DataFolderIdentity, DiskSpace, GroupCommit, type LogWorld } from '../log/index.ts'
import { type Clock, type Codec, type Disk, type Events, type Meter, NO_PEERS, type Random } from '../ports/index.ts'
import { replicaIdOf } from '../raft/index.ts'
import type { BatchCompression } from '../record/index.ts'
import { Builders } from './builders.ts'
import { type BrokerCluster, ClusterMember } from './cluster-member.ts'
import { FetchSession } from './fetch.ts'
import { type FetchRequest, positionsOf } from './fetch-request.ts'
import type { InternalRoute } from './groups/coordinators.ts'
import { Groups } from './groups/groups.ts'
import { HeldRequest, KeysUnderWay } from './idempotency.ts'
import { elsewhere, ledElsewhere } from './leaders.ts'
import { Maintenance } from './maintenance.ts'
import { Metadata, type MetadataReply } from './metadata.ts'
import { ProduceSession } from './produce.ts'
import { admitBatches, appendBatches } from './produce-batches.ts'
import type { ProduceOutcome, ProduceRequest, RequestKey } from './produce-request.ts'
import { type NewProducer, ProducerIds } from './producer-ids.ts'
import type { FetchRefusal, PlaceRefusal, ProduceRefusal } from './refusal.ts'
import { type Replica, Replicas } from './replicas.ts'
import { TopicRoute } from './routing.ts'
import { Timers } from './timers.ts'
import { type Wake, Waiting } from './waiting.ts'

export interface BrokerOptions {
  disk: Disk
  clock: Clock
  random: Random
  codec: Codec
  meter: Meter
  events: Events
  settings: BrokerSettings
  /** Absent: the broker is alone. */
  cluster?: BrokerCluster
  /** A failed sync, or another state in which going on could acknowledge what is not kept. Does not return in earnest. */
  halt: (why: string, error: unknown) => void
  /** The metadata is snapshotted when its log has grown by so much; 16 MiB. */
  metadataSnapshotBytes?: number
}

export interface BrokerSettings {
  /** A produce to a topic that is not there creates it. */
  autoCreateTopics: boolean
  /** What a topic has where its creator says nothing. */
  topicDefaults: TopicDefaults
  /** Names the edge keeps in the data folder: the lock. */
  foreignFiles: readonly string[]
  /** Offsets of a group without members are kept so long; 7 days. */
  offsetsRetentionMs?: number
}

export interface BrokerStatus {
  phase: 'starting' | 'ready' | 'closing'
  leaderEpoch: number
  topics: number
  partitions: number
  waiters: number
  diskLow: boolean
  damagedPartitions: number
}

const OFFSETS_RETENTION_MS = 7 * 24 * 60 * 60_000
const METADATA_SNAPSHOT_BYTES = 16 << 20

export class Broker {
  readonly waiting: Waiting
  readonly codec: Codec
  readonly builders: Builders
  groups!: Groups
  member!: ClusterMember
  readonly #options: BrokerOptions
  readonly #timers: Timers
  readonly #space: DiskSpace
  readonly #commits: GroupCommit
  #metadata!: Metadata
  #replicas!: Replicas
  #producerIds!: ProducerIds
  #identity!: DataFolderIdentity
  #maintenance!: Maintenance
  #phase: BrokerStatus['phase'] = 'starting'
  #stickyTurns = 0
  readonly #keysUnderWay = new KeysUnderWay()

  private constructor(options: BrokerOptions) {
    this.#options = options
    this.codec = options.codec
    this.builders = new Builders(options.codec)
    this.#timers = new Timers(options.clock)
    this.waiting = new Waiting(options.clock, this.#timers)
    this.#space = new DiskSpace(options.disk, options.events)
    this.#commits = new GroupCommit(options.disk, options.clock, options.meter, options.halt)
  }

  static async start(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options)
    await broker.#start()
    return broker
  }

  async #start(): Promise<void> {
    const { disk, clock, codec, events, random, settings, halt } = this.#options
    const folder = await DataFolder.open({ disk, codec, random, events }, {}, settings.foreignFiles)
    this.#identity = folder.identity
    const world: LogWorld = { disk, codec, clock, events, commits: this.#commits, space: this.#space }
    const { metadataSnapshotBytes = METADATA_SNAPSHOT_BYTES, cluster } = this.#options
    const peers = cluster?.peers ?? NO_PEERS
    const { nodeId, directoryId } = this.#identity
    this.#metadata = await Metadata.open({
      world,
      random,
      nodeId,
      replica: replicaIdOf(nodeId, directoryId),
      joins: cluster?.joins ?? false,
      peers,
      defaults: settings.topicDefaults,
      snapshotBytes: metadataSnapshotBytes,
      halt,
    })
    const metadata = this.#metadata
    const quorum = { identity: folder.identity, cluster: cluster ?? null, peers, metadata }
    this.member = new ClusterMember({ ...quorum, timers: this.#timers, random, events })
    await this.member.register()
    this.#producerIds = new ProducerIds(this.member.forwarding)
    this.#replicas = new Replicas({
      nodeId,
      world,
      space: this.#space,
      topicDefaults: settings.topicDefaults.config,
      onAdvance: (replica) => this.waiting.wake(replica.room),
      onRouted: ({ name }) => this.groups.topicChanged(name),
      onRemoved: () => this.groups.topicRemoved(),
    })
    this.groups = new Groups({
      host: this,
      clock,
      codec,
      events,
      timers: this.#timers,
      offsetsRetentionMs: settings.offsetsRetentionMs ?? OFFSETS_RETENTION_MS,
    })
    const { image } = metadata
    metadata.startFollowing((delta) => this.#replicas.follow(delta))
    await this.#replicas.load(image)
    this.#maintenance = new Maintenance(this.#timers, this.#space, this.#replicas, halt)
    this.#maintenance.start()
    this.groups.start()
    this.member.start()
    this.#phase = 'ready'
    events.info('broker-ready', {
      leaderEpoch: this.#metadata.leaderEpoch,
      topics: this.#metadata.image.topicCount,
      partitions: this.#replicas.count,
    })
  }

  get identity(): DataFolderIdentity {
    return this.#identity
  }

  get image(): ClusterImage {
    return this.#metadata.image
  }

  get status(): BrokerStatus {
    let damagedPartitions = 0
    for (const replica of this.#replicas.all()) if (replica.live.damage !== null) damagedPartitions++
    return {
      phase: this.#phase,
      leaderEpoch: this.#metadata.leaderEpoch,
      topics: this.#metadata.image.topicCount,
      partitions: this.#replicas.count,
      waiters: this.waiting.count,
      diskLow: this.#space.isLow,
      damagedPartitions,
    }
  }

  /** New work is refused from here on, and every waiter is answered. The edge then finishes its replies. */
  stopTakingWork(): void {
    this.#phase = 'closing'
    this.waiting.close()
  }

  /**
   * After `stopTakingWork`: syncs and closes everything. What is under way still is answered, produce with `closing`. The
   * metadata goes first, for as long as it changes it opens replicas.
   */
  async close(): Promise<void> {
    if (this.#phase !== 'closing') this.stopTakingWork()
    await this.#maintenance.close()
    await this.member.close()
    this.#timers.close()
    await this.#metadata.close()
    await this.groups.close()
    await this.#replicas.close()
    await this.#commits.idle()
  }

  // --- metadata --------------------------------------------------------------------------------------------------------

  /** Decides a command; resolves once it is committed and the replicas have followed. */
  async submit(command: TopicCommand): Promise<MetadataReply> {
    if (this.#phase !== 'ready') return { kind: 'closing' }
    return this.#space.isLow && this.#makesPartitions(command)
      ? { kind: 'no-space' }
      : this.member.forwarding.submit(command)
  }

  #makesPartitions(command: TopicCommand): boolean {
    if (command.kind === 'create-topic' || command.kind === 'create-internal-topic')
      return this.image.topicNamed(command.name) === null
    return command.kind === 'add-partitions'
  }

  /** An internal topic, made at first use; open when resolved. */
  async openInternal(name: InternalTopic): Promise<InternalRoute> {
    const reply = await this.submit({ kind: 'create-internal-topic', name })
    if (reply.kind === 'closing' || reply.kind === 'no-space' || reply.kind === 'unknown-outcome') return reply
    if (reply.kind === 'no-controller') return { kind: 'loading' }
    const route = this.routeOf(name)
    return route instanceof TopicRoute ? route : { kind: 'loading' }
  }

  /** A new identity for a producer that numbers its batches. */
  async newProducer(): Promise<NewProducer> {
    return this.#phase === 'ready' ? this.#producerIds.next() : { kind: 'closing' }
  }

  /** The live replicas and configuration of a topic, or why there are none. */
  routeOf(topic: string): TopicRoute | PlaceRefusal {
    const image = this.#metadata.image.topicNamed(topic)
    const route = image === null ? null : this.#replicas.route(image.id)
    if (route !== null) return route
    if (image !== null) return ledElsewhere(this.image, this.#identity.nodeId, image, null) ?? { kind: 'loading' }
    if (!isName(topic)) return { kind: 'invalid-name', topic }
    return { kind: 'unknown-topic', topic, recentlyDeleted: false }
  }

  get isAlone(): boolean {
    return this.#options.cluster === undefined
  }

  /** A produce to a topic that is not there creates it. */
  get autoCreates(): boolean {
    return this.#options.settings.autoCreateTopics
  }

  /** For a picture of a topic: replicas are there as far as this broker leads. */
  pictureOf(topic: TopicImage): TopicRoute {
    const { topicDefaults } = this.#options.settings
    return this.#replicas.route(topic.id) ?? new TopicRoute(topic, topicDefaults.config, [])
  }

  ledByOther(topicId: TopicId): string | null {
    const topic = this.image.topicById(topicId)
    const other = topic === null ? null : this.elsewhere([topic.name], null)
    return other?.kind === 'not-leader' && other.leader !== null ? other.topic : null
  }

  /** Null: all that is asked for is led here. */
  elsewhere(topics: readonly string[], partition: number | null): PlaceRefusal | null {
    return this.isAlone ? null : elsewhere(this.image, this.#identity.nodeId, topics, partition)
  }

  /** As `routeOf`, but a topic that has just been created is waited for until its partitions are open. */
  async #openedRouteOf(topic: string): Promise<TopicRoute | PlaceRefusal> {
    const route = this.routeOf(topic)
    if (route instanceof TopicRoute || route.kind !== 'loading') return route
    await this.#metadata.followed
    return this.routeOf(topic)
  }

  /** Advances the log start of one partition; resolves when that is durable. */
  async trim(
    topic: string,
    partition: number,
    beforeOffset: number,
  ): Promise<FetchRefusal | { logStartOffset: number }> {
    if (this.#phase !== 'ready') return { kind: 'closing' }
    const route = this.routeOf(topic)
    if (!(route instanceof TopicRoute)) return route
    if (isInternalName(topic)) return { kind: 'internal-topic', topic }
    const replica = route.replica(partition)
    if (replica === null) return route.unknownPartition(partition)
    const { highWatermark } = replica.live
    if (beforeOffset > highWatermark) {
      return { kind: 'beyond-end', topic, partition, offset: beforeOffset, highWatermark }
    }
    if ((await replica.live.trim(beforeOffset)) === 'trimmed') return { logStartOffset: replica.live.startOffset }
    return replica.removal(route.topic) ?? { kind: 'closing' }
  }

  // --- produce ---------------------------------------------------------------------------------------------------------

  /** Opens a produce request, creating the topic where that is allowed. Synchronous when nothing has to be awaited. */
  openProduce(request: ProduceRequest): ProduceSession | ProduceRefusal | Promise<ProduceSession | ProduceRefusal> {
    if (this.#phase !== 'ready') return { kind: 'closing' }
    const route = this.routeOf(request.topic)
    if (!(route instanceof TopicRoute)) return this.#openLater(request, route)
    if (isInternalName(request.topic)) return { kind: 'internal-topic', topic: request.topic }
    return this.#openOn(route, request, false)
  }

  #openOn(
    route: TopicRoute,
    request: ProduceRequest,
    created: boolean,
  ): ProduceSession | ProduceRefusal | Promise<ProduceSession | ProduceRefusal> {
    const refusal = route.acksRefusal(request.acks)
    if (refusal !== null) return refusal
    if (route.active.length === 0) return { kind: 'loading' }
    if (request.idempotency === null) return this.#sessionOn(route, request, created, null)
    return this.#sessionUnderKey(route, { ...request, idempotency: request.idempotency }, created)
  }

  /** Stored bytes: one or more batches for one partition, admitted all or none, appended in order. */
  async produceBatches(
    request: ProduceRequest & { partition: number },
    bytes: Uint8Array,
  ): Promise<ProduceOutcome | ProduceRefusal> {
    if (this.#phase !== 'ready') return { kind: 'closing' }
    const route = await this.#openedRouteOf(request.topic)
    if (!(route instanceof TopicRoute)) return route
    if (isInternalName(request.topic)) return { kind: 'internal-topic', topic: request.topic }
    const replica = route.replica(request.partition)
    if (replica === null) return route.unknownPartition(request.partition)
    return (
      route.acksRefusal(request.acks) ??
      admitBatches(bytes, this.codec, route) ??
      this.appendRefusal(replica) ??
      appendBatches(this, route, replica, request, bytes)
    )
  }

  async #openLater(request: ProduceRequest, refusal: PlaceRefusal): Promise<ProduceSession | ProduceRefusal> {
    if (refusal.kind === 'loading') {
      const route = await this.#openedRouteOf(request.topic)
      return route instanceof TopicRoute ? this.#openOn(route, request, false) : route
    }
    if (refusal.kind !== 'unknown-topic' || !this.#options.settings.autoCreateTopics) return refusal
    if (request.partition !== null) return refusal
    if (isInternalName(request.topic)) return { kind: 'internal-topic', topic: request.topic }
    const reply = await this.submit({ kind: 'create-topic', name: request.topic, isAuto: true })
    if (reply.kind === 'recently-deleted') return { ...refusal, recentlyDeleted: true }
    if (reply.kind === 'too-many-topics') return { kind: 'too-many-topics', topicsMax: reply.topicsMax }
    if (reply.kind === 'no-space') {
      return { kind: 'disk-low', freeBytes: this.#space.freeBytes, freeBytesMin: this.#space.freeBytesMin }
    }
    const route = this.routeOf(request.topic)
    if (!(route instanceof TopicRoute)) return this.#phase === 'ready' ? route : { kind: 'closing' }
    return this.#openOn(route, request, reply.kind === 'created')
  }

  async #sessionUnderKey(
    { topic }: TopicRoute,
    request: ProduceRequest & { idempotency: RequestKey },
    created: boolean,
  ): Promise<ProduceSession | ProduceRefusal> {
    const { keyHash } = request.idempotency
    const release = await this.#keysUnderWay.enter(topic.id, keyHash)
    // The topic may have changed meanwhile: the same key is held against one picture of it at a time.
    const route = this.#phase === 'ready' ? this.routeOf(request.topic) : ({ kind: 'closing' } as const)
    const held = route instanceof TopicRoute ? await HeldRequest.committed(route, keyHash) : route
    if (!(route instanceof TopicRoute) || !(held instanceof HeldRequest) || route.topic.id !== topic.id) {
      release()
      if ('kind' in held) return held
      return this.openProduce(request)
    }
    const session = this.#sessionOn(route, request, created, held)
    session.onEnd = release
    return session
  }

  #sessionOn(route: TopicRoute, request: ProduceRequest, created: boolean, held: HeldRequest | null): ProduceSession {
    const isRepeat = held !== null && held.isHeld
    const routed = isRepeat ? route.asOf(held.partitionCount, held.firstAppendedAt) : route
    const { compression } = route.config
    const built: BatchCompression = compression === 'gzip' || compression === 'zstd' ? compression : 'none'
    return new ProduceSession(this, request, routed, created, built, held)
  }

  // --- what a produce session needs -----------------------------------------------------------------------------------

  nowMs(): number {
    return this.#options.clock.now()
  }

  monotonicMs(): number {
    return this.#timers.nowMs()
  }

  nextSticky(): number {
    return this.#stickyTurns++
  }

  appendRefusal(replica: Replica): ProduceRefusal | null {
    return this.#space.isLow ? replica.diskLow() : null
  }

  advanced(replica: Replica, deadlineMs: number): Promise<Wake> {
    return this.waiting.wait([replica.room], deadlineMs, () => {})
  }

  /** Whether `timeoutMs` passes before the promise settles. */
  expired(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const timer = this.#timers.at(this.#timers.nowMs() + timeoutMs, { expire: () => resolve(true) })
      promise.then(() => {
        this.#timers.cancel(timer)
        resolve(false)
      }, reject)
    })
  }

  // --- fetch -----------------------------------------------------------------------------------------------------------

  route(topicId: TopicId): TopicRoute | null {
    return this.#replicas.route(topicId)
  }

  async openFetch(request: FetchRequest): Promise<FetchSession | FetchRefusal> {
    if (this.#phase !== 'ready') return { kind: 'closing' }
    const routes: TopicRoute[] = []
    for (const topic of request.topics) {
      const route = await this.#openedRouteOf(topic)
      if (!(route instanceof TopicRoute)) return route
      routes.push(route)
    }
    const positions = await positionsOf(routes, request)
    if ('kind' in positions) return positions
    const picksUpNew = request.partition === null && request.until === null
    return new FetchSession(this, positions, routes, picksUpNew)
  }
}
