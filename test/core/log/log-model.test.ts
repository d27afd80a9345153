// Random lives of a log against plain maps: appends in one and several epochs, truncation, reset, trim, seals, retention,
// clean and unclean restarts, full disks, syncs that fail, and a crash at a random disk call of any of them. `NARU_LOG_LIVES` says how many.

import { expect, test } from 'bun:test'
import { Stuck, SimClock } from '../../sim/clock.ts'
import { DiskError } from '../../../src/core/ports/index.ts'
import { randomOutcome, SimDisk } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'
import { CrashModel } from './crash-model.ts'
import { CONFIG, LogRig } from './log-rig.ts'

const LIVES = Number(process.env.NARU_LOG_LIVES ?? 60)
const STEPS = 60

class RandomLife {
  readonly model = new CrashModel()
  readonly #random: SimRandom
  #rig: LogRig
  #values = 0
  #callsToDeath = -1

  constructor(seed: number) {
    this.#random = new SimRandom(seed, 'life')
    const random = new SimRandom(seed, 'disk')
    const disk = new SimDisk(new SimClock(), {
      syncMs: () => random.between(0.05, 2),
      readMs: () => random.between(0.01, 1),
    })
    const config = {
      ...CONFIG,
      segmentBytes: this.#random.int(300, 5000),
      segmentMs: 500,
      retentionBytes: 20_000,
    } as const
    this.#rig = new LogRig(disk, config).open()
    this.#watch()
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) {
      const { disk } = this.#rig
      if (this.#random.chance(0.05)) disk.syncsUntilFailure = this.#random.int(1, 6)
      if (this.#random.chance(0.1)) {
        disk.totalBytes = Number.POSITIVE_INFINITY
        if (this.#random.chance(0.3)) disk.totalBytes = disk.usedBytes + this.#random.int(0, 3000)
      }
      if (this.#random.chance(0.15)) this.#callsToDeath = this.#random.int(1, 25)
      try {
        this.#step()
        this.#survived()
      } catch (error) {
        const isDead = error instanceof Stuck && this.#rig.disk.isDead
        // a sync was made to fail: the log has halted, and the process ends
        const isHalted = error instanceof DiskError && this.#rig.halts.length > 0
        if (!isDead && !isHalted) throw error
        this.#restart()
      }
    }
  }

  #step(): void {
    const { model } = this
    const rig = this.#rig
    const { log } = rig
    switch (this.#random.int(0, 13)) {
      case 0:
        return model.trim(rig, this.#random.int(log.startOffset, rig.durableEnd))
      case 1:
        return model.truncate(rig, this.#random.int(log.startOffset, log.endOffset))
      case 2:
        return this.#random.chance(0.2) ? model.reset(rig, log.endOffset + this.#random.int(0, 50)) : undefined
      case 3:
        rig.clock.pass(this.#random.int(0, 400))
        return model.maintain(rig)
      case 4:
        rig.epoch += this.#random.int(1, 3)
        return this.#append()
      case 5:
        rig.clock.run(log.close())
        return this.#restart()
      case 6:
        return this.#restart()
      case 7:
        return this.#readSome()
      case 8:
        return this.#findTimes()
      case 9:
        return rig.clock.pass(this.#random.between(0, 2))
      case 10:
        return rig.settle()
      default:
        return this.#append()
    }
  }

  #append(): void {
    for (let batches = this.#random.int(1, 6); batches > 0; batches--) {
      const values = Array.from({ length: this.#random.int(1, 4) }, () => {
        return `${this.#values++} ${'y'.repeat(this.#random.pick([0, 20, 300]))}`
      })
      this.model.append(this.#rig, ...values)
    }
  }

  #readSome(): void {
    const { log } = this.#rig
    const from = this.#random.int(log.startOffset, log.endOffset)
    const upTo = this.#random.int(from, log.endOffset)
    const read = this.#rig.read(from, upTo, this.#random.pick([1, 200, 2000, 100_000]))
    if (this.#rig.disk.isDead) throw new Stuck('died')
    if (read.kind !== 'batches') throw new Error(`${read.kind} at ${from}`)
    expect(read.nextOffset).toBeLessThanOrEqual(Math.max(upTo, from))
    if (read.nextOffset > from)
      expect(this.model.bases.has(read.nextOffset) || read.nextOffset === log.endOffset).toBe(true)
  }

  #findTimes(): void {
    const { log, clock } = this.#rig
    // what may still be refused cannot be found
    this.#rig.settle()
    const { batches } = this.#rig.readAll()
    for (let i = 0; i < 5; i++) {
      const ms = clock.now() - this.#random.int(0, 1000)
      const expected = batches.find((batch) => batch.appendedAt >= ms)?.base ?? log.endOffset
      expect(clock.run(log.offsetAtTime(ms))).toBe(Math.max(expected, log.startOffset))
    }
  }

  /** A process that ends, on purpose or not: killed, or with the power. */
  #restart(): void {
    const dead = this.#rig
    const random = new SimRandom(this.#random.u32(), 'fate')
    this.#callsToDeath = -1
    const disk = random.chance(0.5) ? dead.disk.kill() : dead.disk.powerLoss(randomOutcome(random))
    const next = dead.next(disk)
    this.#rig = next
    this.#watch()
    // a log that was never made durably cannot be made on a full disk; one that was can be opened
    if (dead.durableEnd === 0) disk.totalBytes = Number.POSITIVE_INFINITY
    next.open()
    this.model.check(dead, next)
    this.model.adopt(next)
  }

  #survived(): void {
    if (this.#rig.disk.isDead) throw new Stuck('died in the last call')
    const { log, halts, durableEnd } = this.#rig
    if (halts.length > 0) {
      this.#rig.clock.pass(100)
      expect(this.#rig.durableEnd).toBe(durableEnd)
      return this.#restart()
    }
    expect(log.startOffset).toBeLessThanOrEqual(log.durableEnd)
    expect(log.durableEnd).toBeLessThanOrEqual(log.endOffset)
    expect(log.damage).toBeNull()
  }

  #watch(): void {
    const { disk } = this.#rig
    this.#rig.whenRefused = (from) => this.model.refused(from)
    disk.onCall = () => {
      if (this.#callsToDeath > 0 && --this.#callsToDeath === 0) disk.die()
    }
  }
}

test(`${LIVES} random lives`, () => {
  for (let seed = 1; seed <= LIVES; seed++) {
    try {
      new RandomLife(seed).run()
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }
}, 600_000)
