// The range assignor: each topic's partitions in order, cut into equal runs for its subscribers in the order of their names;
// the first get one more. Topics with as many partitions are cut alike, so partition 3 of both is the same member's.

import type { Assignment } from './commands.ts'
import { PartitionSet } from './partition-set.ts'
import type { AssignorMember } from './sticky.ts'
import type { GroupTopic } from './topics.ts'

export function rangeAssignment(members: readonly AssignorMember[]): Map<string, Assignment> {
  const ordered = [...members].sort((a, b) => (a.member < b.member ? -1 : 1))
  const sets = new Map(ordered.map(({ member }) => [member, new PartitionSet()]))
  const topics = new Map<string, { topic: GroupTopic; subscribers: string[] }>()
  for (const { member, topics: subscribed } of ordered) {
    for (const topic of subscribed) {
      const known = topics.get(topic.id)
      if (known === undefined) topics.set(topic.id, { topic, subscribers: [member] })
      else known.subscribers.push(member)
    }
  }
  for (const { topic, subscribers } of topics.values()) {
    const { length } = topic.partitions
    const least = Math.floor(length / subscribers.length)
    const more = length % subscribers.length
    let next = 0
    subscribers.forEach((member, i) => {
      for (const end = next + least + (i < more ? 1 : 0); next < end; next++) {
        sets.get(member)!.add(topic.id, topic.partitions[next]!)
      }
    })
  }
  return new Map([...sets].map(([member, set]) => [member, set.toAssignment()]))
}
