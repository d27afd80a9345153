// `broker.groups`: consumer groups as the edge sees them. A group's coordinator is on the partition of `__groups` that its name
// hashes to; the topic is made when the first group is. Every answer is committed before it is given.

import { isInternalName, limits } from '../../base/index.ts'
import { type ClusterImage, GROUPS_TOPIC, type InternalTopic } from '../../cluster/index.ts'
import type {
  Assignment,
  GroupCommand,
  GroupReply,
  GroupTopics,
  Join,
  Membership,
  OffsetCommit,
  PutPlan,
} from '../../group/index.ts'
import type { Clock, Codec, Events } from '../../ports/index.ts'
import { slotOfKey } from '../../record/index.ts'
import { type FetchHost, FetchSession } from '../fetch.ts'
import type { PlaceRefusal } from '../refusal.ts'
import { TopicRoute } from '../routing.ts'
import type { Timers } from '../timers.ts'
import type {
  CommitAsk,
  DescribedGroup,
  GroupsRefusal,
  GroupSummary,
  MemberAsk,
  ResetAsk,
  ResetPlace,
  Standing,
} from './asks.ts'
import { Coordinator } from './coordinator.ts'
import { MemberPoll } from './member-poll.ts'
import { JournalPen } from './partition-journal.ts'
import { placesOf, resetPlaces } from './places.ts'
import { heldPositions } from './positions.ts'

/** What groups need of the broker around them. */
export interface GroupsHost extends FetchHost {
  readonly image: ClusterImage
  routeOf(topic: string): TopicRoute | PlaceRefusal
  /** Makes the topic where it is not there, and waits until it is open. */
  openInternal(topic: InternalTopic): Promise<InternalRoute>
}

export type InternalRoute = TopicRoute | { kind: 'closing' | 'no-space' | 'unknown-outcome' | 'loading' }

export interface GroupsOptions {
  host: GroupsHost
  clock: Clock
  codec: Codec
  events: Events
  timers: Timers
  offsetsRetentionMs: number
}

/** How a heartbeat is held back. */
export interface Parking {
  /** Monotonic. */
  deadlineMs: number
  /** Receives what ends the wait early: the client is gone. */
  onPark: (cancel: () => void) => void
}

type ReplyOf<Kind extends GroupReply['kind']> = Extract<GroupReply, { kind: Kind }>

const encoder = new TextEncoder()

export class Groups {
  readonly #options: GroupsOptions
  readonly #host: GroupsHost
  readonly #pen: JournalPen
  /** By partition of the topic; none until there is one. */
  #coordinators: readonly Coordinator[] = []
  #opening: Promise<GroupsRefusal | null> | null = null
  #isClosing = false

  constructor(options: GroupsOptions) {
    this.#options = options
    this.#host = options.host
    this.#pen = new JournalPen(options.codec, options.clock)
  }

  /** Loads the groups there are, beside everything else: whoever asks for one waits for that. */
  start(): void {
    const route = this.#host.routeOf(GROUPS_TOPIC)
    if (route instanceof TopicRoute) this.#coordinate(route)
  }

  /** A topic has been made, has grown or is retiring partitions. */
  topicChanged(topic: string): void {
    if (isInternalName(topic)) return
    for (const coordinator of this.#coordinators) coordinator.refreshSubscribers(topic)
  }

  /** Of every group, also those that only have offsets there. */
  topicRemoved(): void {
    for (const coordinator of this.#coordinators) coordinator.refreshAll()
  }

  /** Takes no more work; resolves when all that was appended has met its fate. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#opening
    await Promise.all(this.#coordinators.map((coordinator) => coordinator.close()))
  }

  // --- members ---------------------------------------------------------------------------------------------------------

  /** Makes the group where there is none. */
  join(ask: Omit<Join, 'kind'>): Promise<Standing> {
    return this.#ask({ kind: 'join', ...ask }, 'joined', true)
  }

  /**
   * Alive. With `parking` the answer is held back until the member's standing changes, the deadline, or whoever waits is gone;
   * all the while the member counts as alive.
   */
  async heartbeat(ask: MemberAsk & { owned: Assignment | null }, parking: Parking | null): Promise<Standing> {
    const waitMs = parking === null ? 0 : Math.max(0, Math.ceil(parking.deadlineMs - this.#options.timers.nowMs()))
    const told = await this.#ask({ kind: 'heartbeat', ...ask, waitMs }, 'alive')
    if (told.kind !== 'alive' || parking === null || waitMs === 0) return told
    const coordinator = this.#coordinatorOf(ask.group)
    if (coordinator === null) return told
    const watcher = coordinator.watch(told)
    if (!watcher.isChanged) await this.#host.waiting.wait([watcher.room], parking.deadlineMs, parking.onPark)
    watcher.end()
    if (watcher.isChanged) return this.standingOf(told)
    this.touch(told)
    return told
  }

  /** Alive, committed, dropped: and a session over what the member holds, from where that is committed. */
  async poll(
    ask: MemberAsk & { commit: readonly OffsetCommit[]; owned?: Assignment; waitMs: number },
  ): Promise<MemberPoll | GroupsRefusal> {
    const reply = await this.#ask({ kind: 'poll', ...ask }, 'polled')
    if (reply.kind !== 'polled') return reply
    const coordinator = this.#coordinatorOf(ask.group)
    if (coordinator === null) return { kind: 'closing' }
    const watcher = coordinator.watch(reply)
    const held = await heldPositions(this.#host, reply, (offsets) =>
      this.#ask({ kind: 'pin-offsets', group: ask.group, offsets }, 'pinned'),
    )
    if (!('positions' in held)) {
      watcher.end()
      return held
    }
    const session = new FetchSession(this.#host, held.positions, [], false, watcher.room)
    return new MemberPoll(this, reply, watcher, session, ask.waitMs > 0)
  }

  leave(group: string, member: string): Promise<{ kind: 'left' } | GroupsRefusal> {
    return this.#ask({ kind: 'leave', group, member }, 'left')
  }

  plan(ask: Omit<PutPlan, 'kind'>): Promise<{ kind: 'planned'; epoch: number } | GroupsRefusal> {
    return this.#ask({ kind: 'put-plan', ...ask }, 'planned')
  }

  /** As it is now. */
  standingOf({ group, member: { member } }: Membership): Promise<Standing> {
    return this.#ask({ kind: 'heartbeat', group, member, generation: null, owned: null, waitMs: 0 }, 'alive')
  }

  /** The held-back answer goes out: the session begins. Nobody waits for that. */
  touch({ group, member: { member } }: Membership): void {
    void this.#ask({ kind: 'touch', group, member }, 'touched')
  }

  // --- offsets ---------------------------------------------------------------------------------------------------------

  /** By a member; or by nobody, while the group has none, which makes it where there is none. */
  commit(ask: CommitAsk): Promise<{ kind: 'committed' } | GroupsRefusal> {
    return this.#ask({ kind: 'commit', ...ask }, 'committed', ask.member === null)
  }

  /** While the group has no members. A dry run only tells. */
  async reset(ask: ResetAsk): Promise<{ places: readonly ResetPlace[] } | GroupsRefusal> {
    const { group } = ask
    const reply = await this.#ask({ kind: 'describe', group }, 'described')
    if (reply.kind !== 'described') return reply
    const members = reply.group.members.size
    if (members > 0) return { kind: 'group-not-empty', group, members }
    const places = await resetPlaces(this.#host, placesOf(this.#host, this.#topics, reply), ask)
    if (ask.dryRun) return { places }
    for (let at = 0; at < places.length; at += limits.COMMIT_OFFSETS_MAX) {
      const offsets = places.slice(at, at + limits.COMMIT_OFFSETS_MAX)
      const committed = await this.commit({ group, member: null, generation: null, offsets })
      if (committed.kind !== 'committed') return committed
    }
    return { places }
  }

  // --- groups ----------------------------------------------------------------------------------------------------------

  /** By name. */
  async list(): Promise<readonly GroupSummary[] | GroupsRefusal> {
    if (this.#isClosing) return { kind: 'closing' }
    const summaries: GroupSummary[] = []
    for (const view of await Promise.all(this.#coordinators.map((coordinator) => coordinator.view()))) {
      if (view === null) return { kind: 'coordinator-loading' }
      for (const { name, state, members } of view.groups.values()) {
        summaries.push({ group: name, state, members: members.size })
      }
    }
    return summaries.sort((a, b) => (a.group < b.group ? -1 : 1))
  }

  async describe(group: string): Promise<DescribedGroup | GroupsRefusal> {
    const reply = await this.#ask({ kind: 'describe', group }, 'described')
    if (reply.kind !== 'described') return reply
    return { group: reply.group, places: placesOf(this.#host, this.#topics, reply) }
  }

  async delete(group: string): Promise<{ kind: 'deleted' } | GroupsRefusal> {
    for (;;) {
      const reply = await this.#submit({ kind: 'delete-group', group }, false)
      if (reply.kind !== 'deleting') return reply as { kind: 'deleted' } | GroupsRefusal
    }
  }

  // --- coordinators ----------------------------------------------------------------------------------------------------

  /** A machine answers what it was asked, or refuses. */
  async #ask<Kind extends GroupReply['kind']>(
    command: GroupCommand & { group: string },
    _kind: Kind,
    mayMake = false,
  ): Promise<ReplyOf<Kind> | GroupsRefusal> {
    return (await this.#submit(command, mayMake)) as ReplyOf<Kind> | GroupsRefusal
  }

  async #submit(command: GroupCommand & { group: string }, mayMake: boolean): Promise<GroupReply | GroupsRefusal> {
    if (this.#isClosing) return { kind: 'closing' }
    if (this.#coordinators.length === 0) {
      const refusal = await this.#open(mayMake)
      if (refusal !== null) return refusal
    }
    const coordinator = this.#coordinatorOf(command.group)
    return coordinator === null ? { kind: 'unknown-group', group: command.group } : coordinator.submit(command)
  }

  /** Null: there is no coordinator, and so no group. */
  #coordinatorOf(group: string): Coordinator | null {
    const { length } = this.#coordinators
    if (length === 0) return null
    const name = encoder.encode(group)
    return this.#coordinators[slotOfKey(name, 0, name.length) % length]!
  }

  async #open(mayMake: boolean): Promise<GroupsRefusal | null> {
    const route = this.#host.routeOf(GROUPS_TOPIC)
    if (route instanceof TopicRoute) this.#coordinate(route)
    else if (route.kind === 'loading') return { kind: 'coordinator-loading' }
    else if (mayMake) return this.#make()
    return null
  }

  /** Whoever comes first makes the topic. */
  #make(): Promise<GroupsRefusal | null> {
    this.#opening ??= this.#openMade().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #openMade(): Promise<GroupsRefusal | null> {
    const route = await this.#host.openInternal(GROUPS_TOPIC)
    if (!(route instanceof TopicRoute)) return { kind: route.kind === 'loading' ? 'coordinator-loading' : route.kind }
    this.#coordinate(route)
    return null
  }

  #coordinate({ replicas }: TopicRoute): void {
    if (this.#coordinators.length > 0 || this.#isClosing) return
    const { clock, events, timers, offsetsRetentionMs } = this.#options
    const { waiting } = this.#host
    const world = {
      ...{ clock, events, timers, waiting, offsetsRetentionMs },
      pen: this.#pen,
      topics: this.#topics,
      groupCount: () => this.#coordinators.reduce((count, coordinator) => count + coordinator.groupCount, 0),
    }
    this.#coordinators = replicas.map((replica) => new Coordinator(replica, world))
  }

  /** Topics as groups know them: those that are open here. */
  readonly #topics: GroupTopics = {
    topicNamed: (name) => {
      const route = isInternalName(name) ? null : this.#host.routeOf(name)
      if (!(route instanceof TopicRoute)) return null
      return { id: route.topic.id, partitions: route.topic.partitions.map(({ partition }) => partition) }
    },
    isDeleted: (topicId) => this.#host.image.isDeleted(topicId),
    endOffset: (topicId, partition) => this.#host.route(topicId)?.replica(partition)?.live.highWatermark ?? null,
  }
}
