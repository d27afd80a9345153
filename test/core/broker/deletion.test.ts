// A topic is deleted while everything else goes on with it. Whatever the order, everybody gets an answer, no invariant breaks,
// and the data is gone for good.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { TopicId } from '../../../src/core/base/index.ts'
import { FetchSession, ProduceSession, TopicRoute } from '../../../src/core/broker/index.ts'
import { allKept, allLost } from '../../sim/disk.ts'
import { add, BrokerRig, fetchRequest, produceRequest, requestKey } from './broker-rig.ts'

type Doing =
  'produce' | 'keyed' | 'numbered' | 'stream' | 'trim' | 'fetch' | 'time' | 'poll' | 'maintain' | 'alter' | 'grow'

const DOINGS: readonly Doing[] = [
  ...([
    'produce',
    'keyed',
    'numbered',
    'stream',
    'trim',
    'fetch',
    'time',
    'poll',
    'maintain',
    'alter',
    'grow',
  ] as const),
]
const KNOWN = [
  'unknown-topic',
  'closing',
  'below-start',
  'beyond-end',
  'no-space',
  'sequence-gap',
  'producer-unknown',
  'cannot-shrink',
]

/** Does it; what it is answered, in a word. */
async function doing(rig: BrokerRig, what: Doing, number: number): Promise<string> {
  const { broker } = rig
  switch (what) {
    case 'produce':
      return produced(rig, {})
    case 'keyed':
      return produced(rig, { idempotency: requestKey(`${number % 3}`) })
    case 'numbered':
      return produced(rig, { partition: 0, producer: { id: 5, epoch: 0, sequence: number } })
    case 'stream':
      return streamed(rig)
    case 'trim': {
      const reply = await broker.trim('t', 0, number % 4)
      return 'kind' in reply ? reply.kind : 'trimmed'
    }
    case 'fetch':
    case 'time': {
      const start = what === 'time' ? { kind: 'time' as const, ms: rig.clock.now() - 1 } : { kind: 'earliest' as const }
      const session = await broker.openFetch(fetchRequest('t', { start }))
      if (!(session instanceof FetchSession)) return session.kind
      for (let slice = await session.next(100); slice !== null; slice = await session.next(100)) {
        slice.position.offset = slice.nextOffset
      }
      return session.positions[0]!.problem?.kind ?? 'read'
    }
    case 'poll': {
      const session = await broker.openFetch(fetchRequest('t', { start: { kind: 'latest' } }))
      if (!(session instanceof FetchSession)) return session.kind
      // As a long poll does, without a deadline: only the deletion, or a megabyte, ends it.
      while (!session.isComplete && session.availableBytes() < 1 << 20) await session.wait(Number.POSITIVE_INFINITY)
      return session.positions[0]!.problem?.kind ?? 'polled'
    }
    case 'maintain': {
      const route = broker.routeOf('t')
      if (!(route instanceof TopicRoute)) return route.kind
      for (const replica of route.replicas) await replica.live.maintain()
      return 'maintained'
    }
    case 'alter': {
      const config = { retentionBytes: 1 << 20, segmentBytes: (1 + (number % 3)) << 20 }
      return (await broker.submit({ kind: 'alter-topic', name: 't', config })).kind
    }
    case 'grow':
      return (await broker.submit({ kind: 'add-partitions', name: 't', count: 4 + (number % 4) })).kind
  }
}

async function produced(rig: BrokerRig, fields: Parameters<typeof produceRequest>[1]): Promise<string> {
  const session = await rig.broker.openProduce(produceRequest('t', fields))
  if (!(session instanceof ProduceSession)) return session.kind
  add(session, ['a', 'b'])
  return (await session.finish()).refusal?.kind ?? 'kept'
}

async function streamed(rig: BrokerRig): Promise<string> {
  const session = await rig.broker.openProduce(produceRequest('t', { streaming: true }))
  if (!(session instanceof ProduceSession)) return session.kind
  for (let i = 0; i < 5 && session.refusal === null; i++) {
    add(session, ['a', 'b'])
    session.flush()
    await session.drained()
  }
  return (await session.finish()).refusal?.kind ?? 'kept'
}

function foldersOf(rig: BrokerRig): string[] {
  return rig.disk.list('topics')
}

describe('while it is deleted', () => {
  test('whoever uses it is answered', () => {
    const told = new Set<string>()
    const schedule = fc.array(
      fc.record({ what: fc.constantFrom(...DOINGS), afterMs: fc.double({ min: 0, max: 2, noNaN: true }) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    )
    const property = fc.property(
      schedule,
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.boolean(),
      (steps, deleteAfterMs, isCold) => {
        const rig = new BrokerRig({ settings: { autoCreateTopics: false } }).start()
        rig.create('t', 3, { segmentBytes: 1 << 20, retentionMs: 3_600_000 })
        for (let sequence = 0; sequence < 4; sequence++) {
          const producer = { id: 9, epoch: 0, sequence }
          rig.produce('t', ['x'.repeat(2_000)], { partition: 0, producer })
        }
        if (isCold) rig.restart()
        const answers: Promise<string>[] = []
        const after = (ms: number, run: () => Promise<string>): void =>
          void answers.push(
            new Promise((resolve, reject) => rig.clock.after(ms, () => void run().then(resolve, reject))),
          )
        steps.forEach(({ what, afterMs }, number) => after(afterMs, () => doing(rig, what, number)))
        after(deleteAfterMs, async () => (await rig.broker.submit({ kind: 'delete-topic', name: 't' })).kind)
        const given = rig.run(Promise.all(answers))
        for (const answer of given) told.add(answer)
        rig.pass(20_000)
        expect(rig.halts).toEqual([])
        expect(rig.broker.status).toMatchObject({ topics: 0, partitions: 0, waiters: 0 })
        expect(foldersOf(rig)).toEqual([])
      },
    )
    fc.assert(property, { numRuns: 150, seed: 11 })
    for (const answer of told) {
      const isFine = ['kept', 'read', 'trimmed', 'altered', 'grown', 'deleted', 'maintained', 'polled'].includes(answer)
      expect(isFine || KNOWN.includes(answer) ? '' : answer).toBe('')
    }
    expect([...told]).toEqual(expect.arrayContaining(['kept', 'read', 'trimmed', 'unknown-topic']) as never)
  })

  test('housekeeping under way does not write into what is gone', () => {
    for (let afterMs = 980; afterMs < 1_000; afterMs += 0.1) {
      const rig = new BrokerRig().start().create('t', 1, { retentionBytes: 0, segmentMs: 1_000 })
      rig.produce('t', ['a'], { partition: 0, producer: { id: 1, epoch: 0, sequence: 0 } })
      rig.clock.wallOffsetMs += 4 * 3_600_000
      rig.pass(afterMs)
      rig.submit({ kind: 'delete-topic', name: 't' })
      rig.pass(100)
      expect(rig.halts).toEqual([])
      expect(foldersOf(rig)).toEqual([])
    }
  })

  test('what is appended is synced, so that nobody waits for ever', () => {
    const rig = new BrokerRig().start().create('t', 4)
    const sessions = Array.from({ length: 8 }, () => rig.open('t'))
    for (const session of sessions) add(session, ['a'])
    const finished = sessions.map((session) => session.finish())
    const deleted = rig.broker.submit({ kind: 'delete-topic', name: 't' })
    for (const outcome of rig.run(Promise.all(finished))) expect(outcome).toMatchObject({ count: 1, refusal: null })
    expect(rig.run(deleted).kind).toBe('deleted')
  })

  test('a full disk does not keep its data', () => {
    const rig = new BrokerRig().start().create('t', 2).create('u')
    for (let i = 0; i < 20; i++) rig.produce('t', ['x'.repeat(10_000)])
    rig.fill()
    expect(rig.produce('t', ['one too many']).refusal).toMatchObject({ kind: 'disk-low' })
    rig.disk.totalBytes += 400
    expect(rig.submit({ kind: 'delete-topic', name: 't' })).toBe('deleted')
    rig.pass(2_000)
    expect(rig.halts).toEqual([])
    expect(foldersOf(rig)).toHaveLength(1)
    expect(rig.disk.freeBytes).toBeGreaterThan(100_000)
  })
})

describe('afterwards', () => {
  test.each([
    ['the process is killed', null],
    ['the power goes, names lost', allLost],
    ['the power goes, names kept', allKept],
  ])('a start removes what was left when %s', (_, outcome) => {
    for (let calls = 0; calls < 12; calls++) {
      const rig = new BrokerRig().start().create('t', 2).create('other')
      rig.produce('t', ['a'])
      rig.produce('other', ['stays'])
      expect(rig.submit({ kind: 'delete-topic', name: 't' })).toBe('deleted')
      for (let i = 0; i < calls; i++) rig.clock.world.step()
      rig.crash(outcome)
      rig.pass(100)
      expect(rig.broker.image.names).toEqual(['other'])
      expect(foldersOf(rig)).toEqual([rig.broker.image.topicNamed('other')!.id])
      expect(rig.values('other')).toEqual(['stays'])
      expect(rig.complaints.filter((event) => event.startsWith('stray'))).toEqual([])
    }
  })

  test('a folder that no committed metadata knows is set aside, never deleted, each time anew', () => {
    const rig = new BrokerRig().start().create('t')
    const stray: TopicId = rig.broker.image.topicNamed('t')!.id
    for (const expected of [[stray], [stray, `${stray}.again`]]) {
      const path = `topics/${stray.replace(/^./, 'z')}/0`
      rig.disk.createFolder(path)
      rig.disk.open(`${path}/00000000000000000000.log`, 'create').write(new Uint8Array([1, 2, 3]), 0)
      rig.restart()
      expect(rig.disk.list('stray').map((name) => name.replace(/^z/, stray[0]!))).toEqual(expected)
    }
    expect(rig.complaints).toContain('stray-topic-folder')
    expect(rig.disk.contentOf(`stray/${stray.replace(/^./, 'z')}/0/00000000000000000000.log`)).toHaveLength(3)
    expect(rig.values('t')).toEqual([])
  })

  test('the name may be used again, and is another topic', () => {
    const rig = new BrokerRig().start().create('t')
    rig.produce('t', ['old'])
    const before = rig.broker.image.topicNamed('t')!.id
    rig.submit({ kind: 'delete-topic', name: 't' })
    rig.create('t')
    expect(rig.broker.image.topicNamed('t')!.id).not.toBe(before)
    rig.produce('t', ['new'])
    rig.restart()
    expect(rig.values('t')).toEqual(['new'])
  })
})
