// A member of a group by asking again and again: each poll commits what the one before gave, so it is asked for when all of that
// has been dealt with. While it is being dealt with, heartbeats say that somebody is there.

import type { Fetched } from '../../openapi/client/index.ts'
import { Backoff, sleep } from './backoff.ts'
import { type Answer, answerOf } from './brokers.ts'
import { deliver, type FeedWorld } from './feed.ts'
import type { Done, GroupPartition, Membership } from './membership.ts'
import { NaruError } from './naru-error.ts'
import { withinMs } from './within.ts'

const WAIT_S = 20
/** Of one request, before all of it is begun anew. */
const ATTEMPTS_MAX = 5
/** For what is in hand when the consumer is closed. */
const LEAVE_MS = 30_000
const NEVER = new AbortController().signal

interface TopicPartitions {
  topic: string
  partitions: number[]
}

interface Standing {
  generation: number
  assignment: TopicPartitions[]
  revoke?: TopicPartitions[]
  heartbeatMs: number
}

type Polled = Fetched & { generation: number; state: string }

interface Request {
  method: 'get' | 'put' | 'post' | 'delete'
  /** Behind the group. */
  path: string
  body?: object
  query?: Record<string, unknown>
  timeoutMs?: number
}

export async function followMember(world: FeedWorld, signal: AbortSignal): Promise<void> {
  const { membership } = world
  if (membership === null) throw new TypeError('a member is of a group')
  const polling = new Polling(world, membership, signal)
  try {
    await polling.run()
  } finally {
    if (signal.aborted) await polling.leave().catch(() => {})
    membership.lost()
  }
}

class Polling {
  readonly #world: FeedWorld
  readonly #membership: Membership
  readonly #signal: AbortSignal
  readonly #path: string
  #generation = 0
  #heartbeatMs = 0
  /** What the poll under way is to commit. */
  #underWay: Done | null = null

  constructor(world: FeedWorld, membership: Membership, signal: AbortSignal) {
    this.#world = world
    this.#membership = membership
    this.#signal = signal
    this.#path = `/members/${encodeURIComponent(membership.member)}`
  }

  async run(): Promise<void> {
    const { topics, from, tags } = this.#world
    const body = { topics, from, ...(tags === null ? null : { tags }), ...this.#membership.settings }
    // Heard to its end: a join that arrived behind the leave would leave a member that nobody is.
    await this.#stand(await this.#ask<Standing>({ method: 'put', path: this.#path, body }, NEVER))
    this.#world.opened(null)
    while (!this.#signal.aborted) {
      if (await this.#world.inbox.whenIdle(this.#heartbeatMs, this.#signal)) await this.#poll()
      else if (!this.#signal.aborted) await this.#heartbeat()
    }
  }

  /** Commits what was dealt with, and tells the group. */
  async leave(): Promise<void> {
    await Promise.race([this.#world.taken, sleep(LEAVE_MS, NEVER)])
    // The poll that was to commit this was given up; where it was heard, this is a repeat, or no longer this member's.
    if (this.#underWay !== null) await this.#commit(this.#underWay).catch(() => {})
    await this.#commit(this.#membership.takeDone()).catch(() => {})
    await this.#ask({ method: 'delete', path: this.#path }, NEVER)
  }

  async #poll(): Promise<void> {
    const { inbox } = this.#world
    const done = this.#membership.takeDone()
    if (done !== null && done.offsets.length > 0) await this.#putOffsets({ offsets: done.offsets })
    const query = {
      wait: `${WAIT_S}s`,
      limit: inbox.bounds.records,
      generation: this.#generation,
      ...(done === null || done.cursor === null ? null : { commit: done.cursor }),
    }
    this.#underWay = done
    const timeoutMs = this.#world.requestTimeoutMs + WAIT_S * 1000
    const polled = await this.#ask<Polled>({ method: 'post', path: `${this.#path}/poll`, query, timeoutMs })
    this.#underWay = null
    const isAsBefore = polled.generation === this.#generation && polled.state !== 'revoking'
    const standing = isAsBefore ? null : await this.#heartbeat()
    if (standing !== null) this.#gain(standing)
    this.#take(polled)
    if (standing !== null) await this.#stand(standing)
  }

  async #heartbeat(): Promise<Standing> {
    const body = { generation: this.#generation }
    return this.#ask<Standing>({ method: 'post', path: `${this.#path}/heartbeat`, body })
  }

  async #commit(done: Done | null): Promise<void> {
    if (done === null) return
    if (done.cursor !== null) await this.#putOffsets({ cursor: done.cursor })
    if (done.offsets.length > 0) await this.#putOffsets({ offsets: done.offsets })
  }

  #putOffsets(places: object): Promise<unknown> {
    const { member } = this.#membership
    const body = { member, generation: this.#generation, ...places }
    return this.#ask({ method: 'put', path: '/offsets', body }, NEVER)
  }

  /** What it holds from now on. The poll behind this says that it has let go of everything else. */
  async #stand(standing: Standing): Promise<void> {
    this.#gain(standing)
    const assigned = new Set(placesOf(standing.assignment).map(keyOf))
    const dropped = this.#membership.held.filter((place) => !assigned.has(keyOf(place)))
    if (dropped.length > 0) await Promise.race([this.#membership.revoked(dropped), this.#world.taken])
    this.#generation = standing.generation
    this.#heartbeatMs = standing.heartbeatMs
  }

  /** Also what is to be let go again before it was heard of: some of it may have been given already. */
  #gain({ assignment, revoke = [] }: Standing): void {
    const held = new Set(this.#membership.held.map(keyOf))
    this.#membership.assigned(placesOf([...assignment, ...revoke]).filter((place) => !held.has(keyOf(place))))
  }

  #take({ records, cursor, caughtUp }: Polled): void {
    for (let start = 0; start < records.length;) {
      const topic = records[start]!.topic ?? this.#world.topics[0]!
      let end = start + 1
      while (end < records.length && (records[end]!.topic ?? topic) === topic) end++
      // What is behind all of them is known, behind some is not.
      const isLast = end === records.length
      const part = {
        topic,
        records: records.slice(start, end),
        cursor: isLast ? cursor : '',
        caughtUp: isLast && caughtUp,
      }
      deliver(this.#world, part, JSON.stringify(part.records).length)
      start = end
    }
    // There was something, and none of it was for this consumer.
    if (records.length === 0) this.#membership.passed(cursor)
  }

  /** Repeatable, all of it. */
  async #ask<Data>(request: Request, signal = this.#signal): Promise<Data> {
    const backoff = new Backoff(100, 2_000)
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#askOnce<Data>(request, signal)
      if (answer.kind === 'done') return answer.data
      const isFinal = answer.kind === 'refused' && !answer.problem.retryable
      if (isFinal || attempt === ATTEMPTS_MAX || signal.aborted) {
        throw answer.kind === 'lost' ? this.#world.brokers.lost(answer.error) : NaruError.of(answer.problem)
      }
      if (answer.kind === 'lost') this.#world.brokers.failed(this.#world.brokers.url)
      await sleep(backoff.next(answer.kind === 'refused' ? answer.retryAfterMs : 0), signal)
    }
  }

  async #askOnce<Data>({ method, path, body, query, timeoutMs }: Request, signal: AbortSignal): Promise<Answer<Data>> {
    const { brokers, requestTimeoutMs } = this.#world
    const answer = await withinMs(timeoutMs ?? requestTimeoutMs, signal, (limited) =>
      answerOf(
        brokers.client()[method]<{ 200: string }>({
          url: `/v1/groups/${encodeURIComponent(this.#membership.group)}${path}`,
          ...(body === undefined ? null : { body, headers: { 'content-type': 'application/json' } }),
          ...(query === undefined ? null : { query }),
          parseAs: 'text',
          signal: limited,
        }),
      ),
    )
    return answer.kind === 'done' ? { ...answer, data: this.#world.read(answer.data) as Data } : answer
  }
}

function placesOf(topics: readonly TopicPartitions[]): GroupPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

function keyOf({ topic, partition }: GroupPartition): string {
  return `${topic}/${partition}`
}
