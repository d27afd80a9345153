// Records as clients see them: the shapes behind the emitted document. Bodies themselves are read and written by hand, byte
// by byte (json-body.ts and its neighbours): no shape is ever run over a record.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'
import { ProblemShape } from './problem-shape.ts'
import { TopicName } from './topics.ts'

const OffsetShape = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const Base64 = z.base64()
const Milliseconds = z.int().describe('Milliseconds since 1970 UTC.')
const Headers = z.record(z.string(), z.string())
const Tags = z.array(z.string().min(1).max(limits.TAG_BYTES_MAX)).max(limits.BATCH_TAGS_MAX)

const given = {
  key: z.string().optional().describe('Chooses the partition.'),
  keyBase64: Base64.optional().describe('A key that is not text.'),
  headers: Headers.optional(),
  tags: Tags.optional().describe('What a fetch can filter by, without touching the value.'),
  timestamp: Milliseconds.optional().describe("The sender's time: data, never a clock."),
}

export const RecordInShape = z
  .union([
    z.strictObject({ value: z.unknown().describe('Any JSON: kept as the bytes sent. null is a value.'), ...given }),
    z.strictObject({ valueBase64: Base64, ...given }),
    z.strictObject({ tombstone: z.literal(true), ...given }),
  ])
  .openapi('RecordIn')

export const ProduceBodyShape = z
  .union([z.strictObject({ records: z.array(RecordInShape) }), z.array(RecordInShape), RecordInShape])
  .openapi('ProduceBody')

export const PartitionResultShape = z
  .object({
    partition: z.int(),
    baseOffset: OffsetShape,
    lastOffset: OffsetShape,
    count: z.int(),
    appendedAt: Milliseconds,
  })
  .openapi('PartitionResult')

export const ProducedShape = z
  .object({
    topic: TopicName,
    count: z.int().describe('Records kept.'),
    as: z.enum(['raw', 'json', 'records']).describe('What the body was taken for.'),
    created: z.literal(true).optional().describe('The topic was created by this request.'),
    partitions: z.array(PartitionResultShape).optional().describe('Missing with acks=0: nothing is known yet.'),
    cursor: z.string().optional().describe('Behind the last record kept, in the partitions written to.'),
  })
  .openapi('Produced')

export const ProducedLineShape = z
  .union([
    PartitionResultShape.extend({ firstRecord: z.int().describe('Place in the upload of its first record, from 0.') }),
    z.object({ done: z.literal(true), ...ProducedShape.shape }),
    z.object({ problem: ProblemShape }),
  ])
  .openapi('ProducedLine', { description: 'A line of the answer while an upload runs; the last is done or problem.' })

export const RecordShape = z
  .object({
    topic: TopicName.optional().describe('Where more than one topic is read.'),
    partition: z.int(),
    offset: OffsetShape,
    timestamp: Milliseconds,
    appendedAt: Milliseconds,
    key: z.string().optional(),
    keyBase64: Base64.optional(),
    value: z.unknown().optional(),
    valueBase64: Base64.optional(),
    tombstone: z.literal(true).optional(),
    headers: Headers.optional(),
    tags: Tags.optional(),
  })
  .openapi('Record')

export const FetchedShape = z
  .object({
    records: z.array(RecordShape),
    cursor: z.string().describe('Where to go on.'),
    caughtUp: z.boolean().describe('Whether the high watermark, or the end that was asked for, has been reached.'),
    partitions: z.array(
      z.object({
        topic: TopicName.optional(),
        partition: z.int(),
        nextOffset: OffsetShape,
        highWatermark: OffsetShape,
        logStartOffset: OffsetShape,
        problem: ProblemShape.optional(),
      }),
    ),
  })
  .openapi('Fetched')

export const ProducerShape = z.object({ producerId: z.int(), producerEpoch: z.int() }).openapi('Producer', {
  description: 'An identity whose repeats are recognised: Producer-Id, Producer-Epoch, Producer-Seq.',
})
