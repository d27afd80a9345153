// A socket as the member of a group: what the group gives it is read and pushed, what it commits is kept, and what is taken from
// it goes to others only when it has let go. It is alive while the socket is; with work in hand it has to say something, be it a
// grant of credit.
//
// It reads like a poll that lasts: one over what it holds, until its standing changes; then another, which goes on behind what
// was sent. At most once there is a poll for each unit, whose end is committed before it is sent.

import { limits } from '../../core/base/index.ts'
import type { Broker, GroupsRefusal, MemberPoll, Standing } from '../../core/broker/index.ts'
import type { Join, Membership } from '../../core/group/index.ts'
import { type ClientOp, Problem, problemOfMember, readCursor } from '../wire/index.ts'
import type { Credit } from './credit.ts'
import { type AssignedPlace, MemberHolds, type MemberPlace } from './member-holds.ts'
import type { Outlet, Pushing } from './subscription.ts'
import { UnitReader } from './unit-reader.ts'
import type { Unit } from './unit.ts'
import type { PushWorld } from './world.ts'

/** Sent before others have their turn. */
const TURN_BYTES = 1024 * 1024
/** A heartbeat is held back for so long, and the member alive all the while. */
const HEARTBEAT_HELD_MS = 30_000
/** Before a coordinator that cannot be asked is asked again. */
const AGAIN_MS = 250

type CommitOp = Extract<ClientOp, { op: 'commit' }>

export interface MemberOutlet extends Outlet {
  sendAssigned(to: Pushing, places: readonly AssignedPlace[], generation: number): void
  sendRevoked(to: Pushing, places: readonly MemberPlace[], generation: number): void
  /** It is a member no more. */
  fenced(to: Member, problem: Problem): void
}

export class Member implements Pushing {
  readonly name: string
  readonly group: string
  readonly member: string
  readonly #join: Omit<Join, 'kind'>
  readonly #credit: Credit | null
  readonly #outlet: MemberOutlet
  readonly #world: PushWorld
  readonly #groups: Broker['groups']
  readonly #holds = new MemberHolds()
  #isAtMostOnce = false
  #pollMs = 0
  #poll: MemberPoll | null = null
  #reader: UnitReader | null = null
  /** Nothing is under way: the reader's cursor is behind what was sent. */
  #isResting = false
  #owesPosition = false
  /** What comes next fits no frame. */
  #isTooLarge = false
  /** More is done than was sent. */
  #isMoved = false
  #isClosed = false
  #turnBytes = 0
  /** When the group was last told that it works, or has nothing to do. */
  #activeAtMs = 0
  #onReleased: (() => void) | null = null
  #commits: Promise<void> = Promise.resolve()
  #cancelHeartbeat: (() => void) | null = null

  constructor(name: string, join: Omit<Join, 'kind'>, credit: Credit | null, outlet: MemberOutlet, world: PushWorld) {
    this.name = name
    this.group = join.group
    this.member = join.member
    this.#join = join
    this.#credit = credit
    this.#outlet = outlet
    this.#world = world
    this.#groups = world.broker.groups
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** Its generation, or why it is not in the group. */
  async join(): Promise<number | Problem> {
    const joined = await this.#groups.join(this.#join)
    if (!('settings' in joined)) return this.#problemOf(joined)
    this.#isAtMostOnce = joined.settings.delivery === 'at-most-once'
    this.#pollMs = joined.member.pollMs
    return joined.member.generation
  }

  start(): void {
    void this.#guarded(this.#run())
    void this.#guarded(this.#stayAlive())
  }

  resume(): void {
    this.#poll?.session.cancelWait()
  }

  grant(records: number, bytes: number): boolean {
    if (this.#credit === null || !this.#credit.grant(records, bytes)) return false
    this.#working()
    this.resume()
    return true
  }

  beat(): void {
    if (this.#isClosed || !this.#outlet.isWritable) return
    this.#owesPosition = !this.#isResting
    if (this.#isResting) this.#outlet.sendPosition(this, this.#reader!.cursor)
  }

  /** Null: it is kept. */
  commit(op: CommitOp): Promise<Problem | null> {
    const committing = this.#commitNow(op)
    this.#commits = committing.then(
      () => {},
      () => {},
    )
    return committing
  }

  /** What was revoked is worked on no more. */
  async release(): Promise<void> {
    await this.#commits
    this.#onReleased?.()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelHeartbeat?.()
    this.#onReleased?.()
    this.resume()
  }

  /** The group is told; a static place is kept for a while. */
  async leave(): Promise<void> {
    await this.#groups.leave(this.group, this.member)
  }

  /** Another joined under its name. */
  replaced(): void {
    if (this.#isClosed) return
    const { group, member } = this
    const detail = `Another connection joined ${group} as ${member}: a member has one at a time`
    this.#outlet.fenced(this, new Problem('fenced', detail, { group, member, replaced: true }))
  }

  // --- what it is given ------------------------------------------------------------------------------------------------

  get #ask(): { group: string; member: string; generation: null } {
    return { group: this.group, member: this.member, generation: null }
  }

  get #mayTake(): boolean {
    return !this.#isTooLarge && this.#outlet.isWritable && (this.#credit === null || this.#credit.isLeft)
  }

  /** When a member without work has to say so. Infinite while it has some: then it is the client's to say. */
  get #pollAgainAtMs(): number {
    return this.#mayTake && !this.#holds.hasWork ? this.#activeAtMs + this.#pollMs / 3 : Number.POSITIVE_INFINITY
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const poll = await this.#groups.poll({ ...this.#ask, commit: [], owned: this.#holds.owned, waitMs: 0 })
      const standing = 'session' in poll ? await this.#readThrough(poll) : poll
      if ('settings' in standing) await this.#letGo(standing)
      else await this.#refused(standing)
    }
  }

  #adopt({ membership, session }: MemberPoll): void {
    const { assigned, gone } = this.#holds.adopt(session.positions)
    const { generation } = membership.member
    this.#activeAtMs = this.#world.monotonicMs()
    if (this.#isClosed) return
    if (gone.length > 0) this.#outlet.sendRevoked(this, gone, generation)
    if (assigned.length > 0) this.#outlet.sendAssigned(this, assigned, generation)
  }

  async #readThrough(poll: MemberPoll): Promise<Standing> {
    // More is to be taken from it: that is let go first.
    if (poll.membership.member.revoke.length > 0) return poll.end()
    this.#poll = poll
    this.#adopt(poll)
    this.#readAgain(poll)
    while (!this.#isClosed && !poll.isChanged) {
      if (this.#isMoved) this.#readAgain(poll)
      const step = this.#mayTake ? await this.#reader!.next() : null
      if (this.#isClosed || poll.isChanged) break
      if (step === null) {
        if (this.#world.monotonicMs() >= this.#pollAgainAtMs) break
        await this.#rest(poll)
      } else if (this.#isMoved || !this.#mayTake) {
        // Read for nothing: while it was, the connection filled, or the place moved.
        this.#readAgain(poll)
      } else if (step.kind === 'unit' && step.recordCount > 0) {
        if (this.#isAtMostOnce && this.#fits(step)) return this.#sendOnce(poll, step)
        if (this.#send(step)) this.#holds.sent()
        else this.#readAgain(poll)
        await this.#turn()
      } else if (step.kind === 'gone' && step.problem.code !== 'unknown-topic') {
        this.#outlet.sendEnd(this, step.problem)
      } else if (step.kind === 'gone') {
        // The group hears of it too, and gives it another standing.
        await this.#world.sleep(AGAIN_MS)
      } else {
        this.#holds.passed()
        if (step.kind === 'reset') this.#outlet.sendReset(this, step)
        await this.#world.turn()
      }
    }
    this.#poll = null
    return poll.end()
  }

  #readAgain({ session, tags }: MemberPoll): void {
    this.#isMoved = false
    this.#holds.rewind()
    const key = `member ${this.group} ${this.member}`
    this.#reader = new UnitReader(this.#world.drafts, session, tags, { key, sub: this.name })
  }

  async #sendOnce(poll: MemberPoll, unit: Unit): Promise<Standing> {
    this.#poll = null
    const standing = await poll.sending()
    if (!('settings' in standing) || this.#isClosed) return standing
    this.#holds.settled()
    this.#send(unit)
    return standing
  }

  #fits(unit: Unit): boolean {
    return unit.bytesOf(unit.frame(this.name)) <= limits.SOCKET_FRAME_BYTES_MAX
  }

  /** False: it fits no frame. */
  #send(unit: Unit): boolean {
    const bytes = this.#outlet.sendUnit(this, unit)
    this.#isTooLarge = bytes < 0
    if (this.#isTooLarge) return false
    this.#owesPosition = false
    this.#credit?.spend(unit.recordCount, bytes)
    this.#turnBytes += bytes
    return true
  }

  async #turn(): Promise<void> {
    if (this.#turnBytes < TURN_BYTES) return
    this.#turnBytes = 0
    await this.#world.turn()
  }

  async #rest({ session }: MemberPoll): Promise<void> {
    this.#isResting = true
    if (this.#owesPosition) this.beat()
    // Looked at, so that only what comes from now on wakes it.
    session.ready()
    await session.wait(this.#pollAgainAtMs)
    this.#isResting = false
  }

  /** Others wait for what is to be revoked: until the client has let it go, or the group has had enough. */
  async #letGo({ member }: Membership): Promise<void> {
    const places = this.#holds.revoke(member.revoke)
    if (places.length === 0 || this.#isClosed) return
    this.#outlet.sendRevoked(this, places, member.generation)
    if (!this.#holds.isRevokedDone) await new Promise<void>((resolve) => (this.#onReleased = resolve))
    this.#onReleased = null
    this.#holds.letGo()
  }

  // --- what the client says --------------------------------------------------------------------------------------------

  async #commitNow({ cursor = '', offsets = [] }: CommitOp): Promise<Problem | null> {
    const said = cursor === '' ? [] : readCursor(cursor)
    if (said instanceof Problem) return said
    if (this.#join.topics.length > 1 && said.some(({ topicId }) => topicId === null)) {
      return Problem.at('/cursor', 'a cursor by hand is of one topic')
    }
    for (const [i, { topic, partition, nextOffset: offset }] of offsets.entries()) {
      const topicId = this.#world.broker.image.topicNamed(topic)?.id
      if (topicId === undefined) return Problem.at(`/offsets/${i}/topic`, `there is no topic ${topic}`)
      said.push({ topicId, partition, offset, epoch: null })
    }
    const fresh = this.#holds.fresh(said)
    this.#activeAtMs = this.#world.monotonicMs()
    const answer = await this.#groups.commit({ ...this.#ask, offsets: fresh })
    if (answer.kind !== 'committed') {
      if (isFencing(answer)) await this.#refused(answer)
      return this.#problemOf(answer)
    }
    this.#isMoved ||= this.#holds.committed(fresh)
    this.#isTooLarge &&= !this.#isMoved
    if (this.#holds.isRevokedDone) this.#onReleased?.()
    this.resume()
    return null
  }

  /** It is at work: told to the group now and then. */
  #working(): void {
    const now = this.#world.monotonicMs()
    if (now < this.#activeAtMs + this.#pollMs / 4) return
    this.#activeAtMs = now
    void this.#guarded(this.#groups.commit({ ...this.#ask, offsets: [] }))
  }

  // --- its place in the group ------------------------------------------------------------------------------------------

  async #stayAlive(): Promise<void> {
    while (!this.#isClosed) {
      const standing = await this.#groups.heartbeat(
        { ...this.#ask, owned: null },
        {
          deadlineMs: this.#world.monotonicMs() + HEARTBEAT_HELD_MS,
          onPark: (cancel) => {
            this.#cancelHeartbeat = cancel
          },
        },
      )
      if (!('settings' in standing)) await this.#refused(standing)
    }
  }

  async #refused(refusal: GroupsRefusal): Promise<void> {
    if (this.#isClosed) return
    switch (refusal.kind) {
      case 'closing':
        return this.close()
      case 'coordinator-loading':
      case 'unknown-outcome':
      case 'no-space':
      // What was to be sent at most once is committed by now, or another's: the next poll tells.
      case 'fenced':
      case 'not-held':
        return this.#world.sleep(AGAIN_MS)
      default:
        if (isFencing(refusal)) this.#outlet.fenced(this, this.#problemOf(refusal))
        else this.#outlet.sendEnd(this, this.#problemOf(refusal))
    }
  }

  #problemOf(refusal: GroupsRefusal): Problem {
    return problemOfMember(refusal, this.member, this.#world.broker.image)
  }

  async #guarded(running: Promise<unknown>): Promise<void> {
    try {
      await running
    } catch (error) {
      if (!this.#isClosed) this.#outlet.failed(this, error)
    }
  }
}

/** It is no member any more. */
function isFencing({ kind }: GroupsRefusal): boolean {
  return kind === 'unknown-member' || kind === 'unknown-group'
}
