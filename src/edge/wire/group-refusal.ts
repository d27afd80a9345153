// What is refused about consumer groups, told to a client: the one switch. A member that is told `fenced` joins again and goes on
// with what the answer says; whatever it had not committed, somebody else does.

import { type TopicId, unreachable } from '../../core/base/index.ts'
import type { GroupsRefusal } from '../../core/broker/index.ts'
import type { ClusterImage } from '../../core/cluster/index.ts'
import type { PlanFault } from '../../core/group/index.ts'
import { Problem } from './problem.ts'
import { problemOf } from './refusal.ts'

export function problemOfGroup(refusal: GroupsRefusal, image: ClusterImage): Problem {
  const named = (topicId: TopicId): string => image.topicById(topicId)?.name ?? topicId
  switch (refusal.kind) {
    case 'unknown-group':
      return new Problem('unknown-group', `There is no group ${refusal.group}`, { group: refusal.group })
    case 'unknown-member':
      return noMember(refusal.group, refusal.member)
    case 'fenced': {
      const { group, member, generation, currentGeneration } = refusal
      return new Problem(
        'fenced',
        `The generation of ${member} in ${group} is ${currentGeneration}, not ${generation}: PUT it again to go on`,
        { group, member, generation, currentGeneration },
      )
    }
    case 'not-held': {
      const { group, member, partition } = refusal
      const topic = named(refusal.topicId)
      return new Problem(
        'not-held',
        `${member} does not hold partition ${partition} of ${topic}: nothing was committed`,
        {
          group,
          member,
          topic,
          partition,
        },
      )
    }
    case 'foreign-topic': {
      const topic = named(refusal.topicId)
      return new Problem('foreign-topic', `${topic} is no topic of group ${refusal.group}: nothing was committed`, {
        group: refusal.group,
        topic,
      })
    }
    case 'unknown-partition': {
      const topic = named(refusal.topicId)
      const { partition } = refusal
      return new Problem('unknown-partition', `Topic ${topic} has no partition ${partition}`, { topic, partition })
    }
    case 'beyond-end': {
      const { partition, nextOffset, endOffset } = refusal
      return problemOf({
        kind: 'beyond-end',
        topic: named(refusal.topicId),
        partition,
        offset: nextOffset,
        highWatermark: endOffset,
      })
    }
    case 'no-position': {
      const topic = named(refusal.topicId)
      const { group, partition } = refusal
      return new Problem(
        'no-position',
        `${group} has committed nothing in partition ${partition} of ${topic} and takes no default: PUT its offsets`,
        { group, topic, partition },
      )
    }
    case 'metadata-too-large': {
      const { bytes, bytesMax } = refusal
      return new Problem('limit-reached', `Metadata has ${bytes} bytes, and may have ${bytesMax}`, { bytes, bytesMax })
    }
    case 'too-many-offsets': {
      const { given, offsetsMax } = refusal
      return new Problem('limit-reached', `One commit takes ${offsetsMax} offsets at most, these are ${given}`, {
        given,
        offsetsMax,
      })
    }
    case 'too-many-members': {
      const { group, membersMax } = refusal
      return new Problem('limit-reached', `A group has ${membersMax} members at most`, { group, membersMax })
    }
    case 'too-many-groups': {
      const { groupsMax } = refusal
      return new Problem('limit-reached', `The broker holds at most ${groupsMax} groups`, { groupsMax })
    }
    case 'group-differs': {
      const { group, differences } = refusal
      const fields = differences.map(({ field }) => field).join(', ')
      return new Problem('group-differs', `Group ${group} has members that agreed on another ${fields}`, {
        group,
        differences: differences.map(({ field, given, existing }) => ({ pointer: `/${field}`, given, existing })),
      })
    }
    case 'invalid-name': {
      const { field, name } = refusal
      const detail = `A ${field === 'topics' ? 'topic' : field} has 1 to 249 characters of A-Z a-z 0-9 . _ - and is neither "." nor ".."`
      return field === 'group' || field === 'member'
        ? new Problem('invalid', detail, { name })
        : Problem.at(`/${field}`, detail).with({ name })
    }
    case 'out-of-bounds': {
      const { field, given, min, max } = refusal
      return Problem.at(`/${field}`, `must be between ${min} and ${max}, not ${given}`).with({ given, min, max })
    }
    case 'not-leader-member': {
      const { group, member, leader } = refusal
      const detail =
        leader === null ? `Group ${group} has no leader: the broker divides the partitions` : `The leader is ${leader}`
      return new Problem('not-leader-member', detail, { group, member, leader })
    }
    case 'stale-plan': {
      const { group, epoch, currentEpoch } = refusal
      return new Problem('stale-plan', `The epoch of ${group} is ${currentEpoch}, this plan is of ${epoch}`, {
        group,
        epoch,
        currentEpoch,
      })
    }
    case 'invalid-plan': {
      const { group, epoch, fault } = refusal
      return new Problem('invalid-plan', `${faultText(fault)}; the partitions were divided as by sticky`, {
        group,
        epoch,
        fault,
      })
    }
    case 'group-not-empty': {
      const { group, members } = refusal
      return new Problem('group-not-empty', `Group ${group} has members (${members}): they have to leave first`, {
        group,
        members,
      })
    }
    case 'held-elsewhere': {
      const { group, topic } = refusal
      const detail = `Another broker than the coordinator of ${group} leads ${topic}: groups over it are not supported yet`
      return new Problem('unsupported', detail, { group, topic })
    }
    case 'coordinator-loading':
      return new Problem('loading', 'What groups have committed is being loaded; nothing was done')
    case 'closing':
    case 'no-space':
    case 'unknown-outcome':
      return problemOf(refusal)
    default:
      return unreachable(refusal)
  }
}

/** To a member: with its last trace a group is gone too, and joining makes it again. */
export function problemOfMember(refusal: GroupsRefusal, member: string, image: ClusterImage): Problem {
  return refusal.kind === 'unknown-group' ? noMember(refusal.group, member) : problemOfGroup(refusal, image)
}

function noMember(group: string, member: string): Problem {
  return new Problem(
    'fenced',
    `${member} is no member of ${group}: it never was, left, was silent for too long, or its place was taken; PUT it to join`,
    { group, member, currentGeneration: null },
  )
}

function faultText(fault: PlanFault): string {
  switch (fault.kind) {
    case 'unknown-member':
      return `${fault.member} is no member`
    case 'unknown-partition':
      return `There is no partition ${fault.partition} of ${fault.topic} to be given`
    case 'not-subscribed':
      return `${fault.member} does not subscribe to ${fault.topic}`
    case 'doubled':
      return `Partition ${fault.partition} of ${fault.topic} is given twice`
    case 'missing':
      return `Partition ${fault.partition} of ${fault.topic} is given to nobody`
    default:
      return unreachable(fault)
  }
}
