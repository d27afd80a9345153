// What the client's tests share: an executable broker that can be ended and started again on its port, and what is stored in it.

import { BrokerProcess, scratchFolder } from '../e2e/broker-process.ts'

export interface StoredRecord {
  partition: number
  offset: number
  key?: string
  value: unknown
}

export class BrokerWorld {
  broker!: BrokerProcess
  readonly #scratch = scratchFolder('client')
  #port = 0

  static async start(flags: readonly string[] = []): Promise<BrokerWorld> {
    const world = new BrokerWorld()
    await world.start(flags)
    return world
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** On the same folder, and from the second time on the same port. */
  async start(flags: readonly string[] = []): Promise<void> {
    const port = this.#port === 0 ? [] : ['--port', String(this.#port)]
    this.broker = await BrokerProcess.start({ data: this.#scratch.folder, flags: [...port, ...flags] })
    this.#port = this.broker.port
  }

  /** All of a topic, each partition in its order. */
  async stored(topic: string): Promise<StoredRecord[]> {
    const records: StoredRecord[] = []
    let place = ''
    for (;;) {
      const path = `/v1/topics/${topic}/records?limit=100000&maxBytes=8MiB${place}`
      const page = await this.broker.call<{ records: StoredRecord[]; cursor: string; caughtUp: boolean }>('GET', path)
      records.push(...page.records)
      if (page.caughtUp) return records
      place = `&cursor=${page.cursor}`
    }
  }

  async end(): Promise<void> {
    await this.broker.kill()
    this.#scratch.remove()
  }
}
