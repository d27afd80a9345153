// What the core refuses, told to a client: the one switch.

import { unreachable } from '../../core/base/index.ts'
import type { FetchRefusal, ProduceRefusal } from '../../core/broker/index.ts'
import type { InvalidField, TopicRefusal } from '../../core/cluster/index.ts'
import type { BodyFault } from './body-fault.ts'
import type { ProblemCode } from './problem-code.ts'
import { Problem } from './problem.ts'

export type Refusal =
  | ProduceRefusal
  | FetchRefusal
  | TopicRefusal
  | { kind: 'unknown-outcome' }
  | { kind: 'no-space' }
  | { kind: 'no-controller' }

export function problemOf(refusal: Refusal): Problem {
  switch (refusal.kind) {
    case 'invalid-name':
      return new Problem('invalid', 'A name has 1 to 249 characters of A-Z a-z 0-9 . _ - and is neither "." nor ".."', {
        name: 'topic' in refusal ? refusal.topic : refusal.name,
      })
    case 'unknown-topic': {
      if ('name' in refusal)
        return new Problem('unknown-topic', `There is no topic ${refusal.name}`, { topic: refusal.name })
      const { topic, recentlyDeleted } = refusal
      return recentlyDeleted
        ? new Problem('unknown-topic', `Topic ${topic} was deleted within the last minute; PUT it to create it again`, {
            topic,
            recentlyDeleted,
          })
        : new Problem('unknown-topic', `There is no topic ${topic}`, { topic })
    }
    case 'unknown-partition': {
      const { topic, partition, partitionCount } = refusal
      return new Problem(
        'unknown-partition',
        `Topic ${topic} has no partition ${partition}, but ${partitionCount} others`,
        {
          topic,
          partition,
          partitionCount,
        },
      )
    }
    case 'partition-retiring': {
      const { topic, partition } = refusal
      return new Problem('partition-retiring', `Partition ${partition} of ${topic} takes no new records`, {
        topic,
        partition,
      })
    }
    case 'internal-topic':
      return new Problem('internal-topic', 'Names that start with "__" belong to the broker', { topic: refusal.topic })
    case 'closing':
      return new Problem('shutting-down', 'The broker is stopping; nothing was done', {})
    case 'too-many-topics':
      return new Problem('limit-reached', `The broker holds at most ${refusal.topicsMax} topics`, {
        topicsMax: refusal.topicsMax,
      })
    case 'record-too-large':
      return new Problem(
        'record-too-large',
        `Record ${refusal.record} has ${refusal.bytes} bytes of key, value and headers; the topic takes ${refusal.bytesMax}`,
        { record: refusal.record, bytes: refusal.bytes, recordBytesMax: refusal.bytesMax },
      )
    case 'key-required':
      return new Problem(
        'key-required',
        `Record ${refusal.record} has no key: ${refusal.topic} is compacted, it keeps the latest record of each key`,
        { topic: refusal.topic, record: refusal.record },
      )
    case 'bad-batch':
      return new Problem('bad-batch', `Batch ${refusal.batch}: ${refusal.fault.detail}`, {
        batch: refusal.batch,
        fault: refusal.fault.kind,
      })
    case 'too-many-batches': {
      const { batches, batchesMax } = refusal
      return new Problem(
        'limit-reached',
        `A numbered request has at most ${batchesMax} batches, this has ${batches}: a repeat of more would not be recognised`,
        { batches, batchesMax },
      )
    }
    case 'not-enough-replicas':
      return new Problem(
        'not-enough-replicas',
        `${refusal.topic} demands ${refusal.minInSyncReplicas} replicas in sync, there are ${refusal.inSyncReplicas}; acks=1 does without`,
        { inSyncReplicas: refusal.inSyncReplicas, minInSyncReplicas: refusal.minInSyncReplicas },
      )
    case 'disk-low':
      return new Problem('disk-low', 'Nothing is taken until space is freed; reading goes on', {
        freeBytes: refusal.freeBytes,
        freeBytesMin: refusal.freeBytesMin,
      })
    case 'damaged': {
      const { topic, partition, offset, nextReadableOffset } = refusal
      return new Problem(
        'damaged',
        `Partition ${partition} of ${topic} is damaged at offset ${offset}; it can be read again from ${nextReadableOffset}`,
        { topic, partition, offset, nextReadableOffset },
      )
    }
    case 'offset-mismatch':
      return new Problem(
        'offset-mismatch',
        `The next offset of partition ${refusal.partition} is ${refusal.nextOffset}`,
        { partition: refusal.partition, nextOffset: refusal.nextOffset },
        'none',
        { etag: `"${refusal.nextOffset}"` },
      )
    case 'producer-fenced':
      return new Problem('fenced', `The producer's epoch is ${refusal.currentEpoch} now`, {
        currentEpoch: refusal.currentEpoch,
      })
    case 'sequence-gap':
      return new Problem('gap', `Sequence ${refusal.expectedSequence} was expected`, {
        expectedSeq: refusal.expectedSequence,
      })
    case 'producer-unknown':
      return new Problem('unknown-producer', 'Its state has expired: take a new id from POST /v1/producers', {})
    case 'key-conflict':
      return new Problem('key-conflict', 'Another body was produced under this key; its result is in `first`', {
        first: { partitions: refusal.first },
      })
    case 'loading':
      return new Problem(
        'loading',
        'The topic is being opened, or reads its state again after the disk refused a write; nothing was done',
      )
    case 'ack-timeout':
      return new Problem(
        'outcome-unknown',
        `Appended, but not known to be safe within ${refusal.timeoutMs} ms`,
        { timeoutMs: refusal.timeoutMs },
        'unknown',
      )
    case 'topic-recreated':
      return new Problem('topic-recreated', `The cursor is of an earlier topic ${refusal.topic}; start anew`, {
        topic: refusal.topic,
      })
    case 'diverged': {
      const { topic, partition, offset, nearestOffset } = refusal
      return new Problem('diverged', `Partition ${partition} took another course below offset ${offset}`, {
        topic,
        partition,
        offset,
        nearestOffset,
        cursor: `${partition}.${nearestOffset}`,
      })
    }
    case 'below-start': {
      const { topic, partition, offset, logStartOffset } = refusal
      return new Problem('below-log-start', `Partition ${partition} of ${topic} starts at offset ${logStartOffset}`, {
        topic,
        partition,
        offset,
        logStartOffset,
      })
    }
    case 'beyond-end': {
      const { topic, partition, offset, highWatermark } = refusal
      return new Problem('beyond-end', `Partition ${partition} of ${topic} ends at offset ${highWatermark}`, {
        topic,
        partition,
        offset,
        highWatermark,
      })
    }
    case 'internal-name':
      return new Problem('internal-topic', 'Names that start with "__" belong to the broker', { topic: refusal.name })
    case 'recently-deleted':
      return new Problem('unknown-topic', `Topic ${refusal.name} was deleted within the last minute`, {
        topic: refusal.name,
        recentlyDeleted: true,
      })
    case 'invalid-topic':
      return invalidFields(refusal.errors)
    case 'exists-differently': {
      const { topic, differences } = refusal
      return new Problem('topic-exists', `Topic ${topic.name} exists and is not what was asked for`, {
        topic: topic.name,
        differences,
      })
    }
    case 'cannot-shrink': {
      const { topic, given } = refusal
      return Problem.at('/count', `${given} is less than the ${topic.partitions.length} partitions there are`)
    }
    case 'no-such-partition': {
      const { topic, partition } = refusal
      return new Problem('unknown-partition', `Topic ${topic.name} has no partition ${partition}`, {
        topic: topic.name,
        partition,
      })
    }
    case 'last-active-partition': {
      const { topic, partition } = refusal
      return new Problem('last-partition', `No other partition of ${topic.name} takes records: add one first`, {
        topic: topic.name,
        partition,
      })
    }
    case 'not-leader': {
      const { topic, leader } = refusal
      if (leader === null)
        return new Problem('no-leader', `No broker leads ${topic} at present; nothing was done`, { topic })
      const { nodeId, address } = leader
      const headers = { 'naru-leader': address }
      const detail = `Broker ${nodeId} at ${address} leads ${topic}; nothing was done`
      return new Problem('not-leader', detail, { topic, leader: nodeId }, 'none', headers)
    }
    case 'several-leaders': {
      const { topic } = refusal
      const detail = `No one broker leads all that is asked for of ${topic}: ask for topics, or partitions, one by one`
      return new Problem('unsupported', detail, { topic })
    }
    case 'no-controller':
      return new Problem('no-leader', 'No broker decides at present, and nothing was changed: see GET /v1/cluster')
    case 'no-live-broker':
      return new Problem('no-leader', 'No broker is live to hold partitions; nothing was changed')
    case 'no-space':
      return new Problem('disk-low', 'The disk is full: nothing was changed', {})
    case 'unknown-outcome':
      return new Problem(
        'outcome-unknown',
        'The change may or may not have been made: look, or repeat it',
        {},
        'unknown',
      )
    default:
      return unreachable(refusal)
  }
}

const codeByFault: Readonly<Record<BodyFault['code'], ProblemCode>> = {
  malformed: 'malformed',
  invalid: 'invalid',
  unsupported: 'unsupported',
  'unsupported-media': 'unsupported-media-type',
  'too-large': 'record-too-large',
}

/** Nothing of what a fault says was kept by itself: a streamed body adds what was kept before it. */
export function problemOfFault(fault: BodyFault): Problem {
  const where = fault.line === null ? '' : `line ${fault.line}: `
  const what = fault.pointer === '' ? fault.message : `${fault.pointer}: ${fault.message}`
  return new Problem(codeByFault[fault.code], where + what, {
    errors: [{ pointer: fault.pointer, message: fault.message }],
    ...(fault.line === null ? null : { line: fault.line }),
  })
}

function invalidFields(errors: readonly InvalidField[]): Problem {
  const pointed = errors.map(({ pointer, message }) => ({ pointer, message }))
  return Problem.ofErrors(pointed)
}
