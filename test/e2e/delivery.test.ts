// What comes of how records are produced and how they are consumed, cell by cell of the README's table. Requests and answers are
// lost, consumers die by kill -9 before and behind their work; then it is counted how often each input had its effect.
//
// A cell promises what it says and no more: where inputs may be missed or done twice, here some are.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Producer } from '../../src/client/index.ts'
import { FaultyProxy } from '../client/faulty-proxy.ts'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'
import type { WorkerOrders } from './delivery-worker.ts'

const README = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8')
const WORKER = join(import.meta.dir, 'delivery-worker.ts')
const INPUTS = 48
const PARTITIONS = 2
/** Few of them fit a frame. */
const FILLING = '-'.repeat(30_000)
const WORK_MS_MAX = 20_000

const PRODUCERS = ['acks=0', 'acks=1, by hand', 'acks=all, by hand', 'acks=1', 'acks=all'] as const
const CONSUMERS = ['at-most-once', 'at-least-once', 'written back'] as const
type ProducerKind = (typeof PRODUCERS)[number]
type ConsumerKind = (typeof CONSUMERS)[number]
type Word = 'exactly once' | 'at most once' | 'at least once' | 'anything'

const scratch = scratchFolder('delivery')
let broker: BrokerProcess
let proxy: FaultyProxy
/** Requests that carried records, and are counted for what becomes of them. */
let carried = 0

beforeAll(async () => {
  broker = await BrokerProcess.start({ data: join(scratch.folder, 'data') })
  proxy = new FaultyProxy(() => broker.url)
  proxy.fault = ({ url, method }) => {
    if (method !== 'POST' || !/\/(records|batches)(\?|$)/.test(url)) return null
    const nth = carried++
    // It does not arrive; or it does, and its answer does not.
    if (nth % 7 === 4) return { kind: 'refuse', response: new Response('lost on the way', { status: 502 }) }
    return nth % 5 === 2 ? { kind: 'lose-answer' } : null
  }
})

afterAll(async () => {
  await proxy.end()
  await broker.kill()
  scratch.remove()
})

// --- producing ---------------------------------------------------------------------------------------------------------

async function produce(kind: ProducerKind, topic: string): Promise<void> {
  carried = 0
  const acks = kind.startsWith('acks=0') ? '0' : kind.startsWith('acks=1') ? '1' : 'all'
  if (kind.endsWith('by hand')) {
    for (let n = 0; n < INPUTS; n++) await postUntilAcknowledged(topic, n, acks)
    return
  }
  const producer = new Producer({ brokers: proxy.url, acks, lingerMs: 0 })
  for (let n = 0; n < INPUTS; n++) {
    const sent = producer.send(topic, recordOf(n))
    if (acks === '0') await sent.catch(() => {})
    else await sent
  }
  await producer.close()
}

function recordOf(n: number): { key: string; value: object } {
  return { key: `k${n}`, value: { n, filling: FILLING } }
}

/** As `curl --retry` does, without a key. */
async function postUntilAcknowledged(topic: string, n: number, acks: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${proxy.url}/v1/topics/${topic}/records?acks=${acks}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(recordOf(n)),
    })
    await answer.arrayBuffer()
    if (answer.ok) return
  }
}

// --- consuming ---------------------------------------------------------------------------------------------------------

async function workThatDies(orders: WorkerOrders): Promise<void> {
  for (const death of [{ dieBehind: 8 }, { dieBefore: 5 }]) {
    const worker = spawnWorker({ ...orders, ...death })
    // Where too little is left to die of, it is killed when all is committed.
    const idle = new AbortController()
    const allCommitted = until(
      Date.now() + WORK_MS_MAX,
      async () => idle.signal.aborted || (await isCommitted(orders.group)),
    )
    await Promise.race([worker.exited, allCommitted.then(() => Bun.sleep(500))])
    idle.abort()
    worker.kill('SIGKILL')
    await worker.exited
  }
}

function spawnWorker(orders: WorkerOrders): Bun.Subprocess {
  return Bun.spawn(['bun', WORKER, JSON.stringify(orders)], { stdout: 'ignore', stderr: 'inherit' })
}

async function isCommitted(group: string): Promise<boolean> {
  const { partitions } = await broker.call<{ partitions: { lag: number | null }[] }>('GET', `/v1/groups/${group}`)
  return partitions.every(({ lag }) => lag === 0)
}

function ordersFor(kind: ConsumerKind, topic: string): WorkerOrders {
  const group = `${topic}.${kind.replace(' ', '-')}`
  return {
    url: broker.url,
    topic,
    group,
    delivery: kind === 'at-most-once' ? kind : 'at-least-once',
    outputTopic: kind === 'written back' ? `${group}.out` : null,
    file: join(scratch.folder, group),
    dieBefore: null,
    dieBehind: null,
    ends: PARTITIONS,
  }
}

/** How often each input had its effect. */
async function effectsOf({ outputTopic, file }: WorkerOrders): Promise<number[]> {
  const counts = Array.from({ length: INPUTS }, () => 0)
  if (outputTopic === null) {
    if (existsSync(file)) for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) counts[Number(line)]!++
    return counts
  }
  type Page = { records: { value: { n: number } }[] }
  const { records } = await broker.call<Page>('GET', `/v1/topics/${outputTopic}/records?limit=10000`)
  for (const { value } of records) counts[value.n]!++
  return counts
}

function wordFor(counts: readonly number[]): Word {
  const isMissed = counts.includes(0)
  const isTwice = counts.some((count) => count > 1)
  if (isMissed) return isTwice ? 'anything' : 'at most once'
  return isTwice ? 'at least once' : 'exactly once'
}

// --- the table ---------------------------------------------------------------------------------------------------------

/** Of the README, by row and column. */
function promised(producer: ProducerKind, consumer: ConsumerKind): string {
  const row = PRODUCERS.indexOf(producer) === 0 ? 0 : producer.endsWith('by hand') ? 1 : 2
  const table = /<!-- delivery -->\n([\s\S]*?)<!-- \/delivery -->/.exec(README)![1]!
  const cells = table
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim()))
  return cells[row]![2 + CONSUMERS.indexOf(consumer)]!.replaceAll('*', '')
}

describe.each(PRODUCERS.map((kind) => [kind]))('produced with %s', (producer) => {
  const topic = `in-${producer.replace(/[^a-z0-9]+/g, '-')}`
  const counts = new Map<ConsumerKind, number[]>()

  beforeAll(async () => {
    await broker.call('PUT', `/v1/topics/${topic}`, { partitions: PARTITIONS })
    await produce(producer, topic)
    const orders = CONSUMERS.map((kind) => ordersFor(kind, topic))
    await Promise.all(orders.map((each) => workThatDies(each)))
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await broker.call('POST', `/v1/topics/${topic}/partitions/${partition}/records`, { value: { isEnd: true } })
    }
    await Promise.all(orders.map((each) => spawnWorker(each).exited))
    for (const [i, kind] of CONSUMERS.entries()) counts.set(kind, await effectsOf(orders[i]!))
  }, 60_000)

  test.each(CONSUMERS.map((kind) => [kind]))('consumed %s', (consumer) => {
    expect(wordFor(counts.get(consumer)!)).toBe(promised(producer, consumer) as Word)
  })

  if (producer === 'acks=0') test('nothing is sent again', () => expect(carried).toBe(INPUTS))
})
