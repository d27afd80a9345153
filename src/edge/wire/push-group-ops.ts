// What a member of a group says over a socket: how it joins with its subscribe, what it commits, what it has let go.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'
import { Problem } from './problem.ts'

const Times = z.int().min(0)

/** Of a subscribe that makes the socket a member. Bounds of names and times are the group's to tell. */
export const memberFields = {
  group: z.string().optional().describe('The socket is a member of this group while the subscription lasts.'),
  member: z.string().optional().describe('Its name in the group; whoever joins with it later takes its place.'),
  delivery: z
    .enum(['at-least-once', 'at-most-once'])
    .optional()
    .describe('at-most-once: records are committed before they are sent. Of the group.'),
  assignor: z.enum(['sticky', 'range', 'leader']).optional().describe('Who divides the partitions. Of the group.'),
  sessionMs: Times.optional(),
  pollMs: Times.optional().describe('A member with work that says nothing for so long is removed.'),
  rebalanceMs: Times.optional().describe('One that has not let go what was revoked by then is removed.'),
  static: z
    .string()
    .optional()
    .describe('A place that outlives the socket: whoever joins with it within the session takes it over.'),
}

const OffsetGiven = z.strictObject({
  topic: z.string(),
  partition: z.int().min(0),
  nextOffset: z.int().min(0).max(Number.MAX_SAFE_INTEGER).describe('Of the record to go on with.'),
})

export const commitFields = {
  cursor: z.string().optional().describe('As a frame told it: all that was sent up to there is done with.'),
  offsets: z.array(OffsetGiven).max(limits.FETCH_PARTITIONS_MAX).optional().describe('Place by place.'),
}

interface MemberGiven {
  group?: string | undefined
  member?: string | undefined
  from?: string | undefined
  cursor?: string | undefined
  partition?: number | undefined
}

const OF_MEMBERS = ['member', 'delivery', 'assignor', 'sessionMs', 'pollMs', 'rebalanceMs', 'static'] as const
const STARTS: ReadonlySet<string> = new Set(['earliest', 'latest', 'none'])

/** What of a subscribe does not go together. */
export function subscribeFault(op: MemberGiven): Problem | null {
  if (op.group === undefined) {
    const foreign = OF_MEMBERS.find((field) => field in op)
    return foreign === undefined ? null : Problem.at(`/${foreign}`, 'it is of a member: say of which group')
  }
  if (op.member === undefined) return Problem.at('/member', 'a member has a name: choose one')
  if (op.cursor !== undefined) return Problem.at('/cursor', 'the group keeps where to go on')
  if (op.partition !== undefined) return Problem.at('/partition', 'the group divides the partitions')
  if (op.from !== undefined && !STARTS.has(op.from)) {
    return Problem.at('/from', 'a group begins at earliest, latest or none')
  }
  return null
}

export function commitFault({ cursor, offsets }: { cursor?: string | undefined; offsets?: unknown }): Problem | null {
  if (cursor !== undefined || offsets !== undefined) return null
  return Problem.at('/cursor', 'a commit says what is done with, as a cursor or as offsets')
}
