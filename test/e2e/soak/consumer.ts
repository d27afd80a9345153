// Readers of a whole topic through the public API: one that goes on through every crash from the cursor it holds, and one
// that reads all there is from the start.

import { type LogView } from './ledger.ts'
import { nameIn } from './record-value.ts'
import type { Site } from './site.ts'

interface FetchAnswer {
  records: { partition: number; offset: number; value: unknown }[]
  cursor: string
  caughtUp: boolean
  partitions: { partition: number; nextOffset: number; highWatermark: number; problem?: unknown }[]
}

const ANSWER_MS_MAX = 20_000

async function fetchOnce(url: string, topic: string, cursor: string | null, wait: string): Promise<FetchAnswer> {
  const place = cursor === null ? 'from=earliest' : `cursor=${cursor}`
  const query = `${place}&limit=20000&maxBytes=4MiB${wait === '' ? '' : `&wait=${wait}`}`
  const response = await fetch(`${url}/v1/topics/${topic}/records?${query}`, {
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  })
  const text = await response.text()
  if (response.status === 503) throw new Unavailable(text)
  if (response.status !== 200) throw new WrongAnswer(`fetch at ${place}: ${response.status} ${text}`)
  return JSON.parse(text) as FetchAnswer
}

class Unavailable extends Error {}
/** Not a broken connection: the broker answered, and wrongly. */
class WrongAnswer extends Error {}

function take(view: LogView, answer: FetchAnswer): void {
  for (const { partition, offset, value } of answer.records) {
    const { producer, counter } = nameIn(value)
    view.add(partition, offset, producer, counter)
  }
  for (const { problem, partition } of answer.partitions) {
    if (problem !== undefined) throw new WrongAnswer(`partition ${partition}: ${JSON.stringify(problem)}`)
  }
}

/** Everything below the high watermark, from the earliest record. */
export async function readAll(url: string, topic: string, view: LogView): Promise<void> {
  let cursor: string | null = null
  for (;;) {
    const answer: FetchAnswer = await fetchOnce(url, topic, cursor, '')
    take(view, answer)
    cursor = answer.cursor
    if (answer.caughtUp) return
  }
}

export class LiveConsumer {
  /** What ended it, when it was not asked to. */
  failure: Error | null = null
  readonly #site: Site
  readonly #topic: string
  readonly #view: LogView
  #isStopped = false
  #done: Promise<void> = Promise.resolve()

  constructor(site: Site, topic: string, view: LogView) {
    this.#site = site
    this.#topic = topic
    this.#view = view
  }

  start(): void {
    this.#done = this.#run().catch((error: unknown) => {
      this.failure = error as Error
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#done
    if (this.failure !== null) throw this.failure
  }

  async #run(): Promise<void> {
    let cursor: string | null = null
    while (!this.#isStopped) {
      const url = await this.#site.urlToRead()
      let answer: FetchAnswer
      try {
        answer = await fetchOnce(url, this.#topic, cursor, '200ms')
      } catch (error) {
        if (error instanceof WrongAnswer) throw error
        await Bun.sleep(5)
        continue
      }
      take(this.#view, answer)
      cursor = answer.cursor
    }
  }
}
