// What the metadata log holds: one JSON object a record, `kind` first. Each says what is so after it, so that applying one
// twice changes nothing. Kinds and members are persisted: new ones may come, these never change their meaning. A kind or a
// member that is not known here was written by a newer version, which alone may go on with this log.

import { isName, isTopicId, type TopicId } from '../base/index.ts'
import { UnreadableRecord } from '../machine/index.ts'
import type { TopicConfigPatch } from './topic-config.ts'
import { isStoredTopicConfig } from './topic-config-check.ts'

export type ClusterRecord =
  | TopicCreated
  | TopicAltered
  | PartitionsAdded
  | TopicDeleted
  | ProducerIdsAllocated
  | PartitionsPlaced
  | PartitionChanged
  | PartitionRetiring
  | PartitionRemoved
  | BrokerRegistered
  | BrokerFenced
  | BrokerUnfenced
  | EpochsDrawn

export interface TopicCreated {
  kind: 'topic-created'
  id: TopicId
  name: string
  partitionCount: number
  replicationFactor: number
  config: TopicConfigPatch
  createdAt: number
}

export interface TopicAltered {
  kind: 'topic-altered'
  id: TopicId
  /** The whole patch from now on. */
  config: TopicConfigPatch
}

export interface PartitionsAdded {
  kind: 'partitions-added'
  id: TopicId
  /** How many there are from now on, also counting those that have been removed: the next gets this number. */
  partitionCount: number
}

export interface TopicDeleted {
  kind: 'topic-deleted'
  id: TopicId
  name: string
  deletedAt: number
}

export interface ProducerIdsAllocated {
  kind: 'producer-ids-allocated'
  /** Every id below is taken. */
  nextProducerId: number
}

/** Where new partitions are: all of a topic from `first` on. Follows their creation in the same batch. */
export interface PartitionsPlaced {
  kind: 'partitions-placed'
  id: TopicId
  first: number
  /** By partition: node ids, the leader first, which alone is in sync; the others are planned. */
  replicas: readonly (readonly number[])[]
  epoch: number
}

/** All there is to say of who holds and leads a partition from now on. */
export interface PartitionChanged {
  kind: 'partition-changed'
  id: TopicId
  partition: number
  replicas: readonly number[]
  adding: readonly number[]
  isr: readonly number[]
  leader: number | null
  leaderEpoch: number
  partitionEpoch: number
}

export interface PartitionRetiring {
  kind: 'partition-retiring'
  id: TopicId
  partition: number
  /** No record was taken since. */
  retiredAt: number
  removeAt: number
}

/** Its data goes with it. */
export interface PartitionRemoved {
  kind: 'partition-removed'
  id: TopicId
  partition: number
}

/**
 * A broker has started. Fenced: what it led has no leader. Not fenced: it leads, under the broker epoch as leader epoch, what it
 * led before and what waits for it alone.
 */
export interface BrokerRegistered {
  kind: 'broker-registered'
  nodeId: number
  incarnationId: string
  directoryId: string
  rack: string | null
  address: string
  brokerEpoch: number
  isFenced: boolean
}

/** What it led has no leader from now on, unless a later record names one. */
export interface BrokerFenced {
  kind: 'broker-fenced'
  nodeId: number
  epoch: number
}

/** It leads what waits for it alone. */
export interface BrokerUnfenced {
  kind: 'broker-unfenced'
  nodeId: number
  epoch: number
}

export interface EpochsDrawn {
  kind: 'epochs-drawn'
  /** Every epoch below is taken. */
  nextEpoch: number
}

type Check = (value: unknown) => boolean
type MembersOf<Rec> = { readonly [Member in Exclude<keyof Rec, 'kind'>]: Check }

const isId: Check = (value) => typeof value === 'string' && isTopicId(value)
const isTopicName: Check = (value) => typeof value === 'string' && isName(value)
const isWhole: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isPositive: Check = (value) => Number.isSafeInteger(value) && Number(value) > 0
const isText: Check = (value) => typeof value === 'string'
const isTextOrNull: Check = (value) => value === null || isText(value)
const isNodes: Check = (value) => Array.isArray(value) && value.every(isPositive)

const MEMBERS: { readonly [Kind in ClusterRecord['kind']]: MembersOf<Extract<ClusterRecord, { kind: Kind }>> } = {
  'topic-created': {
    id: isId,
    name: isTopicName,
    partitionCount: isPositive,
    replicationFactor: isPositive,
    config: isStoredTopicConfig,
    createdAt: isWhole,
  },
  'topic-altered': { id: isId, config: isStoredTopicConfig },
  'partitions-added': { id: isId, partitionCount: isPositive },
  'topic-deleted': { id: isId, name: isTopicName, deletedAt: isWhole },
  'producer-ids-allocated': { nextProducerId: isPositive },
  'partitions-placed': {
    id: isId,
    first: isWhole,
    replicas: (value) => Array.isArray(value) && value.every((nodes) => isNodes(nodes) && nodes.length > 0),
    epoch: isPositive,
  },
  'partition-changed': {
    id: isId,
    partition: isWhole,
    replicas: isNodes,
    adding: isNodes,
    isr: isNodes,
    leader: (value) => value === null || isPositive(value),
    leaderEpoch: isWhole,
    partitionEpoch: isWhole,
  },
  'partition-retiring': { id: isId, partition: isWhole, retiredAt: isWhole, removeAt: isWhole },
  'partition-removed': { id: isId, partition: isWhole },
  'broker-registered': {
    nodeId: isPositive,
    incarnationId: isText,
    directoryId: isText,
    rack: isTextOrNull,
    address: isText,
    brokerEpoch: isPositive,
    isFenced: (value) => typeof value === 'boolean',
  },
  'broker-fenced': { nodeId: isPositive, epoch: isPositive },
  'broker-unfenced': { nodeId: isPositive, epoch: isPositive },
  'epochs-drawn': { nextEpoch: isPositive },
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export const clusterRecords = {
  encode(record: ClusterRecord): Uint8Array {
    return encoder.encode(JSON.stringify(record))
  },

  /** Throws `UnreadableRecord`. */
  decode(bytes: Uint8Array): ClusterRecord {
    const value = parsed(bytes)
    if (typeof value !== 'object' || value === null || !('kind' in value)) throw new UnreadableRecord('it has no kind')
    const { kind, ...rest } = value
    if (typeof kind !== 'string' || !Object.hasOwn(MEMBERS, kind)) {
      throw new UnreadableRecord(`kind ${JSON.stringify(kind)} is not known to this version`)
    }
    const members: Readonly<Record<string, Check>> = MEMBERS[kind as ClusterRecord['kind']]
    const given = new Map<string, unknown>(Object.entries(rest))
    for (const [member, isGood] of Object.entries(members)) {
      if (!isGood(given.get(member))) throw new UnreadableRecord(`${member} of ${kind} is not as this version knows it`)
      given.delete(member)
    }
    for (const member of given.keys()) {
      throw new UnreadableRecord(`${kind} has a member ${JSON.stringify(member)} not known to this version`)
    }
    return value as ClusterRecord
  },
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    throw new UnreadableRecord('it is not JSON')
  }
}
