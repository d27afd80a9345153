// The one read path: places, turns, bounds, and waiting that ends when there is something to see, be it that all is gone.

import { describe, expect, test } from 'bun:test'
import type { CursorEntry, FetchRequest, FetchStart } from '../../../src/core/broker/index.ts'
import { add, BrokerRig, fetchRequest, readOn, recordsIn } from './broker-rig.ts'

/** Partition 0 of `t` holds `count` batches of one record each. */
function filled(count: number, partitions = 1, config = {}): BrokerRig {
  const rig = new BrokerRig().start().create('t', partitions, config)
  for (let partition = 0; partition < partitions; partition++) {
    for (let i = 0; i < count; i++) rig.produce('t', [`${partition}.${i}`], { partition })
  }
  return rig
}

const valuesFrom = (rig: BrokerRig, fields: Partial<FetchRequest>): string[] => {
  const read = rig.run(readOn(rig.fetch('t', fields)))
  return [...read.values()].flat().map(({ value }) => value)
}

const cursor = (offset: number, fields: Partial<CursorEntry> = {}): { kind: 'cursor'; entries: CursorEntry[] } => ({
  kind: 'cursor',
  entries: [{ topicId: null, partition: 0, offset, epoch: null, ...fields }],
})

describe('places', () => {
  const cases: [string, FetchStart, string[]][] = [
    ['the first record', { kind: 'earliest' }, ['0.0', '0.1', '0.2', '0.3']],
    ['the end', { kind: 'latest' }, []],
    ['an offset', { kind: 'offset', offset: 2 }, ['0.2', '0.3']],
    ['the offset of the end', { kind: 'offset', offset: 4 }, []],
    ['the last two', { kind: 'last', count: 2 }, ['0.2', '0.3']],
    ['more than there are', { kind: 'last', count: 9 }, ['0.0', '0.1', '0.2', '0.3']],
    ['a time before all', { kind: 'time', ms: 0 }, ['0.0', '0.1', '0.2', '0.3']],
    ['a time after all', { kind: 'time', ms: 9e12 }, []],
    ['a cursor', cursor(3), ['0.3']],
    ['a cursor that does not name the partition', cursor(3, { partition: 5 }), ['0.0', '0.1', '0.2', '0.3']],
  ]

  test.each(cases)('%s', (_, start, values) => {
    expect(valuesFrom(filled(4), { start })).toEqual(values)
  })

  test('a time in between', () => {
    const rig = filled(2)
    rig.pass(1_000)
    const ms = rig.clock.now()
    rig.produce('t', ['late'])
    expect(valuesFrom(rig, { start: { kind: 'time', ms } })).toEqual(['late'])
    expect(valuesFrom(rig, { until: { kind: 'time', ms } })).toEqual(['0.0', '0.1'])
  })

  test.each([
    ['below the start', 0, { kind: 'below-start', offset: 0, logStartOffset: 2 }, ['0.2', '0.3']],
    ['beyond the end', 9, { kind: 'beyond-end', offset: 9, highWatermark: 4 }, []],
  ])('%s is refused, or clamped', (_, offset, refusal, values) => {
    const rig = filled(4)
    rig.run(rig.broker.trim('t', 0, 2))
    for (const start of [{ kind: 'offset' as const, offset }, cursor(offset)]) {
      expect(rig.run(rig.broker.openFetch(fetchRequest('t', { start })))).toMatchObject(refusal)
      expect(valuesFrom(rig, { start, clamp: true })).toEqual(values)
    }
  })

  test('a cursor of a topic that was made anew is told so', () => {
    const rig = filled(1)
    const topicId = rig.broker.image.topicNamed('t')!.id
    rig.submit({ kind: 'delete-topic', name: 't' })
    rig.create('t')
    const start = cursor(1, { topicId })
    expect(rig.run(rig.broker.openFetch(fetchRequest('t', { start })))).toEqual({ kind: 'topic-recreated', topic: 't' })
  })

  test.each([
    ['no such topic', { topics: ['none'] }, { kind: 'unknown-topic', topic: 'none' }],
    ['no such name', { topics: ['a/b'] }, { kind: 'invalid-name' }],
    ['no such partition', { partition: 1 }, { kind: 'unknown-partition', partition: 1, partitionCount: 1 }],
  ])('%s', (_, fields, refusal) => {
    expect(filled(1).run(filled(1).broker.openFetch(fetchRequest('t', fields)))).toMatchObject(refusal)
  })
})

describe('bounds', () => {
  test.each([
    ['latest', { kind: 'latest' as const }, ['0.0', '0.1', '0.2']],
    ['a cursor', cursor(2), ['0.0', '0.1']],
  ])('until %s: later records are not read, and the session knows when it is complete', (_, until, values) => {
    const rig = filled(3)
    const session = rig.fetch('t', { until })
    rig.produce('t', ['later'])
    expect(session.isComplete).toBe(false)
    const slice = session.next(1 << 20)
    if (slice === null || slice instanceof Promise) throw new Error('not at once')
    const read = recordsIn(slice.bytes).filter(({ offset }) => offset < slice.position.untilOffset)
    expect(read.map(({ value }) => value)).toEqual(values)
    slice.position.offset = values.length
    expect(session.isComplete).toBe(true)
    expect(session.next(1 << 20)).toBeNull()
  })

  test('partitions have turns', () => {
    const rig = filled(3, 3)
    const session = rig.fetch('t')
    const turns: number[] = []
    for (;;) {
      const slice = session.next(1)
      if (slice === null || slice instanceof Promise) break
      turns.push(slice.position.replica.partition)
      slice.position.offset = slice.nextOffset
    }
    expect(turns).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2])
    expect(session.isCaughtUp).toBe(true)
  })

  test('nothing that is not committed is read', () => {
    let syncMs = 1
    const rig = new BrokerRig({ syncMs: () => syncMs }).start().create('t')
    syncMs = 100
    const produce = rig.open('t')
    add(produce, ['a'])
    const finished = produce.finish()
    rig.pass(50)
    const session = rig.fetch('t')
    expect(session.next(1 << 20)).toBeNull()
    expect(session.isCaughtUp).toBe(true)
    rig.run(finished)
    expect(session.next(1 << 20)).not.toBeNull()
  })
})

describe('waiting', () => {
  const parked = (rig: BrokerRig, session: ReturnType<BrokerRig['fetch']>, ms = Number.POSITIVE_INFINITY) => {
    const told: string[] = []
    void session.wait(rig.clock.monotonic() + ms).then((wake) => told.push(wake))
    rig.pass(1)
    return told
  }

  test('ends when a record comes, at the deadline, when cancelled, when the broker closes', () => {
    const rig = filled(0)
    const session = rig.fetch('t')
    const advanced = parked(rig, session)
    rig.produce('t', ['a'])
    rig.pass(1)
    expect(advanced).toEqual(['advanced'])
    expect(session.next(1 << 20)).not.toBeNull()
    const late = parked(rig, session, 100)
    expect(late).toEqual([])
    rig.pass(100)
    expect(late).toEqual(['deadline'])
    const cancelled = parked(rig, session)
    session.cancelWait()
    rig.pass(0)
    expect(cancelled).toEqual(['cancelled'])
    const closing = parked(rig, session)
    expect(rig.broker.status.waiters).toBe(1)
    rig.broker.stopTakingWork()
    rig.pass(0)
    expect(closing).toEqual(['closing'])
    expect(parked(rig, session)).toEqual(['closing'])
    expect(rig.broker.status.waiters).toBe(0)
  })

  test('does not begin when something came since the last look', () => {
    const rig = filled(0)
    const session = rig.fetch('t')
    expect(session.next(1 << 20)).toBeNull()
    rig.produce('t', ['a'])
    expect(parked(rig, session)).toEqual(['advanced'])
    expect(session.availableBytes()).toBeGreaterThan(0)
    expect(parked(rig, session, 10)).toEqual([])
  })

  test('ends when the topic grows, and the new partition is read from its first record', () => {
    const rig = filled(1)
    const session = rig.fetch('t', { start: { kind: 'latest' } })
    const wakes = parked(rig, session)
    rig.submit({ kind: 'add-partitions', name: 't', count: 2 })
    rig.pass(1)
    expect(wakes).toEqual(['advanced'])
    rig.produce('t', ['grown'], { partition: 1 })
    expect([...rig.run(readOn(session))]).toEqual([[1, [{ offset: 0, key: null, value: 'grown' }]]])
  })

  test('a partition that comes while the session opens is read too', () => {
    const rig = filled(1)
    const opening = rig.broker.openFetch(fetchRequest('t', { start: { kind: 'time', ms: 0 } }))
    const growing = rig.broker.submit({ kind: 'add-partitions', name: 't', count: 2 })
    const session = rig.run(opening)
    rig.run(growing)
    rig.produce('t', ['grown'], { partition: 1 })
    if (!('positions' in session)) throw new Error(session.kind)
    expect([...rig.run(readOn(session)).keys()].sort((a, b) => a - b)).toEqual([0, 1])
  })

  test('a session of one partition, or of what is there now, does not pick up new ones', () => {
    const rig = filled(1)
    const sessions = [rig.fetch('t', { partition: 0 }), rig.fetch('t', { until: { kind: 'latest' } })]
    rig.submit({ kind: 'add-partitions', name: 't', count: 2 })
    for (const session of sessions) {
      session.availableBytes()
      expect(session.positions).toHaveLength(1)
    }
  })

  test('ends when the topic is deleted, for long polls, followers and those with nothing left to read', () => {
    const rig = filled(1, 2)
    const session = rig.fetch('t', { start: { kind: 'latest' } })
    const wakes = parked(rig, session)
    rig.submit({ kind: 'delete-topic', name: 't' })
    expect(wakes).toEqual(['advanced'])
    // A long poll looks at what is available, and would park again.
    expect(session.availableBytes()).toBe(0)
    expect(session.isComplete).toBe(true)
    for (const position of session.positions) expect(position.problem).toMatchObject({ kind: 'unknown-topic' })
    expect(parked(rig, session)).toEqual(['advanced'])
    expect(session.next(1 << 20)).toBeNull()
  })

  test('five thousand parked sessions are woken over many turns, each once', () => {
    const rig = filled(0)
    const wakes: string[] = []
    for (let i = 0; i < 5_000; i++)
      void rig
        .fetch('t')
        .wait(Number.POSITIVE_INFINITY)
        .then((wake) => wakes.push(wake))
    let wokenAtOnceMax = 0
    rig.produce('t', ['a'])
    for (let before = wakes.length; ; before = wakes.length) {
      if (!rig.clock.world.step()) break
      rig.run(Promise.resolve())
      wokenAtOnceMax = Math.max(wokenAtOnceMax, wakes.length - before)
      if (wakes.length === 5_000) break
    }
    expect(wokenAtOnceMax).toBeLessThanOrEqual(128)
    expect(wakes).toHaveLength(5_000)
    expect(rig.broker.status.waiters).toBe(0)
  })

  test('a wait that is cancelled after it was woken ends once', () => {
    const rig = filled(0)
    const session = rig.fetch('t')
    const wakes = parked(rig, session)
    const route = rig.broker.routeOf('t')
    if (!('replicas' in route)) throw new Error(route.kind)
    rig.broker.waiting.wake(route.replicas[0]!.room)
    session.cancelWait()
    rig.pass(10)
    expect(wakes).toEqual(['cancelled'])
  })
})

describe('what cannot be read', () => {
  test('a partition trimmed below the reader says so, and the others go on', () => {
    const rig = filled(3, 2)
    const session = rig.fetch('t')
    rig.run(rig.broker.trim('t', 0, 2))
    const values: string[] = []
    for (let slice = session.next(1); slice !== null; slice = session.next(1)) {
      if (slice instanceof Promise) throw new Error('not at once')
      values.push(...recordsIn(slice.bytes, slice.position.offset).map(({ value }) => value))
      slice.position.offset = slice.nextOffset
    }
    expect(values).toEqual(['1.0', '1.1', '1.2'])
    expect(session.positions[0]!.problem).toMatchObject({ kind: 'below-start', offset: 0, logStartOffset: 2 })
  })

  test('a read off the loop while the topic is deleted ends with that', () => {
    const rig = filled(3, 1).restart()
    const session = rig.fetch('t')
    const reading = session.next(1 << 20)
    if (!(reading instanceof Promise)) throw new Error('read at once: nothing to be seen here')
    const deleting = rig.broker.submit({ kind: 'delete-topic', name: 't' })
    const slice = rig.run(reading)
    rig.run(deleting)
    rig.pass(100)
    if (slice !== null) slice.position.offset = slice.nextOffset
    expect(session.next(1 << 20)).toBeNull()
    expect(session.positions[0]!.problem).toMatchObject({ kind: 'unknown-topic', recentlyDeleted: true })
    expect(rig.halts).toEqual([])
  })

  test.each([0.05, 0.5, 1, 2, 5])('a slow read (%d ms in) of what retention removes', (untilDeleteMs) => {
    const rig = filled(0, 1, { segmentBytes: 1 << 20 })
    for (let i = 0; i < 8; i++) rig.produce('t', [`${i} ${'x'.repeat(400_000)}`])
    rig.restart()
    const session = rig.fetch('t')
    const reading = session.next(1 << 20)
    if (!(reading instanceof Promise)) throw new Error('read at once: nothing to be seen here')
    rig.pass(untilDeleteMs)
    const trimming = rig.broker.trim('t', 0, 8)
    const slice = rig.run(reading)
    rig.run(trimming)
    if (slice === null) expect(session.positions[0]!.problem?.kind).toBe('below-start')
    else expect(recordsIn(slice.bytes)[0]!.offset).toBe(0)
  })
})
