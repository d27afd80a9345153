// What the broker says over a socket and in an event stream, as shapes for the emitted document and for tests: the texts
// themselves are put together by edge/push, around records that are spliced in as they are stored.

import { z } from '@hono/zod-openapi'
import { ProblemShape } from './problem-shape.ts'
import { PartitionResultShape, RecordShape } from './records.ts'
import { TopicName } from './topics.ts'

const Offset = z.int().min(0)
const Cursor = z.string().describe('Where to go on.')
const Sub = z.string().describe('The `id` of the subscribe that made the subscription.')
const Milliseconds = z.int().min(0)
const Generation = z.int().min(0)

const place = { topic: TopicName, partition: z.int().min(0) }

const records = {
  topic: TopicName,
  records: z.array(RecordShape).min(1),
  cursor: Cursor,
  caughtUp: z.boolean().describe('Whether this reaches the high watermark of every partition.'),
}

const reset = {
  topic: TopicName,
  partition: z.int().nullable().describe('Null: all of the topic.'),
  from: Offset.nullable().describe('Where reading was, or was to be.'),
  to: Offset.nullable().describe('Where it goes on.'),
  reason: z
    .enum(['below-log-start', 'beyond-end', 'diverged', 'damaged', 'topic-recreated'])
    .describe('A problem code: records between are gone, or never were.'),
  cursor: Cursor,
}

const drain = { afterMs: Milliseconds.describe('The connection ends within this; another may be opened at once.') }

export const ServerMessageShape = z
  .discriminatedUnion('op', [
    z.strictObject({
      op: z.literal('welcome'),
      broker: z.int(),
      frameBytesMax: z.int().describe('Of a frame, either way.'),
      heartbeatMs: Milliseconds.describe('A subscription that is open says something at least this often.'),
    }),
    z.strictObject({
      op: z.literal('subscribed'),
      id: z.string(),
      cursor: Cursor.optional().describe('Where it begins. A member is told that by `assigned`.'),
      generation: Generation.optional().describe('Of a member.'),
    }),
    z.strictObject({ op: z.literal('records'), sub: Sub, ...records }),
    z.strictObject({ op: z.literal('position'), sub: Sub, cursor: Cursor }),
    z
      .strictObject({
        op: z.literal('assigned'),
        sub: Sub,
        partitions: z.array(z.strictObject({ ...place, nextOffset: Offset.describe('Where it is read from.') })).min(1),
        generation: Generation,
      })
      .describe('Partitions this member reads from now on, beside those it has.'),
    z
      .strictObject({
        op: z.literal('revoked'),
        sub: Sub,
        partitions: z.array(z.strictObject(place)).min(1),
        generation: Generation,
      })
      .describe('Nothing more comes of these. Commit what is done, and `release`: others wait for them.'),
    z.strictObject({
      op: z.literal('produced'),
      id: z.string(),
      topic: TopicName,
      count: z.int(),
      created: z.literal(true).optional(),
      replayed: z.literal(true).optional(),
      partitions: z.array(PartitionResultShape).optional().describe('Missing with acks 0: nothing is known yet.'),
      cursor: Cursor.optional(),
    }),
    z.strictObject({ op: z.literal('ok'), id: z.string() }),
    z.strictObject({
      op: z.literal('error'),
      id: z.string().optional(),
      sub: Sub.optional().describe('Of a subscription: it is over, or stands still at `offset`.'),
      problem: ProblemShape,
    }),
    z.strictObject({ op: z.literal('reset'), sub: Sub, ...reset }),
    z.strictObject({ op: z.literal('drain'), ...drain }),
    z.strictObject({ op: z.literal('pong'), id: z.string() }),
  ])
  .openapi('ServerMessage')

export const EventShape = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('position'), cursor: Cursor }),
    z.strictObject({ type: z.literal('records'), ...records }),
    z.strictObject({ type: z.literal('reset'), ...reset }),
    z.strictObject({ type: z.literal('problem'), problem: ProblemShape }),
    z.strictObject({ type: z.literal('drain'), ...drain }),
  ])
  .openapi('Event', { description: 'The data of an event; `type` is also its name.' })
