// `broker.groups`: consumer groups as the edge sees them. Every answer is committed before it is given.

import { isInternalName, limits, type TopicId } from '../../base/index.ts'
import { GROUPS_TOPIC } from '../../cluster/index.ts'
import type {
  Assignment,
  ClaimOffsets,
  GroupCommand,
  GroupReply,
  GroupTopics,
  Join,
  Membership,
  OffsetCommit,
  PutPlan,
} from '../../group/index.ts'
import type { Clock, Codec, Events } from '../../ports/index.ts'
import { type FetchHost, FetchSession } from '../fetch.ts'
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
import { Coordinators, type CoordinatorsHost } from './coordinators.ts'
import { MemberPoll } from './member-poll.ts'
import { JournalPen } from './partition-journal.ts'
import { placesOf, resetPlaces } from './places.ts'
import { heldPositions } from './positions.ts'

/** What groups need of the broker around them. */
export interface GroupsHost extends FetchHost, CoordinatorsHost {
  readonly identity: { readonly nodeId: number }
  /** The name of a topic that another broker leads. */
  ledByOther(topicId: TopicId): string | null
}

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

export class Groups {
  readonly #host: GroupsHost
  readonly #timers: Timers
  readonly #topics: GroupTopics
  readonly #coordinators: Coordinators

  constructor({ host, clock, codec, events, timers, offsetsRetentionMs }: GroupsOptions) {
    this.#host = host
    this.#timers = timers
    const topics = topicsOf(host)
    this.#topics = topics
    const { waiting } = host
    const pen = new JournalPen(codec, clock)
    this.#coordinators = new Coordinators(host, { clock, events, timers, waiting, pen, topics, offsetsRetentionMs })
  }

  /** Loads the groups there are, beside everything else: whoever asks for one waits for that. */
  start(): void {
    this.#coordinators.start()
  }

  /** A topic has been made, has grown, is retiring partitions, or is led by another. */
  topicChanged(topic: string): void {
    if (topic === GROUPS_TOPIC) this.#coordinators.follow()
    else for (const coordinator of this.#coordinators.all()) coordinator.refreshSubscribers(topic)
  }

  /** Of every group, also those that only have offsets there. */
  topicRemoved(): void {
    for (const coordinator of this.#coordinators.all()) coordinator.refreshAll()
  }

  /** Takes no more work; resolves when all that was appended has met its fate. */
  close(): Promise<void> {
    return this.#coordinators.close()
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
    const waitMs = parking === null ? 0 : Math.max(0, Math.ceil(parking.deadlineMs - this.#timers.nowMs()))
    const told = await this.#ask({ kind: 'heartbeat', ...ask, waitMs }, 'alive')
    if (told.kind !== 'alive' || parking === null || waitMs === 0) return told
    // It is told at once what it has not heard of.
    if (ask.generation !== null && ask.generation !== told.member.generation) {
      this.touch(told)
      return told
    }
    const coordinator = this.#coordinators.led(ask.group)
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
    const coordinator = this.#coordinators.led(ask.group)
    if (coordinator === null) return { kind: 'closing' }
    for (const { topicId } of reply.positions) {
      const topic = this.#host.ledByOther(topicId)
      if (topic !== null) return { kind: 'held-elsewhere', group: ask.group, topic }
    }
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

  /** What a poll is about to send, at most once. */
  claim(command: ClaimOffsets): Promise<{ kind: 'claimed' } | GroupsRefusal> {
    return this.#ask(command, 'claimed')
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
    const summaries: GroupSummary[] = []
    for (const view of await Promise.all([...this.#coordinators.all()].map((coordinator) => coordinator.view()))) {
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

  /** A machine answers what it was asked, or refuses. */
  async #ask<Kind extends GroupReply['kind']>(
    command: GroupCommand & { group: string },
    _kind: Kind,
    mayMake = false,
  ): Promise<ReplyOf<Kind> | GroupsRefusal> {
    return (await this.#submit(command, mayMake)) as ReplyOf<Kind> | GroupsRefusal
  }

  async #submit(command: GroupCommand & { group: string }, mayMake: boolean): Promise<GroupReply | GroupsRefusal> {
    const coordinator = await this.#coordinators.of(command.group, mayMake)
    if (coordinator === null) return { kind: 'unknown-group', group: command.group }
    return coordinator instanceof Coordinator ? coordinator.submit(command) : coordinator
  }
}

/** Topics as groups know them, without partitions that are to be opened here: whoever parked with one would miss its records. */
function topicsOf(host: GroupsHost): GroupTopics {
  return {
    topicNamed(name) {
      const topic = isInternalName(name) ? null : host.image.topicNamed(name)
      if (topic === null) return null
      return {
        id: topic.id,
        // A commit asks for the id only, and there may be a thousand.
        get partitions() {
          const route = host.route(topic.id)
          const { nodeId } = host.identity
          const known = topic.partitions.filter(({ partition, leader }) => {
            return leader !== nodeId || (route?.replica(partition) ?? null) !== null
          })
          return known.map(({ partition }) => partition)
        },
      }
    },
    isDeleted: (topicId) => host.image.isDeleted(topicId),
    endOffset: (topicId, partition) => host.route(topicId)?.replica(partition)?.live.highWatermark ?? null,
  }
}
