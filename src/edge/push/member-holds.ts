// The partitions a member has been given: up to where each was sent and committed, and which of them it is to let go. What it
// says is done is held against them here; whether that may be committed is the group's to judge.

import type { TopicId } from '../../core/base/index.ts'
import type { CursorEntry, FetchPosition } from '../../core/broker/index.ts'
import type { Assignment, OffsetCommit } from '../../core/group/index.ts'

export interface MemberPlace {
  readonly topic: string
  readonly partition: number
}

export interface AssignedPlace extends MemberPlace {
  readonly nextOffset: number
}

interface Hold {
  readonly key: string
  readonly topicId: TopicId
  readonly topic: string
  readonly partition: number
  position: FetchPosition
  /** Up to here it was sent, or passed by. */
  sentOffset: number
  /** Behind the last that was sent: the client has work while less is committed. */
  workOffset: number
  committedOffset: number
  isRevoked: boolean
}

export class MemberHolds {
  #holds = new Map<string, Hold>()
  /** Of partitions that were let go: a commit that names one again says nothing new. */
  readonly #left = new Map<string, number>()

  /** Whether something was sent and not said to be done. */
  get hasWork(): boolean {
    for (const hold of this.#holds.values()) if (isWork(hold)) return true
    return false
  }

  /** Of what was revoked, whether all that was sent is done. */
  get isRevokedDone(): boolean {
    for (const hold of this.#holds.values()) if (hold.isRevoked && isWork(hold)) return false
    return true
  }

  /** What the client may work on. */
  get owned(): Assignment {
    return [...this.#holds.values()].map(({ topicId, partition }) => ({ topicId, partitions: [partition] }))
  }

  /** Another session over what is held: it goes on behind what was sent. */
  adopt(positions: readonly FetchPosition[]): { assigned: AssignedPlace[]; gone: MemberPlace[] } {
    const before = this.#holds
    const assigned: AssignedPlace[] = []
    this.#holds = new Map()
    for (const position of positions) {
      const { topic, replica, offset } = position
      const key = keyOf(topic.id, replica.partition)
      const known = before.get(key)
      before.delete(key)
      if (known === undefined) assigned.push({ topic: topic.name, partition: replica.partition, nextOffset: offset })
      const hold = known ?? holdOf(key, position)
      hold.position = position
      position.offset = Math.max(position.offset, hold.sentOffset)
      this.#holds.set(key, hold)
      this.#left.delete(key)
    }
    for (const hold of before.values()) this.#left.set(hold.key, hold.committedOffset)
    return { assigned, gone: [...before.values()].map(placeOf) }
  }

  /** Nothing more is sent of these. */
  revoke(assignment: Assignment): MemberPlace[] {
    const places: MemberPlace[] = []
    for (const { topicId, partitions } of assignment) {
      for (const partition of partitions) {
        const hold = this.#holds.get(keyOf(topicId, partition))
        if (hold === undefined || hold.isRevoked) continue
        hold.isRevoked = true
        places.push(placeOf(hold))
      }
    }
    return places
  }

  letGo(): void {
    for (const hold of this.#holds.values()) {
      if (!hold.isRevoked) continue
      this.#holds.delete(hold.key)
      this.#left.set(hold.key, hold.committedOffset)
    }
  }

  /** Everything up to the positions has been sent. */
  sent(): void {
    for (const hold of this.#holds.values()) hold.workOffset = hold.sentOffset = hold.position.offset
  }

  /** There was nothing up to the positions. */
  passed(): void {
    for (const hold of this.#holds.values()) hold.sentOffset = hold.position.offset
  }

  /** Everything up to the positions is committed, and not the client's work. */
  settled(): void {
    for (const hold of this.#holds.values()) hold.committedOffset = hold.sentOffset = hold.position.offset
  }

  /** What was read and not sent is to be read again. */
  rewind(): void {
    for (const hold of this.#holds.values()) hold.position.offset = hold.sentOffset
  }

  /** Of places a client says are done, those that say something new. */
  fresh(entries: readonly CursorEntry[]): OffsetCommit[] {
    const offsets: OffsetCommit[] = []
    for (const { topicId, partition, offset, epoch } of entries) {
      const hold = topicId === null ? this.#only(partition) : this.#holds.get(keyOf(topicId, partition))
      const id = hold?.topicId ?? topicId
      // Of what was deleted nothing is left to be committed.
      if (id === null || hold?.position.replica.isRemoved === true) continue
      const known = hold?.committedOffset ?? this.#left.get(keyOf(id, partition)) ?? -1
      if (offset > known) offsets.push({ topicId: id, partition, nextOffset: offset, leaderEpoch: epoch })
    }
    return offsets
  }

  /** True: more than was sent is done, by other means, and reading goes on behind that. */
  committed(offsets: readonly OffsetCommit[]): boolean {
    let isMoved = false
    for (const { topicId, partition, nextOffset } of offsets) {
      const hold = this.#holds.get(keyOf(topicId, partition))
      if (hold === undefined) continue
      hold.committedOffset = Math.max(hold.committedOffset, nextOffset)
      isMoved ||= nextOffset > hold.sentOffset
      hold.sentOffset = Math.max(hold.sentOffset, nextOffset)
    }
    return isMoved
  }

  /** By hand, a place names no topic: it is of the one there is. */
  #only(partition: number): Hold | undefined {
    for (const hold of this.#holds.values()) if (hold.partition === partition) return hold
    return undefined
  }
}

function isWork({ position, committedOffset, workOffset }: Hold): boolean {
  return committedOffset < workOffset && !position.replica.isRemoved
}

function holdOf(key: string, position: FetchPosition): Hold {
  const { topic, replica, offset } = position
  const places = { topicId: topic.id, topic: topic.name, partition: replica.partition }
  return { key, ...places, position, sentOffset: offset, workOffset: offset, committedOffset: offset, isRevoked: false }
}

function placeOf({ topic, partition }: Hold): MemberPlace {
  return { topic, partition }
}

function keyOf(topicId: TopicId, partition: number): string {
  return `${topicId}/${partition}`
}
