import { expect, test } from 'bun:test'
import { batchBytesOf } from '../../../src/core/record/index.ts'
import { CONFIG, LogRig, valuesOf } from './log-rig.ts'

test('what is appended is acknowledged after one sync and read back', () => {
  const rig = LogRig.fresh()
  rig.append('a', 'b')
  rig.append('c')
  expect(rig.log.endOffset).toBe(3)
  expect(rig.log.durableEnd).toBe(0)
  rig.settle()
  expect(rig.durableEnd).toBe(3)
  const read = rig.read(0)
  if (read.kind !== 'batches') throw new Error(read.kind)
  expect(valuesOf(read.bytes).map(({ value }) => value)).toEqual(['a', 'b', 'c'])
  expect(read.nextOffset).toBe(3)
})

test('a read begins with the batch that holds the offset and trims to whole batches', () => {
  const rig = LogRig.fresh()
  rig.append('a', 'b')
  const second = rig.append('c')
  rig.append('d')
  rig.settle()
  const one = rig.read(1, 4, 1)
  expect(one.kind === 'batches' && valuesOf(one.bytes).map(({ offset }) => offset)).toEqual([0, 1])
  const two = rig.read(2, 4, second.length)
  expect(two.kind === 'batches' && valuesOf(two.bytes).map(({ offset }) => offset)).toEqual([2])
  expect(rig.read(4).kind).toBe('batches')
  expect(rig.read(5)).toEqual({ kind: 'beyond-end', endOffset: 4 })
  const bounded = rig.read(0, 3)
  expect(bounded.kind === 'batches' && bounded.nextOffset).toBe(3)
  const cutInside = rig.read(0, 1)
  expect(cutInside.kind === 'batches' && cutInside.nextOffset).toBe(0)
})

test('what is pending can be read at once', () => {
  const rig = LogRig.fresh()
  rig.append('a')
  const read = rig.read(0, 1)
  expect(read.kind === 'batches' && read.nextOffset).toBe(1)
  expect(rig.durableEnd).toBe(0)
})

test('warm reads are synchronous, cold ones are promises, and both give the same', () => {
  const rig = LogRig.fresh()
  for (let i = 0; i < 100; i++) rig.append(`value ${i} ${'x'.repeat(i)}`)
  rig.settle()
  expect(rig.log.segmentCount).toBeGreaterThan(3)
  const warm = rig.readAll(500).values
  expect(rig.log.read(50, 100, 10)).not.toBeInstanceOf(Promise)
  rig.clock.run(rig.log.close())
  const again = rig.next().open()
  expect(again.log.read(50, 100, 10)).toBeInstanceOf(Promise)
  expect(again.readAll(700).values).toEqual(warm)
  expect(again.log.read(50, 100, 10)).not.toBeInstanceOf(Promise)
  expect(again.log.durableEnd).toBe(100)
})

test('appends of a turn and of later turns share a sync, and those during a sync share the next', () => {
  const rig = LogRig.fresh()
  let syncs = 0
  rig.disk.onCall = (call) => {
    if (call.kind === 'sync') syncs++
  }
  for (let i = 0; i < 10; i++) rig.append(`${i}`)
  rig.clock.nextTurn(() => rig.append('one turn later'))
  rig.clock.pass(0.1)
  for (let i = 0; i < 10; i++) rig.append(`during ${i}`)
  rig.settle()
  expect(syncs).toBe(2)
  expect(rig.durableEnd).toBe(21)
})

test('a batch longer than a segment has one of its own', () => {
  const rig = LogRig.fresh()
  rig.append('a')
  rig.append('b'.repeat(10_000))
  rig.append('c'.repeat(200_000))
  rig.append('d')
  rig.settle()
  expect(rig.log.segmentCount).toBe(4)
  expect([...rig.readAll(1).values.values()].map((value) => value[0])).toEqual(['a', 'b', 'c', 'd'])
})

test('times lead to the first batch at or after them', () => {
  const rig = LogRig.fresh()
  const times: number[] = []
  for (let i = 0; i < 60; i++) {
    times.push(rig.clock.now())
    rig.append('x'.repeat(200))
    rig.settle()
    rig.clock.pass(10)
  }
  const find = (ms: number) => rig.clock.run(Promise.resolve(rig.log.offsetAtTime(ms)))
  for (const reopened of [false, true]) {
    if (reopened) rig.clock.run(rig.log.close())
    const log = reopened ? rig.next().open() : rig
    const find = (ms: number) => log.clock.run(Promise.resolve(log.log.offsetAtTime(ms)))
    for (let i = 0; i < 60; i++) {
      expect(find(times[i]!)).toBe(i)
      expect(find(times[i]! + 1)).toBe(i + 1)
    }
    expect(find(0)).toBe(0)
  }
  void find
})

test('epochs part histories where they begin', () => {
  const rig = LogRig.fresh()
  rig.append('a', 'b')
  rig.epoch = 3
  rig.append('c')
  rig.epoch = 7
  rig.append('d')
  rig.settle()
  for (const { log } of [rig, rig.next().open()]) {
    expect(log.latestEpoch).toBe(7)
    expect([0, 1, 2, 3].map((offset) => log.epochAt(offset))).toEqual([0, 0, 3, 7])
    expect(log.endOffsetOfEpoch(0)).toEqual({ epoch: 0, endOffset: 2 })
    expect(log.endOffsetOfEpoch(2)).toEqual({ epoch: 0, endOffset: 2 })
    expect(log.endOffsetOfEpoch(3)).toEqual({ epoch: 3, endOffset: 3 })
    expect(log.endOffsetOfEpoch(7)).toEqual({ epoch: 7, endOffset: 4 })
    expect(log.endOffsetOfEpoch(8)).toBeNull()
  }
})

test('flush os acknowledges what is written and syncs no more than sealed segments', () => {
  const rig = LogRig.fresh({ ...CONFIG, flush: 'os' })
  let syncs = 0
  rig.disk.onCall = (call) => {
    if (call.kind === 'sync') syncs++
  }
  rig.append('a')
  rig.clock.runAll()
  expect(rig.durableEnd).toBe(1)
  expect(syncs).toBe(0)
  for (let i = 0; i < 50; i++) rig.append('x'.repeat(200))
  rig.clock.runAll()
  expect(rig.durableEnd).toBe(51)
  expect(syncs).toBe(1)
  rig.append('b')
  rig.clock.run(rig.log.close())
  expect(rig.next().open().readAll().values.size).toBe(52)
})

test('with flush os segments may be trimmed before they were synced', () => {
  // the sync of a round takes longer than that of the trim's mark
  let syncs = 0
  const rig = LogRig.fresh({ ...CONFIG, flush: 'os' }, { syncMs: () => (syncs++ % 2 === 0 ? 5 : 0.1) })
  const turn = (): void => rig.clock.run(new Promise<void>((resolve) => rig.clock.nextTurn(resolve)))
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 60; i++) rig.append('x'.repeat(200))
    turn()
    turn()
    for (let i = 0; i < 60; i++) rig.append('y'.repeat(200))
    turn()
    rig.clock.run(rig.log.trim(rig.durableEnd))
  }
  rig.append('last')
  rig.clock.runAll()
  expect(rig.halts).toEqual([])
  expect(rig.log.startOffset).toBe(2400)
  const { values, gaps } = rig.next().open().readAll()
  expect(gaps).toEqual([])
  expect(values).toEqual(new Map([[2400, 'last']]))
})

test('age seals the segment and lets old data go', () => {
  const rig = LogRig.fresh({ ...CONFIG, segmentMs: 1000, retentionMs: 5000 })
  rig.append('a')
  rig.settle()
  rig.clock.pass(1500)
  rig.append('b')
  rig.settle()
  expect(rig.log.segmentCount).toBe(2)
  rig.clock.pass(4000)
  rig.clock.run(rig.log.maintain())
  expect(rig.log.startOffset).toBe(1)
  rig.clock.pass(10_000)
  rig.clock.run(rig.log.maintain())
  expect(rig.log.startOffset).toBe(2)
  expect(rig.log.segmentCount).toBe(0)
  const again = rig.next().open()
  expect([again.log.startOffset, again.log.endOffset]).toEqual([2, 2])
  again.append('c')
  again.settle()
  expect(again.readAll().values).toEqual(new Map([[2, 'c']]))
})

test('size lets the oldest segments go', () => {
  const rig = LogRig.fresh({ ...CONFIG, retentionBytes: 10_000 })
  for (let i = 0; i < 200; i++) rig.append('x'.repeat(100))
  rig.settle()
  rig.clock.run(rig.log.maintain())
  expect(rig.log.bytes).toBeGreaterThanOrEqual(10_000)
  expect(rig.log.bytes).toBeLessThan(10_000 + CONFIG.segmentBytes)
  const { values } = rig.readAll()
  expect(values.size).toBe(200 - rig.log.startOffset)
})

test('trim, truncate and reset hold after a power loss', () => {
  const rig = LogRig.fresh()
  for (let i = 0; i < 100; i++) rig.append(`${i} ${'x'.repeat(100)}`)
  rig.settle()
  rig.clock.run(rig.log.trim(35))
  expect(rig.read(34)).toEqual({ kind: 'below-start', startOffset: 35 })
  rig.clock.run(rig.log.truncateTo(70))
  expect(rig.log.endOffset).toBe(70)
  rig.append('new 70')
  rig.settle()
  const again = rig.next().open()
  expect([again.log.startOffset, again.log.endOffset]).toEqual([35, 71])
  const { values, gaps } = again.readAll()
  expect(gaps).toEqual([])
  expect(values.size).toBe(36)
  expect(values.get(69)).toStartWith('69 ')
  expect(values.get(70)).toBe('new 70')
  again.clock.run(again.log.resetTo(500))
  expect([again.log.startOffset, again.log.endOffset, again.log.latestEpoch]).toEqual([500, 500, -1])
  const last = again.next().open()
  expect([last.log.startOffset, last.log.endOffset, last.log.latestEpoch]).toEqual([500, 500, -1])
  last.append('x')
  last.settle()
  expect(last.readAll().values).toEqual(new Map([[500, 'x']]))
})

test('truncation to the middle of a batch takes the batch', () => {
  const rig = LogRig.fresh()
  rig.append('a', 'b')
  rig.append('c', 'd')
  rig.settle()
  rig.clock.run(rig.log.truncateTo(3))
  expect(rig.log.endOffset).toBe(2)
  rig.clock.run(rig.log.truncateTo(0))
  expect(rig.log.endOffset).toBe(0)
  rig.append('e')
  rig.settle()
  expect(rig.readAll().values).toEqual(new Map([[0, 'e']]))
})

test('without space what was not written is refused, and nothing of it comes back', () => {
  const rig = LogRig.fresh(CONFIG, { totalBytes: 40_000 })
  const kept: string[] = []
  for (let i = 0; rig.refusedFrom.length === 0; i++) {
    const value = `${i} ${'x'.repeat(900)}`
    rig.append(value)
    rig.append(`${value} second`)
    rig.settle()
    if (rig.refusedFrom.length === 0) kept.push(value, `${value} second`)
  }
  expect(rig.refusedFrom).toEqual([kept.length])
  expect(rig.log.endOffset).toBe(kept.length)
  expect(rig.durableEnd).toBe(kept.length)
  expect([...rig.readAll().values.values()]).toEqual(kept)
  expect([...rig.next().open().readAll().values.values()]).toEqual(kept)
  // space returns: so does the log
  const again = rig.next(rig.disk.kill()).open()
  again.disk.totalBytes = 80_000
  again.append('after')
  again.settle()
  expect([...again.readAll().values.values()]).toEqual([...kept, 'after'])
})

test('a failed sync halts: nothing is acknowledged any more', () => {
  const rig = LogRig.fresh()
  rig.append('a')
  rig.settle()
  rig.disk.syncsUntilFailure = 1
  rig.append('b')
  expect(() => rig.settle()).toThrow('input/output error')
  expect(rig.halts).toEqual(['a sync failed'])
  rig.append('c')
  rig.clock.runAll()
  expect(rig.durableEnd).toBe(1)
  expect(() => rig.clock.run(rig.log.close())).toThrow('input/output error')
})

test('after a failed sync the next start writes again what the page cache only shows', () => {
  const rig = LogRig.fresh()
  rig.append('a')
  rig.settle()
  rig.disk.syncsUntilFailure = 1
  rig.append('b')
  expect(() => rig.settle()).toThrow()
  const again = rig.next().open()
  expect(again.log.durableEnd).toBe(2)
  // were it not written again, the lie would come out now
  const last = again.next(
    again.disk.powerLoss({
      write: () => 'lost',
      growth: () => 'none',
      truncate: () => 'lost',
      name: () => 'lost',
      sector: () => 'lost',
    }),
  )
  expect([...last.open().readAll().values.values()]).toEqual(['a', 'b'])
})

test('bytes handed out are the batches as appended', () => {
  const rig = LogRig.fresh()
  const batch = rig.append('a', 'b').slice()
  rig.settle()
  const read = rig.read(0)
  if (read.kind !== 'batches') throw new Error(read.kind)
  expect(read.bytes.slice()).toEqual(batch)
  expect(batchBytesOf(read.bytes, 0)).toBe(batch.length)
})

test('a read that waits for the device while its segment is removed or cut says what is', () => {
  const made = LogRig.fresh()
  for (let i = 0; i < 60; i++) made.append('x'.repeat(300))
  made.clock.run(made.log.close())
  for (const steps of [0, 1, 2, 3, 4, 5, 8]) {
    for (const change of ['trim', 'truncate'] as const) {
      const rig = made.next(made.disk.kill()).open()
      const from = change === 'trim' ? 5 : 55
      const reading = rig.log.read(from, 60, 1000)
      for (let i = 0; i < steps; i++) rig.clock.world.step()
      const changing = change === 'trim' ? rig.log.trim(40) : rig.log.truncateTo(20)
      const read = rig.clock.run(Promise.resolve(reading))
      rig.clock.run(changing)
      if (read.kind === 'batches') expect(read.nextOffset).toBeGreaterThanOrEqual(from)
      else expect(read.kind).toBe(change === 'trim' ? 'below-start' : 'beyond-end')
      expect(rig.log.damage).toBeNull()
    }
  }
})
