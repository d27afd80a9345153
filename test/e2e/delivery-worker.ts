// A consumer as a process of its own, that dies by kill -9 where it is told to: before what it does for a record, or behind it.
// What it does is a line in a file, or a record in another topic under a key made of where the input stands.

import { appendFileSync } from 'node:fs'
import { Consumer, type ConsumedRecord, type ConsumerOptions } from '../../src/client/index.ts'

export interface WorkerOrders {
  readonly url: string
  readonly topic: string
  readonly group: string
  readonly delivery: NonNullable<ConsumerOptions['delivery']>
  /** Null: a line in `file` for each. */
  readonly outputTopic: string | null
  readonly file: string
  /** Of the records it handles, the how many-th; null: it does not die. */
  readonly dieBefore: number | null
  readonly dieBehind: number | null
  /** It is done when it has seen as many ends. */
  readonly ends: number
}

export interface Input {
  readonly n: number
  /** No input, but the end of those in its partition. */
  readonly isEnd?: true
}

async function effect({ url, outputTopic, file }: WorkerOrders, { topic, partition, offset, value }: ConsumedRecord) {
  const { n } = value as Input
  if (outputTopic === null) return appendFileSync(file, `${n}\n`)
  const answer = await fetch(`${url}/v1/topics/${outputTopic}/records`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `${topic}/${partition}/${offset}` },
    body: JSON.stringify({ value: { n } }),
  })
  if (!answer.ok) throw new Error(await answer.text())
}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

async function work(orders: WorkerOrders): Promise<void> {
  const { url, topic, group, delivery } = orders
  // Little at a time, so that there is something left where it dies.
  const consumer = new Consumer({ brokers: url, topics: topic, group, delivery, prefetchBytes: 100_000 })
  let handled = 0
  let ends = 0
  for await (const record of consumer) {
    if ((record.value as Input).isEnd === true) {
      if (++ends === orders.ends) consumer.close()
      continue
    }
    handled++
    if (handled === orders.dieBefore) die()
    await effect(orders, record)
    if (handled === orders.dieBehind) die()
  }
}

if (import.meta.main) await work(JSON.parse(process.argv[2]!) as WorkerOrders)
