// Clients of one broker, each with its own way to be sure: no way at all, an Idempotency-Key, numbered batches, an expected
// offset. They remember over the broker's lives what they have not had an answer to, and send it again where that is safe.
// Besides them somebody reads, and somebody creates, changes, trims and deletes topics.

import {
  type Broker,
  FetchSession,
  type ProduceOutcome,
  type ProduceRequest,
  ProduceSession,
  TopicRoute,
} from '../../../src/core/broker/index.ts'
import type { TopicId } from '../../../src/core/base/index.ts'
import type { TopicImage } from '../../../src/core/cluster/index.ts'
import { add, fetchRequest, type Given, produceRequest, recordsIn, requestKey } from '../../core/broker/broker-rig.ts'
import type { SimRandom } from '../random.ts'
import { type Chain, demand, type Entry, type Ledger } from './ledger.ts'

/** The broker of one life, and the time to wait in. */
export interface Site {
  readonly broker: Broker
  readonly ledger: Ledger
  /** The process has ended: nobody hears its answers. */
  readonly isDead: boolean
  /** The disk has been full: what was trimmed then may have been forgotten of producers and keys too. */
  readonly hasBeenFull: boolean
  sleep(ms: number): Promise<void>
  note(line: string): void
}

export interface Client {
  /** One thing done, or tried. */
  step(site: Site): Promise<void>
}

const NAMES = ['t', 'u', 'v']
/** Large enough for segments to roll at 64 KiB. */
const LARGE = 9_000

abstract class Sender implements Client {
  readonly name: string
  protected readonly random: SimRandom
  #count = 0

  constructor(name: string, random: SimRandom) {
    this.name = name
    this.random = random
  }

  abstract step(site: Site): Promise<void>

  protected records(count: number): Given[] {
    const { random } = this
    const isKeyed = random.chance(0.6)
    return Array.from({ length: count }, () => {
      const id = `${this.name}.${this.#count++}`
      const value = `${id}|${'x'.repeat(random.chance(0.15) ? random.int(0, LARGE) : random.int(0, 60))}`
      return isKeyed && random.chance(0.8) ? { key: `k${random.int(0, 9)}`, value } : { value }
    })
  }

  /** The outcome, or in a word why there is none. */
  protected async send(
    site: Site,
    topic: string,
    records: readonly Given[],
    fields: Partial<ProduceRequest>,
  ): Promise<ProduceOutcome | string> {
    const request = produceRequest(topic, fields)
    const opened = await site.broker.openProduce(request)
    if (!(opened instanceof ProduceSession)) return opened.kind
    if (request.streaming) await this.#stream(site, opened, records)
    else add(opened, records)
    const outcome = await opened.finish()
    site.note(`${this.name} ${topic} ${outcome.count} ${outcome.refusal?.kind ?? 'kept'}`)
    return outcome
  }

  async #stream(site: Site, session: ProduceSession, records: readonly Given[]): Promise<void> {
    for (const record of records) {
      add(session, [record])
      if (this.random.chance(0.3)) session.flush()
      if (this.random.chance(0.3)) await site.sleep(this.random.between(0, 2))
      if (this.random.chance(0.2)) await session.drained()
    }
  }
}

/** Records that were kept by an outcome: all, or those before the first that was not. */
function keptOf<T>(outcome: ProduceOutcome, records: readonly T[]): readonly T[] {
  return outcome.refusal === null ? records : records.slice(0, outcome.firstUnaccepted!)
}

function mayForget({ hasBeenFull, ledger }: Site, topic: TopicImage): boolean {
  if (!hasBeenFull) return false
  const { trimAsked } = ledger.know(topic)
  return trimAsked.some((offset) => offset > 0) || topic.config.retentionBytes !== undefined
}

/** Sends once, and never knows what became of an answer that was lost. */
class Plain extends Sender {
  async step(site: Site): Promise<void> {
    const { random } = this
    const topic = random.pick(NAMES)
    const records = this.records(random.int(1, 8))
    const entries = site.ledger.request(topic, records)
    const acks = random.pick(['all', 'all', 'all', '1', '0'] as const)
    const outcome = await this.send(site, topic, records, {
      acks,
      streaming: random.chance(0.4),
      timeoutMs: random.chance(0.2) ? random.int(0, 2) : null,
      partition: random.chance(0.2) ? 0 : null,
    })
    if (site.isDead || typeof outcome === 'string' || acks === '0') return
    site.ledger.kept(keptOf(outcome, entries), outcome.topic, outcome.partitions)
  }
}

interface KeyedRequest {
  key: string
  topic: string
  records: Given[]
  entries: Entry[]
  isStreaming: boolean
  attempts: number
  first: ProduceOutcome | null
}

/** Repeats a request under its key until it is kept, and sometimes after. */
class Keyed extends Sender {
  #request: KeyedRequest | null = null
  #keys = 0

  async step(site: Site): Promise<void> {
    const { random } = this
    const request = (this.#request ??= this.#next(site))
    const { topic, records, entries, isStreaming, key, first } = request
    const idempotency = requestKey(key)
    const timeoutMs = random.chance(0.2) ? random.int(0, 2) : null
    const sent = this.#isCutShort(request) ? records.slice(0, random.int(0, records.length - 1)) : records
    const outcome = await this.send(site, topic, sent, { idempotency, streaming: isStreaming, timeoutMs })
    if (site.isDead || typeof outcome === 'string') return
    const { refusal } = outcome
    const isSame = first === null || first.topic.id === outcome.topic.id
    demand(refusal?.kind !== 'key-conflict', `${key} is refused as another body`)
    if (refusal !== null || sent !== records) return
    site.ledger.kept(entries, outcome.topic, outcome.partitions)
    request.first = outcome
    if (random.chance(0.6)) this.#request = null
    if (mayForget(site, outcome.topic)) return
    demand(outcome.count === records.length, `${key} counts ${outcome.count} of ${records.length}`)
    if (first !== null && isSame) {
      demand(outcome.replayed, `${key} is kept a second time`)
      const places = JSON.stringify([first.partitions, outcome.partitions])
      demand(JSON.stringify(first.partitions) === JSON.stringify(outcome.partitions), `${key} moved: ${places}`)
    }
  }

  /** A stream whose client goes away in the midst has sent less; the repeat completes it. */
  #isCutShort(request: KeyedRequest): boolean {
    return request.attempts++ === 0 && request.isStreaming && this.random.chance(0.5)
  }

  #next({ ledger }: Site): KeyedRequest {
    const topic = this.random.pick(NAMES)
    const records = this.records(this.random.int(1, 12))
    const entries = ledger.request(topic, records)
    const isStreaming = this.random.chance(0.5)
    return { key: `${this.name}#${this.#keys++}`, topic, records, entries, isStreaming, attempts: 0, first: null }
  }
}

interface NumberedBatch {
  sequence: number
  records: Given[]
  entries: Entry[]
}

/** Numbers its batches for one partition, some in flight at once, each sent until it is kept. */
class Numbered extends Sender {
  #topic = ''
  #topicId: TopicId | null = null
  #producer: { id: number; epoch: number } | null = null
  #chain: Chain | null = null
  #sequence = 0
  #unacked: NumberedBatch[] = []

  async step(site: Site): Promise<void> {
    const { random } = this
    if (this.#producer === null && !(await this.#register(site))) return
    while (this.#unacked.length < random.int(1, 3)) this.#unacked.push(this.#next(site))
    const producer = this.#producer
    await Promise.all(
      this.#unacked.map(async (batch, i) => {
        if (i > 0) await site.sleep(random.between(0, 1))
        if (!site.isDead && this.#producer === producer) await this.#try(site, batch)
      }),
    )
  }

  async #register(site: Site): Promise<boolean> {
    const reply = await site.broker.newProducer()
    if (site.isDead || !('producerId' in reply)) return false
    this.#producer = { id: reply.producerId, epoch: reply.producerEpoch }
    this.#topic = this.random.pick(NAMES)
    this.#topicId = null
    this.#chain = site.ledger.chain()
    this.#sequence = 0
    this.#unacked = []
    return true
  }

  #next({ ledger }: Site): NumberedBatch {
    const records = this.records(this.random.int(1, 4))
    const entries = ledger.request(this.#topic, records, this.#chain!)
    const sequence = this.#sequence
    this.#sequence += records.length
    return { sequence, records, entries }
  }

  async #try(site: Site, batch: NumberedBatch): Promise<void> {
    const { id, epoch } = this.#producer!
    const producer = { id, epoch, sequence: batch.sequence }
    const outcome = await this.send(site, this.#topic, batch.records, { partition: 0, producer })
    if (site.isDead || this.#producer?.id !== id) return
    if (typeof outcome === 'string') {
      if (outcome === 'unknown-topic') await this.#createTopic(site)
      return
    }
    if (outcome.refusal === null) {
      site.ledger.kept(batch.entries, outcome.topic, outcome.partitions)
      this.#topicId = outcome.topic.id
      this.#unacked = this.#unacked.filter((other) => other !== batch)
      return
    }
    this.#judge(site, outcome, batch)
  }

  #judge(site: Site, { refusal, topic }: ProduceOutcome, { sequence }: NumberedBatch): void {
    const isSame = !mayForget(site, topic) && (this.#topicId === null || this.#topicId === topic.id)
    const kind = refusal!.kind
    demand(kind !== 'producer-fenced', `${this.name} is fenced`)
    if (!isSame || (kind === 'producer-unknown' && this.#topicId === null)) {
      if (kind === 'producer-unknown' || kind === 'sequence-gap') this.#producer = null
      return
    }
    demand(kind !== 'producer-unknown', `${this.name} is forgotten at ${sequence}`)
    if (refusal!.kind === 'sequence-gap') {
      demand(refusal!.expectedSequence < sequence, `${this.name}: ${sequence} is refused, not known as a repeat`)
    }
  }

  /** With a partition in its address a produce creates nothing. */
  async #createTopic({ broker, ledger }: Site): Promise<void> {
    ledger.ask(this.#topic)
    await broker.submit({ kind: 'create-topic', name: this.#topic })
  }
}

/** Appends where it says, or is told where that would be. */
class Expecting extends Sender {
  #topic = 't'
  #next = 0

  async step(site: Site): Promise<void> {
    const records = this.records(this.random.int(1, 3))
    const expectOffset = this.#next
    const entries = site.ledger.request(this.#topic, records)
    const outcome = await this.send(site, this.#topic, records, { partition: 0, expectOffset })
    if (site.isDead || typeof outcome === 'string') return
    const { refusal } = outcome
    if (refusal === null) {
      demand(outcome.partitions[0]!.baseOffset === expectOffset, `appended elsewhere than at ${expectOffset}`)
      site.ledger.kept(entries, outcome.topic, outcome.partitions)
      this.#next = expectOffset + records.length
    } else if (refusal.kind === 'offset-mismatch') {
      demand(refusal.nextOffset !== expectOffset, `${expectOffset} is refused and expected`)
      this.#next = refusal.nextOffset
    }
  }
}

/** Reads what there is, and stays for what comes. */
class Reader implements Client {
  readonly #random: SimRandom

  constructor(random: SimRandom) {
    this.#random = random
  }

  async step(site: Site): Promise<void> {
    const random = this.#random
    const start = random.pick([{ kind: 'earliest' as const }, { kind: 'last' as const, count: 3 }])
    const session = await site.broker.openFetch(fetchRequest(random.pick(NAMES), { start, clamp: true }))
    if (!(session instanceof FetchSession)) return
    for (let looks = random.int(1, 4); looks > 0; looks--) {
      for (;;) {
        const next = session.next(random.pick([1, 1_000, 100_000]))
        const slice = next instanceof Promise ? await next : next
        if (slice === null || site.isDead) break
        const { replica, topic, offset } = slice.position
        site.ledger.know(topic)
        site.ledger.saw(topic.id, replica.partition, recordsIn(slice.bytes, offset))
        slice.position.offset = slice.nextOffset
      }
      if ((await session.wait(site.broker.monotonicMs() + random.int(1, 10))) === 'closing') return
    }
  }
}

/** Creates, changes, grows, trims and deletes. */
class Operator implements Client {
  readonly #random: SimRandom

  constructor(random: SimRandom) {
    this.#random = random
  }

  async step(site: Site): Promise<void> {
    const random = this.#random
    const name = random.pick(NAMES)
    const dice = random.int(0, 9)
    if (dice < 3) await this.#create(site, name)
    else if (dice < 5) await this.#alter(site, name)
    else if (dice < 6) await this.#grow(site, name)
    else if (dice < 9) await this.#trim(site, name)
    else if (random.chance(0.4)) await this.#delete(site, name)
  }

  async #create(site: Site, name: string): Promise<void> {
    const { broker, ledger } = site
    ledger.ask(name)
    const partitions = this.#random.int(1, 4)
    const reply = await broker.submit({ kind: 'create-topic', name, partitions, config: { segmentBytes: 65_536 } })
    site.note(`create ${name} ${reply.kind}`)
    if (reply.kind === 'created') ledger.know(reply.topic)
  }

  async #alter(site: Site, name: string): Promise<void> {
    const { broker, ledger } = site
    const topic = broker.image.topicNamed(name)
    if (topic === null) return
    const facts = ledger.know(topic)
    const key = this.#random.pick(['retentionBytes', 'segmentMs', 'recordBytesMax'] as const)
    const value = { retentionBytes: 100_000, segmentMs: 5_000 + this.#random.int(0, 3), recordBytesMax: 500_000 }[key]
    // Retention that is asked for may have worked before it is taken back.
    const config = { ...topic.config, [key]: value }
    facts.configsAsked.push(config)
    const reply = await broker.submit({ kind: 'alter-topic', name, config: { [key]: value } })
    site.note(`alter ${name} ${reply.kind}`)
    if (site.isDead || reply.kind !== 'altered' || reply.topic.id !== topic.id) return
    facts.config = reply.topic.config
    facts.configsAsked = []
  }

  async #grow(site: Site, name: string): Promise<void> {
    const { broker, ledger } = site
    const topic = broker.image.topicNamed(name)
    if (topic === null || topic.partitions.length > 5) return
    const facts = ledger.know(topic)
    const count = topic.partitions.length + 1
    facts.partitionsAsked = count
    const reply = await broker.submit({ kind: 'add-partitions', name, count })
    site.note(`grow ${name} ${reply.kind}`)
    if (!site.isDead && reply.kind === 'grown' && reply.topic.id === topic.id) facts.partitions = count
  }

  async #trim(site: Site, name: string): Promise<void> {
    const { broker, ledger } = site
    const route = broker.routeOf(name)
    if (!(route instanceof TopicRoute)) return
    const facts = ledger.know(route.topic)
    const replica = this.#random.pick(route.replicas)
    const { partition } = replica
    const { startOffset, highWatermark } = replica.live
    const to = this.#random.int(startOffset, Math.min(highWatermark, startOffset + 6))
    facts.trimAsked[partition] = Math.max(facts.trimAsked[partition] ?? 0, to)
    const reply = await broker.trim(name, partition, to)
    site.note(`trim ${name} ${partition} ${to}`)
    if (!site.isDead && 'logStartOffset' in reply) {
      demand(reply.logStartOffset >= to, `a trim to ${to} left ${reply.logStartOffset}`)
      facts.trimmedTo[partition] = Math.max(facts.trimmedTo[partition] ?? 0, to)
    }
  }

  async #delete(site: Site, name: string): Promise<void> {
    const { broker, ledger } = site
    const topic = broker.image.topicNamed(name)
    if (topic === null) return
    const facts = ledger.know(topic)
    facts.isDeleteAsked = true
    const reply = await broker.submit({ kind: 'delete-topic', name })
    site.note(`delete ${name} ${reply.kind}`)
    if (!site.isDead && reply.kind === 'deleted' && reply.topic.id === topic.id) facts.isGone = true
  }
}

/** `count` who produce, one who reads, one who operates. */
export function clientsOf(random: SimRandom, count: number): Client[] {
  const senders = [Plain, Keyed, Numbered, Expecting] as const
  const others = Array.from({ length: count }, (_, i) => new senders[i % senders.length]!(`${i}`, random))
  return [...others, new Reader(random), new Operator(random)]
}
