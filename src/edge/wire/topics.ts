// Topics as clients see them: what they send, and how a topic is told. Bounds of settings come from the core's one table.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'
import type { Replica, TopicRoute } from '../../core/broker/index.ts'
import {
  type PartitionImage,
  TOPIC_CONFIG_KEYS,
  TOPIC_SETTINGS,
  type TopicConfigKey,
  type TopicImage,
} from '../../core/cluster/index.ts'

export const TopicName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,249}$/)
  .openapi({ example: 'orders' })

const OffsetShape = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const count = z.int().min(1).max(limits.PARTITIONS_PER_TOPIC_MAX)

/** Values are judged by the core, all at once and with what each may be. */
const GivenConfig = z.record(z.string(), z.unknown())

export const TopicCreate = z.strictObject({
  partitions: z.int().optional(),
  replicationFactor: z.int().optional(),
  config: GivenConfig.optional(),
})

export const TopicAlter = z.strictObject({ config: GivenConfig })
export const PartitionsAdd = z.strictObject({ count: z.int() }).openapi('PartitionsAdd')
export const TopicTrim = z
  .strictObject({ partition: z.int().min(0), beforeOffset: OffsetShape })
  .openapi('TopicTrim', { description: 'Records of the partition below `beforeOffset` go; whole segments are freed.' })

export const PartitionRetire = z
  .strictObject({ afterMs: z.int().min(0).max(Number.MAX_SAFE_INTEGER).describe('So long it can still be read.') })
  .openapi('PartitionRetire')

// --- as documented: the same bodies with every setting spelled out -------------------------------------------------------

const TopicConfigShape = z
  .strictObject(settingShapes((shape) => shape.optional()))
  .openapi('TopicConfigPatch', { description: 'What is given for this topic; the rest are the defaults.' })

export const TopicCreateShape = z
  .strictObject({
    partitions: count.optional(),
    replicationFactor: z.int().min(1).max(7).optional(),
    config: TopicConfigShape.optional(),
  })
  .openapi('TopicCreate')

export const TopicAlterShape = z
  .strictObject({
    config: z.strictObject(settingShapes((shape) => shape.nullable().optional())).openapi('TopicConfigChange', {
      description: 'Merged into what the topic has; null takes a value back to the default.',
    }),
  })
  .openapi('TopicAlter')

function settingShapes(wrap: (shape: z.ZodType) => z.ZodType): Record<TopicConfigKey, z.ZodType> {
  const shapes = TOPIC_CONFIG_KEYS.map((key) => [key, wrap(settingShape(key))] as const)
  return Object.fromEntries(shapes) as Record<TopicConfigKey, z.ZodType>
}

function settingShape(key: TopicConfigKey): z.ZodType {
  const setting = TOPIC_SETTINGS[key]
  const description = setting.about
  if (setting.kind === 'choice') {
    return z.enum(setting.choices as [string, ...string[]]).openapi({ description, default: setting.default })
  }
  const min = setting.orNone ? Math.min(-1, setting.min) : setting.min
  return z.int().min(min).max(setting.max).openapi({ description, default: setting.default })
}

/** Null: its leader, which alone knows, is not the broker that answers. */
const Known = OffsetShape.nullable()

export const PartitionShape = z
  .object({
    topic: TopicName,
    partition: z.int(),
    state: z.enum(['active', 'retiring']),
    logStartOffset: Known.describe('The first record that is kept.'),
    highWatermark: Known.describe('Consumers see what is below.'),
    logEndOffset: Known.describe('The offset the next record gets.'),
    lastStableOffset: Known,
    leader: z.int().nullable().describe('A broker. Null: nobody leads it at present.'),
    leaderEpoch: z.int(),
    replicas: z.array(z.int()).describe('Brokers that hold it, or are to.'),
    isr: z.array(z.int()),
    damaged: z.boolean().describe('Whether stored bytes are damaged: produce is refused, reading steps over it.'),
  })
  .openapi('Partition')

export const TopicShape = z
  .object({
    topic: TopicName,
    topicId: z.string(),
    createdAt: z.iso.datetime(),
    replicationFactor: z.int(),
    partitions: z.array(PartitionShape),
    config: z
      .record(
        z.enum(TOPIC_CONFIG_KEYS as [TopicConfigKey, ...TopicConfigKey[]]),
        z.object({ value: z.union([z.int(), z.string()]), source: z.enum(['topic', 'broker', 'default']) }),
      )
      .describe('In force, and where each value comes from.'),
  })
  .openapi('Topic')

export const TopicListShape = z
  .object({
    topics: z.array(
      z.object({ topic: TopicName, topicId: z.string(), partitions: z.int(), replicationFactor: z.int() }),
    ),
    after: TopicName.nullable().describe('Where the next page starts: `after=`. Null: this was the last.'),
  })
  .openapi('TopicList')

export const TopicDeletedShape = z.object({ topic: TopicName, topicId: z.string() }).openapi('TopicDeleted')
export const TrimmedShape = z
  .object({ topic: TopicName, partition: z.int(), logStartOffset: OffsetShape })
  .openapi('Trimmed')

export type PartitionView = z.output<typeof PartitionShape>
export type TopicView = z.output<typeof TopicShape>
export type TopicListView = z.output<typeof TopicListShape>
export type TrimmedView = z.output<typeof TrimmedShape>

/** `replica` null: another broker leads it. */
export function partitionView(topic: TopicImage, image: PartitionImage, replica: Replica | null): PartitionView {
  const { partition, state, leader, leaderEpoch, replicas, isr } = image
  const live = replica?.live ?? null
  return {
    topic: topic.name,
    partition,
    state,
    logStartOffset: live?.startOffset ?? null,
    highWatermark: live?.highWatermark ?? null,
    logEndOffset: live?.endOffset ?? null,
    lastStableOffset: live?.highWatermark ?? null,
    leader,
    leaderEpoch,
    replicas: [...replicas],
    isr: [...isr],
    damaged: live !== null && live.damage !== null,
  }
}

export function topicView(topic: TopicImage, picture: TopicRoute): TopicView {
  const { resolved } = picture
  const config = Object.fromEntries(
    TOPIC_CONFIG_KEYS.map((key) => [key, { value: resolved.config[key], source: resolved.sources[key] }]),
  ) as TopicView['config']
  return {
    topic: topic.name,
    topicId: topic.id,
    createdAt: new Date(topic.createdAt).toISOString(),
    replicationFactor: topic.replicationFactor,
    partitions: topic.partitions.map((one) => partitionView(topic, one, picture.replica(one.partition))),
    config,
  }
}
