// The machine alone, without a runtime: what it decides is kept and applied at once, through the codec, and its timers fire
// when the test lets time pass. Each step is told as a line: how the group stands after it.

import { expect } from 'bun:test'
import { limits, type TopicId } from '../../../src/core/base/index.ts'
import {
  type GroupCommand,
  GroupMachine,
  type GroupMachineOptions,
  type GroupRecord,
  groupRecords,
  type GroupReply,
  type GroupTopics,
  type GroupView,
  type Join,
  type MemberView,
  type OffsetCommit,
} from '../../../src/core/group/index.ts'
import type { StoredRecord, TimerChange } from '../../../src/core/machine/index.ts'

export const topicId = (letter: string): TopicId => letter.repeat(20) as TopicId

class RigTopics implements GroupTopics {
  readonly named = new Map<string, { id: TopicId; partitions: number[] }>()
  readonly deleted = new Set<TopicId>()
  end = 1_000

  create(name: string, partitions: number, id: TopicId = topicId(name[0]!)): TopicId {
    this.named.set(name, { id, partitions: Array.from({ length: partitions }, (_, i) => i) })
    return id
  }

  delete(name: string): void {
    this.deleted.add(this.named.get(name)!.id)
    this.named.delete(name)
  }

  topicNamed(name: string) {
    return this.named.get(name) ?? null
  }

  isDeleted(id: TopicId): boolean {
    return this.deleted.has(id)
  }

  endOffset(id: TopicId, partition: number): number | null {
    const topic = [...this.named.values()].find((each) => each.id === id)
    return topic?.partitions.includes(partition) === true ? this.end : null
  }
}

interface Due {
  at: number
  order: number
  command: GroupCommand
}

export const START = 1_790_000_000_000

export class GroupRig {
  readonly topics = new RigTopics()
  readonly log: StoredRecord[] = []
  readonly lines: string[] = []
  machine: GroupMachine
  nowMs = 0
  readonly #options: Partial<GroupMachineOptions>
  readonly #timers = new Map<string, Due>()
  #order = 0

  constructor(options: Partial<GroupMachineOptions> = {}) {
    this.#options = options
    this.machine = this.#create()
  }

  // --- what is asked ---------------------------------------------------------------------------------------------------

  ask(command: GroupCommand): GroupReply {
    const { records, reply, timers = [] } = this.machine.decide(command, START + this.nowMs)
    let bytes = 0
    for (const record of records) bytes += this.#keep(record)
    expect(bytes).toBeLessThanOrEqual(limits.BATCH_BYTES_MAX / 2)
    this.#set(timers)
    return reply
  }

  /** The reply of that kind, or a failed test. */
  get<Kind extends GroupReply['kind']>(command: GroupCommand, kind: Kind): Extract<GroupReply, { kind: Kind }> {
    const reply = this.ask(command)
    expect(reply.kind).toBe(kind)
    return reply as Extract<GroupReply, { kind: Kind }>
  }

  join(member: string, more: Partial<Join> = {}) {
    return this.get({ kind: 'join', group: 'g', member, topics: ['orders'], ...more }, 'joined')
  }

  poll(member: string, commit: readonly OffsetCommit[] = [], generation: number | null = null) {
    return this.ask({ kind: 'poll', group: 'g', member, generation, commit, waitMs: 0 })
  }

  heartbeat(member: string, more: { generation?: number; owned?: MemberView['assignment'] } = {}) {
    return this.ask({ kind: 'heartbeat', group: 'g', member, generation: null, owned: null, waitMs: 0, ...more })
  }

  commit(member: string | null, offsets: readonly OffsetCommit[], generation: number | null = null) {
    return this.ask({ kind: 'commit', group: 'g', member, generation, offsets })
  }

  leave(member: string) {
    return this.ask({ kind: 'leave', group: 'g', member })
  }

  // --- time and storage ------------------------------------------------------------------------------------------------

  pass(ms: number): void {
    const end = this.nowMs + ms
    for (;;) {
      let next: [string, Due] | null = null
      for (const entry of this.#timers) {
        const isNearer = next === null || entry[1].at < next[1].at
        if (isNearer || (entry[1].at === next![1].at && entry[1].order < next![1].order)) next = entry
      }
      if (next === null || next[1].at > end) break
      this.nowMs = Math.max(this.nowMs, next[1].at)
      this.#timers.delete(next[0])
      this.ask(next[1].command)
    }
    this.nowMs = end
  }

  /** Runs what is to be done at once. */
  settle(): void {
    this.pass(0)
  }

  get timers(): string[] {
    return [...this.#timers.keys()].sort()
  }

  /** What compaction leaves of the log: the latest of each key, in the order of the log. */
  compact(): void {
    const latest = new Map(this.log.map(({ key }, i) => [Buffer.from(key!).toString(), i]))
    this.log.splice(0, Infinity, ...this.log.filter((_, i) => [...latest.values()].includes(i)))
  }

  /** The machine is made anew from the log; clocks are full again. */
  reload(): void {
    this.#timers.clear()
    this.machine = this.#create()
    for (const stored of this.log) this.#set(this.machine.apply(groupRecords.decode(stored)))
  }

  // --- how it stands ---------------------------------------------------------------------------------------------------

  group(name = 'g'): GroupView {
    return this.machine.view().groups.get(name)!
  }

  member(name: string): MemberView {
    return this.group().members.get(name)!
  }

  /** `partition: nextOffset` of one topic. */
  committed(id = topicId('o')): Record<number, number> {
    const { offsets } = this.get({ kind: 'describe', group: 'g' }, 'described')
    return Object.fromEntries(offsets.filter((o) => o.topicId === id).map((o) => [o.partition, o.nextOffset]))
  }

  /** Does it, and tells how the group stands then. */
  tell(what: string, act: () => unknown): void {
    act()
    this.settle()
    const group = this.group()
    const members = [...group.members.values()].map(memberText).join('   ')
    const seconds = `${this.nowMs / 1000} s`.padStart(5)
    this.lines.push(`${seconds}  ${what.padEnd(30)}${group.state.padEnd(13)}${members}`.trimEnd())
  }

  story(): string {
    return `\n${this.lines.join('\n')}\n`
  }

  #create(): GroupMachine {
    const machine: GroupMachine = new GroupMachine({
      topics: this.topics,
      groupCount: () => machine.count,
      offsetsRetentionMs: 7 * 86_400_000,
      ...this.#options,
    })
    return machine
  }

  #keep(record: GroupRecord): number {
    const stored = groupRecords.encode(record)
    this.log.push(stored)
    const decoded = groupRecords.decode(stored)
    expect(decoded).toEqual(record)
    this.#set(this.machine.apply(decoded))
    return stored.key!.length + (stored.value?.length ?? 0)
  }

  #set(changes: readonly TimerChange<GroupCommand>[]): void {
    for (const change of changes) {
      this.#timers.delete(change.timer)
      if (change.afterMs === null) continue
      this.#timers.set(change.timer, { at: this.nowMs + change.afterMs, order: this.#order++, command: change.command })
    }
  }
}

/** `a@3 [0 1] -[2 3]`: generation 3, holds 0 and 1, drops 2 and 3; `+[4]`: waits for 4. */
function memberText({ member, generation, state, assignment, revoke, target }: MemberView): string {
  const numbers = (of: MemberView['assignment']): number[] => of.flatMap(({ partitions }) => partitions)
  const held = numbers(assignment)
  const awaited = numbers(target).filter((partition) => !held.includes(partition))
  const parts = [`${member}@${generation} [${held.join(' ')}]`]
  if (revoke.length > 0) parts.push(`-[${numbers(revoke).join(' ')}]`)
  if (awaited.length > 0) parts.push(`+[${awaited.join(' ')}]`)
  if (state === 'away') parts.push('away')
  return parts.join(' ')
}
