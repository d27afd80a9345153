// One group as the machine holds it: the latest record of each of its keys. A record is never changed, only replaced.

import type { TopicId } from '../base/index.ts'
import { Holding } from './holding.ts'
import type { GroupChanged, MemberChanged, OffsetCommitted } from './records.ts'
import { groupView, memberView } from './present.ts'
import type { GroupView, MemberView } from './view.ts'

export class Member {
  readonly record: MemberChanged
  #held: Holding | null = null
  #view: MemberView | null = null

  constructor(record: MemberChanged) {
    this.record = record
  }

  /** What it may commit. */
  get held(): Holding {
    this.#held ??= Holding.of(this.record.holding, this.record.revoking)
    return this.#held
  }

  get view(): MemberView {
    this.#view ??= memberView(this.record)
    return this.#view
  }
}

export class Group {
  readonly name: string
  /** Null: only while a log is read whose earlier records were compacted away, or what is left of a group is removed. */
  record: GroupChanged | null = null
  readonly members = new Map<string, Member>()
  readonly offsets = new Offsets()
  #view: GroupView | null = null

  constructor(name: string) {
    this.name = name
  }

  get isNothing(): boolean {
    return this.record === null && this.members.size === 0 && this.offsets.count === 0
  }

  get view(): GroupView | null {
    if (this.record !== null) this.#view ??= groupView(this.record, this.members)
    return this.#view
  }

  /** The group's record or a member has changed. */
  outdate(): void {
    this.#view = null
  }
}

class Offsets {
  readonly #topics = new Map<TopicId, Map<number, OffsetCommitted>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  get(topicId: TopicId, partition: number): OffsetCommitted | null {
    return this.#topics.get(topicId)?.get(partition) ?? null
  }

  put(record: OffsetCommitted): void {
    let topic = this.#topics.get(record.topicId)
    if (topic === undefined) {
      topic = new Map()
      this.#topics.set(record.topicId, topic)
    }
    const before = topic.size
    topic.set(record.partition, record)
    this.#count += topic.size - before
  }

  remove(topicId: TopicId, partition: number): void {
    const topic = this.#topics.get(topicId)
    if (topic === undefined || !topic.delete(partition)) return
    this.#count--
    if (topic.size === 0) this.#topics.delete(topicId)
  }

  topicIds(): Iterable<TopicId> {
    return this.#topics.keys()
  }

  *all(topicId?: TopicId): Iterable<OffsetCommitted> {
    const topics =
      topicId === undefined ? this.#topics.values() : [this.#topics.get(topicId) ?? new Map<number, never>()]
    for (const topic of topics) yield* topic.values()
  }
}
