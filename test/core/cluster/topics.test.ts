import { describe as group, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../../src/core/base/index.ts'
import {
  type ClusterCommand,
  type ClusterReply,
  type CreateTopic,
  type TopicImage,
} from '../../../src/core/cluster/index.ts'
import { ClusterBench, describe } from './cluster-bench.ts'

function topicOf(reply: ClusterReply): TopicImage {
  if (!('topic' in reply)) throw new Error(`no topic in ${reply.kind}`)
  return reply.topic
}

const DAY_MS = 86_400_000

group('create', () => {
  test('a topic has what was given and defaults for the rest', () => {
    const bench = new ClusterBench({ partitions: 2 })
    const reply = bench.submit({ kind: 'create-topic', name: 'orders', config: { retentionMs: DAY_MS } })
    expect(reply).toEqual({
      kind: 'created',
      topic: {
        id: topicOf(reply).id,
        name: 'orders',
        partitions: [0, 1].map((partition) => ({
          partition,
          state: 'active',
          replicas: [1],
          adding: [],
          isr: [1],
          leader: 1,
          leaderEpoch: 2,
          partitionEpoch: 2,
        })),
        nextPartition: 2,
        replicationFactor: 3,
        config: { retentionMs: DAY_MS },
        createdAt: bench.nowMs,
      },
    })
    expect(bench.image.topicNamed('orders')).toEqual(topicOf(reply))
    expect(bench.image.topicById(topicOf(reply).id)).toEqual(topicOf(reply))
  })

  const given = { partitions: 4, replicationFactor: 2, config: { retentionMs: DAY_MS, flush: 'os' } }
  const repeats: [string, Partial<CreateTopic>, 'exists' | string[]][] = [
    ['nothing', {}, 'exists'],
    ['the same', given, 'exists'],
    ['a default that is in force', { config: { segmentMs: DAY_MS } }, 'exists'],
    ['other partitions', { partitions: 3 }, ['/partitions']],
    ['another replication factor', { replicationFactor: 3 }, ['/replicationFactor']],
    ['other config', { config: { flush: 'group', retentionMs: DAY_MS } }, ['/config/flush']],
    ['config that only has a default', { config: { segmentMs: 5_000 } }, ['/config/segmentMs']],
  ]
  test.each(repeats)('repeated giving %s', (_, again, expected) => {
    const bench = new ClusterBench()
    const topic = topicOf(bench.submit({ kind: 'create-topic', name: 't', ...given }))
    const reply = bench.submit({ kind: 'create-topic', name: 't', ...again })
    expect(bench.writes).toBe(1)
    if (expected === 'exists') {
      expect(reply).toEqual({ kind: 'exists', topic })
    } else {
      if (reply.kind !== 'exists-differently') throw new Error(reply.kind)
      expect(reply.topic).toEqual(topic)
      expect(reply.differences.map((d) => d.pointer)).toEqual(expected as string[])
    }
  })

  test('a difference shows both', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't', partitions: 2 })
    const reply = bench.submit({ kind: 'create-topic', name: 't', partitions: 5 })
    expect(reply).toMatchObject({ differences: [{ pointer: '/partitions', given: 5, existing: 2 }] })
  })

  test.each(['', '.', '..', 'a/b', 'a\0b', 'ü', 'a b', 'x'.repeat(250)])('name %p is no name', (name) => {
    const bench = new ClusterBench()
    expect(bench.submit({ kind: 'create-topic', name })).toEqual({ kind: 'invalid-name', name })
    expect(bench.writes).toBe(0)
  })

  test('internal names are not for clients', () => {
    const bench = new ClusterBench()
    expect(bench.submit({ kind: 'create-topic', name: '__groups' })).toMatchObject({ kind: 'internal-name' })
    expect(bench.submit({ kind: 'delete-topic', name: '__groups' })).toMatchObject({ kind: 'internal-name' })
  })

  test('a produce does not bring back what was just deleted; a person may', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't' })
    bench.submit({ kind: 'delete-topic', name: 't' })
    const deletedAt = bench.nowMs
    bench.nowMs += 59_999
    expect(bench.submit({ kind: 'create-topic', name: 't', isAuto: true })).toEqual({
      kind: 'recently-deleted',
      name: 't',
      deletedAt,
      allowedAt: deletedAt + 60_000,
    })
    bench.nowMs += 1
    expect(bench.submit({ kind: 'create-topic', name: 't', isAuto: true }).kind).toBe('created')
    bench.submit({ kind: 'delete-topic', name: 't' })
    expect(bench.submit({ kind: 'create-topic', name: 't' }).kind).toBe('created')
  })

  test('a produce is content with the topic there is', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't', partitions: 4 })
    expect(bench.submit({ kind: 'create-topic', name: 't', partitions: 1, isAuto: true }).kind).toBe('exists')
  })

  test('no more than the limit', () => {
    const bench = new ClusterBench()
    for (let i = 0; i < limits.TOPICS_MAX; i++) {
      const id = bench.options.newTopicId()
      const name = `t${i}`
      bench.machine.apply({
        kind: 'topic-created',
        id,
        name,
        partitionCount: 1,
        replicationFactor: 1,
        config: {},
        createdAt: 0,
      })
    }
    expect(bench.machine.decide({ kind: 'create-topic', name: 'x' }, 0)).toEqual({
      records: [],
      reply: { kind: 'too-many-topics', topicsMax: limits.TOPICS_MAX },
    })
  })
})

group('bad fields are named, all at once, and change nothing', () => {
  const cases: [string, Partial<CreateTopic>, [string, string][]][] = [
    ['unknown key', { config: { retention: 1 } }, [['/config/retention', 'unknown']]],
    ['a key with a slash', { config: { 'a/b~c': 1 } }, [['/config/a~1b~0c', 'unknown']]],
    [
      'prototype keys',
      { config: { toString: 1, constructor: 2 } },
      [
        ['/config/toString', 'unknown'],
        ['/config/constructor', 'unknown'],
      ],
    ],
    ['text for a number', { config: { retentionMs: '7d' } }, [['/config/retentionMs', 'type']]],
    ['a fraction', { config: { segmentBytes: 1e6 + 0.5 } }, [['/config/segmentBytes', 'type']]],
    ['null at creation', { config: { retentionMs: null } }, [['/config/retentionMs', 'type']]],
    ['below bounds', { config: { segmentBytes: 1 } }, [['/config/segmentBytes', 'bounds']]],
    ['-1 where there must be some', { config: { segmentMs: -1 } }, [['/config/segmentMs', 'bounds']]],
    [
      'above the ceiling',
      { config: { recordBytesMax: limits.RECORD_BYTES_MAX + 1 } },
      [['/config/recordBytesMax', 'bounds']],
    ],
    [
      'a choice there is not',
      { config: { flush: 'never', compression: 7 } },
      [
        ['/config/flush', 'bounds'],
        ['/config/compression', 'type'],
      ],
    ],
    ['no partitions', { partitions: 0 }, [['/partitions', 'bounds']]],
    [
      'too many partitions',
      { partitions: 1025, replicationFactor: 9 },
      [
        ['/partitions', 'bounds'],
        ['/replicationFactor', 'bounds'],
      ],
    ],
    ['a part of a partition', { partitions: 1.5 }, [['/partitions', 'type']]],
    [
      'more in sync than there are',
      { replicationFactor: 2, config: { minInSyncReplicas: 3 } },
      [['/config/minInSyncReplicas', 'bounds']],
    ],
  ]
  test.each(cases)('%s', (_, fields, expected) => {
    const bench = new ClusterBench()
    const reply = bench.submit({ kind: 'create-topic', name: 't', ...fields })
    if (reply.kind !== 'invalid-topic') throw new Error(reply.kind)
    expect(reply.errors.map((e): [string, string] => [e.pointer, e.code])).toEqual(expected)
    for (const error of reply.errors) expect(error.message.length).toBeGreaterThan(5)
    expect(bench.writes).toBe(0)
  })

  test('also where an altered topic would be asked for more in sync than it has', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't', replicationFactor: 1 })
    const reply = bench.submit({ kind: 'alter-topic', name: 't', config: { minInSyncReplicas: 2 } })
    expect(reply.kind).toBe('invalid-topic')
  })
})

group('alter, grow, delete', () => {
  test('a patch merges, null takes back, no change is no record', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't', config: { retentionMs: DAY_MS, flush: 'os' } })
    const reply = bench.submit({ kind: 'alter-topic', name: 't', config: { flush: null, segmentMs: 9_000 } })
    expect(topicOf(reply).config).toEqual({ retentionMs: DAY_MS, segmentMs: 9_000 })
    expect(bench.image.topicNamed('t')).toEqual(topicOf(reply))
    bench.submit({ kind: 'alter-topic', name: 't', config: { flush: null, segmentMs: 9_000 } })
    expect(bench.writes).toBe(2)
  })

  test('partitions only grow, and the same count again is fine', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't', partitions: 2 })
    expect(topicOf(bench.submit({ kind: 'add-partitions', name: 't', count: 4 })).partitions).toHaveLength(4)
    expect(bench.submit({ kind: 'add-partitions', name: 't', count: 4 }).kind).toBe('grown')
    expect(bench.submit({ kind: 'add-partitions', name: 't', count: 3 })).toMatchObject({
      kind: 'cannot-shrink',
      given: 3,
    })
    expect(bench.submit({ kind: 'add-partitions', name: 't', count: 1025 }).kind).toBe('invalid-topic')
    expect(bench.writes).toBe(2)
  })

  test('what is not there cannot be changed', () => {
    const bench = new ClusterBench()
    const refused: ClusterReply = { kind: 'unknown-topic', name: 't' }
    expect(bench.submit({ kind: 'alter-topic', name: 't', config: {} })).toEqual(refused)
    expect(bench.submit({ kind: 'add-partitions', name: 't', count: 2 })).toEqual(refused)
    expect(bench.submit({ kind: 'delete-topic', name: 't' })).toEqual(refused)
  })

  test('a deletion is remembered by id, and not for ever', () => {
    const bench = new ClusterBench()
    const { id } = topicOf(bench.submit({ kind: 'create-topic', name: 't' }))
    bench.submit({ kind: 'delete-topic', name: 't' })
    expect(bench.image.isDeleted(id)).toBe(true)
    expect(bench.image.deletedAt('t')).toBe(bench.nowMs)
    bench.nowMs += 31 * DAY_MS
    bench.submit({ kind: 'create-topic', name: 'u' })
    bench.submit({ kind: 'delete-topic', name: 'u' })
    expect(bench.image.isDeleted(id)).toBe(false)
    expect(bench.image.deletedAt('t')).toBeNull()
  })

  test('producer ids come in blocks that never meet', () => {
    const bench = new ClusterBench()
    expect(bench.submit({ kind: 'allocate-producer-ids', count: 100 })).toEqual({
      kind: 'producer-ids',
      firstId: 1,
      count: 100,
    })
    expect(bench.submit({ kind: 'allocate-producer-ids', count: 5 })).toMatchObject({ firstId: 101 })
  })
})

group('internal topics', () => {
  test('made once, whole, compacted and kept for ever, whatever the broker has for defaults', () => {
    const bench = new ClusterBench({ partitions: 3, config: { flush: 'os', retentionMs: 1_000 } })
    const reply = bench.submit({ kind: 'create-internal-topic', name: '__groups' })
    expect(reply).toMatchObject({ kind: 'created', topic: { name: '__groups', config: { flush: 'group' } } })
    const { partitions, config } = topicOf(reply)
    expect(partitions).toHaveLength(16)
    expect(config).toMatchObject({ cleanup: 'compact', retentionMs: -1, retentionBytes: -1 })
    bench.nowMs += 1
    expect(bench.submit({ kind: 'create-internal-topic', name: '__groups' })).toEqual({
      kind: 'exists',
      topic: topicOf(reply),
    })
    expect(bench.writes).toBe(1)
  })

  test('nobody else makes, changes or deletes one, and it is not counted or listed as a topic', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-internal-topic', name: '__groups' })
    bench.submit({ kind: 'create-topic', name: 'orders' })
    for (const command of [
      { kind: 'create-topic', name: '__other' },
      { kind: 'create-topic', name: '__groups' },
      { kind: 'alter-topic', name: '__groups', config: { retentionMs: 1_000 } },
      { kind: 'add-partitions', name: '__groups', count: 32 },
      { kind: 'delete-topic', name: '__groups' },
    ] as const) {
      expect(bench.submit(command).kind).toBe('internal-name')
    }
    expect(bench.image.topicCount).toBe(1)
    expect(bench.image.names).toEqual(['orders'])
    expect(bench.image.internalNames).toEqual(['__groups'])
  })
})

const name = fc.constantFrom('a', 'b', 'c', '__x', 'no/name')
const config = fc.record(
  {
    retentionMs: fc.constantFrom(-1, 5_000, 'bad', null),
    flush: fc.constantFrom('os', 'group', null),
    cleanup: fc.constantFrom('delete', 'both'),
  },
  { requiredKeys: [] },
)
const command: fc.Arbitrary<ClusterCommand> = fc.oneof(
  fc.record({
    kind: fc.constant('create-topic' as const),
    name,
    partitions: fc.integer({ min: 0, max: 5 }),
    config,
    isAuto: fc.boolean(),
  }),
  fc.constant({ kind: 'create-internal-topic' as const, name: '__groups' as const }),
  fc.record({ kind: fc.constant('alter-topic' as const), name, config }),
  fc.record({ kind: fc.constant('delete-topic' as const), name }),
  fc.record({ kind: fc.constant('add-partitions' as const), name, count: fc.integer({ min: 0, max: 9 }) }),
  fc.record({
    kind: fc.constant('retire-partition' as const),
    name,
    partition: fc.integer({ min: 0, max: 6 }),
    afterMs: fc.integer({ min: -1, max: 100_000 }),
  }),
  fc.record({ kind: fc.constant('allocate-producer-ids' as const), count: fc.integer({ min: 1, max: 9 }) }),
)

test('log, snapshot and live image agree; images of the past never change; deltas lead from one to the next', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(command, fc.integer({ min: 0, max: 50_000 })), { maxLength: 40, size: 'max' }),
      (commands) => {
        const bench = new ClusterBench()
        const past: { image: ClusterBench['image']; was: string }[] = []
        for (const [next, waitMs] of commands) {
          const before = bench.image
          past.push({ image: before, was: describe(before) })
          bench.submit(next)
          bench.nowMs += waitMs
          for (const timer of [...bench.timers.keys()]) if (timer.startsWith('retire/')) bench.fire(timer)
          for (const { partitions, nextPartition } of bench.image.topics()) {
            const numbers = partitions.map(({ partition }) => partition)
            expect([...new Set([...numbers, nextPartition])].sort((a, b) => a - b)).toEqual([...numbers, nextPartition])
            expect(partitions.some(({ state }) => state === 'active')).toBe(true)
            for (const { retirement } of partitions)
              expect(retirement?.removeAt ?? Infinity).toBeGreaterThan(bench.nowMs)
          }
          const delta = bench.image.deltaSince(before)
          const followed = new Map([...before.topics()].map((topic) => [topic.id, topic]))
          for (const topic of delta.changed) followed.set(topic.id, topic)
          for (const id of delta.removed) followed.delete(id)
          expect([...followed.values()]).toEqual([...bench.image.topics()])
        }
        for (const { image, was } of past) expect(describe(image)).toBe(was)
        expect(describe(bench.replayed().view())).toBe(describe(bench.image))
        expect(describe(bench.replayed(bench.machine.snapshot()).view())).toBe(describe(bench.image))
      },
    ),
    { numRuns: 200 },
  )
})
