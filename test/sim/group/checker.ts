// What must be so, whatever happens. The checker makes its own picture from the records that are applied and judges each
// decision by it, after every event:
//
//   G1  a partition is in one member's hands, and no consumer that is still the member works on what another holds
//   G2  a commit is taken from who holds the partition since the generation it names, and of records that were handled
//   G3  what was answered as committed is there after every load
//   G4  a member's generation never falls, and names one assignment
//   S   a member that gave no sign of life for its session is removed
//   C   at least once: nothing is committed that was not handled; at most once: nothing is handled twice

import type { GroupCommand, GroupRecord, GroupReply, GroupsView, GroupView } from '../../../src/core/group/index.ts'
import type { Decision } from '../../../src/core/machine/index.ts'

export class InvariantBroken extends Error {}

export function demand(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new InvariantBroken(what())
}

type MemberRecord = Extract<GroupRecord, { kind: 'member' }>

/** A consumer as it sees itself. */
export interface Believer {
  readonly group: string
  readonly member: string
  readonly generation: number
  /** Partitions it works on, `<topic id>/<partition>`. */
  readonly owned: Iterable<string>
}

/** A commit, and where it stands in the log. */
export interface Logged {
  readonly place: string
  readonly at: number
}

interface Picture {
  readonly members: Map<string, MemberRecord>
  readonly offsets: Map<string, number>
}

const SILENCE_SLACK_MS = 2_500

export class Checker {
  /** How many times each record was handled, by group and place. */
  readonly handled = new Map<string, Uint16Array>()
  readonly deliveries = new Map<string, 'at-least-once' | 'at-most-once'>()
  believers: () => Iterable<Believer> = () => []
  commits = 0
  refusals = 0
  #picture: Picture = { members: new Map(), offsets: new Map() }
  #isLoaded = false
  #isDirty = false
  /** Until when each member may be silent. */
  readonly #patience = new Map<string, number>()
  /** Where in the log the latest commit of a place stands that somebody was told of. */
  readonly #acknowledged = new Map<string, number>()
  readonly #generations = new Map<string, { generation: number; held: string }>()
  /** Where each committed place stands in the log. */
  readonly #loggedAt = new Map<string, number>()
  readonly #published = new Map<string, GroupView>()
  readonly #gone = new Set<string>()
  #latest: Logged[] = []
  #failure: { error: unknown } | null = null
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Takes what is thrown on the way of `work`. */
  guard(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#failure ??= { error }
    })
  }

  // --- what the machine does -------------------------------------------------------------------------------------------

  created(): void {
    this.#picture = { members: new Map(), offsets: new Map() }
    this.#isLoaded = false
    this.#loggedAt.clear()
  }

  loaded(): void {
    this.#isLoaded = true
    this.#isDirty = true
    this.#patience.clear()
    for (const [key, member] of this.#picture.members) this.#patience.set(key, this.#now() + member.sessionMs)
    for (const [place, at] of this.#acknowledged) {
      const found = this.#loggedAt.get(place) ?? -1
      demand(
        found >= at || this.#gone.has(place),
        () => `G3: the commit of ${place} at ${at} was acknowledged, and the log has ${found}`,
      )
    }
  }

  decided(command: GroupCommand, { reply, records }: Decision<GroupRecord, GroupReply, GroupCommand>): void {
    this.#latest = []
    this.#sign(command, reply)
    for (const record of records) {
      if (record.kind !== 'offset') continue
      const place = `${record.group}/${record.topicId}/${record.partition}`
      this.#checkCommit(command, place, record)
    }
  }

  applied(record: GroupRecord, at: number): void {
    const { members, offsets } = this.#picture
    switch (record.kind) {
      case 'member': {
        const key = `${record.group}/${record.member}`
        if (!members.has(key)) this.#patience.set(key, this.#now() + record.sessionMs)
        members.set(key, record)
        break
      }
      case 'member-removed':
        members.delete(`${record.group}/${record.member}`)
        break
      case 'offset':
        offsets.set(`${record.group}/${record.topicId}/${record.partition}`, record.nextOffset)
        this.#loggedAt.set(`${record.group}/${record.topicId}/${record.partition}`, at)
        this.#latest.push({ place: `${record.group}/${record.topicId}/${record.partition}`, at })
        return
      case 'offset-removed':
        offsets.delete(`${record.group}/${record.topicId}/${record.partition}`)
        // The topic is gone for good, and nobody asks for its places any more.
        this.#gone.add(`${record.group}/${record.topicId}/${record.partition}`)
        return
      default:
        return
    }
    this.#isDirty = true
  }

  /** The commits of the latest decision, for `acknowledged`. */
  get latest(): readonly Logged[] {
    return this.#latest
  }

  /** Somebody has been told that these are committed. */
  acknowledged(commits: readonly Logged[]): void {
    this.commits += commits.length
    for (const { place, at } of commits) {
      this.#acknowledged.set(place, Math.max(at, this.#acknowledged.get(place) ?? 0))
    }
  }

  /** A committed picture. */
  published({ groups }: GroupsView): void {
    for (const group of groups.values()) {
      if (this.#published.get(group.name) === group) continue
      this.#published.set(group.name, group)
      for (const { member, generation, assignment, revoke } of group.members.values()) {
        const key = `${group.name}/${member}`
        const held = [...assignment, ...revoke]
          .flatMap(({ topicId, partitions }) => partitions.map((partition) => `${topicId}/${partition}`))
          .sort()
          .join()
        const before = this.#generations.get(key)
        if (before !== undefined) {
          demand(generation >= before.generation, () => `G4: ${key} fell from ${before.generation} to ${generation}`)
          demand(
            generation > before.generation || held === before.held,
            () => `G4: ${key} at ${generation} held ${before.held}, and now ${held}`,
          )
        }
        this.#generations.set(key, { generation, held })
      }
    }
  }

  // --- what consumers do -----------------------------------------------------------------------------------------------

  handle(group: string, place: string, offset: number): void {
    const key = `${group}/${place}`
    let counts = this.handled.get(key)
    if (counts === undefined) this.handled.set(key, (counts = new Uint16Array(64)))
    if (offset >= counts.length) {
      const more = new Uint16Array(Math.max(2 * counts.length, offset + 1))
      more.set(counts)
      this.handled.set(key, (counts = more))
    }
    counts[offset]!++
    demand(
      this.deliveries.get(group) !== 'at-most-once' || counts[offset] === 1,
      () => `C: ${key} at ${offset} was handled twice under at-most-once`,
    )
  }

  // --- after every event -----------------------------------------------------------------------------------------------

  /** What was found out of turn, in a promise, is told here. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error
    if (!this.#isLoaded || !this.#isDirty) return
    this.#isDirty = false
    const holders = new Map<string, string>()
    for (const [key, { group, holding, revoking }] of this.#picture.members) {
      for (const { topicId, partitions } of [...holding, ...revoking]) {
        for (const partition of partitions) {
          const place = `${group}/${topicId}/${partition}`
          const other = holders.get(place)
          demand(other === undefined, () => `G1: ${place} is in the hands of ${other} and ${key}`)
          holders.set(place, key)
        }
      }
    }
    for (const believer of this.believers()) {
      const key = `${believer.group}/${believer.member}`
      const record = this.#picture.members.get(key)
      if (record === undefined || record.isAway || record.joinedGeneration > believer.generation) continue
      for (const owned of believer.owned) {
        const holder = holders.get(`${believer.group}/${owned}`)
        demand(
          holder === undefined || holder === key,
          () => `G1: ${key} works on ${owned}, which is in the hands of ${holder}`,
        )
      }
    }
  }

  /** Now and then, while the machine is active. */
  checkSilence(): void {
    // What consumers believe may have changed as well.
    this.#isDirty = true
    for (const key of this.#picture.members.keys()) {
      const until = this.#patience.get(key) ?? Infinity
      demand(
        this.#now() <= until + SILENCE_SLACK_MS,
        () => `S: ${key} should have given a sign of life by ${until.toFixed(0)}, and is still a member`,
      )
    }
  }

  /** The machine could not act for a while. */
  excuse(): void {
    for (const [key, until] of this.#patience) this.#patience.set(key, Math.max(until, this.#now()))
  }

  committed(group: string, place: string): number | null {
    return this.#picture.offsets.get(`${group}/${place}`) ?? null
  }

  // --- one decision ----------------------------------------------------------------------------------------------------

  #sign(command: GroupCommand, reply: GroupReply): void {
    const isSign = [
      'joined',
      'left',
      'alive',
      'polled',
      'committed',
      'claimed',
      'touched',
      'planned',
      'invalid-plan',
    ].includes(reply.kind)
    if (!isSign) this.refusals++
    if (!isSign || !('member' in command) || command.member === null) return
    const waitMs = 'waitMs' in command ? command.waitMs : 0
    const key = `${command.group}/${command.member}`
    const record = this.#picture.members.get(key)
    const sessionMs = command.kind === 'join' ? (command.sessionMs ?? 45_000) : (record?.sessionMs ?? 45_000)
    const until = this.#now() + sessionMs + waitMs
    // A shorter wait does end a longer one, but an append that is refused undoes that: the later of both is asked for.
    this.#patience.set(key, command.kind === 'touch' ? until : Math.max(until, this.#patience.get(key) ?? 0))
  }

  #checkCommit(command: GroupCommand, place: string, record: Extract<GroupRecord, { kind: 'offset' }>): void {
    demand(
      command.kind === 'commit' || command.kind === 'poll' || command.kind === 'claim-offsets',
      () => `G2: ${command.kind} committed ${place}`,
    )
    if (command.member !== null) {
      const key = `${command.group}/${command.member}`
      const holder = this.#picture.members.get(key)
      const held = [...(holder?.holding ?? []), ...(holder?.revoking ?? [])].find(
        ({ topicId, partitions }) => topicId === record.topicId && partitions.includes(record.partition),
      )
      demand(held !== undefined, () => `G2: ${key} committed ${place}, which it does not hold`)
      const { generation } = command
      demand(
        generation === null || (generation >= held.since && generation <= holder!.generation),
        () => `G2: ${key} committed ${place} with generation ${generation}, held since ${held.since}`,
      )
    }
    if (this.deliveries.get(command.group) === 'at-most-once') return
    const from = this.#picture.offsets.get(place) ?? 0
    const counts = this.handled.get(place)
    for (let offset = from; offset < record.nextOffset; offset++) {
      demand(
        (counts?.[offset] ?? 0) > 0,
        () => `C: ${place} is committed to ${record.nextOffset}, ${offset} was not handled`,
      )
    }
  }
}
