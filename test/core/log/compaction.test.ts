// Compaction of one log: what stays, what goes, and that nobody beside it notices.

import { expect, test } from 'bun:test'
import type { CompactionOptions } from '../../../src/core/log/compactor.ts'
import { SimRandom } from '../../sim/random.ts'
import { type GivenBatch, type GivenRecord, KeyedTwin } from './keyed-twin.ts'
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

const HISTORIES = Number(process.env.NARU_COMPACTION_LIVES ?? 40)

test(`${HISTORIES} random histories end as the twin says`, () => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    try {
      history(seed)
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})

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
    if (random.chance(0.2)) rig.clock.run(rig.log.maintain())
    if (random.chance(0.1)) rig.clock.run(rig.log.trim(random.int(rig.log.startOffset, rig.durableEnd)))
    if (random.chance(0.2)) {
      if (random.chance(0.5)) rig.clock.run(rig.log.close())
      rig = rig.next().open()
    }
    // in many passes the twin's one is the same only where no record is passed twice at its horizon
    if (random.chance(0.4)) both(rig, twin, { identityMs, slotsMax: random.pick([64, 1 << 20]) })
    twin.check(rig, rig.log.appendedAtMax - identityMs)
  }
}
