// A set of partitions of several topics, and back to the sorted lists that records and views hold.

import type { TopicId } from '../base/index.ts'
import type { Assignment, TopicPartitions } from './commands.ts'

export class PartitionSet {
  readonly #topics = new Map<TopicId, Set<number>>()
  #size = 0

  static of(...lists: readonly (readonly TopicPartitions[])[]): PartitionSet {
    const set = new PartitionSet()
    for (const list of lists) {
      for (const { topicId, partitions } of list) for (const partition of partitions) set.add(topicId, partition)
    }
    return set
  }

  get size(): number {
    return this.#size
  }

  has(topicId: TopicId, partition: number): boolean {
    return this.#topics.get(topicId)?.has(partition) ?? false
  }

  /** False: it was in the set. */
  add(topicId: TopicId, partition: number): boolean {
    let partitions = this.#topics.get(topicId)
    if (partitions === undefined) {
      partitions = new Set()
      this.#topics.set(topicId, partitions)
    }
    if (partitions.has(partition)) return false
    partitions.add(partition)
    this.#size++
    return true
  }

  /** False: it was not. */
  delete(topicId: TopicId, partition: number): boolean {
    if (!(this.#topics.get(topicId)?.delete(partition) ?? false)) return false
    this.#size--
    return true
  }

  toAssignment(): Assignment {
    const lists: TopicPartitions[] = []
    for (const [topicId, set] of this.#topics) {
      if (set.size > 0) lists.push({ topicId, partitions: [...set].sort((a, b) => a - b) })
    }
    return lists.sort((a, b) => (a.topicId < b.topicId ? -1 : 1))
  }
}

/** Of two assignments, which are in the one order there is. */
export function isSameAssignment(a: Assignment, b: Assignment): boolean {
  return (
    a.length === b.length &&
    a.every(({ topicId, partitions }, i) => topicId === b[i]!.topicId && isSameList(partitions, b[i]!.partitions))
  )
}

export function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i])
}
