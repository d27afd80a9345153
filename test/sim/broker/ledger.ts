// What was promised to clients of one broker over all its lives, and whether what a start finds keeps it:
//
//   records  an acknowledged one is there, once, in its place, unless it was trimmed or its topic deleted; what was not
//            acknowledged is there once or not at all; nothing is there that nobody sent; who waited for one acknowledgement
//            before the next request finds them in that order; what a reader has seen stays what it was
//   topics   an acknowledged creation, change, growth or trim holds, an acknowledged deletion too; what was not acknowledged
//            was done or not, and whichever a start finds is so from then on

import type { TopicId } from '../../../src/core/base/index.ts'
import { type Broker, FetchSession, type PartitionResult, TopicRoute } from '../../../src/core/broker/index.ts'
import type { TopicConfigPatch, TopicImage } from '../../../src/core/cluster/index.ts'
import { fetchRequest, type Given, type Read, readOn } from '../../core/broker/broker-rig.ts'

class PromiseBroken extends Error {}

export function demand(isKept: boolean, what: string): asserts isKept {
  if (!isKept) throw new PromiseBroken(what)
}

/** One record of one request, however often it was sent. */
export interface Entry {
  readonly id: string
  readonly topic: string
  readonly key: string | null
  readonly request: number
  readonly index: number
  readonly sentAt: number
  ackedAt: number
  topicId: TopicId | null
  /** In one of these it lies. */
  places: readonly PartitionResult[]
}

export interface Chain {
  readonly request: number
  count: number
}

export interface TopicFacts {
  readonly name: string
  partitions: number
  partitionsAsked: number
  config: TopicConfigPatch
  configsAsked: TopicConfigPatch[]
  /** By partition. */
  trimmedTo: number[]
  trimAsked: number[]
  isDeleteAsked: boolean
  isGone: boolean
}

const idOf = (value: string): string => value.slice(0, value.indexOf('|'))

export class Ledger {
  readonly entries = new Map<string, Entry>()
  readonly #topics = new Map<TopicId, TopicFacts>()
  readonly #namesAsked = new Set<string>()
  /** By `topic id/partition/offset`, what a reader saw there. */
  readonly #seen = new Map<string, string>()
  #moment = 0
  #requests = 0

  get acknowledged(): number {
    let count = 0
    for (const entry of this.entries.values()) if (entry.ackedAt !== Infinity) count++
    return count
  }

  // --- records ---------------------------------------------------------------------------------------------------------

  /** Requests whose records must stand in the order of the requests. */
  chain(): Chain {
    return { request: this.#requests++, count: 0 }
  }

  /** New records, about to be sent for the first time. */
  request(topic: string, records: readonly Given[], chain = this.chain()): Entry[] {
    const sentAt = this.#moment++
    this.#namesAsked.add(topic)
    return records.map(({ key, value }) => {
      const entry: Entry = {
        id: idOf(value),
        topic,
        key: key ?? null,
        request: chain.request,
        index: chain.count++,
        sentAt,
        ackedAt: Infinity,
        topicId: null,
        places: [],
      }
      this.entries.set(entry.id, entry)
      return entry
    })
  }

  kept(entries: readonly Entry[], topic: TopicImage, places: readonly PartitionResult[]): void {
    this.know(topic)
    const ackedAt = this.#moment++
    let count = 0
    for (const place of places) count += place.lastOffset - place.baseOffset + 1
    demand(entries.length === 0 || count > 0, 'records are acknowledged without a place')
    for (const entry of entries) {
      entry.ackedAt = ackedAt
      entry.topicId = topic.id
      entry.places = places
    }
  }

  /** A reader of committed records was shown these. */
  saw(topicId: TopicId, partition: number, records: readonly Read[]): void {
    for (const { offset, value } of records) {
      const place = `${topicId}/${partition}/${offset}`
      const before = this.#seen.get(place)
      demand(before === undefined || before === idOf(value), `${place} was ${before} and is ${idOf(value)}`)
      this.#seen.set(place, idOf(value))
    }
  }

  // --- topics ----------------------------------------------------------------------------------------------------------

  ask(name: string): void {
    this.#namesAsked.add(name)
  }

  know(topic: TopicImage): TopicFacts {
    return this.#topics.getOrInsertComputed(topic.id, () => ({
      name: topic.name,
      partitions: topic.partitions.length,
      partitionsAsked: topic.partitions.length,
      config: topic.config,
      configsAsked: [],
      trimmedTo: [],
      trimAsked: [],
      isDeleteAsked: false,
      isGone: false,
    }))
  }

  factsOf(id: TopicId): TopicFacts {
    const facts = this.#topics.get(id)
    demand(facts !== undefined, `topic ${id} is not known`)
    return facts
  }

  // --- what a start finds ----------------------------------------------------------------------------------------------

  async check(broker: Broker): Promise<void> {
    this.#checkTopics(broker)
    const found = new Set<string>()
    for (const topic of broker.image.topics()) await this.#checkRecords(broker, topic, found)
    for (const entry of this.entries.values()) {
      if (entry.ackedAt !== Infinity && !found.has(entry.id)) this.#mayBeGone(broker, entry)
    }
  }

  #checkTopics(broker: Broker): void {
    for (const topic of broker.image.topics()) {
      const isKnown = this.#topics.has(topic.id)
      demand(isKnown || this.#namesAsked.has(topic.name), `nobody asked for a topic ${topic.name}`)
      const facts = this.know(topic)
      demand(!facts.isGone, `${topic.name} was deleted and is there again`)
      const count = topic.partitions.length
      demand(
        count >= facts.partitions && count <= facts.partitionsAsked,
        `${topic.name} has ${count} partitions, not ${facts.partitions} to ${facts.partitionsAsked}`,
      )
      const configs = [facts.config, ...facts.configsAsked].map((config) => JSON.stringify(config))
      demand(configs.includes(JSON.stringify(topic.config)), `${topic.name} has ${JSON.stringify(topic.config)}`)
      // What a start finds is committed.
      Object.assign(facts, { partitions: count, partitionsAsked: count, config: topic.config, configsAsked: [] })
      facts.isDeleteAsked = false
    }
    for (const [id, facts] of this.#topics) {
      if (broker.image.topicById(id) !== null) continue
      demand(facts.isDeleteAsked || facts.isGone, `topic ${facts.name} is gone`)
      facts.isGone = true
    }
  }

  async #checkRecords(broker: Broker, topic: TopicImage, found: Set<string>): Promise<void> {
    const session = await broker.openFetch(fetchRequest(topic.name))
    // A full disk may have no room to open what was created last: nothing can be in it.
    if ('kind' in session && session.kind === 'loading') return
    demand(session instanceof FetchSession, `${topic.name} cannot be read`)
    const starts = session.positions.map(({ offset }) => offset)
    const read = await readOn(session)
    for (const [i, { replica, offset }] of session.positions.entries()) {
      const records = read.get(replica.partition) ?? []
      const start = starts[i]!
      demand(records.length === offset - start, `${topic.name}/${replica.partition} has a hole`)
      records.forEach((record, at) => demand(record.offset === start + at, `${topic.name} has a hole`))
      this.#checkStart(topic, replica.partition, start)
      this.#checkPlaces(topic, replica.partition, records, found)
      this.#checkOrder(topic, records)
      this.saw(topic.id, replica.partition, records)
    }
    const ends = new Map(session.positions.map(({ replica, offset }) => [replica.partition, offset]))
    for (const place of this.#seen.keys()) {
      const [id, partition, offset] = place.split('/')
      if (id === topic.id) demand(Number(offset) < ends.get(Number(partition))!, `${place} was read and is not there`)
    }
  }

  #checkStart(topic: TopicImage, partition: number, start: number): void {
    const { trimmedTo, trimAsked, config } = this.factsOf(topic.id)
    demand(start >= (trimmedTo[partition] ?? 0), `${topic.name}/${partition} was trimmed and begins at ${start}`)
    if (config.retentionBytes !== undefined) return
    demand(start <= (trimAsked[partition] ?? 0), `${topic.name}/${partition} begins at ${start}, and nobody asked`)
  }

  #checkPlaces(topic: TopicImage, partition: number, records: readonly Read[], found: Set<string>): void {
    for (const { offset, key, value } of records) {
      const id = idOf(value)
      const entry = this.entries.get(id)
      const place = `${topic.name}/${partition}@${offset}`
      demand(entry !== undefined && entry.topic === topic.name && entry.key === key, `nobody sent ${id}, at ${place}`)
      demand(!found.has(id), `${id} is there twice, also at ${place}`)
      found.add(id)
      if (entry.topicId !== topic.id) continue
      const isThere = entry.places.some(
        (result) => result.partition === partition && offset >= result.baseOffset && offset <= result.lastOffset,
      )
      demand(isThere, `${id} is at ${place}, acknowledged at ${JSON.stringify(entry.places)}`)
    }
  }

  /** Nothing stands before what had been acknowledged when it was first sent; a request stands in its own order. */
  #checkOrder(topic: TopicImage, records: readonly Read[]): void {
    let latest: Entry | null = null
    const lastIndex = new Map<number, number>()
    for (const { value } of records) {
      const entry = this.entries.get(idOf(value))!
      // Acknowledged here, and not in a topic of this name before.
      const ackedAt = entry.topicId === topic.id ? entry.ackedAt : Infinity
      const isLater = latest !== null && latest.sentAt > ackedAt && latest.request !== entry.request
      demand(!isLater, `${latest?.id} stands before ${entry.id} in ${topic.name}`)
      demand((lastIndex.get(entry.request) ?? -1) < entry.index, `${entry.id} is out of its order in ${topic.name}`)
      lastIndex.set(entry.request, entry.index)
      if (latest === null || entry.sentAt > latest.sentAt) latest = entry
    }
  }

  #mayBeGone(broker: Broker, { id, topicId, places }: Entry): void {
    const facts = this.factsOf(topicId!)
    if (facts.isGone) return
    const route = broker.routeOf(facts.name)
    demand(route instanceof TopicRoute, `${facts.name} has no route`)
    const starts = route.replicas.map(({ live }) => live.startOffset)
    const isTrimmed = places.some((place) => place.baseOffset < (starts[place.partition] ?? 0))
    demand(isTrimmed, `${id} was acknowledged at ${JSON.stringify(places)} of ${facts.name} and is lost`)
  }
}
