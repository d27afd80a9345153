// A partition on its way out: no new records at once, read until its time has come, then gone for good; the others keep their
// numbers, and nothing that was promised about repeats is broken by it.

import { describe, expect, test } from 'bun:test'
import type { ProduceRefusal, ProduceRequest, TopicRoute } from '../../../src/core/broker/index.ts'
import { allLost } from '../../sim/disk.ts'
import { add, BrokerRig, type Given, readOn, requestKey } from './broker-rig.ts'

const HOUR_MS = 3_600_000

function rigWith(partitions: number): BrokerRig {
  const rig = new BrokerRig().start().create('t', partitions)
  for (let partition = 0; partition < partitions; partition++) rig.produce('t', [`in ${partition}`], { partition })
  return rig
}

function retire(rig: BrokerRig, partition: number, afterMs: number): string {
  return rig.submit({ kind: 'retire-partition', name: 't', partition, afterMs })
}

function numbers(rig: BrokerRig): number[] {
  return (rig.broker.routeOf('t') as TopicRoute).replicas.map(({ partition }) => partition)
}

function folders(rig: BrokerRig): string[] {
  return rig.disk.list(`topics/${rig.broker.image.topicNamed('t')!.id}`)
}

function refusal(
  rig: BrokerRig,
  fields: Partial<ProduceRequest>,
  records: readonly (Given | string)[] = ['x'],
): ProduceRefusal | null {
  const session = rig.open('t', fields)
  add(session, records)
  return rig.run(session.finish()).refusal
}

/** Where records with many keys go. */
function taken(rig: BrokerRig): number[] {
  const records = Array.from({ length: 60 }, (_, i) => ({ key: `key ${i}`, value: 'x' }))
  return rig.produce('t', records).partitions.map(({ partition }) => partition)
}

test('it takes nothing new, is read until its time has come, and then is gone, files and all', () => {
  const rig = rigWith(3)
  expect(retire(rig, 1, HOUR_MS)).toBe('retiring')
  const states = rig.broker.image.topicNamed('t')!.partitions.map(({ state }) => state)
  expect(states).toEqual(['active', 'retiring', 'active'])
  expect(refusal(rig, { partition: 1 })).toEqual({ kind: 'partition-retiring', topic: 't', partition: 1 })
  expect(taken(rig)).toEqual([0, 2])
  expect(rig.values('t')).toContain('in 1')
  rig.pass(HOUR_MS - 2_000)
  expect(numbers(rig)).toEqual([0, 1, 2])
  rig.pass(3_000)
  expect(numbers(rig)).toEqual([0, 2])
  expect(rig.values('t')).not.toContain('in 1')
  expect(folders(rig)).toEqual(['0', '2'])
  expect(refusal(rig, { partition: 1 })).toMatchObject({ kind: 'unknown-partition', partition: 1 })
  expect(taken(rig)).toEqual([0, 2])
  expect(rig.produce('t', ['x'], { partition: 2 }).count).toBe(1)
})

test('numbers are never given again; what is there counts, and grows behind the highest number ever', () => {
  const rig = rigWith(3)
  retire(rig, 2, 0)
  rig.pass(10)
  expect(numbers(rig)).toEqual([0, 1])
  expect(rig.submit({ kind: 'add-partitions', name: 't', count: 2 })).toBe('grown')
  expect(numbers(rig)).toEqual([0, 1])
  rig.submit({ kind: 'add-partitions', name: 't', count: 4 })
  expect(numbers(rig)).toEqual([0, 1, 3, 4])
  expect(rig.produce('t', ['x'], { partition: 4 }).partitions[0]).toMatchObject({ baseOffset: 0 })
  expect(rig.restart().values('t').toSorted()).toEqual(['in 0', 'in 1', 'x'])
  expect(numbers(rig)).toEqual([0, 1, 3, 4])
})

test.each([
  ['with keys', true],
  ['without', false],
])('a stream %s goes on with the others, and takes up what is added', (_, isKeyed) => {
  const rig = rigWith(2)
  const session = rig.open('t', { streaming: true })
  const some = (from: number) =>
    Array.from({ length: 50 }, (__, i) => ({ ...(isKeyed ? { key: `key ${from + i}` } : null), value: 'x' }))
  add(session, some(0))
  session.flush()
  retire(rig, 0, HOUR_MS)
  rig.submit({ kind: 'add-partitions', name: 't', count: 2 })
  session.flush()
  for (let from = 50; from < 550; from += 50) {
    add(session, some(from))
    session.flush()
  }
  const outcome = rig.run(session.finish())
  expect(outcome).toMatchObject({ count: 550, refusal: null })
  const before = rig.records('t')[0]!.length
  expect(outcome.partitions.map(({ partition }) => partition)).toContain(2)
  expect(refusal(rig, { partition: 0 })).toMatchObject({ kind: 'partition-retiring' })
  expect(rig.records('t')[0]).toHaveLength(before)
})

test('a restart neither hurries the end nor puts it off', () => {
  const rig = rigWith(2)
  retire(rig, 0, HOUR_MS)
  rig.pass(HOUR_MS / 2)
  rig.restart()
  expect(refusal(rig, { partition: 0 })).toMatchObject({ kind: 'partition-retiring' })
  rig.pass(HOUR_MS / 2 - 5_000)
  expect(numbers(rig)).toEqual([0, 1])
  rig.pass(6_000)
  expect(numbers(rig)).toEqual([1])
})

test.each([
  ['killed', null],
  ['the power gone', allLost],
])('%s before the files were gone: the next start removes them', (_, outcome) => {
  const rig = rigWith(2)
  retire(rig, 0, 0)
  rig.disk.onCall = () => {
    if (rig.broker.image.topicNamed('t')!.partitions.length === 1) rig.disk.die()
  }
  rig.pass(1_000)
  expect(rig.disk.isDead).toBe(true)
  rig.crash(outcome)
  rig.pass(1_000)
  expect(numbers(rig)).toEqual([1])
  expect(folders(rig)).toEqual(['1'])
  expect(rig.complaints).not.toContain('stray-topic-folder')
})

describe('refused', () => {
  test('the last that takes records, one there is not, and times out of bounds', () => {
    const rig = rigWith(2)
    expect(retire(rig, 7, 0)).toBe('no-such-partition')
    expect(retire(rig, 0, -1)).toBe('invalid-topic')
    expect(retire(rig, 0, HOUR_MS)).toBe('retiring')
    expect(retire(rig, 1, HOUR_MS)).toBe('last-active-partition')
    rig.submit({ kind: 'add-partitions', name: 't', count: 2 })
    expect(retire(rig, 1, HOUR_MS)).toBe('retiring')
    expect(taken(rig)).toEqual([2])
  })

  test('asked again it stays as it was, but for an earlier end', () => {
    const rig = rigWith(2)
    retire(rig, 0, HOUR_MS)
    rig.pass(1_000)
    expect(retire(rig, 0, 2 * HOUR_MS)).toBe('retiring')
    expect(retire(rig, 0, 0)).toBe('retiring')
    rig.pass(1_000)
    expect(numbers(rig)).toEqual([1])
  })
})

describe('repeats', () => {
  const records = Array.from({ length: 20 }, (_, i) => ({ key: `key ${i}`, value: `value ${i}` }))

  test('under an Idempotency-Key: the first result, with nothing sent elsewhere', () => {
    const rig = rigWith(3)
    const first = rig.produce('t', records, { idempotency: requestKey('once') })
    expect(first.partitions).toHaveLength(3)
    retire(rig, 1, HOUR_MS)
    const again = rig.produce('t', records, { idempotency: requestKey('once') })
    expect(again).toMatchObject({ replayed: true, partitions: first.partitions })
    expect(rig.restart().produce('t', records, { idempotency: requestKey('once') }).replayed).toBe(true)
    expect(rig.values('t')).toHaveLength(23)
  })

  test('under a new key: only the others', () => {
    const rig = rigWith(3)
    retire(rig, 1, HOUR_MS)
    rig.pass(1)
    for (let i = 0; i < 2; i++) {
      const { partitions } = rig.produce('t', records, { idempotency: requestKey('late') })
      expect(partitions.map(({ partition }) => partition)).toEqual([0, 2])
    }
    expect(rig.values('t')).toHaveLength(23)
  })

  test('of a producer that numbers: its first offsets; what is new is refused', () => {
    const rig = rigWith(2)
    const numbered = (sequence: number) => ({ partition: 0, producer: { id: 9, epoch: 0, sequence } })
    const first = rig.produce('t', ['a', 'b'], numbered(0))
    retire(rig, 0, HOUR_MS)
    expect(rig.produce('t', ['a', 'b'], numbered(0)).partitions).toEqual(first.partitions)
    expect(refusal(rig, numbered(2))).toMatchObject({ kind: 'partition-retiring' })
  })
})

describe('readers', () => {
  test('of the whole topic let it go without a word, and take up what was added', () => {
    const rig = rigWith(3)
    const session = rig.fetch('t')
    rig.run(readOn(session))
    retire(rig, 1, 0)
    const woken = session.wait(Infinity)
    rig.pass(10)
    expect(rig.run(woken)).toBe('advanced')
    rig.submit({ kind: 'add-partitions', name: 't', count: 3 })
    rig.produce('t', ['new'], { partition: 3 })
    const read = rig.run(readOn(session))
    expect([...read]).toMatchObject([[3, [{ value: 'new' }]]])
    session.look()
    expect(session.positions.map(({ replica }) => replica.partition)).toEqual([0, 2, 3])
    expect(session.isCaughtUp).toBe(true)
  })

  test('of that partition alone are told it is gone; a cursor that names it goes on with the others', () => {
    const rig = rigWith(2)
    const session = rig.fetch('t', { partition: 0 })
    retire(rig, 0, 0)
    rig.pass(10)
    session.look()
    expect(session.positions[0]!.problem).toEqual({
      kind: 'unknown-partition',
      topic: 't',
      partition: 0,
      partitionCount: 1,
    })
    const entries = [0, 1].map((partition) => ({ topicId: null, partition, offset: 1, epoch: null }))
    expect(rig.run(readOn(rig.fetch('t', { start: { kind: 'cursor', entries } }))).size).toBe(0)
    expect(rig.values('t')).toEqual(['in 1'])
  })
})
