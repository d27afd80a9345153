import { describe as group, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ClusterCommand, PartitionImage, TopicImage } from '../../../src/core/cluster/index.ts'
import { ClusterBench, describe } from './cluster-bench.ts'

const beat = { isCaughtUp: true, isStopping: false }
const THREE = [null, null, null]

function partitionsOf(bench: ClusterBench, name = 't'): readonly PartitionImage[] {
  return bench.image.topicNamed(name)!.partitions
}

/** Of all partitions there are. */
const leadersOf = (bench: ClusterBench): (number | null)[] =>
  [...bench.image.topics()].flatMap(({ partitions }) => partitions.map(({ leader }) => leader))

/** Topics that go round three brokers. */
function createThree(bench: ClusterBench): void {
  for (const name of ['a', 'b', 'c']) bench.submit({ kind: 'create-topic', name, partitions: 2 })
}

function registration(nodeId: number, more: object = {}): Extract<ClusterCommand, { kind: 'register-broker' }> {
  return {
    kind: 'register-broker',
    nodeId,
    incarnationId: 'another',
    directoryId: `folder-${nodeId}`,
    rack: null,
    address: `http://broker-${nodeId}`,
    isCaughtUp: false,
    epochAtLeast: 1,
    ...more,
  }
}

group('registration', () => {
  test('gives a higher epoch each start, above what the logs may hold', () => {
    const bench = new ClusterBench()
    const first = bench.join(2)
    const again = bench.join(2)
    expect(again).toBeGreaterThan(first)
    const reply = bench.submit(registration(3, { epochAtLeast: 500 }))
    expect(reply).toEqual({ kind: 'registered', brokerEpoch: 500 })
    expect(bench.join(4)).toBe(501)
  })

  test('repeated is answered the same and writes nothing', () => {
    const bench = new ClusterBench()
    const reply = bench.submit(registration(2))
    const { writes } = bench
    expect(bench.submit(registration(2))).toEqual(reply)
    expect(bench.writes).toBe(writes)
  })

  test('a node id belongs to one data folder', () => {
    const bench = new ClusterBench()
    bench.join(2)
    const { writes } = bench
    expect(bench.submit(registration(2, { directoryId: 'other' }))).toEqual({
      kind: 'foreign-directory',
      nodeId: 2,
      address: 'http://broker-2',
    })
    expect(bench.writes).toBe(writes)
  })

  test('a broker that starts anew leads nothing until it has the metadata, and then again under new epochs', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't', partitions: 2 })
    const before = partitionsOf(bench)
    const reply = bench.submit(registration(1))
    if (reply.kind !== 'registered') throw new Error(reply.kind)
    expect(leadersOf(bench)).toEqual([null, null])
    const { brokerEpoch } = reply
    const heartbeat = { kind: 'broker-heartbeat', nodeId: 1, brokerEpoch, ...beat } as const
    expect(bench.submit({ ...heartbeat, isCaughtUp: false })).toEqual({ kind: 'heard', isFenced: true })
    expect(leadersOf(bench)).toEqual([null, null])
    expect(bench.submit(heartbeat)).toEqual({ kind: 'heard', isFenced: false })
    expect(leadersOf(bench)).toEqual([1, 1])
    for (const [i, { leaderEpoch, partitionEpoch, isr }] of partitionsOf(bench).entries()) {
      expect(leaderEpoch).toBeGreaterThan(before[i]!.leaderEpoch)
      expect(partitionEpoch).toBe(leaderEpoch)
      expect(isr).toEqual([1])
    }
  })
})

group('liveness', () => {
  test('heartbeats write nothing and keep the session; silence fences', () => {
    const bench = new ClusterBench({}, THREE)
    createThree(bench)
    const { brokerEpoch } = bench.image.broker(2)!
    const { writes } = bench
    bench.submit({ kind: 'broker-heartbeat', nodeId: 2, brokerEpoch, ...beat })
    expect(bench.writes).toBe(writes)
    expect(bench.timers.has('broker/2')).toBe(true)
    bench.fire('broker/2')
    expect(bench.image.broker(2)!.isFenced).toBe(true)
    expect([...bench.image.liveBrokers()].map(({ nodeId }) => nodeId)).toEqual([1, 3])
    expect(new Set(leadersOf(bench))).toEqual(new Set([1, null, 3]))
    expect(bench.timers.has('broker/2')).toBe(false)
  })

  test('a dead leader leaves its partition offline: nobody else is elected, and it leads again when it comes back', () => {
    const bench = new ClusterBench({}, THREE)
    createThree(bench)
    const before = leadersOf(bench)
    bench.fire('broker/3')
    expect(leadersOf(bench)).toEqual(before.map((leader) => (leader === 3 ? null : leader)))
    for (const nodeId of [1, 2]) bench.join(nodeId)
    expect(leadersOf(bench)).toEqual(before.map((leader) => (leader === 3 ? null : leader)))
    bench.join(3)
    expect(leadersOf(bench)).toEqual(before)
  })

  test('the one who decides never fences itself', () => {
    const bench = new ClusterBench()
    bench.fire('broker/1')
    expect(bench.image.broker(1)!.isFenced).toBe(false)
    expect(bench.timers.has('broker/1')).toBe(true)
  })

  test('a timer of an earlier start fences nobody', () => {
    const bench = new ClusterBench({}, THREE)
    const late = bench.timers.get('broker/2')!
    bench.join(2)
    bench.submit(late)
    expect(bench.image.broker(2)!.isFenced).toBe(false)
  })

  test('who stops says so, and leads nothing at once', () => {
    const bench = new ClusterBench({}, THREE)
    createThree(bench)
    const { brokerEpoch } = bench.image.broker(2)!
    const reply = bench.submit({ kind: 'broker-heartbeat', nodeId: 2, brokerEpoch, ...beat, isStopping: true })
    expect(reply).toEqual({ kind: 'heard', isFenced: true })
    expect(leadersOf(bench)).not.toContain(2)
  })

  test('an unknown or earlier start is told so', () => {
    const bench = new ClusterBench()
    const { brokerEpoch } = bench.image.broker(1)!
    bench.join(1)
    for (const nodeId of [1, 9]) {
      expect(bench.submit({ kind: 'broker-heartbeat', nodeId, brokerEpoch, ...beat })).toEqual({ kind: 'stale-broker' })
    }
  })
})

group('growth', () => {
  test('from one broker to three: replicas are planned as brokers join, and the leaders stay', () => {
    const bench = new ClusterBench()
    bench.submit({ kind: 'create-topic', name: 't', partitions: 4 })
    bench.submit({ kind: 'create-topic', name: 'single', partitions: 1, replicationFactor: 1 })
    expect(partitionsOf(bench).map(({ replicas }) => replicas)).toEqual([[1], [1], [1], [1]])
    for (const count of [2, 3, 4]) {
      bench.join(count)
      bench.fire('grow-replicas')
      for (const { replicas, adding, isr, leader } of partitionsOf(bench)) {
        expect(replicas).toHaveLength(Math.min(count, 3))
        expect(replicas[0]).toBe(1)
        expect(adding).toEqual(replicas.slice(1))
        expect(isr).toEqual([1])
        expect(leader).toBe(1)
      }
    }
    expect(partitionsOf(bench, 'single')[0]!.replicas).toEqual([1])
    expect(new Set(partitionsOf(bench).flatMap(({ replicas }) => replicas))).toEqual(new Set([1, 2, 3]))
  })

  test('goes in steps that fit a decision', () => {
    const bench = new ClusterBench()
    for (const name of ['a', 'b', 'c']) bench.submit({ kind: 'create-topic', name, partitions: 1_000 })
    bench.join(2)
    let steps = 0
    for (let more = true; more; steps++) {
      const { records, timers = [] } = bench.machine.decide({ kind: 'grow-replicas' }, 0)
      for (const record of records) bench.machine.apply(record)
      more = timers.length > 0
    }
    expect(steps).toBe(3)
    for (const { partitions } of bench.image.topics()) {
      for (const { adding } of partitions) expect(adding).toEqual([2])
    }
  })

  test('partitions added later, and topics made later, are placed on who is live', () => {
    const bench = new ClusterBench({}, THREE)
    bench.fire('broker/2')
    bench.submit({ kind: 'create-topic', name: 't', partitions: 2 })
    bench.submit({ kind: 'add-partitions', name: 't', count: 4 })
    for (const { replicas } of partitionsOf(bench)) expect(new Set(replicas)).toEqual(new Set([1, 3]))
    bench.submit({ kind: 'create-topic', name: 'u' })
    const [one, other] = [partitionsOf(bench)[0]!.leader, partitionsOf(bench, 'u')[0]!.leader]
    expect(leadersOf(bench)).toEqual([one, one, one, one, other])
    expect(new Set([one, other])).toEqual(new Set([1, 3]))
  })

  test('without a live broker nothing is made', () => {
    const bench = new ClusterBench({}, [])
    expect(bench.submit({ kind: 'create-topic', name: 't' })).toEqual({ kind: 'no-live-broker' })
  })
})

test('a topic of before brokers were known is on the first, which leads it from its next start', () => {
  const bench = new ClusterBench({}, [])
  const id = bench.options.newTopicId()
  const old = { id, name: 't', replicationFactor: 3, config: {}, createdAt: 0 }
  bench.machine.apply({ kind: 'topic-created', ...old, partitionCount: 2 })
  expect(leadersOf(bench)).toEqual([null, null])
  bench.submit(registration(1, { isCaughtUp: true, epochAtLeast: 17 }))
  expect(partitionsOf(bench).map(({ leader, leaderEpoch, isr }) => [leader, leaderEpoch, isr])).toEqual([
    [1, 17, [1]],
    [1, 17, [1]],
  ])
})

// --- any history -------------------------------------------------------------------------------------------------------

const node = fc.integer({ min: 1, max: 5 })
const step = fc.oneof(
  fc.record({ do: fc.constant('join' as const), node, isCaughtUp: fc.boolean() }),
  fc.record({ do: fc.constant('beat' as const), node, isCaughtUp: fc.boolean(), isStopping: fc.boolean() }),
  fc.record({ do: fc.constant('fence' as const), node }),
  fc.record({ do: fc.constant('grow' as const) }),
  fc.record({ do: fc.constant('create' as const), name: fc.constantFrom('a', 'b'), partitions: fc.nat(4) }),
  fc.record({ do: fc.constant('add' as const), name: fc.constantFrom('a', 'b'), count: fc.nat(8) }),
  fc.record({ do: fc.constant('delete' as const), name: fc.constantFrom('a', 'b') }),
)

function take(
  bench: ClusterBench,
  next: typeof step extends fc.Arbitrary<infer Step> ? Step : never,
  at: number,
): void {
  switch (next.do) {
    case 'join': {
      const { node: nodeId, isCaughtUp } = next
      bench.submit(registration(nodeId, { incarnationId: `${at}`, rack: `${nodeId % 2}`, isCaughtUp }))
      return
    }
    case 'beat': {
      const { node: nodeId, isCaughtUp, isStopping } = next
      const brokerEpoch = bench.image.broker(nodeId)?.brokerEpoch ?? 0
      bench.submit({ kind: 'broker-heartbeat', nodeId, brokerEpoch, isCaughtUp, isStopping })
      return
    }
    case 'fence':
      if (bench.timers.has(`broker/${next.node}`)) bench.fire(`broker/${next.node}`)
      return
    case 'grow':
      bench.submit({ kind: 'grow-replicas' })
      return
    case 'create':
      bench.submit({ kind: 'create-topic', name: next.name, partitions: next.partitions })
      return
    case 'add':
      bench.submit({ kind: 'add-partitions', name: next.name, count: next.count })
      return
    case 'delete':
      bench.submit({ kind: 'delete-topic', name: next.name })
      return
  }
}

function holds(bench: ClusterBench, before: ReadonlyMap<string, TopicImage>): void {
  for (const topic of bench.image.topics()) {
    for (const [i, now] of topic.partitions.entries()) {
      const { replicas, adding, isr, leader } = now
      expect(new Set(replicas).size).toBe(replicas.length)
      expect(new Set([...isr, ...adding])).toEqual(new Set(replicas))
      expect(isr.length + adding.length).toBe(replicas.length)
      if (leader !== null) {
        expect(isr).toContain(leader)
        expect(bench.image.broker(leader)!.isFenced).toBe(false)
      }
      const was = before.get(topic.id)?.partitions[i]
      if (was === undefined || was === now) continue
      expect(now.partitionEpoch).toBeGreaterThan(was.partitionEpoch)
      expect(now.isr).toEqual(was.isr)
      expect(now.replicas.slice(0, was.replicas.length)).toEqual([...was.replicas])
      expect(now.leaderEpoch).toBeGreaterThanOrEqual(was.leaderEpoch)
      if (now.leader !== was.leader) expect(now.leaderEpoch).toBeGreaterThan(was.leaderEpoch)
    }
  }
}

test('whatever comes and goes: who leads is there and in sync, nobody is elected in its place, epochs only rise', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
      const bench = new ClusterBench({ partitions: 2 })
      for (const [at, next] of steps.entries()) {
        const before = new Map([...bench.image.topics()].map((topic) => [String(topic.id), topic]))
        take(bench, next, at)
        holds(bench, before)
        for (const { nodeId, isFenced } of bench.image.brokers()) {
          expect(bench.timers.has(`broker/${nodeId}`)).toBe(!isFenced)
        }
      }
      expect(describe(bench.replayed().view())).toBe(describe(bench.image))
      expect(describe(bench.replayed(bench.machine.snapshot()).view())).toBe(describe(bench.image))
    }),
    { numRuns: 200 },
  )
})

test('a look writes nothing', () => {
  const bench = new ClusterBench()
  expect(bench.submit({ kind: 'look' })).toEqual({ kind: 'done' })
  expect(bench.writes).toBe(0)
})
