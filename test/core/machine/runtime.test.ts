import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Submitted, UnreadableRecord } from '../../../src/core/machine/index.ts'
import { type Answer, Bench, type Reply } from './counters.ts'
import { settle } from './fake-clock.ts'

const is = (value: number): Submitted<Reply> => ({ kind: 'committed', reply: { kind: 'is', value } })

test('a reply waits for its records, a refusal and a read for all before them', async () => {
  const bench = await new Bench().open()
  const first = bench.add('a', 1)
  const second = bench.add('a', 1, 1)
  const refusal = bench.add('a', -9)
  const read = bench.read()
  await settle()
  expect([first.got, second.got, refusal.got, read.got]).toEqual(['parked', 'parked', 'parked', 'parked'])
  expect(bench.runtime.committedView).toEqual({})

  bench.journal.commit(1)
  await settle()
  expect(first.got).toEqual(is(1))
  expect(bench.runtime.committedView).toEqual({ a: 1 })
  expect([second.got, refusal.got, read.got]).toEqual(['parked', 'parked', 'parked'])

  bench.journal.commit(3)
  await settle()
  expect(second.got).toEqual(is(3))
  expect(refusal.got).toEqual({ kind: 'committed', reply: { kind: 'below-zero', value: 3 } })
  expect(read.got).toEqual({ kind: 'committed', reply: { a: 3 } })

  const quiet = bench.read()
  await settle()
  expect(quiet.got).toEqual({ kind: 'committed', reply: { a: 3 } })
  expect(bench.published).toEqual([{}, { a: 1 }, { a: 3 }])
})

test('a loss takes back what it took, tells whoever waited, and the state is read again', async () => {
  const bench = await new Bench().open()
  const kept = bench.add('a', 1)
  const lost = bench.add('a', 5)
  const misled = bench.read()
  bench.journal.lose(1, 'none')
  const during = bench.add('a', 1)
  await settle()
  expect(lost.got).toEqual({ kind: 'lost', outcome: 'none' })
  expect(misled.got).toEqual({ kind: 'lost', outcome: 'none' })
  expect(during.got).toEqual({ kind: 'refused', reason: 'loading' })
  expect(kept.got).toBe('parked')

  const after = bench.add('a', 1)
  bench.journal.commit()
  await settle()
  expect(kept.got).toEqual(is(1))
  expect(after.got).toEqual(is(2))
  expect(bench.published).toEqual([{}, { a: 1 }, { a: 1 }, { a: 2 }])
})

test('a second loss while loading starts the load over', async () => {
  const bench = await new Bench().open()
  bench.add('a', 1)
  bench.add('a', 2)
  let open!: () => void
  bench.journal.gate = new Promise((resolve) => {
    open = resolve
  })
  bench.journal.lose(1, 'unknown')
  await settle()
  expect(bench.runtime.phase).toBe('loading')
  bench.journal.lose(0, 'unknown')
  open()
  await settle()
  expect(bench.runtime.phase).toBe('active')
  const read = bench.read()
  await settle()
  expect(read.got).toEqual({ kind: 'committed', reply: {} })
})

test('an append the journal refuses changes nothing', async () => {
  const bench = await new Bench().open()
  bench.journal.refuseWith = 'disk-full'
  const refused = bench.add('a', 1)
  await settle()
  expect(refused.got).toEqual({ kind: 'refused', reason: 'disk-full' })
  bench.journal.refuseWith = null
  const read = bench.read()
  await settle()
  expect(read.got).toEqual({ kind: 'committed', reply: {} })
})

test('a record of a newer version is refused at the start', async () => {
  const bench = new Bench()
  bench.journal.append([{ key: null, value: new TextEncoder().encode('{"kind":"multiplied"}') }])
  bench.journal.committedEnd = 1
  expect(bench.open()).rejects.toThrow(UnreadableRecord)
})

test('a timer that fires is a command; after a load it runs for its full time', async () => {
  const bench = await new Bench().open()
  bench.add('a', 7)
  void bench.runtime.submit({ kind: 'lease', name: 'a', ms: 100 })
  bench.journal.commit()
  await settle()
  bench.clock.advance(60)
  expect(bench.journal.endOffset).toBe(2)

  const restarted = new Bench()
  Object.assign(restarted, { journal: bench.journal, clock: bench.clock })
  await restarted.open()
  await bench.runtime.close()
  bench.clock.advance(99)
  expect(bench.journal.endOffset).toBe(2)
  bench.clock.advance(1)
  expect(bench.journal.endOffset).toBe(3)
  bench.journal.commit()
  await settle()
  expect(restarted.runtime.committedView).toEqual({})
})

test('a timer whose append is refused for space tries again', async () => {
  const bench = await new Bench().open()
  void bench.runtime.submit({ kind: 'lease', name: 'a', ms: 100 })
  bench.journal.commit()
  bench.journal.refuseWith = 'disk-full'
  bench.clock.advance(100)
  await settle()
  expect(bench.journal.endOffset).toBe(1)
  bench.journal.refuseWith = null
  bench.clock.advance(1_000)
  expect(bench.journal.endOffset).toBe(2)
})

test('closing leaves no alarm, and waits for what was appended', async () => {
  const bench = await new Bench().open()
  void bench.runtime.submit({ kind: 'lease', name: 'a', ms: 100 })
  let closed = false
  void bench.runtime.close().then(() => {
    closed = true
  })
  await settle()
  expect(closed).toBe(false)
  bench.journal.commit()
  await settle()
  expect(closed).toBe(true)
  expect(bench.clock.alarmCount).toBe(0)
  expect((await bench.runtime.submit({ kind: 'expire', name: 'a' })).kind).toBe('refused')
})

test('a snapshot stands for committed records only, and a start from it and the log is the same', async () => {
  const bench = await new Bench().open(100)
  for (let i = 0; i < 5; i++) bench.add('a', 1)
  expect(bench.journal.snapshot).toBeNull()
  bench.journal.commit(2)
  expect(bench.journal.snapshot).toBeNull()
  bench.journal.commit()
  await settle()
  expect(bench.journal.snapshotsSaved).toBe(1)
  expect(bench.journal.snapshot!.nextOffset).toBeLessThan(5)
  const restarted = new Bench()
  Object.assign(restarted, { journal: bench.journal })
  await restarted.open()
  expect(restarted.runtime.committedView).toEqual({ a: 5 })
})

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      name: fc.constantFrom('a', 'b'),
      by: fc.array(fc.integer({ min: -3, max: 4 }), { maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('lose' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
)

test('whatever is lost: what was answered as committed is in the log, and the state is the log', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const bench = await new Bench().open(200)
      const { journal } = bench
      const answers: { answer: Answer<Reply>; name: string }[] = []
      // A batch is committed or lost as a whole, so only where one ends can either stop.
      const ends: number[] = []
      const between = (share: number): number => {
        const place = journal.committedEnd + Math.round((journal.endOffset - journal.committedEnd) * share)
        return ends.findLast((end) => end <= place && end > journal.committedEnd) ?? journal.committedEnd
      }
      for (const s of steps) {
        if (s.kind === 'add') {
          answers.push({ answer: bench.add(s.name, ...s.by), name: s.name })
          ends.push(journal.endOffset)
        }
        if (s.kind === 'commit') journal.commit(between(s.share))
        else if (s.kind === 'lose') {
          const from = between(s.share)
          while (ends.length > 0 && ends.at(-1)! > from) ends.pop()
          journal.lose(from, 'unknown')
        } else if (s.kind !== 'add') await settle()
      }
      await settle()
      journal.commit()
      await settle()
      expect(bench.failures).toEqual([])
      for (const { answer } of answers) expect(answer.got).not.toBe('parked')
      const live = bench.runtime.committedView
      const restarted = new Bench()
      Object.assign(restarted, { journal })
      await restarted.open()
      expect(restarted.runtime.committedView).toEqual(live)
      for (const name of ['a', 'b']) {
        const last = answers.findLast(
          (a) => a.name === name && a.answer.got !== 'parked' && a.answer.got.kind === 'committed',
        )
        if (last === undefined || last.answer.got === 'parked' || last.answer.got.kind !== 'committed') continue
        expect(live[name] ?? 0).toBe(last.answer.got.reply.value)
      }
    }),
    { numRuns: 200 },
  )
})
