// Produce through the broker: where records go, what is atomic, what a refusal leaves behind and what it says.

import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/core/base/index.ts'
import { ProduceSession } from '../../../src/core/broker/index.ts'
import type { BatchBuilder } from '../../../src/core/record/index.ts'
import { allLost } from '../../sim/disk.ts'
import { builtBatch } from '../record/batch-draft.ts'
import { addAll, plainRecord } from '../record/plain-record.ts'
import { add, BrokerRig, produceRequest } from './broker-rig.ts'

const KIB = 1024

function batch(values: readonly string[], fields = {}): Uint8Array {
  return builtBatch(
    values.map((value, offset) => plainRecord({ offset, value, timestamp: 1_700_000_000_000 })),
    fields,
  )
}

const big = (kib: number): string => 'x'.repeat(kib * KIB)

describe('where records go', () => {
  test('a record with a key goes where the key says, one without where the request began', () => {
    const rig = new BrokerRig().start().create('t', 4)
    const keyed = Array.from({ length: 40 }, (_, i) => ({ key: `k${i % 10}`, value: `${i}` }))
    rig.produce('t', keyed)
    rig.produce('t', keyed)
    const homes = new Map<string, number>()
    for (const [partition, records] of rig.records('t').entries()) {
      for (const { key } of records) expect(homes.getOrInsertComputed(key!, () => partition)).toBe(partition)
    }
    expect(homes.size).toBe(10)
    expect(new Set(homes.values()).size).toBeGreaterThan(1)
    const { partitions } = rig.produce('t', ['a', 'b', 'c'])
    expect(partitions).toHaveLength(1)
  })

  test('requests without keys take turns', () => {
    const rig = new BrokerRig().start().create('t', 3)
    const partitions = Array.from({ length: 6 }, (_, i) => rig.produce('t', [`${i}`]).partitions[0]!.partition)
    expect(new Set(partitions).size).toBe(3)
    expect(partitions.slice(0, 3)).toEqual(partitions.slice(3))
  })

  test('a stream without keys changes partition with each full batch', () => {
    const rig = new BrokerRig().start().create('t', 3)
    const { count, partitions } = rig.produce(
      't',
      Array.from({ length: 6 }, () => big(900)),
      { streaming: true },
    )
    expect(count).toBe(6)
    expect(partitions.map((result) => result.count)).toEqual([2, 2, 2])
  })

  test('keys stay in order within a request of several batches', () => {
    const rig = new BrokerRig().start().create('t', 2)
    const records = Array.from({ length: 12 }, (_, i) => ({ key: `k${i % 4}`, value: `${i} ${big(400)}` }))
    rig.produce('t', records)
    for (const read of rig.records('t')) {
      const numbers = read.map(({ value }) => Number.parseInt(value, 10))
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    }
    expect(rig.values('t')).toHaveLength(12)
  })
})

describe('a produce that creates its topic', () => {
  test('says so once', () => {
    const rig = new BrokerRig().start()
    expect(rig.produce('new', ['a'])).toMatchObject({ created: true, count: 1 })
    expect(rig.produce('new', ['b'])).toMatchObject({ created: false, count: 1 })
  })

  test('does not bring back what has just been deleted', () => {
    const rig = new BrokerRig().start().create('t')
    rig.submit({ kind: 'delete-topic', name: 't' })
    expect(rig.tryOpen('t')).toMatchObject({ kind: 'unknown-topic', recentlyDeleted: true })
    rig.pass(61_000)
    expect(rig.produce('t', ['a'])).toMatchObject({ created: true })
  })

  test('is held to the replicas that acks=all wants', () => {
    const config = { minInSyncReplicas: 2 }
    const settings = { topicDefaults: { partitions: 1, replicationFactor: 3, config } }
    const rig = new BrokerRig({ settings }).start()
    const refusal = { kind: 'not-enough-replicas', minInSyncReplicas: 2 }
    expect(rig.tryOpen('t')).toMatchObject(refusal)
    expect(rig.tryOpen('t')).toMatchObject(refusal)
    expect(rig.tryOpen('t', { acks: '1' })).toBeInstanceOf(ProduceSession)
  })
})

describe('a refusal', () => {
  test('of a record that is too large keeps nothing of a whole request', () => {
    const rig = new BrokerRig().start().create('t', 1, { recordBytesMax: 10 })
    const outcome = rig.produce('t', ['fits', 'does not fit', 'fits'])
    expect(outcome).toMatchObject({ count: 0, partitions: [], firstUnaccepted: 0 })
    expect(outcome.refusal).toMatchObject({ kind: 'record-too-large', record: 1, bytes: 12, bytesMax: 10 })
    expect(rig.values('t')).toEqual([])
  })

  test('of a record in a stream keeps what came before it, and nothing after', () => {
    const rig = new BrokerRig().start().create('t', 1, { recordBytesMax: 10 })
    const session = rig.open('t', { streaming: true })
    add(session, ['a', 'b'])
    session.flush()
    add(session, ['c', 'does not fit', 'd'])
    session.flush()
    add(session, ['e'])
    expect(rig.run(session.finish())).toMatchObject({ count: 3, firstUnaccepted: 3 })
    expect(rig.values('t')).toEqual(['a', 'b', 'c'])
  })

  test('of an expected offset tells the next one, and a repeat at that one is kept', () => {
    const rig = new BrokerRig().start().create('t')
    rig.produce('t', ['a'])
    const refused = rig.produce('t', ['b'], { partition: 0, expectOffset: 0 })
    expect(refused).toMatchObject({ count: 0, refusal: { kind: 'offset-mismatch', nextOffset: 1 } })
    expect(rig.produce('t', ['b'], { partition: 0, expectOffset: 1 })).toMatchObject({ count: 1, refusal: null })
  })

  test('reveals an offset only once it is durable', () => {
    const rig = new BrokerRig().start().create('t')
    const first = rig.open('t')
    add(first, ['a'])
    void first.finish()
    const second = rig.open('t', { partition: 0, expectOffset: 0 })
    add(second, ['b'])
    expect(rig.run(second.finish()).refusal).toMatchObject({ kind: 'offset-mismatch', nextOffset: 1 })
    const route = rig.broker.routeOf('t')
    expect('replicas' in route && route.replicas[0]!.live.highWatermark).toBe(1)
  })

  test('of a partition that is not there names how many there are', () => {
    const rig = new BrokerRig().start().create('t', 2)
    const outcome = rig.produce('t', ['a'], { partition: 2 })
    expect(outcome.refusal).toMatchObject({ kind: 'unknown-partition', partition: 2, partitionCount: 2 })
  })

  test('comes with closing, for whoever is under way as well', () => {
    const rig = new BrokerRig().start().create('t')
    const session = rig.open('t', { streaming: true, timeoutMs: 100 })
    add(session, ['a'])
    session.flush()
    rig.broker.stopTakingWork()
    expect(rig.tryOpen('t')).toEqual({ kind: 'closing' })
    rig.run(rig.broker.close())
    add(session, ['b'])
    session.flush()
    expect(rig.run(session.finish())).toMatchObject({ count: 1, firstUnaccepted: 1, refusal: { kind: 'closing' } })
    rig.disk = rig.disk.kill()
    expect(rig.start().values('t')).toEqual(['a'])
  })
})

describe('acknowledgements', () => {
  test('wait for the sync', () => {
    let syncMs = 1
    const rig = new BrokerRig({ syncMs: () => syncMs }).start().create('t')
    syncMs = 40
    const session = rig.open('t')
    add(session, ['a'])
    const before = rig.clock.monotonic()
    rig.run(session.finish())
    expect(rig.clock.monotonic() - before).toBeGreaterThanOrEqual(40)
  })

  test('with acks=0 wait for nothing', () => {
    const rig = new BrokerRig().start().create('t')
    const session = rig.open('t', { acks: '0' })
    add(session, ['a'])
    const before = rig.clock.monotonic()
    expect(rig.run(session.finish())).toMatchObject({ refusal: null, partitions: [] })
    expect(rig.clock.monotonic()).toBe(before)
    rig.pass(10)
    expect(rig.values('t')).toEqual(['a'])
  })

  test.each(['0', '1', 'all'] as const)('with acks=%s are worth what they say when the power fails', (acks) => {
    const rig = new BrokerRig({ syncMs: () => 5 }).start().create('t')
    const session = rig.open('t', { acks })
    add(session, ['a'])
    expect(rig.run(session.finish()).refusal).toBe(null)
    expect(rig.crash(allLost).values('t')).toEqual(acks === '0' ? [] : ['a'])
  })

  test('that do not come in time are called late, from the first record not known to be kept', () => {
    let syncMs = 1
    const rig = new BrokerRig({ syncMs: () => syncMs }).start().create('t')
    const told: number[] = []
    const session = rig.open('t', { streaming: true, timeoutMs: 50 })
    session.onBatch = ({ firstRecord }) => told.push(firstRecord)
    add(session, ['a', 'b'])
    session.flush()
    rig.run(session.drained())
    syncMs = 500
    add(session, ['c'])
    const outcome = rig.run(session.finish())
    expect(outcome).toMatchObject({ count: 2, firstUnaccepted: 2, refusal: { kind: 'ack-timeout', timeoutMs: 50 } })
    rig.pass(1_000)
    expect(told).toEqual([0])
    expect(rig.values('t')).toEqual(['a', 'b', 'c'])
  })

  test('of a stream are told batch by batch, and its backlog falls with them', () => {
    const rig = new BrokerRig().start().create('t')
    const told: [number, number][] = []
    const session = rig.open('t', { streaming: true })
    session.onBatch = ({ firstRecord, count }) => told.push([firstRecord, count])
    add(session, ['a', 'b'])
    session.flush()
    add(session, ['c'])
    session.flush()
    expect(session.backlogBytes).toBeGreaterThan(0)
    rig.run(session.drained())
    expect(session.backlogBytes).toBe(0)
    expect(told).toEqual([
      [0, 2],
      [2, 1],
    ])
    rig.run(session.finish())
  })
})

describe('producers that number their batches', () => {
  const producer = (sequence: number, epoch = 0) => ({ partition: 0, producer: { id: 7, epoch, sequence } })

  test('a repeat is answered with the first offsets, over several batches', () => {
    const rig = new BrokerRig().start().create('t')
    const records = Array.from({ length: 5 }, (_, i) => `${i} ${big(900)}`)
    const first = rig.produce('t', records, producer(0))
    const repeat = rig.produce('t', records, producer(0))
    expect(first.count).toBe(5)
    expect(repeat.partitions).toEqual(first.partitions)
    expect(rig.values('t')).toHaveLength(5)
    expect(rig.produce('t', ['next'], producer(5))).toMatchObject({ refusal: null })
  })

  test('a request of more batches than are remembered is refused whole: a repeat would not be found', () => {
    const rig = new BrokerRig().start().create('t')
    const values = Array.from({ length: limits.PRODUCER_BATCHES_KEPT * 2 + 1 }, (_, i) => `${i} ${big(900)}`)
    const refused = rig.produce('t', values, producer(0))
    expect(refused).toMatchObject({ count: 0, refusal: { kind: 'too-many-batches', batches: 6, batchesMax: 5 } })
    expect(rig.values('t')).toEqual([])
    const fitting = values.slice(1)
    const first = rig.produce('t', fitting, producer(0))
    expect(rig.produce('t', fitting, producer(0)).partitions).toEqual(first.partitions)
    expect(rig.values('t')).toHaveLength(fitting.length)
  })

  test('a batch ahead of its turn waits for the one before it', () => {
    const rig = new BrokerRig().start().create('t')
    rig.produce('t', ['0'], producer(0))
    const sessions = [3, 2, 1].map((sequence) => {
      const session = rig.open('t', producer(sequence))
      add(session, [`${sequence}`])
      return session.finish()
    })
    for (const outcome of rig.run(Promise.all(sessions))) expect(outcome.refusal).toBeNull()
    expect(rig.values('t')).toEqual(['0', '1', '2', '3'])
  })

  test('a gap is told after half a second, a stop ends the wait at once', () => {
    const rig = new BrokerRig().start().create('t')
    rig.produce('t', ['0'], producer(0))
    const before = rig.clock.monotonic()
    const refused = rig.produce('t', ['5'], producer(5))
    expect(refused.refusal).toMatchObject({ kind: 'sequence-gap', expectedSequence: 1 })
    expect(rig.clock.monotonic() - before).toBeGreaterThanOrEqual(limits.PRODUCER_GAP_WAIT_MS)

    const session = rig.open('t', producer(5))
    add(session, ['5'])
    const waiting = session.finish()
    rig.pass(10)
    rig.broker.stopTakingWork()
    const stopped = rig.clock.monotonic()
    expect(rig.run(waiting).refusal).toMatchObject({ kind: 'sequence-gap' })
    expect(rig.clock.monotonic() - stopped).toBeLessThan(10)
  })

  test('an older epoch is fenced, an unknown producer begins at 0', () => {
    const rig = new BrokerRig().start().create('t')
    rig.produce('t', ['0'], producer(0, 3))
    expect(rig.produce('t', ['1'], producer(1, 2)).refusal).toEqual({ kind: 'producer-fenced', currentEpoch: 3 })
    const other = { partition: 0, producer: { id: 8, epoch: 0, sequence: 4 } }
    expect(rig.produce('t', ['1'], other).refusal).toEqual({ kind: 'producer-unknown' })
  })
})

describe('stored bytes', () => {
  const send = (rig: BrokerRig, bytes: Uint8Array, fields = {}) =>
    rig.run(rig.broker.produceBatches({ ...produceRequest('t', fields), partition: 0 }, bytes))

  const joined = (...batches: Uint8Array[]) => Buffer.concat(batches)

  test('are kept as sent, all of them or none', () => {
    const rig = new BrokerRig().start().create('t')
    expect(send(rig, joined(batch(['a', 'b']), batch(['c'])))).toMatchObject({ count: 3, refusal: null })
    const bad = batch(['d'])
    bad[bad.length - 1]! ^= 1
    expect(send(rig, joined(batch(['e']), bad))).toMatchObject({ kind: 'bad-batch', batch: 1 })
    expect(send(rig, new Uint8Array(0))).toMatchObject({ kind: 'bad-batch', batch: 0 })
    expect(rig.values('t')).toEqual(['a', 'b', 'c'])
  })

  test('are held to the topic as records are', () => {
    const rig = new BrokerRig().start().create('t', 1, { recordBytesMax: 10 })
    expect(send(rig, batch(['much too large']))).toMatchObject({ kind: 'bad-batch' })
  })

  const numbered = (value: string, baseSequence: number) =>
    batch([value], { producerId: 7, producerEpoch: 0, baseSequence })

  test('are no more of producers than are remembered', () => {
    const rig = new BrokerRig().start().create('t')
    const six = Array.from({ length: 6 }, (_, i) => numbered(`${i}`, i))
    expect(send(rig, joined(...six))).toMatchObject({ kind: 'too-many-batches', batches: 6, batchesMax: 5 })
    expect(send(rig, joined(...six.slice(0, 5)))).toMatchObject({ count: 5 })
    expect(send(rig, joined(...six.slice(0, 5)))).toMatchObject({ count: 5 })
    expect(rig.values('t')).toHaveLength(5)
  })

  test('stop at the first refusal, with what was kept before it', () => {
    const rig = new BrokerRig().start().create('t')
    const outcome = send(rig, joined(numbered('0', 0), numbered('5', 5), numbered('1', 1)))
    expect(outcome).toMatchObject({ count: 1, firstUnaccepted: 1, refusal: { kind: 'sequence-gap' } })
    expect(rig.values('t')).toEqual(['0'])
  })

  test('are acknowledged batch by batch: a repeat at the end does not speak for the rest', () => {
    let syncMs = 1
    const rig = new BrokerRig({ syncMs: () => syncMs }).start().create('t')
    const repeated = () => batch(['old'], { producerId: 7, producerEpoch: 0, baseSequence: 0 })
    send(rig, repeated())
    syncMs = 40
    const before = rig.clock.monotonic()
    expect(send(rig, joined(batch(['new']), repeated()))).toMatchObject({ count: 2, refusal: null })
    expect(rig.clock.monotonic() - before).toBeGreaterThanOrEqual(40)
  })

  test('that are late are not counted', () => {
    let syncMs = 1
    const rig = new BrokerRig({ syncMs: () => syncMs }).start().create('t')
    syncMs = 500
    const outcome = send(rig, batch(['a']), { timeoutMs: 50 })
    expect(outcome).toMatchObject({ count: 0, partitions: [], firstUnaccepted: 0, refusal: { kind: 'ack-timeout' } })
  })
})

describe('what a session leaves behind', () => {
  test('a builder goes back once, whether finished or abandoned or both', () => {
    const rig = new BrokerRig().start().create('t')
    const session = rig.open('t')
    add(session, ['a'])
    session.abandon()
    session.abandon()
    const taken = new Set<BatchBuilder>([rig.broker.builders.take(), rig.broker.builders.take()])
    expect(taken.size).toBe(2)
    expect(rig.values('t')).toEqual([])
  })

  test('a few large builders are kept, not all', () => {
    const rig = new BrokerRig().start()
    const builders = Array.from({ length: 20 }, () => rig.broker.builders.take())
    for (const builder of builders) {
      addAll(builder, [plainRecord({ value: big(1000) })])
      builder.clear()
      rig.broker.builders.give(builder)
    }
    const kept = Array.from({ length: 20 }, () => rig.broker.builders.take()).filter(
      (b) => b.capacityBytes >= 1000 * KIB,
    )
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThanOrEqual(8)
  })
})
