// The cluster: its brokers, who decides, who votes.

import { unreachable } from '../../core/base/index.ts'
import type { QuorumReply, VotersWhy } from '../../core/broker/index.ts'
import {
  BrokerListShape,
  type BrokerListView,
  ClusterShape,
  type ClusterView,
  Problem,
  problemOf,
  VotersShape,
  type VotersView,
} from '../wire/index.ts'
import { jsonAnswer, problemAnswer } from './answer.ts'
import type { ControlCall, ControlPath, Operation } from './table.ts'

export const clusterOperations: readonly Operation[] = [
  {
    id: 'getCluster',
    method: 'GET',
    path: '/v1/cluster',
    tag: 'operations',
    summary: 'The cluster: its brokers, who decides, and how much it holds',
    answers: { 200: { about: 'The cluster, as the broker asked knows it.', shape: ClusterShape } },
    problems: [],
    run: getCluster,
  },
  {
    id: 'listBrokers',
    method: 'GET',
    path: '/v1/brokers',
    tag: 'operations',
    summary: 'Every broker that ever was of the cluster',
    answers: { 200: { about: 'By number.', shape: BrokerListShape } },
    problems: [],
    run: listBrokers,
  },
  {
    id: 'addVoter',
    method: 'PUT',
    path: '/v1/cluster/voters/{broker}',
    tag: 'operations',
    summary: 'Let a broker vote on the metadata; repeatable',
    answers: { 200: { about: 'Who votes now.', shape: VotersShape } },
    problems: ['invalid', 'unknown-broker', 'voters-conflict', 'no-leader', 'outcome-unknown'],
    run: (path, call) => changeVoters(path, call, 'add-voter'),
  },
  {
    id: 'removeVoter',
    method: 'DELETE',
    path: '/v1/cluster/voters/{broker}',
    tag: 'operations',
    summary: 'Take the vote from a broker that is gone for good; one that is live, and does not vote, takes its place',
    answers: { 200: { about: 'Who votes now.', shape: VotersShape } },
    problems: ['invalid', 'voters-conflict', 'no-leader', 'outcome-unknown'],
    run: (path, call) => changeVoters(path, call, 'remove-voter'),
  },
]

function getCluster({ broker, clusterId, version }: ControlPath): Response {
  const { image, member } = broker
  let partitions = 0
  for (const topic of image.topics()) partitions += topic.partitions.length
  const view: ClusterView = {
    clusterId,
    controller: member.controller,
    voters: [...member.voters],
    brokers: [...image.brokers()].map(({ nodeId, isFenced }) => ({ id: nodeId, state: isFenced ? 'fenced' : 'live' })),
    topics: image.topicCount,
    partitions,
    version,
  }
  return jsonAnswer(view)
}

function listBrokers({ broker }: ControlPath): Response {
  const { image, member } = broker
  const held = new Map<number, { leads: number; replicas: number }>()
  for (const { nodeId } of image.brokers()) held.set(nodeId, { leads: 0, replicas: 0 })
  const count = (nodeId: number, what: 'leads' | 'replicas'): void => {
    const counts = held.get(nodeId)
    if (counts !== undefined) counts[what]++
  }
  for (const { partitions } of image.topics()) {
    for (const { leader, replicas } of partitions) {
      for (const nodeId of replicas) count(nodeId, 'replicas')
      if (leader !== null) count(leader, 'leads')
    }
  }
  const view: BrokerListView = {
    brokers: [...image.brokers()]
      .sort((a, b) => a.nodeId - b.nodeId)
      .map(({ nodeId, isFenced, address, rack }) => ({
        id: nodeId,
        state: isFenced ? 'fenced' : 'live',
        address,
        rack,
        isController: member.controller === nodeId,
        isVoter: member.voters.includes(nodeId),
        ...held.get(nodeId)!,
      })),
  }
  return jsonAnswer(view)
}

async function changeVoters(
  { broker }: ControlPath,
  { names }: ControlCall,
  kind: 'add-voter' | 'remove-voter',
): Promise<Response> {
  const given = names['broker']!
  if (!/^[1-9][0-9]{0,6}$/.test(given))
    return problemAnswer(new Problem('invalid', 'A broker is a whole number from 1'))
  const reply = await broker.member.changeVoters({ kind, nodeId: Number(given) })
  if (reply.kind === 'voters') return jsonAnswer({ voters: [...reply.voters] } satisfies VotersView)
  if (reply.kind !== 'voters-refused') return problemAnswer(problemOf(reply))
  if (reply.why === 'already-voter' || reply.why === 'not-a-voter') {
    return jsonAnswer({ voters: [...broker.member.voters] } satisfies VotersView)
  }
  return problemAnswer(votersProblem(reply, reply.why))
}

function votersProblem(
  { nodeId }: Extract<QuorumReply, { kind: 'voters-refused' }>,
  why: Exclude<VotersWhy, 'already-voter' | 'not-a-voter'>,
): Problem {
  const conflict = (detail: string): Problem => new Problem('voters-conflict', detail, { broker: nodeId, why })
  switch (why) {
    case 'unknown-broker':
      return new Problem('unknown-broker', `No broker ${nodeId} has ever been of this cluster`, { broker: nodeId })
    case 'node-id-in-use':
      return conflict(`Broker ${nodeId} votes with another data folder: take that vote first`)
    case 'last-voter':
      return conflict(`Broker ${nodeId} is the only voter: add another first`)
    case 'change-in-flight':
      return conflict('Another change of the voters is under way: try again')
    case 'not-caught-up':
      return conflict(`Broker ${nodeId} does not hold all metadata yet: is it running? Try again`)
    case 'would-lose-quorum':
      return conflict('Of the voters that would remain too few are up: start one of them, or add another first')
    default:
      return unreachable(why)
  }
}
