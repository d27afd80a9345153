// One seed: a broker that lives several times on one disk. In each life clients work at once; the disk may run full, or fail a
// sync; then the process ends, orderly, or at some disk call, with the process killed or the power gone. The next life begins
// with what is left, and first of all finds whether every promise was kept.

import { DiskError } from '../../../src/core/ports/index.ts'
import { StartRefused } from '../../../src/core/broker/index.ts'
import { BrokerRig } from '../../core/broker/broker-rig.ts'
import { Stuck } from '../clock.ts'
import { allKept, allLost, type Outcome, randomOutcome } from '../disk.ts'
import { SimRandom } from '../random.ts'
import { type Client, clientsOf, type Site } from './clients.ts'
import { demand, Ledger } from './ledger.ts'

export interface LivesOptions {
  lives?: number
  /** Disk calls of the first life, and what the power loss behind it leaves; later lives end as the seed says. */
  dieAt?: number
  ending?: Outcome | 'killed'
  senders?: number
  steps?: number
  isJournaled?: boolean
  /** To see that it would be noticed: syncs that do nothing, once the first life has started. */
  lies?: 'sync' | 'sync-folder'
  print?: (line: string) => void
}

export interface Report {
  readonly seed: number
  /** What went wrong, or null. */
  readonly failure: string | null
  readonly acknowledged: number
  readonly records: number
  /** Disk calls of the first life. */
  readonly calls: number
  readonly fingerprint: number
  readonly endings: readonly string[]
}

/** None of them is to be heard of: nothing flips bits here, and no folder comes from elsewhere. */
const FALSE_ALARMS = ['log-damaged', 'journal-damaged', 'snapshot-damaged', 'stray-topic-folder']
const CALLS_OF_A_LIFE = 600

class Lives {
  readonly #seed: number
  readonly #options: LivesOptions
  readonly #random: SimRandom
  readonly #faults: SimRandom
  readonly rig: BrokerRig
  readonly ledger = new Ledger()
  readonly clients: Client[]
  readonly endings: string[] = []
  callsOfFirst = 0
  fingerprint = 0
  #isFailingSync = false
  #hasBeenFull = false

  constructor(seed: number, options: LivesOptions) {
    this.#seed = seed
    this.#options = options
    this.#random = new SimRandom(seed, 'work')
    this.#faults = new SimRandom(seed, 'faults')
    const times = new SimRandom(seed, 'times')
    this.rig = new BrokerRig({
      seed,
      isJournaled: options.isJournaled ?? seed % 2 === 1,
      metadataSnapshotBytes: this.#random.pick([400, 1_000, 100_000]),
      syncMs: () => (times.chance(0.1) ? times.between(1, 6) : 0.2),
    })
    this.rig.onHalt = () => this.rig.disk.die()
    this.clients = clientsOf(this.#random, options.senders ?? this.#random.int(2, 6))
  }

  run(): void {
    const lives = this.#options.lives ?? 4
    for (let life = 0; life < lives; life++) {
      const isFirst = life === 0
      const dieAt = isFirst && this.#options.dieAt !== undefined ? this.#options.dieAt : this.#dieAt()
      this.#live(dieAt)
      if (isFirst) this.callsOfFirst = this.rig.disk.calls
      this.#end(isFirst)
    }
    this.#live(Infinity, 3)
    demand(!this.rig.disk.isDead, `the broker halted: ${this.rig.halts.join()}`)
  }

  #dieAt(): number {
    return this.#faults.chance(0.15) ? Infinity : this.#faults.int(1, CALLS_OF_A_LIFE)
  }

  #live(dieAt: number, steps = this.#options.steps ?? 12): void {
    const { rig } = this
    rig.halts.length = 0
    this.#isFailingSync = false
    rig.disk.syncsUntilFailure = 0
    rig.disk.onCall = (_, number) => {
      if (number === dieAt) rig.disk.die()
    }
    this.#untilDeath(async () => {
      await this.#start()
      await this.ledger.check(rig.broker)
      this.note(`started, ${this.ledger.acknowledged} of ${this.ledger.entries.size} acknowledged`)
      if (this.#options.lies !== undefined) rig.disk.lies = this.#options.lies
      if (dieAt !== Infinity) this.#plantFaults()
      await Promise.all(this.clients.map((client) => this.#work(client, steps)))
      if (this.#faults.chance(0.5) || dieAt === Infinity) await this.#stop()
    })
    const alarm = rig.complaints.find((event) => FALSE_ALARMS.includes(event))
    demand(alarm === undefined, `${alarm} was told`)
    demand(rig.halts.length === 0 || this.#isFailingSync, `the broker halted: ${rig.halts.join()}`)
  }

  async #stop(): Promise<void> {
    this.rig.disk.syncsUntilFailure = 0
    await this.rig.stopping()
    this.note('stopped')
  }

  /** On a full disk there may be no room to begin: then somebody makes some. */
  async #start(): Promise<void> {
    try {
      await this.rig.starting()
    } catch (error) {
      const isNoSpace = error instanceof StartRefused || (error instanceof DiskError && error.code === 'no-space')
      if (!isNoSpace || this.rig.disk.totalBytes === Infinity) throw error
      this.rig.disk.totalBytes = Infinity
      this.note('refused to start, for want of space')
      await this.rig.starting()
    }
  }

  #plantFaults(): void {
    const { rig } = this
    const faults = this.#faults
    if (faults.chance(0.25)) {
      rig.clock.after(faults.between(0, 30), () => {
        this.#hasBeenFull = true
        rig.fill()
        rig.disk.totalBytes += faults.int(0, 3_000)
        this.note('disk full')
      })
      rig.clock.after(faults.between(30, 3_000), () => {
        rig.disk.totalBytes = Infinity
        this.note('disk has room')
      })
    }
    if (faults.chance(0.1)) {
      this.#isFailingSync = true
      rig.disk.syncsUntilFailure = faults.int(1, 60)
    }
  }

  async #work(client: Client, steps: number): Promise<void> {
    const { rig } = this
    const hasBeenFull = () => this.#hasBeenFull
    const site: Site = {
      get hasBeenFull() {
        return hasBeenFull()
      },
      broker: rig.broker,
      ledger: this.ledger,
      get isDead() {
        return rig.disk.isDead
      },
      sleep: (ms) => new Promise((resolve) => rig.clock.after(ms, resolve)),
      note: (line) => this.note(line),
    }
    for (let step = 0; step < steps && !site.isDead; step++) {
      await client.step(site)
      await site.sleep(this.#random.between(0, 3))
    }
  }

  /** What a program does in its last moment, and never gets to await, is nobody's concern. */
  #untilDeath(program: () => Promise<void>): void {
    const { rig } = this
    try {
      rig.run(program())
    } catch (error) {
      if (!rig.disk.isDead) throw error
      const isHalted = this.#isFailingSync && rig.halts.length > 0
      if (!(error instanceof Stuck) && !isHalted) throw error
    }
  }

  #end(isFirst: boolean): void {
    const { rig } = this
    const faults = this.#faults
    const given = isFirst ? this.#options.ending : undefined
    const [name, ending] = given === undefined ? this.#draw() : ['given', given]
    this.endings.push(name)
    this.note(`ends: ${name}`)
    rig.disk = ending === 'killed' ? rig.disk.kill() : rig.disk.powerLoss(ending)
    if (faults.chance(0.5)) rig.disk.totalBytes = Infinity
  }

  #draw(): [string, Outcome | 'killed'] {
    return this.#faults.pick<[string, Outcome | 'killed']>([
      ['killed', 'killed'],
      ['lost', allLost],
      ['kept', allKept],
      ['random', randomOutcome(this.#faults)],
      ['random', randomOutcome(this.#faults)],
    ])
  }

  note(line: string): void {
    const { rig, fingerprint } = this
    const text = `${rig.clock.monotonic().toFixed(3).padStart(10)} ${String(rig.disk.calls).padStart(5)}  ${line}`
    let hash = fingerprint
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
    this.fingerprint = hash
    this.#options.print?.(text)
  }

  get seed(): number {
    return this.#seed
  }
}

export function runLives(seed: number, options: LivesOptions = {}): Report {
  const lives = new Lives(seed, options)
  let failure: string | null = null
  try {
    lives.run()
  } catch (error) {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    options.print?.(error instanceof Error ? (error.stack ?? failure) : failure)
  }
  const { ledger, endings, fingerprint, callsOfFirst } = lives
  const records = ledger.entries.size
  return { seed, failure, acknowledged: ledger.acknowledged, records, calls: callsOfFirst, fingerprint, endings }
}
