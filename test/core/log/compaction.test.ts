// Compaction of one log: what stays, what goes, and that nobody beside it notices.

import { expect, test } from 'bun:test'
import type { LogRead } from '../../../src/core/log/index.ts'
import type { CompactionOptions } from '../../../src/core/log/compactor.ts'
import { SimRandom } from '../../sim/random.ts'
import { type GivenBatch, type GivenRecord, KeyedTwin, readBatches, recordsOf } from './keyed-twin.ts'
import { CONFIG, FOLDER, LogRig } from './log-rig.ts'

const DAY_MS = 86_400_000
const COMPACTED = { ...CONFIG, segmentBytes: 600, cleanup: 'compact', deleteRetentionMs: DAY_MS } as const

function compact(rig: LogRig, options: Partial<CompactionOptions> = {}): string | null {
  return rig.clock.run(rig.log.compactor.run({ upTo: rig.durableEnd, identityMs: DAY_MS, ...options }))
}

/** The end of the last segment that compaction reaches. */
function compactableEnd(rig: LogRig): number {
  return rig.log.compactor.sealedBelow(rig.durableEnd).at(-1)?.end ?? rig.log.startOffset
}

/** Runs a compaction in the log and in the twin. */
function both(rig: LogRig, twin: KeyedTwin, options: Partial<CompactionOptions> = {}): void {
  const upTo = compactableEnd(rig)
  const now = Math.max(rig.clock.now(), rig.log.appendedAtMax)
  const end = compact(rig, options)
  expect(end === 'done' || end === null).toBe(true)
  if (end === 'done') twin.compact(upTo, now, rig.config.deleteRetentionMs)
}

function randomBatch(random: SimRandom, serial: number, keys: number): GivenBatch {
  const records = Array.from({ length: random.int(1, 6) }, (_, i): GivenRecord => {
    const number = random.int(1, keys)
    // short keys stand for themselves, long ones are hashed
    const key = random.chance(0.1) ? null : random.chance(0.5) ? `k${number}` : `a longer key, number ${number}`
    const isTombstone = key !== null && random.chance(0.2)
    return {
      key,
      value: isTombstone ? null : `${serial}.${i} ${'x'.repeat(random.pick([0, 30, 200]))}`,
      tags: random.chance(0.3) ? [random.pick(['a', 'b', 'c'])] : [],
    }
  })
  return {
    records,
    compression: random.pick(['none', 'none', 'gzip', 'zstd'] as const),
    ...(random.chance(0.3) ? { producer: { id: random.int(1, 3), sequence: serial } } : null),
    ...(random.chance(0.2) ? { requestKey: serial % 250 } : null),
  }
}

test('the latest record of each key stays where it was', () => {
  const rig = LogRig.fresh(COMPACTED)
  const twin = new KeyedTwin()
  for (let i = 0; i < 60; i++) twin.append(rig, { records: [{ key: `k${i % 5}`, value: `${i} ${'x'.repeat(50)}` }] })
  rig.settle()
  const bytes = rig.log.bytes
  both(rig, twin)
  twin.check(rig, 0)
  expect(rig.log.bytes).toBeLessThan(bytes / 3)
  expect(
    rig.disk.list(FOLDER).filter((name) => !/^(\d{20}\.(log|index)|durable|epochs|compacted)$/.test(name)),
  ).toEqual([])
  const again = rig.next().open()
  twin.check(again, 0)
})

test('it is due when as much has come as was left, and when tombstones may go', () => {
  const rig = LogRig.fresh({ ...COMPACTED, segmentMs: 1_000 })
  const twin = new KeyedTwin()
  const isDue = () => rig.log.compactor.isDue(rig.durableEnd)
  const fill = (count: number, prefix: string): void => {
    for (let i = 0; i < count; i++) twin.append(rig, { records: [{ key: `${prefix}${i}`, value: 'x'.repeat(400) }] })
    rig.settle()
  }
  expect(isDue()).toBe(false)
  fill(10, 'first')
  expect(isDue()).toBe(true)
  both(rig, twin)
  expect(isDue()).toBe(false)
  fill(5, 'more')
  expect(isDue()).toBe(false)
  fill(6, 'and more')
  expect(isDue()).toBe(true)
  twin.append(rig, { records: [{ key: 'first3', value: null }] })
  rig.settle()
  rig.clock.pass(1_000)
  rig.clock.run(rig.log.maintain())
  both(rig, twin)
  twin.check(rig, 0)
  expect(twin.view().has('first3')).toBe(false)
  expect([...twin.records()].some(({ key }) => key === 'first3')).toBe(true)
  rig.clock.pass(DAY_MS - 1_000)
  expect(isDue()).toBe(false)
  rig.clock.pass(1_000)
  expect(isDue()).toBe(true)
  both(rig, twin)
  twin.check(rig, 0)
  expect([...twin.records()].some(({ key }) => key === 'first3')).toBe(false)
  expect(isDue()).toBe(false)
  rig.config = { ...rig.config, cleanup: 'delete' }
  rig.log.configure(rig.config)
  fill(60, 'any')
  expect(isDue()).toBe(false)
})

test('where there is no room it waits, longer each time, and what is there stays', () => {
  const rig = LogRig.fresh(COMPACTED)
  const twin = new KeyedTwin()
  for (let i = 0; i < 40; i++) twin.append(rig, { records: [{ key: `k${i % 5}`, value: `${i} ${'x'.repeat(80)}` }] })
  rig.settle()
  const isDue = () => rig.log.compactor.isDue(rig.durableEnd)
  for (const waitMs of [60_000, 120_000, 240_000]) {
    rig.disk.totalBytes = rig.disk.usedBytes + 600
    expect(compact(rig)).toBe('no-space')
    twin.check(rig, 0)
    expect(rig.disk.list(FOLDER).some((name) => name.endsWith('.compacting'))).toBe(false)
    expect(isDue()).toBe(false)
    rig.clock.pass(waitMs - 1)
    expect(isDue()).toBe(false)
    rig.clock.pass(1)
    expect(isDue()).toBe(true)
  }
  rig.disk.totalBytes = Number.POSITIVE_INFINITY
  both(rig, twin)
  twin.check(rig, 0)
})

test('a bad batch is reported, and nothing is compacted from there on', () => {
  const rig = LogRig.fresh(COMPACTED)
  for (let i = 0; i < 40; i++) {
    new KeyedTwin().append(rig, { records: [{ key: `k${i % 5}`, value: `${i} ${'x'.repeat(80)}` }] })
  }
  rig.clock.run(rig.log.close())
  const disk = rig.disk.kill()
  disk.flip(rig.log.segments.list[2]!.path, 300, 3)
  const found = rig.next(disk).open()
  expect(compact(found)).toBe('unreadable')
  expect(found.log.damage).not.toBeNull()
  expect(compact(found)).toBeNull()
  expect(found.log.compactor.isDue(found.durableEnd)).toBe(false)
})

test('with retention too, small segments become one only where that keeps nothing longer', () => {
  const config = {
    ...COMPACTED,
    cleanup: 'both',
    segmentMs: 1_000,
    segmentBytes: 100_000,
    retentionMs: 10_000,
  } as const
  const rig = LogRig.fresh(config)
  const twin = new KeyedTwin()
  for (let second = 0; second < 9; second++) {
    for (let i = 0; i < 3; i++) {
      twin.append(rig, { records: [{ key: `${second} ${i}`, value: 'x' }] })
      rig.settle()
      rig.clock.pass(400)
    }
    rig.clock.run(rig.log.maintain())
  }
  both(rig, twin)
  twin.check(rig, 0)
  const spans = rig.log.segments.list.map(({ firstAppendedAt, lastAppendedAt }) => lastAppendedAt - firstAppendedAt)
  expect(spans.length).toBeGreaterThan(5)
  expect(Math.max(...spans.filter((ms) => !Number.isNaN(ms)))).toBeLessThanOrEqual(1_000)
  rig.clock.pass(6_000)
  rig.clock.run(rig.log.maintain())
  expect(rig.log.startOffset).toBeGreaterThan(3)
  expect(rig.log.startOffset).toBeLessThan(27)
})

const HISTORIES = Number(process.env.NARU_COMPACTION_LIVES ?? 15)

test(`${HISTORIES} random histories end as the twin says`, () => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    try {
      history(seed)
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
}, 60_000)

function history(seed: number): void {
  const random = new SimRandom(seed, 'history')
  const deleteRetentionMs = random.pick([1_000, DAY_MS])
  let rig = LogRig.fresh({ ...COMPACTED, segmentBytes: random.int(300, 4000), deleteRetentionMs, segmentMs: 50_000 })
  const identityMs = random.pick([5_000, DAY_MS])
  const twin = new KeyedTwin()
  const keys = random.pick([3, 20, 200])
  let serial = 0
  for (let step = 0; step < 25; step++) {
    for (let batches = random.int(1, 15); batches > 0; batches--) twin.append(rig, randomBatch(random, serial++, keys))
    rig.settle()
    rig.clock.pass(random.int(0, 3_000))
    if (random.chance(0.15)) rig.epoch++
    if (random.chance(0.03)) {
      const to = random.int(0, rig.log.endOffset + 10)
      rig.clock.run(rig.log.resetTo(to))
      rig.durableEnd = to
      twin.batches = []
    }
    if (random.chance(0.2)) rig.clock.run(rig.log.maintain())
    if (random.chance(0.1)) rig.clock.run(rig.log.trim(random.int(rig.log.startOffset, rig.durableEnd)))
    if (random.chance(0.2)) {
      if (random.chance(0.5)) rig.clock.run(rig.log.close())
      const disk = rig.disk.kill()
      if (random.chance(0.5)) disk.lose(`${FOLDER}/epochs`)
      if (random.chance(0.2)) disk.lose(`${FOLDER}/compacted`)
      rig = rig.next(disk).open()
    }
    if (random.chance(0.4)) both(rig, twin, { identityMs, slotsMax: random.pick([64, 1 << 20]) })
    twin.check(rig, rig.log.appendedAtMax - identityMs)
  }
}

test('offsets without a record are stood for by few bytes, however many they are', () => {
  const rig = LogRig.fresh({ ...COMPACTED, segmentBytes: 4 << 20, segmentMs: 1_000 })
  const twin = new KeyedTwin()
  for (let i = 0; i < 18; i++) {
    const records = Array.from({ length: 9_000 }, (_, at) => ({ key: 'k', value: `${i}.${at}` }))
    twin.append(rig, { records })
  }
  rig.settle()
  expect(compact(rig)).toBeNull()
  rig.clock.pass(1_000)
  rig.clock.run(rig.log.maintain())
  expect(compact(rig)).toBe('done')
  const batches = readBatches(rig)
  expect(batches.map(({ base, last, records }) => [base, last, records.length])).toEqual([
    [0, 62_999, 0],
    [63_000, 125_999, 0],
    [126_000, 152_999, 0],
    [153_000, 161_999, 1],
  ])
  expect(rig.log.bytes).toBeLessThan(500)
  // in the midst of nothing
  const read = rig.read(70_000, rig.log.endOffset, 1)
  expect(read).toMatchObject({ kind: 'batches', nextOffset: 126_000 })
})

interface Pending {
  from: number
  read: LogRead | null
}

test.each([
  ['small segments', 500, 40],
  ['segments with an index', 150_000, 14_000],
])(
  'reads and times looked up at any moment of a compaction find what was or what is: %s',
  (_, segmentBytes, bytes) => {
    const made = LogRig.fresh({ ...COMPACTED, segmentBytes })
    const twin = new KeyedTwin()
    for (let i = 0; i < 24; i++) {
      twin.append(made, {
        records: [0, 1].map((at) => ({ key: `k${(i * 7 + at) % 9}`, value: `${i} ${'x'.repeat(bytes)}` })),
      })
      made.settle()
      made.clock.pass(10)
    }
    made.clock.run(made.log.close())
    const random = new SimRandom(3, 'reads')
    const appended = new Map([...twin.records()].map((record) => [record.offset, record]))
    const times = new Map(twin.batches.map(({ base, appendedAt }) => [base, appendedAt]))
    for (let at = 1, isThrough = false; !isThrough; at++) {
      const disk = made.disk.kill()
      for (const path of disk.paths()) if (path.endsWith('.index') && at % 2 === 0) disk.lose(path)
      const rig = made.next(disk).open()
      const { log, clock } = rig
      const latest = twin.view()
      const reads: Pending[] = []
      const lookups: { ms: number; found: number | null }[] = []
      let calls = 0
      disk.onCall = () => {
        if (++calls !== at && calls !== at + 3) return
        for (let i = 0; i < 4; i++) {
          const pending: Pending = { from: random.int(0, log.endOffset - 1), read: null }
          reads.push(pending)
          // its bytes are its own only while nobody else reads
          void Promise.resolve(log.read(pending.from, log.endOffset, random.pick([1, 300, 5_000, 60_000]))).then(
            (read) => {
              pending.read = read.kind === 'batches' ? { ...read, bytes: read.bytes.slice() } : read
            },
          )
          const lookup: (typeof lookups)[0] = { ms: times.get(random.pick([...times.keys()]))!, found: null }
          lookups.push(lookup)
          void log.offsetAtTime(lookup.ms).then((found) => (lookup.found = found))
        }
      }
      expect(compact(rig)).toBe('done')
      isThrough = calls < at
      clock.runAll()
      for (const { from, read } of reads) {
        if (read?.kind !== 'batches') throw new Error(`at call ${at}, from ${from}: ${JSON.stringify(read)}`)
        expect(read.nextOffset).toBeGreaterThan(from)
        const found = recordsOf(read.bytes).filter(({ offset }) => offset >= from)
        for (const record of found) expect(record).toEqual(appended.get(record.offset)!)
        for (const { key, value, offset } of appended.values()) {
          if (offset < from || offset >= read.nextOffset || latest.get(key!) !== `${offset} ${value}`) continue
          expect(found.some((record) => record.offset === offset)).toBe(true)
        }
      }
      for (const { ms, found } of lookups) {
        const first = [...times].find(([, appendedAt]) => appendedAt >= ms)![0]
        expect(found).toBeLessThanOrEqual(first)
        expect(times.get(found!) === undefined || found === first || isGone(rig, found!, first)).toBe(true)
      }
      expect(log.damage).toBeNull()
      twin.checkShape(rig, readBatches(rig), 0)
      twin.checkShape(rig, readBatches(rig.next().open()), 0)
    }
  },
  60_000,
)

/** No record is left from one offset to another. */
function isGone(rig: LogRig, from: number, to: number): boolean {
  return readBatches(rig).every(({ records }) => records.every(({ offset }) => offset < from || offset >= to))
}

test('a flipped bit or a cut in a compacted segment is damage that is reported, never a silent loss', () => {
  const rig = LogRig.fresh({ ...COMPACTED, segmentBytes: 900 })
  const twin = new KeyedTwin()
  for (let i = 0; i < 40; i++) {
    const records = [0, 1].map((at) => ({ key: `k${(i * 5 + at) % 11}`, value: `${i} ${'x'.repeat(20)}` }))
    twin.append(rig, { records, ...(i % 3 === 0 ? { producer: { id: 4, sequence: i } } : null) })
  }
  rig.settle()
  both(rig, twin)
  rig.clock.run(rig.log.close())
  const [path] = rig.log.segments.list.map((segment) => segment.path)
  const whole = rig.disk.contentOf(path!)
  for (let at = 0; at < whole.length; at++) {
    for (const isCut of [false, true]) {
      const disk = rig.disk.kill()
      if (isCut) disk.replace(path!, whole.slice(0, at))
      else disk.flip(path!, at, at % 8)
      const found = rig.next(disk).open()
      const { values, gaps } = found.readAll()
      expect(gaps.length).toBeGreaterThan(0)
      expect(found.log.damage).not.toBeNull()
      for (const { offset, value } of twin.records()) {
        if (gaps.some(([from, to]) => offset >= from && offset < to)) values.delete(offset)
        else if (values.get(offset) !== value) throw new Error(`byte ${at}: another value at ${offset}`)
        else values.delete(offset)
      }
      expect(values.size).toBe(0)
      expect(compact(found)).toBeNull()
    }
  }
}, 60_000)

test('a reset at any moment of a compaction leaves nothing of it', () => {
  for (let at = 1, isThrough = false; !isThrough; at += 3) {
    const rig = LogRig.fresh(COMPACTED)
    const twin = new KeyedTwin()
    const fill = (): void => {
      for (let i = 0; i < 30; i++)
        twin.append(rig, { records: [{ key: `k${i % 4}`, value: `${i} ${'x'.repeat(70)}` }] })
      rig.settle()
    }
    fill()
    let calls = 0
    let resetting: Promise<void> | null = null
    rig.disk.onCall = () => {
      if (++calls === at) resetting = rig.log.resetTo(0)
    }
    const end = compact(rig)
    isThrough = resetting === null
    if (resetting !== null) rig.clock.run(resetting)
    rig.disk.onCall = null
    if (!isThrough) {
      expect(['done', 'stopped']).toContain(end!)
      rig.durableEnd = 0
      twin.batches = []
    }
    rig.epoch++
    fill()
    if (!isThrough) both(rig, twin)
    else expect(compact(rig)).toBe('done')
    if (!isThrough) twin.check(rig, 0)
  }
}, 60_000)
