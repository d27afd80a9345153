// The producers of the soak, one class a way of producing. Each sends one request at a time until it is stopped; those
// that can retry do, with the same bytes, until they are acknowledged.

import { BatchBuilder, RecordSpans } from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { attempt } from './attempt.ts'
import type { AckedRange, ProducerLedger } from './ledger.ts'
import { jsonOf, keyOf, textOf } from './record-value.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Site } from './site.ts'

export interface ProducerWorld {
  site: Site
  topic: string
  partitionCount: number
  random: SeededRandom
  ledger: ProducerLedger
  /** Part of every Idempotency-Key. */
  runName: string
}

const RECORDS_OF_A_REQUEST_MAX = 200
const LINES_OF_A_STREAM_MAX = 1_500
const PAUSE_MS_MAX = 4
const RAW_BURST_MAX = 50

export abstract class Producer {
  protected readonly world: ProducerWorld
  #isStopped = false
  #done: Promise<void> = Promise.resolve()

  constructor(world: ProducerWorld) {
    this.world = world
  }

  start(onFailure: (error: Error) => void): void {
    this.#done = this.#run().catch(onFailure)
  }

  /** Resolves when the request under way has come to its end; the broker must be up for that. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#done
  }

  protected abstract sendOne(url: string): Promise<void>

  async #run(): Promise<void> {
    const { site, random } = this.world
    while (!this.#isStopped) {
      await this.sendOne(await site.urlToWrite())
      await Bun.sleep(random.between(0, PAUSE_MS_MAX))
    }
  }

  protected pathOf(url: string, rest: string): string {
    return `${url}/v1/topics/${this.world.topic}/${rest}`
  }

  /** Once; what came of it goes into the ledger. False: it was not acknowledged. */
  protected async sendOnce(url: string, init: RequestInit, first: number, count: number): Promise<boolean> {
    const result = await attempt(url, init, count)
    if (result.kind === 'acked') this.world.ledger.acked(first, count, result.ranges)
    else if (result.kind === 'refused') this.world.ledger.refused(first, count)
    return result.kind === 'acked'
  }

  /** The same again until it is acknowledged, through crashes. `path` is what follows the topic. */
  protected async sendUntilAcked(path: string, init: RequestInit, first: number, count: number): Promise<void> {
    for (;;) {
      const url = await this.world.site.urlToWrite()
      const result = await attempt(this.pathOf(url, path), init, count)
      if (result.kind === 'acked') return this.world.ledger.acked(first, count, result.ranges)
      await Bun.sleep(this.world.random.between(1, 10))
    }
  }

  protected names(first: number, count: number): { producer: number; counter: number }[] {
    return Array.from({ length: count }, (_, i) => ({ producer: this.world.ledger.id, counter: first + i }))
  }

  protected idempotencyKey(first: number): Record<string, string> {
    return { 'idempotency-key': `${this.world.runName}-${this.world.ledger.id}-${first}` }
  }
}

/** One value a request, sent once; bursts of them, so that kills find some under way. */
export class RawProducer extends Producer {
  protected override async sendOne(url: string): Promise<void> {
    for (let left = this.world.random.between(1, RAW_BURST_MAX); left > 0; left--) {
      const first = this.world.ledger.take(1)
      const [name] = this.names(first, 1)
      const key = this.world.random.chance(0.5) ? `?key=${keyOf(name!)}` : ''
      const init = { body: textOf(name!), headers: { 'content-type': 'text/plain' } }
      if (!(await this.sendOnce(this.pathOf(url, `records${key}`), init, first, 1))) return
    }
  }
}

/** One value a request, repeated under its key. */
export class RawKeyedProducer extends Producer {
  protected override async sendOne(): Promise<void> {
    const first = this.world.ledger.take(1)
    const headers = { 'content-type': 'text/plain', ...this.idempotencyKey(first) }
    await this.sendUntilAcked('records', { body: textOf(this.names(first, 1)[0]!), headers }, first, 1)
  }
}

/** Many JSON records a request, over all partitions by key; half of the requests carry a key and are repeated. */
export class JsonProducer extends Producer {
  protected override async sendOne(url: string): Promise<void> {
    const { random, ledger } = this.world
    const count = random.between(1, RECORDS_OF_A_REQUEST_MAX)
    const first = ledger.take(count)
    const records = this.names(first, count).map((name) => ({ key: keyOf(name), value: jsonOf(name) }))
    const body = JSON.stringify({ records })
    const headers = { 'content-type': 'application/json' }
    if (random.chance(0.5)) {
      await this.sendOnce(this.pathOf(url, 'records'), { body, headers }, first, count)
      return
    }
    await this.sendUntilAcked('records', { body, headers: { ...headers, ...this.idempotencyKey(first) } }, first, count)
  }
}

/** A streamed upload over all partitions under a key, completed by repeats. */
export class LinesKeyedProducer extends Producer {
  protected override async sendOne(): Promise<void> {
    const { random, ledger } = this.world
    const count = random.between(1, LINES_OF_A_STREAM_MAX)
    const first = ledger.take(count)
    const body = this.names(first, count)
      .map((name) => `${JSON.stringify(jsonOf(name))}\n`)
      .join('')
    const headers = { 'content-type': 'application/x-ndjson', ...this.idempotencyKey(first) }
    await this.sendUntilAcked('records?keyPointer=/key', { body, headers }, first, count)
  }
}

/** A slow upload to one partition that is acknowledged batch by batch while it runs; never repeated. */
export class LineStreamProducer extends Producer {
  protected override async sendOne(url: string): Promise<void> {
    const { random, ledger, partitionCount } = this.world
    const count = random.between(1, LINES_OF_A_STREAM_MAX)
    const first = ledger.take(count)
    const partition = random.between(0, partitionCount - 1)
    const lines = this.names(first, count).map((name) => `${JSON.stringify(jsonOf(name))}\n`)
    const headers = { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' }
    const pieces = piecesOf(lines, random)
    let next = first
    try {
      const response = await fetch(this.pathOf(url, `partitions/${partition}/records`), {
        method: 'POST',
        headers,
        body: pieces,
      })
      if (response.status !== 200) throw new UploadRefused(response.status, await response.text())
      for await (const line of linesOf(response.body!)) {
        const reply = JSON.parse(line) as AckedRange & { count: number; done?: boolean; problem?: unknown }
        if (reply.problem !== undefined) throw new Error(`a stream ended with ${line}`)
        if (reply.done === true) break
        ledger.acked(next, reply.count, [{ ...reply, partition }])
        next += reply.count
      }
      if (next !== first + count)
        throw new UploadRefused(200, `${next - first} of ${count} lines acknowledged at the end`)
    } catch (error) {
      // a broken connection leaves the rest unknown
      if (error instanceof UploadRefused && error.status !== 503) throw error
    }
  }
}

class UploadRefused extends Error {
  constructor(
    readonly status: number,
    text: string,
  ) {
    super(`an upload was answered ${status}: ${text}`)
  }
}

function piecesOf(lines: readonly string[], random: SeededRandom): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let at = 0
  return new ReadableStream({
    async pull(controller) {
      await Bun.sleep(random.between(0, PAUSE_MS_MAX))
      const piece = lines.slice(at, at + random.between(1, 100)).join('')
      if (piece === '') return controller.close()
      at += piece.split('\n').length - 1
      controller.enqueue(encoder.encode(piece))
    },
  })
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line.trim() !== '') yield line
  }
}

/** A producer with an id and sequences: stored bytes and JSON by turns, repeated until acknowledged. */
export class SequenceProducer extends Producer {
  readonly #builder = new BatchBuilder(hostCodec)
  readonly #record = new RecordSpans()
  #identity: { producerId: number; producerEpoch: number } | null = null
  readonly #sequences = new Map<number, number>()

  protected override async sendOne(): Promise<void> {
    const { random, ledger, partitionCount } = this.world
    this.#identity ??= await this.#allocate()
    const partition = random.between(0, partitionCount - 1)
    const sequence = this.#sequences.get(partition) ?? 0
    const count = random.between(1, RECORDS_OF_A_REQUEST_MAX)
    const first = ledger.take(count)
    this.#sequences.set(partition, sequence + count)
    if (random.chance(0.5)) await this.#sendBatch(partition, sequence, first, count)
    else await this.#sendJson(partition, sequence, first, count)
  }

  async #allocate(): Promise<{ producerId: number; producerEpoch: number }> {
    for (;;) {
      const url = await this.world.site.urlToWrite()
      try {
        const response = await fetch(`${url}/v1/producers`, { method: 'POST' })
        if (response.ok) return (await response.json()) as { producerId: number; producerEpoch: number }
        if (response.status !== 503) throw new Error(`POST /v1/producers: ${response.status} ${await response.text()}`)
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('POST')) throw error
      }
      await Bun.sleep(10)
    }
  }

  #sendBatch(partition: number, baseSequence: number, first: number, count: number): Promise<void> {
    const record = this.#record
    for (const name of this.names(first, count)) {
      record.clear()
      record.value = Buffer.from(textOf(name))
      record.valueEnd = record.value.length
      if (!this.#builder.add(record, Date.now())) throw new Error('the batch of a request is full')
    }
    const compression = this.world.random.chance(0.3) ? 'zstd' : 'none'
    const body = Buffer.from(this.#builder.finish({ ...this.#identity!, baseSequence, compression }))
    const headers = { 'content-type': 'application/vnd.naru.batch' }
    return this.sendUntilAcked(`partitions/${partition}/batches`, { body, headers }, first, count)
  }

  #sendJson(partition: number, sequence: number, first: number, count: number): Promise<void> {
    const { producerId, producerEpoch } = this.#identity!
    const body = JSON.stringify(this.names(first, count).map((name) => ({ value: jsonOf(name) })))
    const headers = {
      'content-type': 'application/json',
      'producer-id': String(producerId),
      'producer-epoch': String(producerEpoch),
      'producer-seq': String(sequence),
    }
    return this.sendUntilAcked(`partitions/${partition}/records`, { body, headers }, first, count)
  }
}
