// The coordinator of all groups: the real machine on the real runtime, over a log that outlives the process, with the topics
// beside it. It is asked by requests that may come late, twice or not at all, and whose answers may get lost.

import type { TopicId } from '../../../src/core/base/index.ts'
import {
  type GroupCommand,
  GroupMachine,
  type GroupMachineOptions,
  type GroupRecord,
  groupRecords,
  type GroupReply,
  type GroupsView,
  type GroupTopics,
  type HeldPosition,
  type Membership,
  type Poll,
} from '../../../src/core/group/index.ts'
import { type Machine, Runtime, type Submitted } from '../../../src/core/machine/index.ts'
import type { SimClock } from '../clock.ts'
import type { SimRandom } from '../random.ts'
import type { Checker } from './checker.ts'
import { SimJournal, SimLog } from './sim-journal.ts'

class SimTopics implements GroupTopics {
  readonly named = new Map<string, { id: TopicId; partitions: number[] }>()
  /** By `<topic id>/<partition>`. */
  readonly ends = new Map<string, number>()

  readonly #deleted = new Set<TopicId>()
  #made = 0

  grow(name: string, count: number): void {
    const id = this.named.get(name)?.id ?? this.#newId(name)
    const length = Math.max(count, this.named.get(name)?.partitions.length ?? 0)
    const partitions = Array.from({ length }, (_, partition) => partition)
    this.named.set(name, { id, partitions })
    for (const partition of partitions) this.ends.set(`${id}/${partition}`, this.ends.get(`${id}/${partition}`) ?? 0)
  }

  topicNamed(name: string) {
    return this.named.get(name) ?? null
  }

  delete(name: string): void {
    const topic = this.named.get(name)
    if (topic === undefined) return
    this.named.delete(name)
    this.#deleted.add(topic.id)
    for (const partition of topic.partitions) this.ends.delete(`${topic.id}/${partition}`)
  }

  isDeleted(id: TopicId): boolean {
    return this.#deleted.has(id)
  }

  #newId(name: string): TopicId {
    const number = String.fromCodePoint(97 + (this.#made++ % 26))
    return `${name[0]!.repeat(19)}${number}` as TopicId
  }

  endOffset(topicId: TopicId, partition: number): number | null {
    return this.ends.get(`${topicId}/${partition}`) ?? null
  }
}

/** Records of one partition, as a poll brings them. */
export interface Batch {
  readonly topicId: TopicId
  readonly partition: number
  readonly from: number
  readonly upTo: number
}

export type Answer =
  | { kind: 'reply'; reply: GroupReply; batches: readonly Batch[] }
  /** Nothing was done. */
  | { kind: 'unavailable' }
  | { kind: 'unknown' }

export interface NetworkRates {
  delayMs: number
  loss: number
  repeat: number
  /** How late a repeat may be. */
  repeatMs: number
}

export interface CoordinatorOptions {
  commitMs: number
  planted: NonNullable<GroupMachineOptions['planted']>
  recordsPerPoll: number
  network: NetworkRates
}

type GroupsRuntime = Runtime<GroupCommand, GroupRecord, GroupReply, GroupsView>

export class SimCoordinator {
  readonly topics = new SimTopics()
  readonly log = new SimLog()
  readonly counts = new Map<string, number>()
  readonly options: CoordinatorOptions
  readonly #checker: Checker
  readonly #random: SimRandom
  readonly #network: SimRandom
  /** Of the world: requests are on their way whether or not the process lives. */
  readonly #outside: SimClock
  #clock: SimClock
  #journal: SimJournal | null = null
  #runtime: GroupsRuntime | null = null
  #views: (() => void)[] = []
  #note: (line: string) => void

  constructor(
    clock: SimClock,
    checker: Checker,
    random: SimRandom,
    network: SimRandom,
    options: CoordinatorOptions,
    note: (line: string) => void,
  ) {
    this.#outside = clock
    this.#clock = clock.successor()
    this.#checker = checker
    this.#random = random
    this.#network = network
    this.options = options
    this.#note = note
  }

  get isActive(): boolean {
    return this.#runtime?.phase === 'active'
  }

  /** It may act on what its clocks tell. */
  get isFree(): boolean {
    return this.isActive && this.#journal?.isFull === false
  }

  get view(): GroupsView | null {
    return this.isActive ? this.#runtime!.committedView : null
  }

  start(): void {
    if (this.#journal !== null) return
    this.#clock = this.#outside.successor()
    const journal = new SimJournal(this.log, this.#clock, this.#random, this.options)
    this.#journal = journal
    const opening = Runtime.open<GroupCommand, GroupRecord, GroupReply, GroupsView>({
      create: () => this.#watched(),
      records: groupRecords,
      journal,
      clock: this.#clock,
      snapshotBytes: Infinity,
      onCommitted: (view) => {
        this.#checker.published(view)
        for (const wake of this.#views.splice(0)) wake()
      },
    })
    const loading = opening.then((runtime) => {
      if (this.#journal !== journal) return
      this.#runtime = runtime
      this.#loaded()
    })
    this.#checker.guard(loading)
  }

  crash(): void {
    if (this.#journal === null) return
    this.#count('crash')
    this.#clock.stop()
    this.#journal.crash()
    this.#journal = null
    this.#runtime = null
    this.#views = []
    if (this.#random.chance(0.5)) this.log.compact()
  }

  /** As soon as there is something to lose. */
  lose(tries = 200): void {
    if (this.#journal === null || !this.isActive || !this.#journal.lose()) {
      if (tries > 0) this.#clock.after(this.options.commitMs / 3, () => this.lose(tries - 1))
      return
    }
    this.#count('lost append')
    const runtime = this.#runtime!
    const wait = (): void => {
      if (runtime !== this.#runtime) return
      if (runtime.phase === 'active') this.#loaded()
      else this.#clock.after(5, wait)
    }
    wait()
  }

  fill(isFull: boolean): void {
    if (this.#journal !== null) this.#journal.isFull = isFull
    if (isFull) this.#count('disk full')
    else this.#checker.excuse()
  }

  /** Each group is brought in line with the topics. */
  refresh(): void {
    for (const group of this.view?.groups.keys() ?? []) this.#checker.guard(this.#submit({ kind: 'refresh', group }))
  }

  /** A request and its answer, each on the way as the network has it; null: no answer came in time. */
  call(command: GroupCommand, timeoutMs: number): Promise<Answer | null> {
    return new Promise((resolve) => {
      let isOver = false
      const settle = (answer: Answer | null): void => {
        if (isOver) return
        isOver = true
        resolve(answer)
      }
      this.#outside.after(timeoutMs, () => settle(null))
      const { loss, repeat, repeatMs } = this.options.network
      const arrivals = [this.#delay()]
      if (this.#network.chance(repeat)) {
        this.#count('repeated request')
        arrivals.push(this.#delay() + this.#network.exponential(repeatMs))
      }
      for (const arrival of arrivals) {
        if (this.#network.chance(loss)) {
          this.#count('lost request')
          continue
        }
        this.#outside.after(arrival, () => {
          const handled = this.#handle(command).then((answer) => {
            if (answer === null || this.#network.chance(loss)) this.#count('lost answer')
            else this.#outside.after(this.#delay(), () => settle(answer))
          })
          this.#checker.guard(handled)
        })
      }
    })
  }

  // --- inside the process ----------------------------------------------------------------------------------------------

  /** Null: the process ended meanwhile. */
  async #handle(command: GroupCommand): Promise<Answer | null> {
    const runtime = this.#runtime
    if (runtime === null) return { kind: 'unavailable' }
    const first = await this.#submit(command)
    if (runtime !== this.#runtime) return null
    if (first.kind === 'refused') return { kind: 'unavailable' }
    if (first.kind === 'lost') return first.outcome === 'none' ? { kind: 'unavailable' } : { kind: 'unknown' }
    const { reply } = first
    this.#note(`${command.kind} ${'member' in command ? command.member : ''} → ${reply.kind}`)
    if (command.kind !== 'poll' || reply.kind !== 'polled') return { kind: 'reply', reply, batches: [] }
    return this.#read(command, reply, runtime)
  }

  async #read(
    command: Poll,
    reply: Extract<GroupReply, { kind: 'polled' }>,
    runtime: GroupsRuntime,
  ): Promise<Answer | null> {
    let batches = this.#batches(reply.positions)
    let told: Membership = reply
    if (batches.length === 0 && command.waitMs > 0) {
      told = await this.#parked(command, reply)
      if (runtime !== this.#runtime) return null
      this.#checker.guard(this.#submit({ kind: 'touch', group: command.group, member: command.member }))
      batches = told.member.generation === reply.member.generation ? this.#batches(reply.positions) : []
      // What it is to drop is not read any more.
      if (told.member.state === 'revoking') batches = []
    }
    const answer = { kind: 'reply' as const, reply: { ...reply, ...told, kind: 'polled' as const }, batches }
    if (batches.length === 0 || reply.settings.delivery === 'at-least-once') return answer
    const claims = batches.map(({ topicId, partition, from, upTo }) => ({ topicId, partition, from, nextOffset: upTo }))
    const { group, member } = command
    const { generation } = reply.member
    const committed = await this.#submit({ kind: 'claim-offsets', group, member, generation, claims })
    if (runtime !== this.#runtime) return null
    return committed.kind === 'committed' && committed.reply.kind === 'claimed' ? answer : { ...answer, batches: [] }
  }

  #batches(positions: readonly HeldPosition[]): Batch[] {
    const batches: Batch[] = []
    let left = this.options.recordsPerPoll
    for (const { topicId, partition, nextOffset } of positions) {
      const from = nextOffset ?? 0
      const upTo = Math.min(this.topics.endOffset(topicId, partition) ?? 0, from + left)
      if (upTo <= from) continue
      left -= upTo - from
      batches.push({ topicId, partition, from, upTo })
    }
    return batches
  }

  /** Until the member stands otherwise, something is there to read, or time is up. */
  async #parked(command: Poll, reply: Extract<GroupReply, { kind: 'polled' }>): Promise<Membership> {
    const deadline = this.#outside.monotonic() + command.waitMs
    const standing = (): Membership['member'] | null =>
      this.view?.groups.get(command.group)?.members.get(command.member) ?? null
    const before = standing()
    for (;;) {
      const now = standing()
      if (now !== before) return { ...reply, member: now ?? reply.member }
      const left = deadline - this.#outside.monotonic()
      if (left <= 0 || this.#batches(reply.positions).length > 0) return reply
      await new Promise<void>((resolve) => {
        this.#views.push(resolve)
        this.#clock.after(Math.min(left, 500), resolve)
      })
    }
  }

  async #submit(command: GroupCommand): Promise<Submitted<GroupReply>> {
    const runtime = this.#runtime
    if (runtime === null) return { kind: 'refused', reason: 'loading' }
    const isActive = runtime.phase === 'active'
    const submitting = runtime.submit(command)
    const commits = isActive ? this.#checker.latest : []
    const submitted = await submitting
    if (submitted.kind === 'committed') this.#checker.acknowledged(commits)
    return submitted
  }

  #loaded(): void {
    this.#checker.loaded()
    this.#note('loaded')
    this.refresh()
  }

  #watched(): Machine<GroupCommand, GroupRecord, GroupReply, GroupsView> {
    const machine: GroupMachine = new GroupMachine({
      topics: this.topics,
      groupCount: () => machine.count,
      offsetsRetentionMs: 7 * 86_400_000,
      planted: this.options.planted,
    })
    const checker = this.#checker
    checker.created()
    return {
      decide(command, now) {
        const decision = machine.decide(command, now)
        checker.decided(command, decision)
        return decision
      },
      apply(record, offset) {
        checker.applied(record, offset)
        return machine.apply(record)
      },
      view: () => machine.view(),
      snapshot: () => machine.snapshot(),
    }
  }

  #delay(): number {
    return this.#network.exponential(this.options.network.delayMs)
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}
