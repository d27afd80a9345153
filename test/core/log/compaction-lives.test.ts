// Random lives of a log that is compacted while everything else goes on: appends, reads, times looked up, trimming, retention, cuts,
// stops in the middle, full disks, restarts, and a crash at a random disk call. Whatever happened, a reader sees the latest value
// of each key and every deletion, and nothing that was not appended. `NARU_COMPACTION_LIVES` says how many.

import { expect, test } from 'bun:test'
import { SimClock, Stuck } from '../../sim/clock.ts'
import { randomOutcome, SimDisk } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'
import { type GivenRecord, KeyedTwin, readBatches, viewOf } from './keyed-twin.ts'
import { CONFIG, FOLDER, LogRig } from './log-rig.ts'

const LIVES = Number(process.env.NARU_COMPACTION_LIVES ?? 60)
const STEPS = 50
const IDENTITY_MS = 5_000

class Life {
  readonly #twin = new KeyedTwin()
  readonly #random: SimRandom
  readonly #keys: number
  #rig: LogRig
  #serial = 0
  #callsToDeath = -1
  #callsToStop = -1
  /** Below is never cut. */
  #committed = 0
  /** What the start may have become in an operation that a crash ended. */
  #startMax = 0
  /** Where the log may end below what was acknowledged: a cut was under way. */
  #endMin = Number.POSITIVE_INFINITY
  #startMin = Number.POSITIVE_INFINITY
  #compacting: Promise<void> | null = null
  compactions = 0

  constructor(seed: number) {
    this.#random = new SimRandom(seed, 'life')
    this.#keys = this.#random.pick([2, 15, 150])
    const random = new SimRandom(seed, 'disk')
    const disk = new SimDisk(new SimClock(), {
      syncMs: () => random.between(0.05, 2),
      readMs: () => random.between(0.01, 1),
    })
    const isBoth = this.#random.chance(0.3)
    this.#rig = new LogRig(disk, {
      ...CONFIG,
      segmentBytes: this.#random.int(300, 4000),
      segmentMs: 500,
      cleanup: isBoth ? 'both' : 'compact',
      retentionBytes: 15_000,
      retentionMs: isBoth ? 20_000 : 10,
      deleteRetentionMs: this.#random.pick([0, 300, 5_000]),
    }).open()
    this.#watch()
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) {
      if (this.#random.chance(0.1)) this.#callsToDeath = this.#random.int(1, 60)
      if (this.#random.chance(0.1)) this.#callsToStop = this.#random.int(1, 60)
      if (this.#random.chance(0.1)) {
        const { disk } = this.#rig
        disk.totalBytes = Number.POSITIVE_INFINITY
        if (this.#random.chance(0.3)) disk.totalBytes = disk.usedBytes + this.#random.int(0, 9000)
      }
      try {
        this.#step()
        if (this.#rig.disk.isDead) throw new Stuck('died in the last call')
        expect(this.#rig.log.damage).toBeNull()
      } catch (error) {
        if (!this.#rig.disk.isDead || !(error instanceof Stuck)) throw error
        this.#restart()
      }
    }
    this.#rig.disk.totalBytes = Number.POSITIVE_INFINITY
    this.#callsToDeath = -1
    this.#settle()
    this.#check()
  }

  #step(): void {
    const rig = this.#rig
    const { log, clock } = rig
    const random = this.#random
    switch (random.int(0, 14)) {
      case 0:
        this.#startMax = random.int(log.startOffset, Math.max(log.startOffset, this.#committed))
        clock.run(log.trim(this.#startMax))
        return
      case 1:
        return this.#truncate()
      case 2:
        return random.chance(0.2) ? this.#reset() : undefined
      case 3:
        clock.pass(random.int(0, 700))
        this.#startMax = rig.durableEnd
        clock.run(log.maintain())
        return
      case 4:
        rig.epoch++
        return this.#append()
      case 5:
        clock.run(log.close())
        return this.#restart()
      case 6:
        return this.#restart()
      case 7:
        return this.#readSome()
      case 8:
        return this.#findTime()
      case 9:
        return clock.pass(random.between(0, 3))
      case 10:
        this.#settle()
        return this.#check()
      case 11:
      case 12:
        return this.#compact()
      default:
        return this.#append()
    }
  }

  #append(): void {
    const random = this.#random
    for (let batches = random.int(1, 8); batches > 0; batches--) {
      const serial = this.#serial++
      const records = Array.from({ length: random.int(1, 4) }, (_, i): GivenRecord => {
        const key = random.chance(0.05)
          ? null
          : `${random.chance(0.5) ? 'k' : 'a key that is hashed '}${random.int(1, this.#keys)}`
        const isTombstone = key !== null && random.chance(0.25)
        return { key, value: isTombstone ? null : `${serial}.${i} ${'x'.repeat(random.pick([0, 40, 200]))}` }
      })
      this.#twin.append(this.#rig, {
        records,
        compression: random.pick(['none', 'gzip', 'zstd'] as const),
        ...(random.chance(0.2) ? { producer: { id: 1, sequence: serial } } : null),
        ...(random.chance(0.2) ? { requestKey: serial % 250 } : null),
      })
    }
  }

  /** Goes on beside the steps that follow. */
  #compact(): void {
    if (this.#compacting !== null) return
    const rig = this.#rig
    const ends = this.#twin.batches.map(({ last }) => last + 1)
    this.#committed = this.#random.pick([
      this.#committed,
      ...ends.filter((end) => end > this.#committed && end <= rig.durableEnd),
    ])
    const running = rig.log.compactor.run({
      upTo: this.#committed,
      identityMs: IDENTITY_MS,
      slotsMax: this.#random.pick([64, 1 << 20]),
    })
    this.compactions++
    this.#compacting = running.then((end) => {
      this.#compacting = null
      expect([null, 'done', 'stopped', 'no-space']).toContain(end)
    })
    if (this.#random.chance(0.5)) rig.clock.run(this.#compacting)
  }

  #truncate(): void {
    const rig = this.#rig
    // what is pending could be refused before its turn comes
    this.#settle()
    const { startOffset, endOffset } = rig.log
    this.#endMin = this.#committed
    rig.clock.run(rig.log.truncateTo(this.#random.int(Math.max(this.#committed, startOffset), endOffset)))
    if (rig.disk.isDead) throw new Stuck('died')
    rig.durableEnd = rig.log.endOffset
    this.#twin.cut(rig.log.endOffset)
    this.#endMin = Number.POSITIVE_INFINITY
  }

  #reset(): void {
    const rig = this.#rig
    const to = this.#random.int(0, rig.log.endOffset + 50)
    this.#startMax = Math.max(to, rig.log.startOffset)
    this.#startMin = Math.min(to, rig.log.startOffset)
    this.#endMin = Math.min(to, this.#committed)
    rig.clock.run(rig.log.resetTo(to))
    if (rig.disk.isDead) throw new Stuck('died')
    this.#twin.batches = []
    this.#twin.start = to
    this.#committed = to
    this.#endMin = Number.POSITIVE_INFINITY
    this.#startMin = Number.POSITIVE_INFINITY
    rig.durableEnd = to
  }

  #readSome(): void {
    const { log } = this.#rig
    const from = this.#random.int(log.startOffset, log.endOffset)
    // what may be read while a compaction swaps segments under it
    const read = this.#rig.read(from, log.endOffset, this.#random.pick([1, 500, 100_000]))
    if (this.#rig.disk.isDead) throw new Stuck('died')
    if (read.kind !== 'batches') throw new Error(`${read.kind} at ${from}`)
    expect(read.nextOffset > from || from >= log.writtenEnd).toBe(true)
  }

  #findTime(): void {
    const { log, clock } = this.#rig
    this.#settle()
    const ms = clock.now() - this.#random.int(0, 3_000)
    const found = clock.run(log.offsetAtTime(ms))
    if (this.#rig.disk.isDead) throw new Stuck('died')
    for (const { base, appendedAt, records } of readBatches(this.#rig)) {
      for (const { offset } of records) {
        if (offset >= log.startOffset && appendedAt >= ms !== offset >= found)
          throw new Error(`${base} for ${ms}: ${found}`)
      }
    }
  }

  #settle(): void {
    this.#rig.settle()
    if (this.#rig.disk.isDead) throw new Stuck('died')
  }

  #check(): void {
    const rig = this.#rig
    const start = rig.log.startOffset
    const batches = readBatches(rig)
    if (rig.disk.isDead) throw new Stuck('died')
    const records = batches.flatMap((batch) => batch.records).filter(({ offset }) => offset >= start)
    expect(viewOf(records)).toEqual(this.#twin.view(start))
    const appended = new Map([...this.#twin.records()].map((record) => [record.offset, record]))
    for (const record of records) expect(record).toEqual(appended.get(record.offset)!)
    this.#twin.checkShape(rig, batches, rig.log.appendedAtMax - IDENTITY_MS)
    expect(rig.log.segments.bytesBetween(0, rig.log.endOffset, rig.log.endOffset)).toBe(rig.log.bytes)
  }

  #restart(): void {
    const dead = this.#rig
    const random = new SimRandom(this.#random.u32(), 'fate')
    this.#callsToDeath = -1
    this.#callsToStop = -1
    this.#compacting = null
    const disk = random.chance(0.5) ? dead.disk.kill() : dead.disk.powerLoss(randomOutcome(random))
    if (random.chance(0.2)) disk.lose(`${FOLDER}/epochs`)
    const next = dead.next(disk)
    this.#rig = next
    this.#watch()
    if (dead.durableEnd === 0) disk.totalBytes = Number.POSITIVE_INFINITY
    const startBefore = this.#twin.start
    next.open()
    const { log } = next
    expect(log.damage).toBeNull()
    expect(log.endOffset).toBeGreaterThanOrEqual(Math.min(dead.durableEnd, this.#endMin))
    this.#endMin = Number.POSITIVE_INFINITY
    expect(log.startOffset).toBeGreaterThanOrEqual(Math.min(startBefore, this.#startMin))
    this.#startMin = Number.POSITIVE_INFINITY
    expect(log.startOffset).toBeLessThanOrEqual(Math.max(this.#startMax, startBefore))
    this.#twin.start = log.startOffset
    this.#twin.cut(log.endOffset)
    this.#committed = Math.min(this.#committed, log.endOffset)
    this.#check()
  }

  #watch(): void {
    const rig = this.#rig
    rig.whenRefused = (from) => this.#twin.cut(from)
    rig.disk.onCall = () => {
      if (this.#callsToStop > 0 && --this.#callsToStop === 0) void rig.log.compactor.forget()
      if (this.#callsToDeath > 0 && --this.#callsToDeath === 0) rig.disk.die()
    }
  }
}

test(`${LIVES} random lives of a compacted log`, () => {
  for (let seed = 1; seed <= LIVES; seed++) {
    try {
      new Life(seed).run()
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }
}, 600_000)
