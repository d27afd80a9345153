// The power goes at every single disk call of a log that is compacted again and again, with appends, trimming and restarts between,
// and comes back in several ways. Each time: a reader from the start sees the latest value of each key, and every deletion; no
// record is there that was not appended; what is above compaction is whole; and the next compaction ends well. `NARU_CRASH_SEEDS` says
// how many mixtures of lost, kept and torn; above one, every call is tried, else some.

import { expect, test } from 'bun:test'
import { JournaledDisk } from '../../../src/core/log/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { SimClock, Stuck } from '../../sim/clock.ts'
import { allKept, allLost, randomOutcome, SimDisk } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'
import { KeyedTwin, readBatches, viewOf } from './keyed-twin.ts'
import { bareDisk, CONFIG, type DiskPort, FOLDER, LogRig } from './log-rig.ts'

const SEEDS = Number(process.env.NARU_CRASH_SEEDS ?? 1)
const HOUR_MS = 3_600_000
const NAMES = /^(\d{20}\.(log|index)|durable|epochs|compacted)$/

const journaledDisk: DiskPort = (disk, events) => {
  const world = { codec: hostCodec, random: new SimRandom(5, 'salts'), events }
  const settings = { filesMin: 1, bytesPerFileMax: 64 * 1024, halfBytes: 16 * 4096 }
  return JournaledDisk.open(disk, world, (path) => path.endsWith('.log'), settings)
}

class Life {
  readonly twin = new KeyedTwin()
  readonly #random = new SimRandom(11, 'records')
  rig: LogRig
  calls = 0
  /** A start that may be being raised. */
  startMax = 0
  #serial = 0

  constructor(
    disk: SimDisk,
    readonly dieAt: number,
    port: DiskPort,
  ) {
    const config = { ...CONFIG, segmentBytes: 700, cleanup: 'compact', deleteRetentionMs: HOUR_MS } as const
    this.rig = new LogRig(disk, config, port)
    this.#count(disk)
  }

  #count(disk: SimDisk): void {
    disk.onCall = () => {
      if (++this.calls === this.dieAt) disk.die()
    }
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) {
      const serial = this.#serial++
      const records = Array.from({ length: this.#random.int(1, 3) }, (_, at) => {
        const key = `k${this.#random.int(1, 6)}`
        return { key, value: this.#random.chance(0.2) ? null : `${serial}.${at} ${'x'.repeat(60)}` }
      })
      this.twin.append(this.rig, { records, ...(serial % 5 === 0 ? { producer: { id: 3, sequence: serial } } : null) })
    }
    this.rig.settle()
    this.#alive()
  }

  compact(): void {
    const { log } = this.rig
    const end = this.rig.clock.run(log.compactor.run({ upTo: this.rig.durableEnd, identityMs: HOUR_MS, slotsMax: 64 }))
    this.#alive()
    expect(end).toBe('done')
  }

  trim(offset: number): void {
    this.startMax = offset
    this.rig.clock.run(this.rig.log.trim(offset))
    this.#alive()
    this.twin.start = offset
  }

  restart(): void {
    this.rig.clock.run(this.rig.log.close())
    this.#alive()
    const { durableEnd } = this.rig
    const disk = this.rig.disk.kill()
    this.#count(disk)
    const before = this.rig
    this.rig = before.next(disk)
    this.rig.durableEnd = durableEnd
    this.rig.open()
    this.#alive()
  }

  #alive(): void {
    if (this.rig.disk.isDead) throw new Stuck('died in the last call')
  }

  run(): void {
    this.rig.open()
    this.append(14)
    this.compact()
    this.append(12)
    this.rig.epoch++
    this.append(3)
    this.compact()
    this.trim(20)
    this.append(8)
    this.restart()
    this.append(6)
    this.rig.clock.pass(2 * HOUR_MS)
    this.append(6)
    this.compact()
    this.rig.clock.run(this.rig.log.maintain())
    this.append(5)
    this.compact()
    this.restart()
    this.compact()
  }

  runToDeath(): boolean {
    try {
      this.run()
      return this.rig.disk.isDead
    } catch (error) {
      if (this.rig.disk.isDead && error instanceof Stuck) return true
      throw error
    }
  }
}

function check(life: Life, twin: KeyedTwin, durableEnd: number, found: LogRig): void {
  const { log } = found
  expect(log.damage).toBeNull()
  expect(log.endOffset).toBeGreaterThanOrEqual(durableEnd)
  expect(log.startOffset === twin.start || log.startOffset === life.startMax).toBe(true)
  twin.cut(log.endOffset)
  const batches = readBatches(found)
  const records = batches.flatMap((batch) => batch.records).filter(({ offset }) => offset >= log.startOffset)
  expect(viewOf(records)).toEqual(twin.view(log.startOffset))
  const appended = new Map([...twin.records()].map((record) => [record.offset, record]))
  for (const record of records) expect(record).toEqual(appended.get(record.offset)!)
  twin.checkShape(found, batches, log.appendedAtMax - HOUR_MS)
}

function afterlife(life: Life, disk: SimDisk): void {
  const twin = life.twin.copy()
  const found = life.rig.next(disk).open()
  check(life, twin, life.rig.durableEnd, found)
  expect(found.disk.list(FOLDER).filter((name) => !NAMES.test(name))).toEqual([])
  for (let i = 0; i < 12; i++) twin.append(found, { records: [{ key: `k${i % 3}`, value: `after ${i}` }] })
  found.settle()
  const end = found.clock.run(found.log.compactor.run({ upTo: found.durableEnd, identityMs: HOUR_MS }))
  expect(end === 'done' || end === null).toBe(true)
  const again = found.next(found.disk.powerLoss(allLost)).open()
  check(life, twin, found.durableEnd, again)
}

function everyCrash(port: DiskPort, lies: SimDisk['lies'], seeds: number, stride = 1): void {
  const fresh = () => {
    const disk = new SimDisk(new SimClock())
    disk.lies = lies
    return disk
  }
  const whole = new Life(fresh(), 0, port)
  whole.run()
  for (let dieAt = 1; dieAt <= whole.calls; dieAt += stride) {
    const ways: [string, (disk: SimDisk) => SimDisk][] = [
      ['lost', (disk) => disk.powerLoss(allLost)],
      ['kept', (disk) => disk.powerLoss(allKept)],
      ['killed', (disk) => disk.kill()],
    ]
    for (let seed = 0; seed < seeds; seed++) {
      ways.push([
        `seed ${seed}`,
        (disk) => disk.powerLoss(randomOutcome(new SimRandom(seed * 100_003 + dieAt, 'fate'))),
      ])
    }
    const life = new Life(fresh(), dieAt, port)
    expect(life.runToDeath()).toBe(true)
    for (const [way, make] of ways) {
      try {
        afterlife(life, make(life.rig.disk))
      } catch (error) {
        throw new Error(`died at call ${dieAt} of ${whole.calls}, ${way}: ${String(error)}`, { cause: error })
      }
    }
  }
}

test('a crash at every disk call leaves the latest value of each key', () => {
  everyCrash(bareDisk, 'none', SEEDS, SEEDS > 1 ? 1 : 7)
}, 120_000)

test('nor does the journal bring old segments back', () => {
  everyCrash(journaledDisk, 'none', SEEDS, SEEDS > 1 ? 1 : 19)
}, 120_000)

test('and this would be noticed: syncs of files, or of names, that do nothing', () => {
  expect(() => everyCrash(bareDisk, 'sync', 0)).toThrow()
  expect(() => everyCrash(bareDisk, 'sync-folder', 0)).toThrow()
})
