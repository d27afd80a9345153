// Groups as clients see them: what they send, and how a group, its members and its offsets are told. Places are told by the
// topic's name and the partition. Bounds of times and counts are the core's to judge, which says what they are.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'
import { ProblemShape } from './problem-shape.ts'
import { RecordShape } from './records.ts'
import { TopicName } from './topics.ts'

const Offset = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const Partition = z.int().min(0)
const Tag = z.string().min(1).max(limits.TAG_BYTES_MAX)
const Generation = z
  .int()
  .min(0)
  .describe("The member's own epoch: it changes with what the member holds, and only then.")
const Epoch = z.int().min(0).describe('Counts changes of members, subscriptions and topics.')
const Metadata = z.string().describe('Words of whoever committed, kept beside the place; 4 KiB at most.')

export const GroupName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,249}$/)
  .openapi({ example: 'billing' })
const MemberName = z.string().openapi({ example: 'worker-1' })

const GivenPartitions = z.strictObject({ topic: z.string(), partitions: z.array(Partition) })
const TopicPartitionsShape = z
  .object({ topic: TopicName, partitions: z.array(Partition) })
  .openapi('TopicPartitions', { description: 'Partitions of one topic.' })
const AssignmentShape = z.array(TopicPartitionsShape)

const From = z.enum(['earliest', 'latest', 'none'])
const Delivery = z.enum(['at-least-once', 'at-most-once'])
const Assignor = z.enum(['sticky', 'range', 'leader'])
const GroupState = z
  .enum(['empty', 'assigning', 'reconciling', 'stable'])
  .describe(
    'empty: no members · assigning: the plan of the leader is awaited · reconciling: partitions are changing hands.',
  )
const MemberState = z
  .enum(['stable', 'revoking', 'waiting', 'away'])
  .describe('revoking: drop `revoke` first · waiting: others have to drop first · away: a static member that left.')

// --- what clients send ---------------------------------------------------------------------------------------------------

export const GroupJoin = z.strictObject({
  topics: z.array(z.string()),
  from: From.optional(),
  delivery: Delivery.optional(),
  tags: z.array(Tag).optional(),
  assignor: Assignor.optional(),
  sessionMs: z.int().optional(),
  pollMs: z.int().optional(),
  rebalanceMs: z.int().optional(),
  static: z.string().optional(),
})

const times = {
  sessionMs: bounded(
    limits.GROUP_SESSION_MS_MIN,
    limits.GROUP_SESSION_MS_MAX,
    limits.GROUP_SESSION_MS_DEFAULT,
  ).describe('A member that gives no sign of life for so long is removed.'),
  pollMs: bounded(limits.GROUP_POLL_MS_MIN, limits.GROUP_POLL_MS_MAX, limits.GROUP_POLL_MS_DEFAULT).describe(
    'One that is alive but neither polls nor commits for so long is removed.',
  ),
  rebalanceMs: bounded(
    limits.GROUP_REBALANCE_MS_MIN,
    limits.GROUP_REBALANCE_MS_MAX,
    limits.GROUP_REBALANCE_MS_DEFAULT,
  ).describe('One that has not dropped what it was asked to drop by then is removed.'),
}

/** As documented: `GroupJoin` with every bound. */
export const GroupJoinShape = z
  .strictObject({
    topics: z
      .array(TopicName)
      .min(1)
      .max(limits.GROUP_TOPICS_MAX)
      .describe('By name; one that does not exist is taken up when it is created.'),
    from: From.default('earliest').describe('Where a partition begins that the group never committed. Of the group.'),
    delivery: Delivery.default('at-least-once').describe(
      'at-most-once: what a poll answers is committed before the answer is sent. Of the group.',
    ),
    tags: z.array(Tag).max(limits.BATCH_TAGS_MAX).optional().describe('Only records with one of these. Of the group.'),
    assignor: Assignor.default('sticky').describe('Who divides the partitions: leader is a member. Of the group.'),
    ...times,
    static: GroupName.optional().describe(
      'The name of a place that outlives its holder: whoever joins with it later takes over its partitions.',
    ),
  })
  .openapi('GroupJoin', { description: 'What is of the group has to be the same for every member.' })

export const GroupHeartbeat = z
  .strictObject({
    generation: Generation.optional(),
    owned: z
      .array(GivenPartitions)
      .optional()
      .describe('What the consumer works on: what it was to drop and is not among it has been dropped.'),
  })
  .openapi('GroupHeartbeat')

export const GroupPlan = z
  .strictObject({
    member: z.string().describe('The member named leader.'),
    epoch: Epoch,
    plan: z.array(z.strictObject({ member: z.string(), partitions: z.array(GivenPartitions) })),
  })
  .openapi('GroupPlan', { description: 'Each partition once, to a member that subscribes to its topic.' })

const OffsetGiven = z.strictObject({
  topic: z.string(),
  partition: Partition,
  nextOffset: Offset,
  metadata: Metadata.optional(),
})

export const GroupOffsetsPut = z
  .strictObject({
    cursor: z.string().optional().describe('Places as an answer told them; or `offsets`.'),
    offsets: z.array(OffsetGiven).optional(),
    member: z.string().optional().describe('Who commits. Nobody may, but a member, while the group has members.'),
    generation: Generation.optional(),
  })
  .openapi('GroupOffsetsPut')

export const GroupReset = z
  .strictObject({
    to: z
      .union([z.string(), Offset])
      .describe('earliest, latest, -N (the last N of each), @time, or an offset, which needs `topic` and `partition`.'),
    topic: z.string().optional().describe('Only this topic; without it, all that the group reads or has read.'),
    partition: Partition.optional().describe('Only this partition of `topic`.'),
    dryRun: z.boolean().optional().describe('Tell what would be, and change nothing.'),
  })
  .openapi('GroupReset')

// --- what they are told --------------------------------------------------------------------------------------------------

const PlanRequestShape = z
  .object({
    epoch: Epoch,
    members: z.array(z.object({ member: MemberName, topics: z.array(TopicName) })),
    partitions: AssignmentShape,
  })
  .openapi('PlanRequest', { description: 'For the leader, while its plan is wanted: PUT it to …/plan.' })

export const GroupMembershipShape = z
  .object({
    generation: Generation,
    state: MemberState,
    assignment: AssignmentShape.describe('What the member holds and keeps.'),
    revoke: AssignmentShape.optional().describe('What it holds, and may commit, until it has dropped it.'),
    leader: MemberName.nullable().describe('Who makes the plan, with `assignor: leader`.'),
    heartbeatMs: z
      .int()
      .describe('Say something at least this often; a parked poll or heartbeat counts all the while.'),
    plan: PlanRequestShape.optional(),
  })
  .openapi('GroupMembership')

export const GroupPolledShape = z
  .object({
    state: MemberState,
    generation: Generation,
    records: z.array(RecordShape),
    cursor: z
      .string()
      .describe('Behind these records: `commit=` it when they are done with. Empty: there is nothing to commit.'),
    caughtUp: z.boolean(),
    partitions: z
      .array(
        z.object({
          topic: TopicName,
          partition: Partition,
          nextOffset: Offset,
          highWatermark: Offset,
          logStartOffset: Offset,
          problem: ProblemShape.optional(),
        }),
      )
      .describe('What the records came from; none where the standing of the member has just changed.'),
    plan: PlanRequestShape.optional(),
  })
  .openapi('GroupPolled')

export const GroupListShape = z
  .object({
    groups: z.array(z.object({ group: GroupName, state: GroupState, members: z.int() })),
    after: GroupName.nullable().describe('Where the next page starts: `after=`. Null: this was the last.'),
  })
  .openapi('GroupList')

const MemberShape = z
  .object({
    member: MemberName,
    state: MemberState,
    generation: Generation,
    topics: z.array(TopicName),
    assignment: AssignmentShape,
    revoke: AssignmentShape,
    target: AssignmentShape.describe('What it will hold in the end.'),
    static: GroupName.nullable(),
    sessionMs: z.int(),
    pollMs: z.int(),
    rebalanceMs: z.int(),
    joinedAt: z.iso.datetime(),
  })
  .openapi('GroupMember')

const Time = z.iso.datetime()

const GroupPartitionShape = z
  .object({
    topic: TopicName,
    partition: Partition,
    member: MemberName.nullable().describe('Who holds it.'),
    nextOffset: Offset.nullable().describe('What is committed: the record to go on with. Null: nothing ever was.'),
    lag: Offset.nullable().describe('Records from there to the high watermark.'),
    highWatermark: Offset,
    logStartOffset: Offset,
    committedAt: Time.nullable(),
    metadata: Metadata.nullable(),
  })
  .openapi('GroupPartition')

export const GroupShape = z
  .object({
    group: GroupName,
    state: GroupState,
    epoch: Epoch,
    from: From,
    delivery: Delivery,
    tags: z.array(Tag),
    assignor: Assignor,
    leader: MemberName.nullable(),
    emptySince: Time.nullable().describe('Null while it has members.'),
    members: z.array(MemberShape),
    partitions: z.array(GroupPartitionShape).describe('All that is subscribed, held or committed.'),
  })
  .openapi('Group')

export const GroupOffsetsShape = z
  .object({
    group: GroupName,
    offsets: z.array(GroupPartitionShape).describe('Where something is committed.'),
    cursor: z.string().describe('The same as one text: to read on from there, or to PUT.'),
  })
  .openapi('GroupOffsets')

export const GroupCommittedShape = z
  .object({ group: GroupName, count: z.int().describe('How many offsets.') })
  .openapi('GroupCommitted')

export const GroupResetShape = z
  .object({
    group: GroupName,
    dryRun: z.boolean(),
    offsets: z.array(
      z.object({ topic: TopicName, partition: Partition, before: Offset.nullable(), nextOffset: Offset }),
    ),
  })
  .openapi('GroupResetDone')

export const GroupDeletedShape = z.object({ group: GroupName }).openapi('GroupDeleted')
export const GroupLeftShape = z.object({ group: GroupName, member: MemberName }).openapi('GroupLeft')
export const GroupPlannedShape = z.object({ group: GroupName, epoch: Epoch }).openapi('GroupPlanned')

export type AssignmentView = z.output<typeof AssignmentShape>
export type GroupMembershipView = z.output<typeof GroupMembershipShape>
export type GroupListView = z.output<typeof GroupListShape>
export type GroupPartitionView = z.output<typeof GroupPartitionShape>
export type GroupShownView = z.output<typeof GroupShape>
export type GroupResetView = z.output<typeof GroupResetShape>
export type PlanRequestView = z.output<typeof PlanRequestShape>

function bounded(min: number, max: number, fallback: number): z.ZodDefault<z.ZodInt> {
  return z.int().min(min).max(max).default(fallback)
}
