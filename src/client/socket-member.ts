// A member's part of its WebSocket: partitions come and go, and what has been dealt with is committed, one commit at a time, each
// with all that was done meanwhile. When the consumer is closed it commits the rest and leaves.

import type { Inbox } from './inbox.ts'
import type { GroupPartition, Membership } from './membership.ts'

export type MemberMessage =
  { op: 'assigned'; partitions: GroupPartition[] } | { op: 'revoked'; partitions: GroupPartition[] }

const COMMIT = 'commit'
const RELEASE = 'release'
const LEAVE = 'leave'
/** How often the broker is told that records are being dealt with, where nothing else tells it. */
const WORKING_EVERY_MS = 2_000

export class SocketMember {
  readonly #membership: Membership
  readonly #sub: string
  readonly #say: (message: object) => void
  #commitsUnderWay = 0
  #onCommitted: (() => void) | null = null
  #onLeft: (() => void) | null = null
  #saidAtMs = 0

  constructor(membership: Membership, sub: string, say: (message: object) => void) {
    this.#membership = membership
    this.#sub = sub
    this.#say = say
    membership.onDone = () => this.#dealtWith()
  }

  /** What a subscribe says of it. */
  get asked(): object {
    const { group, member, settings } = this.#membership
    return { group, member, ...settings }
  }

  heard(message: MemberMessage): void {
    if (message.op === 'assigned') this.#membership.assigned(message.partitions)
    else void this.#letGo(message.partitions)
  }

  answered(id: string): void {
    if (id === LEAVE) this.#onLeft?.()
    if (id !== COMMIT) return
    this.#commitsUnderWay--
    this.#commit()
  }

  /** Where the broker stands. Behind records that are dealt with, there may have been others that were not for it. */
  passed(cursor: string, { isPaused, isIdle }: Inbox): void {
    if (isPaused) this.#sayWorking()
    else if (isIdle) this.#membership.passed(cursor)
  }

  /** Resolves when all that was dealt with is committed, and the group knows that it goes. */
  async leave(): Promise<void> {
    this.#commit()
    if (this.#commitsUnderWay > 0) await new Promise<void>((resolve) => (this.#onCommitted = resolve))
    const left = new Promise<void>((resolve) => (this.#onLeft = resolve))
    this.#say({ op: 'unsubscribe', id: LEAVE, sub: this.#sub })
    await left
  }

  /** The connection is gone. */
  end(): void {
    this.#membership.onDone = null
    this.#membership.lost()
  }

  async #letGo(partitions: readonly GroupPartition[]): Promise<void> {
    await this.#membership.revoked(partitions)
    // Operations are taken in their order: this one is there before the next.
    this.#commitNow()
    this.#say({ op: 'release', id: RELEASE, sub: this.#sub })
  }

  #dealtWith(): void {
    if (!this.#membership.isAtMostOnce) return this.#commit()
    const now = Date.now()
    if (now - this.#saidAtMs < WORKING_EVERY_MS) return
    this.#saidAtMs = now
    this.#sayWorking()
  }

  /** Or that it means to stand still. */
  #sayWorking(): void {
    this.#say({ op: 'credit', sub: this.#sub, records: 0, bytes: 0 })
  }

  #commit(): void {
    if (this.#commitsUnderWay === 0) this.#commitNow()
    if (this.#commitsUnderWay === 0) this.#onCommitted?.()
  }

  #commitNow(): void {
    const done = this.#membership.takeDone()
    if (done === null) return
    this.#commitsUnderWay++
    const { cursor, offsets } = done
    this.#say({ op: COMMIT, id: COMMIT, sub: this.#sub, offsets, ...(cursor === null ? null : { cursor }) })
  }
}
