// The topics that hold what must survive of the broker's own: made at first use with as many partitions as they will ever have,
// since a name finds its coordinator by hashing over them. Clients read them; only the broker writes and nobody deletes.

import type { Decision } from '../machine/index.ts'
import { assert, type TopicId } from '../base/index.ts'
import type { CreateInternalTopic, TopicReply } from './commands.ts'
import type { ClusterImage } from './image.ts'
import type { ClusterRecord } from './records.ts'
import type { TopicConfigPatch } from './topic-config.ts'
import { createdRecords } from './topics.ts'

const PARTITIONS = 16
const REPLICATION_FACTOR = 3
const MIB = 1024 * 1024

/**
 * Nothing is left to the broker's defaults. A start reads the log whole and only closed segments are compacted: small ones keep
 * both short.
 */
const CONFIG: TopicConfigPatch = {
  cleanup: 'compact',
  retentionMs: -1,
  retentionBytes: -1,
  segmentBytes: MIB,
  segmentMs: 24 * 60 * 60_000,
  flush: 'group',
}

/** Repeatable. */
export function decideCreateInternal(
  image: ClusterImage,
  { name }: CreateInternalTopic,
  now: number,
  newTopicId: () => TopicId,
): Decision<ClusterRecord, TopicReply> {
  const existing = image.topicNamed(name)
  if (existing !== null) return { records: [], reply: { kind: 'exists', topic: existing } }
  const id = newTopicId()
  assert(image.topicById(id) === null && !image.isDeleted(id), 'a topic id is new')
  return createdRecords(image, {
    kind: 'topic-created',
    id,
    name,
    partitionCount: PARTITIONS,
    replicationFactor: REPLICATION_FACTOR,
    config: CONFIG,
    createdAt: now,
  })
}
