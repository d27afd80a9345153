// The coordinator of the groups in one partition of `__groups`: their machine on the partition's log, and who waits for a
// member's standing to change. What it answers is committed; while it loads, callers wait, and after a loss of what was
// appended they are told to come again.

import {
  type GroupCommand,
  GroupMachine,
  type GroupRecord,
  groupRecords,
  type GroupReply,
  type GroupsView,
  type GroupTopics,
  type Membership,
} from '../../group/index.ts'
import { Runtime } from '../../machine/index.ts'
import type { Clock, Events } from '../../ports/index.ts'
import type { Replica } from '../replicas.ts'
import type { Timed, Timers } from '../timers.ts'
import { type Waiting, WaitingRoom } from '../waiting.ts'
import type { CoordinatorRefusal } from './asks.ts'
import { type JournalPen, PartitionJournal } from './partition-journal.ts'

export interface CoordinatorWorld {
  readonly clock: Clock
  readonly events: Events
  readonly waiting: Waiting
  readonly pen: JournalPen
  readonly timers: Timers
  readonly topics: GroupTopics
  /** Of all coordinators together. */
  readonly groupCount: () => number
  readonly offsetsRetentionMs: number
}

type GroupsRuntime = Runtime<GroupCommand, GroupRecord, GroupReply, GroupsView>

/** Refreshed at once. */
const REFRESHES_AT_ONCE = 64
const REFRESH_RETRY_MS = 1_000

export class Coordinator implements Timed {
  readonly #world: CoordinatorWorld
  readonly #journal: PartitionJournal
  readonly #watchers = new Map<string, Set<Watcher>>()
  /** Null when what is stored cannot be read. */
  readonly #opened: Promise<GroupsRuntime | null>
  #machine: GroupMachine | null = null
  #view: GroupsView | null = null
  /** Groups that have yet to be brought in line with the topics there are. */
  readonly #stale = new Set<string>()
  #isRefreshing = false
  /** What it answers once it is closed. */
  #closedAs: CoordinatorRefusal | null = null

  constructor(replica: Replica, world: CoordinatorWorld) {
    this.#world = world
    this.#journal = new PartitionJournal(replica, world.pen)
    this.#opened = this.#open(replica)
  }

  async #open({ partition }: Replica): Promise<GroupsRuntime | null> {
    const { clock, events, topics, groupCount, offsetsRetentionMs } = this.#world
    const failed = (error: unknown): null => {
      events.error('groups-unreadable', { partition, why: String(error) })
      return null
    }
    try {
      const runtime = await Runtime.open<GroupCommand, GroupRecord, GroupReply, GroupsView>({
        create: () => (this.#machine = new GroupMachine({ topics, groupCount, offsetsRetentionMs })),
        records: groupRecords,
        journal: this.#journal,
        clock,
        snapshotBytes: Number.POSITIVE_INFINITY,
        onCommitted: (view) => this.#onCommitted(view),
        onFailed: failed,
      })
      this.#view = runtime.committedView
      this.refreshAll()
      return runtime
    } catch (error) {
      return failed(error)
    }
  }

  get groupCount(): number {
    return this.#machine?.count ?? 0
  }

  /** Resolves when the answer is committed. */
  async submit(command: GroupCommand): Promise<GroupReply | CoordinatorRefusal> {
    const runtime = await this.#opened
    if (this.#closedAs !== null) return this.#closedAs
    if (runtime === null) return { kind: 'coordinator-loading' }
    const submitted = await runtime.submit(command)
    switch (submitted.kind) {
      case 'committed':
        return submitted.reply
      case 'refused':
        if (submitted.reason === 'closed') return this.#closedAs ?? { kind: 'closing' }
        return { kind: submitted.reason === 'disk-full' ? 'no-space' : 'coordinator-loading' }
      case 'lost':
        return { kind: submitted.outcome === 'none' ? 'no-space' : 'unknown-outcome' }
    }
  }

  /** The groups as they are committed; null: they cannot be read. */
  async view(): Promise<GroupsView | null> {
    const runtime = await this.#opened
    return runtime === null || runtime.phase === 'failed' ? null : runtime.committedView
  }

  /** Watches whether a member stands as it was told. */
  watch(told: Membership): Watcher {
    const watcher = new Watcher(told, (ended) => this.#forget(ended))
    const watchers = this.#watchers.get(told.group)
    if (watchers === undefined) this.#watchers.set(told.group, new Set([watcher]))
    else watchers.add(watcher)
    if (this.#view !== null) this.#compare(watcher, this.#view)
    return watcher
  }

  /** What members subscribe by this name has changed. */
  refreshSubscribers(topic: string): void {
    if (this.#view === null) return
    for (const { name, members } of this.#view.groups.values()) {
      for (const { topics } of members.values()) if (topics.includes(topic)) this.#stale.add(name)
    }
    this.#refresh()
  }

  refreshAll(): void {
    for (const name of this.#view?.groups.keys() ?? []) this.#stale.add(name)
    this.#refresh()
  }

  /** Again, after there was no room for it. */
  expire(): void {
    this.#refresh()
  }

  #refresh(): void {
    if (this.#isRefreshing || this.#stale.size === 0 || this.#closedAs !== null) return
    this.#isRefreshing = true
    void this.#refreshSome().then((isDone) => {
      this.#isRefreshing = false
      if (isDone) this.#refresh()
      else this.#world.timers.at(this.#world.timers.nowMs() + REFRESH_RETRY_MS, this)
    })
  }

  async #refreshSome(): Promise<boolean> {
    const groups = [...this.#stale].slice(0, REFRESHES_AT_ONCE)
    const replies = groups.map(async (group) => {
      this.#stale.delete(group)
      const { kind } = await this.submit({ kind: 'refresh', group })
      const isDone = kind === 'refreshed' || kind === 'unknown-group' || kind === 'closing'
      if (!isDone) this.#stale.add(group)
      return isDone
    })
    return (await Promise.all(replies)).every((isDone) => isDone)
  }

  /** Takes no more work; resolves when all that was appended has met its fate. Before the partition is closed. */
  async close(as: 'closing' | 'coordinator-loading'): Promise<void> {
    this.#closedAs = { kind: as }
    const runtime = await this.#opened
    await runtime?.close()
    this.#journal.close()
  }

  #onCommitted(view: GroupsView): void {
    const before = this.#view
    // A commit makes no new picture.
    if (view === before) return
    this.#view = view
    for (const [group, watchers] of this.#watchers) {
      if (before !== null && before.groups.get(group) === view.groups.get(group)) continue
      for (const watcher of watchers) this.#compare(watcher, view)
    }
  }

  #compare(watcher: Watcher, { groups }: GroupsView): void {
    if (watcher.isChanged || !hasChanged(watcher.told, groups.get(watcher.told.group))) return
    watcher.isChanged = true
    this.#world.waiting.wake(watcher.room)
  }

  #forget(watcher: Watcher): void {
    const watchers = this.#watchers.get(watcher.told.group)
    watchers?.delete(watcher)
    if (watchers?.size === 0) this.#watchers.delete(watcher.told.group)
  }
}

/** Stands where a member waits; woken when the member's standing is not what it was told. */
export class Watcher {
  readonly room = new WaitingRoom()
  isChanged = false
  readonly told: Membership
  readonly #onEnd: (watcher: Watcher) => void

  constructor(told: Membership, onEnd: (watcher: Watcher) => void) {
    this.told = told
    this.#onEnd = onEnd
  }

  /** As often as one likes. */
  end(): void {
    this.#onEnd(this)
  }
}

type GroupNow = ReturnType<GroupsView['groups']['get']>

function hasChanged({ member: told, plan }: Membership, group: GroupNow): boolean {
  const member = group?.members.get(told.member)
  if (group === undefined || member === undefined) return true
  if (member.generation !== told.generation || member.state !== told.state) return true
  if (partitionsIn(member.revoke) !== partitionsIn(told.revoke)) return true
  return group.state === 'assigning' && group.leader === told.member && plan?.epoch !== group.epoch
}

function partitionsIn(assignment: Membership['member']['assignment']): number {
  let count = 0
  for (const { partitions } of assignment) count += partitions.length
  return count
}
