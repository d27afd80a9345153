// A machine on a journal that several brokers share: it follows what is committed, leads when it is told to, and lets go.

import { expect, test } from 'bun:test'
import { Bench, type Rec, records } from './counters.ts'
import { settle } from './fake-clock.ts'

const added = (name: string, by: number) => records.encode({ kind: 'added', name, by } satisfies Rec)

async function follower(snapshotBytes?: number): Promise<Bench> {
  const bench = new Bench()
  bench.journal.isLeading = false
  return bench.open(snapshotBytes)
}

test('it takes in what is committed, and decides nothing', async () => {
  const bench = await follower()
  expect(bench.runtime.phase).toBe('following')
  bench.journal.arrive([added('a', 1), added('a', 2)])
  bench.journal.arrive([added('b', 1)])
  await settle()
  expect(bench.runtime.committedView).toEqual({ a: 3, b: 1 })
  bench.journal.log.push(added('a', 9))
  const asked = bench.add('a', 1)
  const read = bench.read()
  await settle()
  expect([asked.got, read.got]).toEqual([
    { kind: 'refused', reason: 'following' },
    { kind: 'refused', reason: 'following' },
  ])
  expect(bench.runtime.committedView).toEqual({ a: 3, b: 1 })
})

test('before it decides it takes in all that its log holds, which is told once it is committed', async () => {
  const bench = await follower()
  bench.journal.arrive([added('a', 1)])
  await settle()
  bench.journal.log.push(added('a', 10))
  bench.journal.lead()
  expect(bench.add('a', 1).got).toBe('parked')
  await settle()
  expect(bench.runtime.phase).toBe('active')
  const sum = bench.add('a', 5)
  await settle()
  expect([sum.got, bench.runtime.committedView]).toEqual(['parked', { a: 1 }])
  bench.journal.commit()
  await settle()
  expect(sum.got).toEqual({ kind: 'committed', reply: { kind: 'is', value: 16 } })
  expect(bench.runtime.committedView).toEqual({ a: 16 })
})

test('that leads no more forgets what was not committed, and follows', async () => {
  const bench = await follower()
  bench.journal.lead()
  await settle()
  bench.add('a', 1)
  bench.journal.commit()
  const lost = bench.add('a', 5)
  bench.journal.follow()
  await settle()
  expect(lost.got).toEqual({ kind: 'lost', outcome: 'unknown' })
  expect(bench.runtime.phase).toBe('following')
  bench.journal.arrive([added('a', 2)])
  await settle()
  expect(bench.runtime.committedView).toEqual({ a: 3 })
})

test('the lead may come and go while it loads', async () => {
  const bench = await follower()
  bench.journal.arrive([added('a', 1)])
  await settle()
  let open!: () => void
  bench.journal.gate = new Promise((resolve) => (open = resolve))
  bench.journal.lead()
  bench.journal.follow()
  bench.journal.lead()
  bench.journal.log.push(added('a', 2))
  await settle()
  expect(bench.runtime.phase).toBe('loading')
  open()
  bench.journal.commit()
  await settle()
  expect([bench.runtime.phase, bench.runtime.committedView]).toEqual(['active', { a: 3 }])
})

test('an installed snapshot takes the place of all it had', async () => {
  const bench = await follower()
  bench.journal.arrive([added('a', 1)])
  await settle()
  bench.journal.restore(50, [added('b', 7)])
  await settle()
  bench.journal.arrive([added('b', 1)])
  await settle()
  expect([bench.runtime.phase, bench.runtime.committedView]).toEqual(['following', { b: 8 }])
})

test('it keeps snapshots of its own', async () => {
  const bench = await follower(100)
  for (let i = 0; i < 10; i++) {
    bench.journal.arrive([added('a', 1)])
    await settle()
  }
  expect(bench.journal.snapshotsSaved).toBeGreaterThan(2)
  const { nextOffset } = bench.journal.snapshot!
  expect(bench.journal.snapshot!.records).toEqual([added('a', nextOffset)])
})

test('time runs only for the one that leads, in full from then on', async () => {
  const bench = await follower()
  bench.journal.arrive([added('a', 3), records.encode({ kind: 'leased', name: 'a', ms: 100 })])
  await settle()
  bench.clock.advance(1_000)
  expect(bench.clock.alarmCount).toBe(0)
  bench.journal.lead()
  await settle()
  bench.clock.advance(99)
  await settle()
  expect(bench.journal.log).toHaveLength(2)
  bench.clock.advance(2)
  await settle()
  expect(bench.journal.log).toHaveLength(3)
  bench.journal.follow()
  await settle()
  expect(bench.journal.log).toHaveLength(2)
  bench.clock.advance(1_000)
  await settle()
  expect(bench.journal.log).toHaveLength(2)
})

test.each([true, false])('what wrote nothing is answered when it is sure who led: %p', async (leads) => {
  const bench = await new Bench().open()
  let confirm!: (leads: boolean) => void
  bench.journal.confirmation = new Promise((resolve) => (confirm = resolve))
  const read = bench.read()
  const refusal = bench.add('a', -1)
  await settle()
  expect([read.got, refusal.got]).toEqual(['parked', 'parked'])
  confirm(leads)
  await settle()
  const lost = { kind: 'lost', outcome: 'none' } as const
  expect(read.got).toEqual(leads ? { kind: 'committed', reply: {} } : lost)
  expect(refusal.got).toEqual(leads ? { kind: 'committed', reply: { kind: 'below-zero', value: 0 } } : lost)
})
