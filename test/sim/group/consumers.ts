// Consumers of a group: they join, poll or heartbeat, work at their pace, commit what they have handled, and leave; they are
// paused, die without a word, come back under the same name, or haunt it.
//
//   poller   one call after another, as a shell loop makes them: poll with what the last one brought, work, poll again
//   smart    heartbeats while it works, says what it owns, reads by itself, commits by itself

import type { TopicId } from '../../../src/core/base/index.ts'
import type {
  Assignment,
  GroupCommand,
  GroupReply,
  Join,
  Membership,
  OffsetCommit,
} from '../../../src/core/group/index.ts'
import type { SimClock } from '../clock.ts'
import type { SimRandom } from '../random.ts'
import { type Believer, type Checker, demand } from './checker.ts'
import type { Answer, Batch, SimCoordinator } from './sim-coordinator.ts'

export interface ConsumerOptions {
  group: string
  member: string
  style: 'poller' | 'smart'
  join: Pick<Join, 'topics' | 'sessionMs' | 'pollMs' | 'rebalanceMs' | 'static' | 'assignor' | 'delivery'>
  /** For one record. */
  workMs: number
  waitMs: number
  timeoutMs: number
  tellsGeneration: boolean
  /** Another was there before it under the same name. */
  isHeir: boolean
  /** As a leader it forgets to plan, and forgets partitions. */
  isSloppy: boolean
}

/** A partition it owns; it knows where to go on once it has asked. */
interface Work {
  readonly topicId: TopicId
  readonly partition: number
  next: number | null
  committed: number | null
}

/** Thrown in a consumer that is no more. */
const GONE = Symbol('gone')

export class Consumer implements Believer {
  readonly options: ConsumerOptions
  readonly #coordinator: SimCoordinator
  readonly #checker: Checker
  readonly #clock: SimClock
  readonly #random: SimRandom
  readonly #owned = new Map<string, Work>()
  generation = 0
  isGone = false
  #isLeaving = false
  #awake: Promise<void> = Promise.resolve()

  constructor(
    options: ConsumerOptions,
    coordinator: SimCoordinator,
    checker: Checker,
    clock: SimClock,
    random: SimRandom,
  ) {
    this.options = options
    this.#coordinator = coordinator
    this.#checker = checker
    this.#clock = clock
    this.#random = random
  }

  get group(): string {
    return this.options.group
  }

  get member(): string {
    return this.options.member
  }

  get owned(): Iterable<string> {
    return this.#owned.keys()
  }

  start(): void {
    const life = this.#run().catch((error: unknown) => {
      if (error !== GONE) throw error
    })
    this.#checker.guard(life)
  }

  /** Without a word. */
  die(): void {
    this.isGone = true
    this.#owned.clear()
  }

  leave(): void {
    this.#isLeaving = true
  }

  pause(ms: number): void {
    this.#awake = new Promise((resolve) => this.#clock.after(ms, resolve))
  }

  /** What it would go on saying if it were not as dead as it seems. */
  lastWords(): GroupCommand {
    const offsets = [...this.#owned.values()].map(({ topicId, partition, next }) => ({
      topicId,
      partition,
      nextOffset: next ?? 0,
    }))
    const { group, member, generation } = this
    // With at-most-once the consumer commits nothing of its own.
    const isBefore = this.options.join.delivery === 'at-most-once'
    return { kind: 'commit', group, member, generation, offsets: isBefore ? [] : offsets }
  }

  async #run(): Promise<void> {
    await this.#join()
    while (!this.#isLeaving) {
      if (this.options.style === 'poller') await this.#pollOn()
      else await this.#workOn()
    }
    this.#owned.clear()
    await this.#call({ kind: 'leave', group: this.group, member: this.member })
    this.isGone = true
  }

  async #join(): Promise<Membership> {
    this.#owned.clear()
    for (;;) {
      const { group, member } = this
      const reply = await this.#call({ kind: 'join', group, member, ...this.options.join })
      if (reply?.kind === 'joined') {
        this.generation = reply.member.generation
        this.#expect(reply.member.assignment)
        return reply
      }
      await this.#sleep(this.#random.between(200, 1_000))
    }
  }

  // --- one call after another ------------------------------------------------------------------------------------------

  /** From a join to the next. */
  async #pollOn(): Promise<void> {
    let commit: OffsetCommit[] = []
    // How far each partition was brought, while the assignment is the same.
    const reached = new Map<string, number>()
    while (!this.#isLeaving) {
      const { group, member, waitMs } =
        this.options.join.delivery === 'at-most-once' ? { ...this.options } : this.options
      const generation = this.options.tellsGeneration ? this.generation : null
      const answer = await this.#ask({ kind: 'poll', group, member, generation, commit, waitMs })
      if (answer?.kind !== 'reply') {
        await this.#sleep(this.#random.between(50, 500))
        continue
      }
      const { reply, batches } = answer
      if (reply.kind !== 'polled') {
        commit = []
        if (reply.kind === 'not-held') continue
        reached.clear()
        await this.#join()
        continue
      }
      if (this.generation !== reply.member.generation) reached.clear()
      this.generation = reply.member.generation
      await this.#plan(reply)
      for (const batch of batches) {
        this.#checkSkip(batch, reached)
        await this.#work(batch)
      }
      commit = this.options.join.delivery === 'at-most-once' ? [] : batches.map(endOf)
      if (batches.length === 0) await this.#sleep(this.#random.between(50, 300))
    }
  }

  /** At least once, what it holds goes on where the last poll ended, or before. */
  #checkSkip({ topicId, partition, from, upTo }: Batch, reached: Map<string, number>): void {
    // What one of the same name once said may still come, and take it further.
    if (this.options.isHeir || this.options.join.delivery === 'at-most-once') return
    const place = `${topicId}/${partition}`
    const end = reached.get(place) ?? from
    demand(from <= end, () => `C: ${this.member} was brought ${place} to ${end}, and then from ${from}`)
    reached.set(place, upTo)
  }

  async #work({ topicId, partition, from, upTo }: Batch): Promise<void> {
    const isBefore = this.options.join.delivery === 'at-most-once'
    for (let offset = from; offset < upTo; offset++) {
      if (isBefore) this.#checker.handle(this.group, `${topicId}/${partition}`, offset)
      await this.#sleep(this.#random.exponential(this.options.workMs))
      if (!isBefore) this.#checker.handle(this.group, `${topicId}/${partition}`, offset)
    }
  }

  // --- heartbeats beside the work --------------------------------------------------------------------------------------

  async #workOn(): Promise<void> {
    let beatAt = 0
    while (!this.#isLeaving) {
      if (this.#clock.monotonic() >= beatAt) {
        const isDone = await this.#beat()
        beatAt = this.#clock.monotonic() + (isDone ? this.#random.between(800, 2_000) : 0)
        continue
      }
      await this.#workSome()
      if (this.#random.chance(0.3)) await this.#commit([...this.#owned.keys()])
    }
  }

  /** False: there is more to tell. */
  async #beat(): Promise<boolean> {
    const { group, member, generation } = this
    const owned = assignmentOf(this.#owned.values())
    const reply = await this.#call({ kind: 'heartbeat', group, member, generation, owned, waitMs: 0 })
    if (reply === null) {
      await this.#sleep(this.#random.between(50, 500))
      return false
    }
    if (reply.kind !== 'alive') {
      await this.#join()
      return false
    }
    // An answer that came late tells of what is past.
    if (reply.member.generation < this.generation) return false
    this.generation = reply.member.generation
    await this.#plan(reply)
    const revoked = reply.member.revoke.flatMap(placesOf).filter((place) => this.#owned.has(place))
    if (revoked.length > 0) {
      await this.#commit(revoked)
      for (const place of revoked) this.#owned.delete(place)
      return false
    }
    this.#expect(reply.member.assignment)
    await this.#locate()
    return true
  }

  /** From the moment it knows of it until it drops it, it says that it owns it. */
  #expect(assignment: Assignment): void {
    if (this.options.style === 'poller') return
    for (const { topicId, partitions } of assignment) {
      for (const partition of partitions) {
        const place = `${topicId}/${partition}`
        if (!this.#owned.has(place)) this.#owned.set(place, { topicId, partition, next: null, committed: null })
      }
    }
  }

  async #locate(): Promise<void> {
    const unknown = [...this.#owned.entries()].filter(([, { next }]) => next === null)
    if (unknown.length === 0) return
    const reply = await this.#call({ kind: 'describe', group: this.group })
    if (reply?.kind !== 'described') return
    const places = new Map(reply.offsets.map((at) => [`${at.topicId}/${at.partition}`, at.nextOffset]))
    for (const [place, at] of unknown) {
      at.committed = places.get(place) ?? null
      at.next = at.committed ?? 0
    }
  }

  async #workSome(): Promise<void> {
    const ready = [...this.#owned.values()].filter((at): at is Work & { next: number } => {
      return at.next !== null && at.next < (this.#coordinator.topics.endOffset(at.topicId, at.partition) ?? 0)
    })
    if (ready.length === 0) return this.#sleep(this.#random.between(50, 300))
    const at = this.#random.pick(ready)
    const { topicId, partition, next } = at
    const isBefore = this.options.join.delivery === 'at-most-once'
    if (isBefore && !(await this.#claim(at, next))) return
    if (isBefore) this.#checker.handle(this.group, `${topicId}/${partition}`, next)
    await this.#sleep(this.#random.exponential(this.options.workMs))
    if (!isBefore) this.#checker.handle(this.group, `${topicId}/${partition}`, next)
    at.next = next + 1
  }

  /** One record, to be handled at most once; when it is not sure whether it was claimed, it asks where it stands. */
  async #claim(at: Work, next: number): Promise<boolean> {
    const { group, member, generation } = this
    const { topicId, partition } = at
    const claims = [{ topicId, partition, from: next, nextOffset: next + 1 }]
    const reply = await this.#call({ kind: 'claim-offsets', group, member, generation, claims })
    at.committed = next + 1
    if (reply?.kind === 'claimed') return true
    at.next = null
    await this.#locate()
    return false
  }

  async #commit(places: readonly string[]): Promise<void> {
    if (this.options.join.delivery === 'at-most-once') return
    const ahead: { at: Work; nextOffset: number }[] = []
    for (const place of places) {
      const at = this.#owned.get(place)
      if (at !== undefined && at.next !== null && at.next > (at.committed ?? 0)) ahead.push({ at, nextOffset: at.next })
    }
    if (ahead.length === 0) return
    const offsets = ahead.map(({ at: { topicId, partition }, nextOffset }) => ({ topicId, partition, nextOffset }))
    const { group, member, generation } = this
    const reply = await this.#call({ kind: 'commit', group, member, generation, offsets })
    if (reply?.kind === 'committed') for (const { at, nextOffset } of ahead) at.committed = nextOffset
  }

  // --- being -----------------------------------------------------------------------------------------------------------

  /** As leader: everything to everybody in turn, sometimes wrongly. */
  async #plan({ plan }: Membership): Promise<void> {
    if (plan === null) return
    if (this.options.isSloppy && this.#random.chance(0.1)) return
    const parts = plan.members.map(({ member }) => ({
      member,
      partitions: [] as { topic: string; partitions: number[] }[],
    }))
    let turn = 0
    for (const { topic, partitions } of plan.partitions) {
      const able = plan.members.flatMap(({ topics }, i) => (topics.includes(topic) ? [i] : []))
      const isForgetful = this.options.isSloppy && this.#random.chance(0.1)
      for (const partition of partitions.slice(isForgetful ? 1 : 0)) {
        parts[able[turn++ % able.length]!]!.partitions.push({ topic, partitions: [partition] })
      }
    }
    const { group, member } = this
    await this.#call({ kind: 'put-plan', group, member, epoch: plan.epoch, plan: parts })
  }

  async #call(command: GroupCommand): Promise<GroupReply | null> {
    const answer = await this.#ask(command)
    return answer?.kind === 'reply' ? answer.reply : null
  }

  async #ask(command: GroupCommand): Promise<Answer | null> {
    await this.#alive()
    const waitMs = 'waitMs' in command ? command.waitMs : 0
    const answer = await this.#coordinator.call(command, waitMs + this.options.timeoutMs)
    await this.#alive()
    return answer
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(ms, resolve))
    await this.#alive()
  }

  async #alive(): Promise<void> {
    await this.#awake
    if (this.isGone) throw GONE
  }
}

function endOf({ topicId, partition, upTo }: Batch): OffsetCommit {
  return { topicId, partition, nextOffset: upTo }
}

function placesOf({ topicId, partitions }: Assignment[number]): string[] {
  return partitions.map((partition) => `${topicId}/${partition}`)
}

function assignmentOf(owned: Iterable<{ topicId: TopicId; partition: number }>): Assignment {
  const topics = new Map<TopicId, number[]>()
  for (const { topicId, partition } of owned) topics.set(topicId, [...(topics.get(topicId) ?? []), partition])
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions: partitions.sort((a, b) => a - b) }))
}
