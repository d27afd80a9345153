// A partition on its way out: no new records from the moment its retirement is committed, readable until its time has come, then
// removed by a record of its own. Numbers of partitions are never given again. A topic keeps an active partition.
//
// When the time has come is looked up by the wall clock whenever the timer fires, after a load at once and then daily at least:
// a restart in between neither hurries a removal nor puts it off.

import type { TopicId } from '../base/index.ts'
import { isInternalName } from '../base/index.ts'
import type { Decision, TimerChange } from '../machine/index.ts'
import type { BrokerReply, ClusterCommand, RemovePartition, RetirePartition, TopicReply } from './commands.ts'
import type { ClusterImage, TopicImage } from './image.ts'
import type { ClusterRecord, PartitionRetiring } from './records.ts'

const DAY_MS = 24 * 60 * 60_000
const AFTER_MS_MAX = 365 * DAY_MS

/** Repeatable; an earlier end than the one there is takes its place, a later one does not. */
export function decideRetirePartition(
  image: ClusterImage,
  command: RetirePartition,
  now: number,
): Decision<ClusterRecord, TopicReply> {
  const { name, partition, afterMs } = command
  if (isInternalName(name)) return refused({ kind: 'internal-name', name })
  const topic = image.topicNamed(name)
  if (topic === null) return refused({ kind: 'unknown-topic', name })
  if (!Number.isSafeInteger(afterMs) || afterMs < 0 || afterMs > AFTER_MS_MAX) {
    const message = `must be between 0 and ${AFTER_MS_MAX} ms`
    return refused({ kind: 'invalid-topic', errors: [{ pointer: '/afterMs', code: 'bounds', message }] })
  }
  const known = topic.partitions.find((one) => one.partition === partition)
  if (known === undefined) return refused({ kind: 'no-such-partition', topic, partition })
  const removeAt = now + afterMs
  if (known.state === 'retiring' && known.retirement!.removeAt <= removeAt) {
    return { records: [], reply: { kind: 'retiring', topic } }
  }
  const isLast = topic.partitions.every((one) => one === known || one.state === 'retiring')
  if (isLast) return refused({ kind: 'last-active-partition', topic, partition })
  const retiredAt = known.retirement?.retiredAt ?? now
  const record = { kind: 'partition-retiring', id: topic.id, partition, retiredAt, removeAt } as const
  return { records: [record], reply: { kind: 'retiring', topic: retiringTopic(topic, record) } }
}

/** The timer has fired. */
export function decideRemovePartition(
  image: ClusterImage,
  { id, partition }: RemovePartition,
  now: number,
): Decision<ClusterRecord, BrokerReply, ClusterCommand> {
  const reply = { kind: 'done' } as const
  const known = image.topicById(id)?.partitions.find((one) => one.partition === partition)
  if (known?.retirement === undefined) return { records: [], reply }
  const leftMs = known.retirement.removeAt - now
  if (leftMs > 0) return { records: [], reply, timers: [removalOf(id, partition, Math.min(leftMs, DAY_MS))] }
  return { records: [{ kind: 'partition-removed', id, partition }], reply }
}

export function removalOf(id: TopicId, partition: number, afterMs: number): TimerChange<ClusterCommand> {
  return { timer: `retire/${id}/${partition}`, afterMs, command: { kind: 'remove-partition', id, partition } }
}

export function retiringTopic(topic: TopicImage, { partition, retiredAt, removeAt }: PartitionRetiring): TopicImage {
  const partitions = topic.partitions.map((known) =>
    known.partition === partition
      ? { ...known, state: 'retiring' as const, retirement: { retiredAt, removeAt } }
      : known,
  )
  return { ...topic, partitions }
}

export function withoutPartition(topic: TopicImage, partition: number): TopicImage {
  return { ...topic, partitions: topic.partitions.filter((known) => known.partition !== partition) }
}

function refused(reply: TopicReply): Decision<ClusterRecord, TopicReply> {
  return { records: [], reply }
}
