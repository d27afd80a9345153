// What a member holds, each partition with the generation since which it holds it: what tells a commit of now from one of
// an earlier time at which it held the same partition.

import type { TopicId } from '../base/index.ts'
import type { HeldPartitions } from './records.ts'

export class Holding {
  readonly #since = new Map<TopicId, Map<number, number>>()
  #size = 0

  static of(...lists: readonly (readonly HeldPartitions[])[]): Holding {
    const holding = new Holding()
    for (const list of lists) {
      for (const { topicId, partitions, since } of list) {
        for (const partition of partitions) holding.put(topicId, partition, since)
      }
    }
    return holding
  }

  get size(): number {
    return this.#size
  }

  /** Null: not held. */
  since(topicId: TopicId, partition: number): number | null {
    return this.#since.get(topicId)?.get(partition) ?? null
  }

  put(topicId: TopicId, partition: number, since: number): void {
    let topic = this.#since.get(topicId)
    if (topic === undefined) {
      topic = new Map()
      this.#since.set(topicId, topic)
    }
    if (!topic.has(partition)) this.#size++
    topic.set(partition, since)
  }

  /** By topic id and generation. */
  toRecord(): readonly HeldPartitions[] {
    const lists: HeldPartitions[] = []
    for (const [topicId, topic] of this.#since) {
      const bySince = new Map<number, number[]>()
      for (const [partition, since] of topic) {
        const list = bySince.get(since)
        if (list === undefined) bySince.set(since, [partition])
        else list.push(partition)
      }
      for (const [since, list] of bySince) lists.push({ topicId, since, partitions: list.sort((a, b) => a - b) })
    }
    return lists.sort((a, b) => (a.topicId === b.topicId ? a.since - b.since : a.topicId < b.topicId ? -1 : 1))
  }
}
