// What the core says of groups, as clients are told it: topics by name, times as text. A topic that was deleted a moment ago has
// no name any more, and what is left of it in a group is not told.

import { limits } from '../../core/base/index.ts'
import type { DescribedGroup, GroupPlace, Standing } from '../../core/broker/index.ts'
import type { ClusterImage } from '../../core/cluster/index.ts'
import type { Assignment, Membership, MemberView, PlanRequest } from '../../core/group/index.ts'
import { writeCursor } from './cursor.ts'
import type {
  AssignmentView,
  GroupMembershipView,
  GroupPartitionView,
  GroupShownView,
  PlanRequestView,
} from './groups.ts'

/** How a member stands, as against why it does not. */
export function isMembership(standing: Standing): standing is Membership {
  return 'settings' in standing
}

function assignmentView(assignment: Assignment, image: ClusterImage): AssignmentView {
  return assignment.flatMap(({ topicId, partitions }) => {
    const topic = image.topicById(topicId)
    return topic === null ? [] : [{ topic: topic.name, partitions: [...partitions] }]
  })
}

export function membershipView({ member, leader, plan }: Membership, image: ClusterImage): GroupMembershipView {
  return {
    generation: member.generation,
    state: member.state,
    assignment: assignmentView(member.assignment, image),
    ...(member.revoke.length === 0 ? null : { revoke: assignmentView(member.revoke, image) }),
    leader,
    heartbeatMs: limits.GROUP_HEARTBEAT_MS,
    ...(plan === null ? null : { plan: planView(plan) }),
  }
}

function planView({ epoch, members, partitions }: PlanRequest): PlanRequestView {
  return {
    epoch,
    members: members.map(({ member, topics }) => ({ member, topics: [...topics] })),
    partitions: partitions.map((of) => ({ topic: of.topic, partitions: [...of.partitions] })),
  }
}

/** The standing as the last members of a poll's answer, behind a comma. */
export function standingText({ member, plan }: Membership): string {
  const planText = plan === null ? '' : `,"plan":${JSON.stringify(plan)}`
  return `"state":"${member.state}","generation":${member.generation}${planText}`
}

export function groupView({ group, places }: DescribedGroup, image: ClusterImage): GroupShownView {
  const { from, delivery, tags, assignor } = group.settings
  return {
    group: group.name,
    state: group.state,
    epoch: group.epoch,
    from,
    delivery,
    tags: [...tags],
    assignor,
    leader: group.leader,
    emptySince: timeText(group.emptySince),
    members: [...group.members.values()].map((member) => memberView(member, image)),
    partitions: places.map(placeView),
  }
}

/** The places where something is committed, and the same as a cursor. */
export function offsetsView({ group, places }: DescribedGroup): {
  group: string
  offsets: GroupPartitionView[]
  cursor: string
} {
  const committed = places.filter(({ nextOffset }) => nextOffset !== null)
  const cursor = writeCursor(
    committed.map(({ topicId, partition, nextOffset }) => ({ topicId, partition, offset: nextOffset!, epoch: null })),
  )
  return { group: group.name, offsets: committed.map(placeView), cursor }
}

function memberView(member: MemberView, image: ClusterImage): GroupShownView['members'][number] {
  return {
    member: member.member,
    state: member.state,
    generation: member.generation,
    topics: [...member.topics],
    assignment: assignmentView(member.assignment, image),
    revoke: assignmentView(member.revoke, image),
    target: assignmentView(member.target, image),
    static: member.static,
    sessionMs: member.sessionMs,
    pollMs: member.pollMs,
    rebalanceMs: member.rebalanceMs,
    joinedAt: new Date(member.joinedAt).toISOString(),
  }
}

function placeView(place: GroupPlace): GroupPartitionView {
  const { topic, partition, member, nextOffset, lag, highWatermark, logStartOffset, committedAt, metadata } = place
  return {
    topic,
    partition,
    member,
    nextOffset,
    lag,
    highWatermark,
    logStartOffset,
    committedAt: timeText(committedAt),
    metadata,
  }
}

function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
