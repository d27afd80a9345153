// A member of a group as a shell loop would be: poll, handle, poll again with the cursor. What it handled is written down, and
// held against what a member may see: each record of a partition behind the one before it, for as long as it holds it.

import type { SeededRandom } from './seeded-random.ts'

export interface PolledRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

interface Polled {
  readonly state: string
  readonly generation: number
  readonly records: readonly PolledRecord[]
  readonly cursor: string
  readonly partitions: readonly { readonly partition: number; readonly nextOffset: number }[]
}

/** Who handled what, in all. */
export class HandledLedger {
  /** By partition, by offset: who handled it, in order. */
  readonly #handlers: string[][][]
  /** By partition: what the broker has said is committed. */
  readonly acknowledged: number[]

  constructor(partitionCount: number) {
    this.#handlers = Array.from({ length: partitionCount }, () => [])
    this.acknowledged = Array.from({ length: partitionCount }, () => 0)
  }

  handled(partition: number, offset: number, member: string): void {
    const offsets = this.#handlers[partition]!
    while (offsets.length <= offset) offsets.push([])
    offsets[offset]!.push(member)
  }

  acknowledge(partition: number, nextOffset: number): void {
    this.acknowledged[partition] = Math.max(this.acknowledged[partition]!, nextOffset)
  }

  /** Offsets below `end` nobody handled, as text. */
  missedBelow(partition: number, end: number): string[] {
    const missed: string[] = []
    for (let offset = 0; offset < end; offset++) {
      if ((this.#handlers[partition]![offset]?.length ?? 0) === 0) missed.push(`${partition}/${offset}`)
    }
    return missed
  }

  /** Records that were handled more than once, with those who did. */
  repeated(): { place: string; members: readonly string[] }[] {
    return this.#handlers.flatMap((offsets, partition) =>
      offsets.flatMap((members, offset) => (members.length > 1 ? [{ place: `${partition}/${offset}`, members }] : [])),
    )
  }

  get count(): number {
    return this.#handlers.reduce((sum, offsets) => sum + offsets.length, 0)
  }
}

export interface MemberWorld {
  readonly group: string
  readonly topic: string
  readonly ledger: HandledLedger
  readonly join: Readonly<Record<string, unknown>>
  readonly random: SeededRandom
  /** Resolves when there is a broker. */
  url(): Promise<string>
  /** Longest rest between two polls. */
  restMsMax: number
  wait: string
  pollRecordsMax: number
}

class RefusedMember extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    text: string,
  ) {
    super(text)
  }
}

const RETRY_MS = 20

export class GroupMember {
  readonly name: string
  /** It was removed although it lived. */
  fencings = 0
  polls = 0
  /** Longest time from one answered poll to the next, while it held something and kept it. */
  gapMsMax = 0
  /** What it saw that may not be; it has stopped then. */
  failure: unknown = null
  readonly #world: MemberWorld
  /** By partition: the offset to come. */
  readonly #next = new Map<number, { offset: number; generation: number }>()
  #cursor = ''
  #isEnding = false
  #answeredAtMs = 0
  #generation = -1
  /** An answer did not come, and at most once its records do not come again. */
  #mayHaveLost = false
  readonly #gone = new AbortController()
  readonly #running: Promise<void>

  constructor(name: string, world: MemberWorld) {
    this.name = name
    this.#world = world
    this.#running = this.#run()
    this.#running.catch((error: unknown) => {
      this.failure = error
    })
  }

  /** Rejects when it saw what may not be. */
  get ended(): Promise<void> {
    return this.#running
  }

  /** Commits and leaves. */
  async leave(): Promise<void> {
    this.#isEnding = true
    await this.#running
    if (this.#cursor !== '') await this.#say('PUT', '/offsets', { member: this.name, cursor: this.#cursor })
    await this.#say('DELETE', `/members/${this.name}`)
  }

  /** Not a word more, in the middle of whatever it does. */
  async die(): Promise<void> {
    this.#isEnding = true
    this.#gone.abort()
    await this.#running
  }

  /** The broker was away: what was waited for does not count. */
  forgive(): void {
    this.#answeredAtMs = 0
  }

  async #run(): Promise<void> {
    await this.#join()
    while (!this.#isEnding) {
      const polled = await this.#poll()
      if (polled === null) continue
      this.#take(polled)
      const { random, restMsMax } = this.#world
      if (restMsMax > 0) await Bun.sleep(random.between(0, restMsMax))
    }
  }

  #join(): Promise<unknown> {
    return this.#say('PUT', `/members/${this.name}`, { topics: [this.#world.topic], ...this.#world.join })
  }

  /** Null: it is to poll once more, or to end. */
  async #poll(): Promise<Polled | null> {
    const { wait, pollRecordsMax, ledger } = this.#world
    const path = `/members/${this.name}/poll?wait=${wait}&limit=${pollRecordsMax}&commit=${this.#cursor}`
    this.#mayHaveLost = false
    try {
      const polled = (await this.#say('POST', path)) as Polled | null
      if (polled === null) return null
      if (this.#cursor !== '') for (const [partition, { offset }] of this.#next) ledger.acknowledge(partition, offset)
      return polled
    } catch (error) {
      if (!(error instanceof RefusedMember) || error.code !== 'fenced') throw error
      this.fencings++
      this.#cursor = ''
      this.#next.clear()
      await this.#join()
      return null
    }
  }

  #take(polled: Polled): void {
    const { records, cursor, generation, partitions } = polled
    this.polls++
    for (const { partition, offset } of records) {
      const due = this.#next.get(partition)
      const mayJump = generation !== due?.generation || this.#mayHaveLost
      const isInOrder = due === undefined || offset === due.offset || (offset > due.offset && mayJump)
      if (!isInOrder) {
        throw new Error(
          `${this.name} was given ${partition}/${offset} in generation ${generation}, and ${due!.offset} was due of ${due!.generation}`,
        )
      }
      this.#world.ledger.handled(partition, offset, this.name)
      this.#next.set(partition, { offset: offset + 1, generation })
    }
    if (cursor === '') return
    this.#cursor = cursor
    const held = new Set(partitions.map(({ partition }) => partition))
    for (const [partition, due] of this.#next) {
      if (held.has(partition)) due.generation = generation
      else this.#next.delete(partition)
    }
    const nowMs = performance.now()
    const isUntouched = generation === this.#generation && this.#answeredAtMs > 0 && partitions.length > 0
    if (isUntouched) this.gapMsMax = Math.max(this.gapMsMax, nowMs - this.#answeredAtMs)
    this.#answeredAtMs = nowMs
    this.#generation = generation
  }

  /** Says it again until it is answered; null: it died meanwhile. */
  async #say(method: string, path: string, body?: Record<string, unknown>): Promise<unknown> {
    const { signal } = this.#gone
    while (!signal.aborted) {
      try {
        const url = await this.#world.url()
        const response = await fetch(`${url}/v1/groups/${this.#world.group}${path}`, {
          method,
          signal,
          ...(body === undefined
            ? null
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        })
        const text = await response.text()
        if (response.ok) return JSON.parse(text)
        if (response.status !== 503 && response.status !== 504) {
          throw new RefusedMember(response.status, (JSON.parse(text) as { code: string }).code, text)
        }
      } catch (error) {
        if (error instanceof RefusedMember) throw error
      }
      this.#mayHaveLost = this.#world.join['delivery'] === 'at-most-once'
      if (!signal.aborted) await Bun.sleep(RETRY_MS)
    }
    return null
  }
}
