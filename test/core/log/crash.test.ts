// The power goes at every single disk call of a scripted life of a log, and each time comes back in several ways: everything
// not synced lost, everything kept, only the process killed, and mixtures by seed with torn writes. Each time the log must
// recover, hold what it acknowledged, take appends, and recover again. `NARU_CRASH_SEEDS` says how many mixtures; above one,
// every call is tried with the journal too.

import { expect, test } from 'bun:test'
import { JournaledDisk } from '../../../src/core/log/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { allKept, allLost, randomOutcome, SimDisk } from '../../sim/disk.ts'
import { SimClock, Stuck } from '../../sim/clock.ts'
import { SimRandom } from '../../sim/random.ts'
import { CrashModel } from './crash-model.ts'
import { bareDisk, CONFIG, type DiskPort, LogRig } from './log-rig.ts'

const journaledDisk: DiskPort = (disk, events) => {
  const world = { codec: hostCodec, random: new SimRandom(5, 'salts'), events }
  const settings = { filesMin: 1, bytesPerFileMax: 64 * 1024, halfBytes: 16 * 4096 }
  return JournaledDisk.open(disk, world, (path) => path.endsWith('.log'), settings)
}

const SEEDS = Number(process.env.NARU_CRASH_SEEDS ?? 1)

class Life {
  readonly model = new CrashModel()
  readonly random = new SimRandom(7, 'values')
  rig: LogRig
  calls = 0
  #values = 0

  constructor(
    disk: SimDisk,
    readonly dieAt: number,
    port: DiskPort,
  ) {
    this.rig = new LogRig(disk, { ...CONFIG, segmentBytes: 3000, retentionBytes: 9000 }, port)
    this.#count(disk)
  }

  #count(disk: SimDisk): void {
    disk.onCall = () => {
      if (++this.calls === this.dieAt) disk.die()
    }
  }

  append(batches: number): void {
    for (let i = 0; i < batches; i++) {
      const values = Array.from({ length: this.random.int(1, 3) }, () => {
        const bytes = this.random.pick([10, 100, 700])
        return `${this.#values++} ${'x'.repeat(bytes)}`
      })
      this.model.append(this.rig, ...values)
    }
  }

  settle(): void {
    this.rig.settle()
  }

  restart(how: (disk: SimDisk) => SimDisk): void {
    const dead = this.rig
    if (dead.disk.isDead) throw new Stuck('died before its time')
    const disk = how(dead.disk)
    this.#count(disk)
    this.rig = dead.next(disk)
    // until it has opened, what was true of the one before is true
    this.rig.durableEnd = dead.durableEnd
    this.rig.log = dead.log
    this.rig.open()
    this.model.check(dead, this.rig)
    this.model.adopt(this.rig)
  }

  /** The whole story. */
  run(): void {
    const { model } = this
    this.rig.open()
    this.append(3)
    this.settle()
    this.append(8)
    this.rig.clock.pass(0.1)
    this.append(5)
    this.settle()
    this.rig.epoch++
    this.append(4)
    this.settle()
    model.trim(this.rig, this.rig.durableEnd - 12)
    this.append(2)
    model.truncate(this.rig, this.rig.log.endOffset - 7)
    this.rig.epoch++
    this.append(6)
    this.settle()
    this.rig.clock.run(this.rig.log.close())
    this.restart((disk) => disk.kill())
    this.append(12)
    this.settle()
    model.maintain(this.rig)
    this.append(6)
    this.rig.clock.pass(0.05)
    this.restart((disk) => disk.kill())
    this.append(4)
    this.settle()
    this.append(5)
    this.rig.clock.pass(0.1)
    this.restart((disk) => disk.powerLoss(randomOutcome(new SimRandom(3, 'loss'))))
    this.append(3)
    this.settle()
    model.truncate(this.rig, model.start)
    this.append(9)
    this.settle()
    model.reset(this.rig, 1000)
    this.rig.epoch += 2
    this.append(3)
    this.settle()
    model.trim(this.rig, this.rig.log.endOffset)
    this.append(4)
    this.settle()
    this.rig.clock.run(this.rig.log.close())
  }

  /** False: it got to the end. */
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

function afterlife(life: Life, disk: SimDisk): void {
  const found = life.rig.next(disk).open()
  const model = life.model.copyFor(life.rig, found)
  model.append(found, 'first after', 'second after')
  model.append(found, 'third after')
  found.settle()
  const again = found.next(found.disk.powerLoss(allLost)).open()
  model.check(found, again)
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
    const life = new Life(fresh(), dieAt, port)
    expect(life.runToDeath()).toBe(true)
    const { disk } = life.rig
    const ways: [string, () => SimDisk][] = [
      ['lost', () => disk.powerLoss(allLost)],
      ['kept', () => disk.powerLoss(allKept)],
      ['killed', () => disk.kill()],
    ]
    for (let seed = 0; seed < seeds; seed++) {
      ways.push([`seed ${seed}`, () => disk.powerLoss(randomOutcome(new SimRandom(seed * 100_003 + dieAt, 'fate')))])
    }
    for (const [way, make] of ways) {
      try {
        afterlife(life, make())
      } catch (error) {
        throw new Error(`died at call ${dieAt} of ${whole.calls}, ${way}: ${String(error)}`, { cause: error })
      }
    }
  }
}

test('a crash at every disk call loses nothing acknowledged and invents nothing', () => {
  everyCrash(bareDisk, 'none', SEEDS)
}, 60_000)

test('nor with every sync of segments going through the journal', () => {
  everyCrash(journaledDisk, 'none', SEEDS, SEEDS > 1 ? 1 : 4)
}, 60_000)

test('and this would be noticed: syncs of files, or of names, that do nothing', () => {
  expect(() => everyCrash(bareDisk, 'sync', 0)).toThrow()
  expect(() => everyCrash(bareDisk, 'sync-folder', 0)).toThrow()
  expect(() => everyCrash(journaledDisk, 'sync', 0)).toThrow()
})
