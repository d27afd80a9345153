// A whole broker on a simulated disk and a virtual clock, and short words for what clients ask of it. Nothing real is waited
// for.

import { type TopicCommand, type TopicConfigPatch } from '../../../src/core/cluster/index.ts'
import {
  Broker,
  type BrokerSettings,
  type FetchRequest,
  FetchSession,
  type ProduceOutcome,
  type ProduceRefusal,
  type ProduceRequest,
  ProduceSession,
  TopicRoute,
} from '../../../src/core/broker/index.ts'
import { JournaledDisk } from '../../../src/core/log/index.ts'
import type { Disk, Events, Meter } from '../../../src/core/ports/index.ts'
import { batchBytesOf, RecordReader, RecordSpans } from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { SimClock } from '../../sim/clock.ts'
import { type Outcome, SimDisk, type SimDiskOptions } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'

export interface Given {
  key?: string
  value: string
}

export interface Read {
  offset: number
  key: string | null
  value: string
}

export interface RigOptions extends SimDiskOptions {
  isJournaled?: boolean
  settings?: Partial<BrokerSettings>
  metadataSnapshotBytes?: number
  seed?: number
}

const JOURNAL = { filesMin: 1, bytesPerFileMax: 64 * 1024, halfBytes: 16 * 4096 }
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const meter: Meter = {
  counter: () => ({ add: () => {} }),
  gauge: () => {},
  histogram: () => ({ observe: () => {} }),
}

export class BrokerRig {
  disk: SimDisk
  broker!: Broker
  readonly halts: string[] = []
  onHalt: (() => void) | null = null
  /** Names of warnings and errors, in order. */
  readonly complaints: string[] = []
  readonly #options: RigOptions
  readonly #random: SimRandom
  /** What the broker has between itself and the disk. */
  #journaled: JournaledDisk | null = null

  constructor(options: RigOptions = {}) {
    this.#options = options
    this.#random = new SimRandom(options.seed ?? 1, 'broker')
    this.disk = new SimDisk(new SimClock(), options)
  }

  get clock(): SimClock {
    return this.disk.clock
  }

  run<T>(promise: Promise<T>): T {
    return this.clock.run(promise)
  }

  pass(ms: number): void {
    this.clock.pass(ms)
  }

  start(): this {
    this.run(this.starting())
    return this
  }

  async starting(): Promise<void> {
    const complain = (event: string): void => void this.complaints.push(event)
    const events: Events = { info: () => {}, warn: complain, error: complain }
    const disk = await this.#diskFor(events)
    const { settings, metadataSnapshotBytes } = this.#options
    this.broker = await Broker.start({
      disk,
      clock: this.clock,
      random: this.#random,
      codec: hostCodec,
      meter,
      events,
      settings: {
        autoCreateTopics: true,
        topicDefaults: { partitions: 1, replicationFactor: 3, config: {} },
        foreignFiles: ['journal'],
        ...settings,
      },
      halt: (why, error) => {
        this.halts.push(`${why}: ${String(error)}`)
        this.onHalt?.()
      },
      ...(metadataSnapshotBytes === undefined ? {} : { metadataSnapshotBytes }),
    })
  }

  async #diskFor(events: Events): Promise<Disk> {
    const { disk } = this
    this.#journaled = null
    if (this.#options.isJournaled !== true) return disk
    const world = { codec: hostCodec, random: this.#random, events }
    return (this.#journaled = await JournaledDisk.open(disk, world, undefined, JOURNAL))
  }

  /** An orderly end. */
  async stopping(): Promise<void> {
    await this.broker.close()
    await this.#journaled?.close()
  }

  restart(): this {
    this.run(this.stopping())
    this.disk = this.disk.kill()
    return this.start()
  }

  /** The process is killed; or, with an outcome, the power goes. */
  crash(outcome: Outcome | null = null): this {
    this.disk = outcome === null ? this.disk.kill() : this.disk.powerLoss(outcome)
    return this.start()
  }

  /** Not a byte more fits. */
  fill(): void {
    const used = this.disk.paths().reduce((sum, path) => sum + this.disk.contentOf(path).length, 0)
    this.disk.totalBytes = used
  }

  makeRoom(): void {
    this.disk.totalBytes = Number.POSITIVE_INFINITY
    this.pass(1_500)
  }

  submit(command: TopicCommand): string {
    return this.run(this.broker.submit(command)).kind
  }

  create(name: string, partitions = 1, config: TopicConfigPatch = {}): this {
    const reply = this.submit({ kind: 'create-topic', name, partitions, config: { ...config } })
    if (reply !== 'created') throw new Error(reply)
    return this
  }

  // --- produce ---------------------------------------------------------------------------------------------------------

  tryOpen(topic: string, fields: Partial<ProduceRequest> = {}): ProduceSession | ProduceRefusal {
    const opened = this.broker.openProduce(produceRequest(topic, fields))
    return opened instanceof Promise ? this.run(opened) : opened
  }

  open(topic: string, fields: Partial<ProduceRequest> = {}): ProduceSession {
    const session = this.tryOpen(topic, fields)
    if (!(session instanceof ProduceSession)) throw new Error(JSON.stringify(session))
    return session
  }

  produce(topic: string, records: readonly (Given | string)[], fields: Partial<ProduceRequest> = {}): ProduceOutcome {
    const session = this.open(topic, fields)
    add(session, records)
    return this.run(session.finish())
  }

  // --- fetch -----------------------------------------------------------------------------------------------------------

  fetch(topic: string, fields: Partial<FetchRequest> = {}): FetchSession {
    const session = this.run(this.broker.openFetch(fetchRequest(topic, fields)))
    if (!(session instanceof FetchSession)) throw new Error(JSON.stringify(session))
    return session
  }

  /** Everything that can be read of a topic, by partition. */
  records(topic: string): Read[][] {
    return this.run(readAll(this.broker, topic))
  }

  values(topic: string): string[] {
    return this.records(topic).flatMap((records) => records.map(({ value }) => value))
  }

  partitionsOf(topic: string): number {
    const route = this.broker.routeOf(topic)
    return route instanceof TopicRoute ? route.replicas.length : 0
  }
}

export function produceRequest(topic: string, fields: Partial<ProduceRequest> = {}): ProduceRequest {
  return {
    topic,
    partition: null,
    acks: 'all',
    timeoutMs: null,
    streaming: false,
    expectOffset: null,
    producer: null,
    idempotency: null,
    ...fields,
  }
}

export function fetchRequest(topic: string, fields: Partial<FetchRequest> = {}): FetchRequest {
  return { topics: [topic], partition: null, start: { kind: 'earliest' }, until: null, clamp: false, ...fields }
}

/** As the edge does it: the record's own bytes are what a repeat must equal. */
export function add(session: ProduceSession, records: readonly (Given | string)[]): void {
  const spans = new RecordSpans()
  for (const given of records) {
    const record: Given = typeof given === 'string' ? { value: given } : given
    spans.clear()
    const key = record.key === undefined ? '' : record.key
    const source = encoder.encode(key + record.value)
    const keyBytes = encoder.encode(key).length
    if (record.key !== undefined) {
      spans.key = source
      spans.keyStart = 0
      spans.keyEnd = keyBytes
    }
    spans.value = source
    spans.valueStart = keyBytes
    spans.valueEnd = source.length
    session.add(spans, source, 0, source.length)
  }
}

/** A request key as the edge makes it, of any short text. */
export function requestKey(text: string, bodySeed = 0n): { keyHash: Uint8Array; bodySeed: bigint } {
  return { keyHash: hostCodec.sha256(encoder.encode(text)).slice(0, 16), bodySeed }
}

export function recordsIn(bytes: Uint8Array, from = 0): Read[] {
  const records: Read[] = []
  const reader = new RecordReader()
  for (let at = 0; at < bytes.length; at += batchBytesOf(bytes, at)) {
    if (!reader.open(bytes, at, hostCodec)) throw new Error('a read gave a bad batch')
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (record.offset < from) continue
      records.push({
        offset: record.offset,
        key: record.keyStart < 0 ? null : decoder.decode(record.key.subarray(record.keyStart, record.keyEnd)),
        value: decoder.decode(record.value.subarray(record.valueStart, record.valueEnd)),
      })
    }
  }
  return records
}

/** Reads a session to its end; what it cannot read throws. */
export async function readOn(session: FetchSession, bytesMax = 1 << 20): Promise<Map<number, Read[]>> {
  const read = new Map<number, Read[]>()
  for (;;) {
    const next = session.next(bytesMax)
    const slice = next instanceof Promise ? await next : next
    if (slice === null) break
    const { position } = slice
    const { partition } = position.replica
    const within = recordsIn(slice.bytes, position.offset).filter(({ offset }) => offset < position.untilOffset)
    read.set(partition, [...(read.get(partition) ?? []), ...within])
    position.offset = slice.nextOffset
  }
  const problem = session.positions.find((position) => position.problem !== null)?.problem
  if (problem !== undefined) throw new Error(JSON.stringify(problem))
  return read
}

async function readAll(broker: Broker, topic: string): Promise<Read[][]> {
  const session = await broker.openFetch(fetchRequest(topic))
  if (!(session instanceof FetchSession)) throw new Error(JSON.stringify(session))
  const read = await readOn(session)
  return session.positions.map(({ replica }) => read.get(replica.partition) ?? [])
}
