// Repeats under an Idempotency-Key: the first result again, what an attempt that broke off left out, or a conflict; never a
// record twice, and nothing told that may yet be lost.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { add, BrokerRig, type Given, produceRequest, requestKey } from './broker-rig.ts'

const HOUR_MS = 3_600_000

const sumOf = (text: string): bigint => hostCodec.xxHash64(new TextEncoder().encode(text), 0n)

/** As the edge does for a body it has wholly: the digest begins with all of it. */
const keyOf = (name: string, records: readonly (Given | string)[]) => ({
  idempotency: requestKey(name, sumOf(JSON.stringify(records))),
})
const streamed = (name: string) => ({ idempotency: requestKey(name), streaming: true })

const RECORDS: Given[] = Array.from({ length: 30 }, (_, i) =>
  i % 3 === 0 ? { value: `v${i}` } : { key: `k${i % 7}`, value: `v${i}` },
)

describe('a repeat', () => {
  test.each([1, 4])('gives the first result and keeps nothing twice, with %d partitions', (partitions) => {
    const rig = new BrokerRig().start().create('t', partitions)
    const first = rig.produce('t', RECORDS, keyOf('a', RECORDS))
    expect(first).toMatchObject({ count: 30, replayed: false })
    const repeat = rig.produce('t', RECORDS, keyOf('a', RECORDS))
    expect(repeat).toMatchObject({ count: 30, replayed: true, partitions: first.partitions })
    expect(rig.values('t')).toHaveLength(30)
  })

  test('is known after a restart and after a crash', () => {
    const rig = new BrokerRig().start().create('t', 3)
    const first = rig.produce('t', RECORDS, keyOf('a', RECORDS))
    rig.restart()
    expect(rig.produce('t', RECORDS, keyOf('a', RECORDS)).partitions).toEqual(first.partitions)
    rig.crash()
    expect(rig.produce('t', RECORDS, keyOf('a', RECORDS)).partitions).toEqual(first.partitions)
  })

  test('after the topic has grown goes where the first attempt went', () => {
    const rig = new BrokerRig().start().create('t', 2)
    const first = rig.produce('t', RECORDS, keyOf('a', RECORDS))
    rig.submit({ kind: 'add-partitions', name: 't', count: 8 })
    const repeat = rig.produce('t', RECORDS, keyOf('a', RECORDS))
    expect(repeat).toMatchObject({ replayed: true, partitions: first.partitions })
  })

  test('is new once the key is forgotten', () => {
    const rig = new BrokerRig().start().create('t', 1, { idempotencyMs: HOUR_MS })
    rig.produce('t', ['a'], keyOf('a', ['a']))
    rig.pass(2 * HOUR_MS)
    expect(rig.produce('t', ['a'], keyOf('a', ['a']))).toMatchObject({ replayed: false, count: 1 })
  })

  test('waits for the first while that runs', () => {
    const rig = new BrokerRig().start().create('t')
    const first = rig.open('t', keyOf('a', ['a']))
    const second = rig.broker.openProduce(produceRequest('t', keyOf('a', ['a'])))
    let isOpen = false
    void Promise.resolve(second).then(() => (isOpen = true))
    rig.pass(100)
    expect(isOpen).toBe(false)
    add(first, ['a'])
    const outcome = rig.run(first.finish())
    const session = rig.run(Promise.resolve(second))
    if (!('finish' in session)) throw new Error(session.kind)
    add(session, ['a'])
    expect(rig.run(session.finish())).toMatchObject({ replayed: true, partitions: outcome.partitions })
  })

  test('goes ahead when the first is given up', () => {
    const rig = new BrokerRig().start().create('t')
    rig.open('t', keyOf('a', ['a'])).abandon()
    expect(rig.produce('t', ['a'], keyOf('a', ['a']))).toMatchObject({ replayed: false, count: 1 })
  })

  test('is not answered before what it repeats is durable', () => {
    let syncMs = 1
    const rig = new BrokerRig({ syncMs: () => syncMs }).start().create('t')
    syncMs = 300
    const first = rig.produce('t', ['a'], { ...keyOf('a', ['a']), timeoutMs: 10 })
    expect(first.refusal).toMatchObject({ kind: 'ack-timeout' })
    const from = rig.clock.monotonic()
    expect(rig.produce('t', ['a'], keyOf('a', ['a']))).toMatchObject({ replayed: true, count: 1 })
    expect(rig.clock.monotonic() - from).toBeGreaterThan(100)
    rig.crash()
    expect(rig.values('t')).toEqual(['a'])
  })

  test('of what the disk refused in the end is not taken for a repeat', () => {
    let syncMs = 1
    const rig = new BrokerRig({ syncMs: () => syncMs }).start().create('t')
    rig.fill()
    syncMs = 100
    const first = rig.produce('t', ['a'], { ...keyOf('a', ['a']), timeoutMs: 10 })
    expect(first.refusal?.kind).toBe('ack-timeout')
    const repeat = rig.tryOpen('t', keyOf('a', ['a']))
    expect(repeat).toEqual({ kind: 'loading' })
    syncMs = 1
    rig.makeRoom()
    expect(rig.produce('t', ['a'], keyOf('a', ['a']))).toMatchObject({ replayed: false, count: 1 })
    expect(rig.values('t')).toEqual(['a'])
  })

  test('is answered on a full disk too', () => {
    const rig = new BrokerRig().start().create('t')
    const first = rig.produce('t', ['a'], keyOf('a', ['a']))
    rig.fill()
    rig.pass(1_500)
    expect(rig.broker.status.diskLow).toBe(true)
    expect(rig.produce('t', ['b'], {}).refusal).toMatchObject({ kind: 'disk-low' })
    const repeat = rig.produce('t', ['a'], keyOf('a', ['a']))
    expect(repeat).toMatchObject({ replayed: true, partitions: first.partitions, refusal: null })
  })
})

describe('another body under the same key', () => {
  const others: [string, (Given | string)[]][] = [
    ['changed', RECORDS.with(29, { value: 'other' })],
    ['shorter', RECORDS.slice(0, 29)],
    ['longer', [...RECORDS, { value: 'more' }]],
    ['empty of what was there', [{ key: 'elsewhere', value: 'x' }]],
  ]

  test.each(others)('%s: is refused with the first result, and nothing of it is kept', (_, records) => {
    const rig = new BrokerRig().start().create('t', 3)
    const first = rig.produce('t', RECORDS, keyOf('a', RECORDS))
    const outcome = rig.produce('t', records, keyOf('a', records))
    expect(outcome.refusal).toEqual({ kind: 'key-conflict', first: expect.arrayContaining(first.partitions) as never })
    expect(rig.values('t')).toHaveLength(30)
  })
})

describe('an attempt that broke off', () => {
  /** Sends the first `count` records, in batches of the sizes given, and is gone. */
  function broken(rig: BrokerRig, count: number, sizes: readonly number[]): void {
    const session = rig.open('t', streamed('a'))
    let sent = 0
    for (const size of sizes) {
      add(session, RECORDS.slice(sent, Math.min(sent + size, count)))
      sent = Math.min(sent + size, count)
      session.flush()
    }
    add(session, RECORDS.slice(sent, count))
    rig.run(session.finish())
  }

  test('is completed by the repeat, record by record, wherever it broke and however its batches fell', () => {
    fc.assert(
      fc.property(
        fc.record({
          partitions: fc.constantFrom(1, 2, 5),
          count: fc.nat(30),
          sizes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 6 }),
          restart: fc.constantFrom('none', 'clean', 'kill'),
          grown: fc.boolean(),
        }),
        ({ partitions, count, sizes, restart, grown }) => {
          const rig = new BrokerRig().start().create('t', partitions)
          broken(rig, count, sizes)
          if (restart === 'clean') rig.restart()
          if (restart === 'kill') rig.crash()
          if (grown) rig.submit({ kind: 'add-partitions', name: 't', count: 7 })
          const outcome = rig.produce('t', RECORDS, streamed('a'))
          expect(outcome).toMatchObject({ count: 30, refusal: null, replayed: count === 30 })
          expect(rig.values('t').sort()).toEqual(RECORDS.map(({ value }) => value).sort())
          const again = rig.produce('t', RECORDS, streamed('a'))
          expect(again).toMatchObject({ replayed: true, partitions: outcome.partitions })
        },
      ),
      { numRuns: 60, seed: 7 },
    )
  })

  test('is not completed with other records', () => {
    const rig = new BrokerRig().start().create('t')
    broken(rig, 10, [4])
    const outcome = rig.produce('t', RECORDS.with(2, { value: 'other' }), streamed('a'))
    expect(outcome.refusal).toMatchObject({ kind: 'key-conflict' })
    expect(rig.values('t')).toHaveLength(10)
  })
})

test('a full batch ends with the digest of its own records', () => {
  const rig = new BrokerRig().start().create('t')
  const records = Array.from({ length: 7 }, (_, i) => `${i} ${'x'.repeat(700 * 1024)}`)
  expect(rig.produce('t', records, streamed('a'))).toMatchObject({ count: 7, replayed: false })
  expect(rig.produce('t', records, streamed('a'))).toMatchObject({ count: 7, replayed: true, refusal: null })
  expect(rig.produce('t', records.with(1, 'other'), streamed('a')).refusal?.kind).toBe('key-conflict')
  expect(rig.values('t')).toHaveLength(7)
})

test('keys of two topics have nothing to do with each other', () => {
  const rig = new BrokerRig().start().create('t').create('u')
  const open = rig.open('t', keyOf('a', ['a']))
  expect(rig.produce('u', ['b'], keyOf('a', ['b']))).toMatchObject({ replayed: false, count: 1 })
  open.abandon()
})

test('who waits for a key meets the topic as it is then', () => {
  const rig = new BrokerRig().start().create('t', 2)
  const first = rig.open('t', keyOf('a', RECORDS))
  const second = rig.broker.openProduce(produceRequest('t', keyOf('a', RECORDS)))
  rig.submit({ kind: 'add-partitions', name: 't', count: 5 })
  first.abandon()
  const session = rig.run(Promise.resolve(second))
  if (!('finish' in session)) throw new Error(session.kind)
  add(session, RECORDS)
  rig.run(session.finish())
  expect(rig.produce('t', RECORDS, keyOf('a', RECORDS))).toMatchObject({ replayed: true, count: 30 })
  expect(rig.records('t').filter((records) => records.length > 0).length).toBeGreaterThan(2)
})

test('who waits for a key of a topic that is deleted is told', () => {
  const rig = new BrokerRig({ settings: { autoCreateTopics: false } }).start().create('t')
  const first = rig.open('t', keyOf('a', ['a']))
  const second = rig.broker.openProduce(produceRequest('t', keyOf('a', ['a'])))
  rig.submit({ kind: 'delete-topic', name: 't' })
  add(first, ['a'])
  expect(rig.run(first.finish()).refusal).toEqual({ kind: 'unknown-topic', topic: 't', recentlyDeleted: true })
  expect(rig.run(Promise.resolve(second))).toMatchObject({ kind: 'unknown-topic' })
})
