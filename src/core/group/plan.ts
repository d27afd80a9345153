// The plan of a member named leader: what it is given to divide, and whether what it put back divides it.

import type { Assignment, PlanFault, PlannedMember, PlanRequest } from './commands.ts'
import { PartitionSet } from './partition-set.ts'
import type { GroupTopics } from './topics.ts'

export interface Subscription {
  readonly member: string
  readonly topics: readonly string[]
}

export function planRequest(epoch: number, members: readonly Subscription[], topics: GroupTopics): PlanRequest {
  const names = [...new Set(members.flatMap((member) => member.topics))].sort()
  const partitions = names.flatMap((topic) => {
    const known = topics.topicNamed(topic)
    return known === null ? [] : [{ topic, partitions: known.partitions }]
  })
  return {
    epoch,
    members: members.map(({ member, topics: subscribed }) => ({ member, topics: subscribed })),
    partitions,
  }
}

/** Every member's part, or what is wrong with the plan: each partition goes to one member that subscribes its topic. */
export function checkedPlan(
  plan: readonly PlannedMember[],
  members: readonly Subscription[],
  topics: GroupTopics,
): Map<string, Assignment> | PlanFault {
  const subscriptions = new Map(members.map(({ member, topics: subscribed }) => [member, new Set(subscribed)]))
  const sets = new Map(members.map(({ member }) => [member, new PartitionSet()]))
  const given = new PartitionSet()
  for (const { member, partitions: parts } of plan) {
    const subscribed = subscriptions.get(member)
    if (subscribed === undefined) return { kind: 'unknown-member', member }
    for (const { topic, partitions } of parts) {
      if (!subscribed.has(topic)) return { kind: 'not-subscribed', member, topic }
      const known = topics.topicNamed(topic)
      const existing = new Set(known?.partitions ?? [])
      for (const partition of partitions) {
        if (known === null || !existing.has(partition)) return { kind: 'unknown-partition', topic, partition }
        if (!given.add(known.id, partition)) return { kind: 'doubled', topic, partition }
        sets.get(member)!.add(known.id, partition)
      }
    }
  }
  const missing = firstMissing(given, subscriptions, topics)
  return missing ?? new Map([...sets].map(([member, set]) => [member, set.toAssignment()]))
}

function firstMissing(
  given: PartitionSet,
  subscriptions: ReadonlyMap<string, ReadonlySet<string>>,
  topics: GroupTopics,
): PlanFault | null {
  const names = new Set([...subscriptions.values()].flatMap((subscribed) => [...subscribed]))
  for (const topic of names) {
    const known = topics.topicNamed(topic)
    const partition = known?.partitions.find((candidate) => !given.has(known.id, candidate))
    if (partition !== undefined) return { kind: 'missing', topic, partition }
  }
  return null
}
