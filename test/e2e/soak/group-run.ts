// Members that come, leave and die at random over the partitions of one topic while producers run; midway the broker is killed
// and started again. Then it is calm, and the judgement: who handled what, whether the committed places are those that were
// acknowledged, how soon the group was settled, and whether members that nothing happened to went on all the while.

import { scratchFolder, until } from '../broker-process.ts'
import { GroupMember, HandledLedger, type MemberWorld } from './group-member.ts'
import { SeededRandom } from './seeded-random.ts'
import { Site } from './site.ts'

export interface GroupRun {
  seed: number
  members: number
  partitions: number
  /** How long members come and go. */
  churnMs: number
  delivery: 'at-least-once' | 'at-most-once'
  /** Whether the broker is killed midway. */
  kill: boolean
  report: (line: string) => void
}

export interface GroupFigures {
  records: number
  joined: number
  left: number
  died: number
  repeated: number
  /** At most once: on its way to somebody who died, or when the broker was killed. */
  missed: number
  /** From when the last change was known to a settled group. */
  settleMs: number
  /** Longest time between two answers of a member nothing happened to. */
  gapMsMax: number
}

const TOPIC = 'churn'
const GROUP = 'churn'
/** The shortest there is: the dead are known as such after it. */
const SESSION_MS = 6_000
const CHANGE_EVERY_MS = 150
const REST_MS_MAX = 100
const POLL_RECORDS_MAX = 500
const PRODUCED_EACH_MS = 25
const DRAIN_MS_MAX = 30_000

interface Described {
  readonly state: string
  readonly members: readonly { member: string; assignment: readonly { partitions: readonly number[] }[] }[]
  readonly partitions: readonly { partition: number; nextOffset: number | null; highWatermark: number }[]
}

/** Throws at the first violation. */
export async function runGroupChurn(run: GroupRun): Promise<GroupFigures> {
  const scratch = scratchFolder('group-churn')
  const churn = new Churn(run, new Site(scratch.folder))
  try {
    return await churn.run()
  } finally {
    await churn.end()
    scratch.remove()
  }
}

class Churn {
  readonly #run: GroupRun
  readonly #site: Site
  readonly #random: SeededRandom
  readonly #ledger: HandledLedger
  readonly #world: MemberWorld
  readonly #alive: GroupMember[] = []
  /** Whoever ended, or may have been cut short, without having committed. */
  readonly #abrupt = new Set<string>()
  /** Of the partitions, when all had been produced. */
  readonly #ends: number[] = []
  #joined = 0
  #left = 0
  #died = 0
  readonly #enough = new AbortController()
  #producers: Promise<unknown> = Promise.resolve()

  constructor(run: GroupRun, site: Site) {
    this.#run = run
    this.#site = site
    this.#random = new SeededRandom(run.seed)
    this.#ledger = new HandledLedger(run.partitions)
    this.#world = {
      group: GROUP,
      topic: TOPIC,
      ledger: this.#ledger,
      join: { delivery: run.delivery, sessionMs: SESSION_MS },
      random: this.#random.fork(),
      url: () => site.urlToRead(),
      restMsMax: REST_MS_MAX,
      wait: '1s',
      pollRecordsMax: POLL_RECORDS_MAX,
    }
  }

  async run(): Promise<GroupFigures> {
    const { members, partitions, churnMs, kill, report } = this.#run
    await this.#site.start()
    this.#site.letProducersIn()
    await this.#site.broker.call('PUT', `/v1/topics/${TOPIC}`, { partitions })
    while (this.#alive.length < members) this.#join()
    this.#producers = Promise.all([0, 1].map((lane) => this.#produce(lane)))
    await this.#change(kill ? churnMs / 2 : churnMs)
    if (kill) {
      await this.#restart()
      await this.#change(churnMs / 2)
    }
    report(`${this.#joined} joined, ${this.#left} left, ${this.#died} died; ${this.#ledger.count} records handled`)
    const calmMs = await this.#settle()
    await this.#exchange()
    const settleMs = Math.max(calmMs, await this.#settle())
    this.#enough.abort()
    await this.#producers
    await this.#drain()
    this.#judge()
    return {
      records: this.#ledger.count,
      joined: this.#joined,
      left: this.#left,
      died: this.#died,
      repeated: this.#ledger.repeated().length,
      missed: this.#missed().length,
      settleMs,
      gapMsMax: Math.max(...this.#alive.map(({ gapMsMax }) => gapMsMax)),
    }
  }

  async end(): Promise<void> {
    this.#enough.abort()
    await Promise.all(this.#alive.map((member) => member.die().catch(() => {})))
    await this.#site.kill()
  }

  #join(): void {
    this.#alive.push(new GroupMember(`m${this.#joined++}`, this.#world))
  }

  /** One leaves or dies every so often, and another comes. */
  async #change(forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs
    const leaving: Promise<void>[] = []
    while (performance.now() < untilMs) {
      await Bun.sleep(this.#random.between(0, 2 * CHANGE_EVERY_MS))
      const [gone] = this.#alive.splice(this.#random.between(0, this.#alive.length - 1), 1)
      if (this.#random.chance(0.5)) {
        this.#left++
        leaving.push(gone!.leave())
      } else {
        this.#died++
        this.#abrupt.add(gone!.name)
        leaving.push(gone!.die())
      }
      this.#join()
    }
    await Promise.all(leaving)
  }

  /** A tenth leaves, and as many come, all at once. */
  async #exchange(): Promise<void> {
    const leaving = this.#alive.splice(0, Math.ceil(this.#alive.length / 10))
    this.#left += leaving.length
    for (const _ of leaving) this.#join()
    await Promise.all(leaving.map((member) => member.leave()))
  }

  async #restart(): Promise<void> {
    const { report } = this.#run
    await this.#site.kill()
    const acknowledged = [...this.#ledger.acknowledged]
    await this.#site.start()
    const { partitions } = await this.#described()
    for (const { partition, nextOffset } of partitions) {
      if ((nextOffset ?? 0) < acknowledged[partition]!) {
        throw new Error(`${partition}: ${acknowledged[partition]} was acknowledged, ${nextOffset} is committed`)
      }
    }
    this.#site.letProducersIn()
    for (const member of this.#alive) member.forgive()
    report(
      `killed and started again: ${acknowledged.reduce((sum, place) => sum + place, 0)} acknowledged places stayed`,
    )
  }

  /** From when it is known who lives to when they share everything. */
  async #settle(): Promise<number> {
    const names = this.#alive.map(({ name }) => name).sort()
    let knownAtMs = 0
    await this.#until(SESSION_MS + DRAIN_MS_MAX, async () => {
      const { members, state } = await this.#described()
      const isKnown =
        members
          .map(({ member }) => member)
          .sort()
          .join() === names.join()
      if (!isKnown) return false
      if (knownAtMs === 0) knownAtMs = performance.now()
      return state === 'stable'
    })
    const settleMs = performance.now() - knownAtMs
    const { members } = await this.#described()
    const shares = members.map(({ assignment }) =>
      assignment.reduce((sum, { partitions }) => sum + partitions.length, 0),
    )
    if (shares.reduce((sum, share) => sum + share, 0) !== this.#run.partitions) throw new Error('not all is assigned')
    if (Math.max(...shares) - Math.min(...shares) > 1) throw new Error(`shares are uneven: ${shares.join()}`)
    return settleMs
  }

  async #drain(): Promise<void> {
    await this.#until(DRAIN_MS_MAX, async () => {
      const { partitions } = await this.#described()
      for (const { partition, highWatermark } of partitions) this.#ends[partition] = highWatermark
      return partitions.every(({ nextOffset, highWatermark }) => (nextOffset ?? 0) === highWatermark)
    })
    // What was committed is what was handled: each has one more poll to say so.
    const living = this.#alive.splice(0)
    await Promise.all(living.map((member) => member.leave()))
    this.#alive.push(...living)
  }

  #judge(): void {
    const { delivery } = this.#run
    const fenced = this.#alive.filter(({ fencings }) => fencings > 0)
    if (fenced.length > 0) throw new Error(`removed although they lived: ${fenced.map(({ name }) => name).join()}`)
    const missed = this.#missed()
    if (missed.length > 0 && delivery === 'at-least-once') throw new Error(`never handled: ${missed.join()}`)
    for (const { place, members } of this.#ledger.repeated()) {
      if (delivery === 'at-most-once') throw new Error(`${place} was handled by ${members.join()}`)
      // Whoever left had committed: only what the dead had not committed comes again.
      if (members.slice(0, -1).some((member) => !this.#abrupt.has(member))) {
        throw new Error(`${place} was handled by ${members.join()}, and not all but the last had died`)
      }
    }
  }

  #missed(): string[] {
    return this.#ends.flatMap((end, partition) => this.#ledger.missedBelow(partition, end))
  }

  /** Or until a member has failed. */
  async #until(withinMs: number, probe: () => Promise<boolean>): Promise<void> {
    const failed = (): GroupMember | undefined => this.#alive.find(({ failure }) => failure !== null)
    await until(Date.now() + withinMs, async () => failed() !== undefined || (await probe()))
    const { name, failure } = failed() ?? {}
    if (name !== undefined) throw new Error(`${name}: ${String(failure)}`)
  }

  #described(): Promise<Described> {
    return this.#site.broker.call('GET', `/v1/groups/${GROUP}`)
  }

  async #produce(lane: number): Promise<void> {
    for (let n = lane; !this.#enough.signal.aborted; n += 2) {
      const url = await this.#site.urlToWrite()
      const records = Array.from({ length: 40 }, (_, i) => ({ key: `${n}-${i}`, value: i }))
      const sent = await fetch(`${url}/v1/topics/${TOPIC}/records`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(records),
      }).catch(() => null)
      await sent?.arrayBuffer().catch(() => null)
      await Bun.sleep(PRODUCED_EACH_MS)
    }
  }
}
