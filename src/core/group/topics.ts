// What groups know of the world: asked only while deciding, by the one who leads.

import type { TopicId } from '../base/index.ts'

export interface GroupTopic {
  readonly id: TopicId
  /** Those to be consumed, ascending: active ones, and retiring ones while they can be read. */
  readonly partitions: readonly number[]
}

export interface GroupTopics {
  topicNamed(name: string): GroupTopic | null
  /** By a committed deletion; a topic that is only not known here is not deleted. */
  isDeleted(topicId: TopicId): boolean
  /** The end of what consumers can read; null: no such partition. */
  endOffset(topicId: TopicId, partition: number): number | null
}
