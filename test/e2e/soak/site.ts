// One data folder and the broker that comes and goes on it. Everybody who talks to it asks for its address first and waits
// while there is none; producers are let in later than readers, so that a restart can be judged before it is written to.

import { BrokerProcess } from '../broker-process.ts'

export class Site {
  readonly #data: string
  readonly #flags: readonly string[]
  #broker: BrokerProcess | null = null
  readonly #readers = new Gate()
  readonly #producers = new Gate()

  constructor(data: string, flags: readonly string[] = []) {
    this.#data = data
    this.#flags = flags
  }

  get broker(): BrokerProcess {
    if (this.#broker === null) throw new Error('no broker is running')
    return this.#broker
  }

  /** Starts a broker and lets the readers in. */
  async start(): Promise<void> {
    this.#broker = await BrokerProcess.start({ data: this.#data, flags: this.#flags })
    this.#readers.open(this.#broker.url)
  }

  /** Starts a broker only to kill it a moment later, whatever it is doing then. */
  async startAndKill(afterMs: number): Promise<void> {
    const broker = BrokerProcess.spawn({ data: this.#data, flags: this.#flags })
    await Bun.sleep(afterMs)
    await broker.kill()
  }

  letProducersIn(): void {
    this.#producers.open(this.broker.url)
  }

  async kill(): Promise<void> {
    this.#readers.shut()
    this.#producers.shut()
    await this.#broker?.kill()
    this.#broker = null
  }

  /** The address for readers, once there is one. */
  urlToRead(): Promise<string> {
    return this.#readers.passed
  }

  urlToWrite(): Promise<string> {
    return this.#producers.passed
  }
}

class Gate {
  passed!: Promise<string>
  #open!: (url: string) => void

  constructor() {
    this.shut()
  }

  open(url: string): void {
    this.#open(url)
  }

  shut(): void {
    this.passed = new Promise((resolve) => {
      this.#open = resolve
    })
  }
}
