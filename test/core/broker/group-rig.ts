// Members of groups on a broker of the rig, in short words.

import { type DescribedGroup, type GroupsRefusal, MemberPoll, type Standing } from '../../../src/core/broker/index.ts'
import type { Join, Membership, OffsetCommit } from '../../../src/core/group/index.ts'
import { BrokerRig, type Read, readOn } from './broker-rig.ts'

export interface Polled {
  /** Values by partition: 'a b' of partition 0 is `0: ['a', 'b']`. */
  read: Record<number, string[]>
  /** What to commit when the records are done. */
  behind: OffsetCommit[]
  standing: Standing
}

export class GroupRig extends BrokerRig {
  join(group: string, member: string, topics: readonly string[], fields: Partial<Join> = {}): Standing {
    return this.run(this.broker.groups.join({ group, member, topics, ...fields }))
  }

  joined(group: string, member: string, topics: readonly string[], fields: Partial<Join> = {}): Membership {
    return membershipOf(this.join(group, member, topics, fields))
  }

  poll(group: string, member: string, commit: readonly OffsetCommit[] = []): Polled {
    return this.run(this.polling(group, member, commit))
  }

  async polling(group: string, member: string, commit: readonly OffsetCommit[] = []): Promise<Polled> {
    const poll = await this.broker.groups.poll({ group, member, generation: null, commit, waitMs: 0 })
    if (!(poll instanceof MemberPoll)) throw new Error(JSON.stringify(poll))
    return takeAll(poll)
  }

  refusedPoll(group: string, member: string, commit: readonly OffsetCommit[] = []): GroupsRefusal {
    const poll = this.run(this.broker.groups.poll({ group, member, generation: null, commit, waitMs: 0 }))
    if (poll instanceof MemberPoll) throw new Error('it was not refused')
    return poll
  }

  commit(
    group: string,
    member: string | null,
    offsets: readonly OffsetCommit[],
    generation: number | null = null,
  ): string {
    return this.run(this.broker.groups.commit({ group, member, generation, offsets })).kind
  }

  /** As it is now. */
  standing(group: string, member: string): Membership {
    const ask = { group, member, generation: null, owned: null }
    return membershipOf(this.run(this.broker.groups.heartbeat(ask, null)))
  }

  described(group: string): DescribedGroup {
    const described = this.run(this.broker.groups.describe(group))
    if (!('places' in described)) throw new Error(described.kind)
    return described
  }

  membersOf(group: string): string[] {
    return [...this.described(group).group.members.keys()]
  }

  /** 'orders/0 5 lag 2 of m': where the group stands in each partition. */
  places(group: string): string[] {
    return this.described(group).places.map(({ topic, partition, nextOffset, lag, member }) => {
      const holder = member === null ? '' : ` of ${member}`
      return `${topic}/${partition} ${nextOffset ?? '-'} lag ${lag ?? '-'}${holder}`
    })
  }

  groupNames(): string[] {
    const groups = this.run(this.broker.groups.list())
    if ('kind' in groups) throw new Error(groups.kind)
    return groups.map(({ group }) => group)
  }

  topicId(topic: string): OffsetCommit['topicId'] {
    return this.broker.image.topicNamed(topic)!.id
  }

  at(topic: string, partition: number, nextOffset: number): OffsetCommit {
    return { topicId: this.topicId(topic), partition, nextOffset }
  }
}

/** Reads to the end, as the edge does before it answers. */
export async function takeAll(poll: MemberPoll): Promise<Polled> {
  const read: Record<number, string[]> = {}
  const records = await readOn(poll.session)
  for (const [partition, some] of records) read[partition] = some.map(({ value }: Read) => value)
  const standing = await poll.sending()
  const behind = poll.session.positions.map(({ topic, replica, offset }) => ({
    topicId: topic.id,
    partition: replica.partition,
    nextOffset: offset,
  }))
  return { read, behind, standing }
}

export function membershipOf(standing: Standing): Membership {
  if (!('member' in standing && 'settings' in standing)) throw new Error(JSON.stringify(standing))
  return standing
}

/** 'orders 0,1 · returns 3' */
export function heldIn(rig: BrokerRig, { member }: Membership): string {
  const topics = member.assignment.map(({ topicId, partitions }) => {
    return `${rig.broker.image.topicById(topicId)?.name} ${partitions.join()}`
  })
  return topics.toSorted().join(' · ')
}
