import { describe, expect, test } from 'bun:test'
import { JournaledDisk } from '../../../src/core/log/journaled-disk.ts'
import type { Disk, DiskFile } from '../../../src/core/ports/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { SimClock, Stuck } from '../../sim/clock.ts'
import { allKept, allLost, type DiskCall, randomOutcome, SimDisk } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'
import { FileHistory } from './file-history.ts'

/** Two halves of the smallest size, so that a short script turns them over often. */
const SMALL = { filesMin: 2, bytesPerFileMax: 8 * 1024, halfBytes: 16 * 4096 }

interface Told {
  kind: string
  fields: Readonly<Record<string, unknown>> | undefined
}

/** No two starts draw the same salt. */
const salts = new SimRandom(1, 'salt')

async function openOn(disk: Disk, told: Told[] = [], settings = SMALL): Promise<JournaledDisk> {
  const tell = (kind: string, fields?: Readonly<Record<string, unknown>>) => void told.push({ kind, fields })
  const world = { codec: hostCodec, random: salts, events: { info: tell, warn: tell, error: tell } }
  return JournaledDisk.open(disk, world, (path) => path.endsWith('.log'), settings)
}

function bytesOf(random: SimRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = random.int(1, 255)
  return bytes
}

function contentOf(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path, 'read')
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  file.close()
  return bytes
}

/** A random life of a few files; what it may leave behind is known at every moment. */
class Script {
  readonly #random: SimRandom
  readonly #open = new Map<string, DiskFile>()
  /** The files that may be found at a path: the last is the one that is there now, unless it was removed. */
  readonly #lives = new Map<string, { history: FileHistory; isName: boolean; isGone: boolean }[]>()

  constructor(seed: number) {
    this.#random = new SimRandom(seed, 'script')
  }

  async run(disk: JournaledDisk, steps: number, isOver: () => boolean): Promise<void> {
    disk.createFolder('a')
    await disk.syncFolder('')
    for (let step = 0; step < steps && !isOver(); step++) await this.#step(disk)
  }

  async #step(disk: JournaledDisk): Promise<void> {
    const random = this.#random
    const path = `a/${random.int(0, 5)}.log`
    const dice = random.int(0, 99)
    if (dice < 55) this.#write(disk, path)
    else if (dice < 60) this.#file(disk, path).truncate(this.#cut(path))
    else if (dice < 64) this.#remove(disk, path)
    else if (dice < 68) this.#close(path)
    else if (dice < 72) await this.#syncFolder(disk)
    else await this.#sync(disk)
  }

  #write(disk: JournaledDisk, path: string): void {
    const random = this.#random
    const file = this.#file(disk, path)
    const position = random.chance(0.8) ? file.size() : random.int(0, file.size())
    const bytes = bytesOf(random, random.chance(0.9) ? random.int(1, 600) : random.int(2000, 9000))
    this.#life(path).write(bytes, position)
    file.write(bytes, position)
  }

  #cut(path: string): number {
    const size = this.#random.int(0, this.#life(path).content.length)
    this.#life(path).truncate(size)
    return size
  }

  #remove(disk: JournaledDisk, path: string): void {
    const life = this.#lives.get(path)?.at(-1)
    if (life === undefined || life.isGone) return
    if (this.#random.chance(0.5)) this.#close(path)
    this.#open.delete(path)
    life.isGone = true
    disk.remove(path)
  }

  #close(path: string): void {
    this.#open.get(path)?.close()
    this.#open.delete(path)
  }

  async #syncFolder(disk: JournaledDisk): Promise<void> {
    const before = [...this.#lives].map(([path, lives]) => ({
      path,
      length: lives.length,
      isGone: lives.at(-1)!.isGone,
    }))
    await disk.syncFolder('a')
    for (const { path, length, isGone } of before) {
      const lives = this.#lives.get(path)!
      const now = lives[length - 1]!
      lives.splice(0, length - 1)
      if (isGone) lives.shift()
      else now.isName = true
      if (lives.length === 0) this.#lives.delete(path)
    }
  }

  async #sync(disk: JournaledDisk): Promise<void> {
    const paths = [...this.#open.keys()].filter(() => this.#random.chance(0.7))
    const reports = paths.map((path) => this.#life(path).syncing())
    const syncing = disk.sync(paths.map((path) => this.#open.get(path)!))
    syncing.catch(() => {})
    // goes on while the sync is under way; what it writes now is the next one's
    if (this.#random.chance(0.3)) this.#write(disk, `a/${this.#random.int(0, 5)}.log`)
    await syncing
    for (const report of reports) report()
  }

  #file(disk: JournaledDisk, path: string): DiskFile {
    // noted before it is done: the power may go within the call
    const lives = this.#lives.get(path) ?? []
    if (lives.length === 0 || lives.at(-1)!.isGone)
      lives.push({ history: new FileHistory(), isName: false, isGone: false })
    this.#lives.set(path, lives)
    const open = this.#open.get(path) ?? disk.open(path, 'create')
    this.#open.set(path, open)
    return open
  }

  #life(path: string): FileHistory {
    return this.#lives.get(path)!.at(-1)!.history
  }

  /** Fails unless what a crash left is one of the things it may leave. */
  check(disk: Disk): void {
    for (const path of Array.from({ length: 6 }, (_, i) => `a/${i}.log`)) {
      const lives = this.#lives.get(path) ?? []
      if (!disk.exists(path)) {
        if (lives.length === 1 && lives[0]!.isName && !lives[0]!.isGone) throw new Error(`${path} is gone`)
        continue
      }
      // a removal and a file made anew, neither durable: all that a program can count on is that it did not count on it
      if (lives.length > 1 && !lives.at(-1)!.history.isSynced) continue
      const found = contentOf(disk, path)
      const faults = lives.map(({ history }) => history.faultOf(found))
      if (!faults.includes(null)) throw new Error(`${path}: ${faults.join(' | ') || 'had been removed'}`)
    }
  }
}

/** Runs the script until the process ends at disk call `crashAt`. */
function crashedAt(seed: number, steps: number, crashAt: number): { script: Script; disk: SimDisk } {
  const clock = new SimClock()
  const times = new SimRandom(seed, 'sync times')
  const disk = new SimDisk(clock, { syncMs: () => (times.chance(0.2) ? 5 : 0.1) })
  const script = new Script(seed)
  const settings = { ...SMALL, filesMin: 1 + (seed % 2) }
  runUntil(disk, crashAt, async () => {
    const journaled = await openOn(disk, [], settings)
    await script.run(journaled, steps, () => disk.isDead)
  })
  return { script, disk }
}

/** What is still awaited when the process ends never comes. */
function runUntil(disk: SimDisk, crashAt: number, program: () => Promise<void>): void {
  disk.onCall = (_: DiskCall, number: number) => {
    if (number === crashAt) disk.die()
  }
  try {
    disk.clock.run(program())
  } catch (error) {
    if (!(error instanceof Stuck && disk.isDead)) throw error
  }
}

function callsOf(seed: number, steps: number): number {
  const { disk } = crashedAt(seed, steps, Infinity)
  return disk.calls
}

describe('a crash', () => {
  test.each([1, 2, 218, 226])(
    'at every disk call leaves what was durable, and nothing that never was (seed %d)',
    (seed) => {
      const steps = 50
      const calls = callsOf(seed, steps)
      for (let crashAt = 1; crashAt <= calls; crashAt++) {
        const { script, disk } = crashedAt(seed, steps, crashAt)
        const random = new SimRandom(crashAt, 'power')
        for (const outcome of [allLost, allKept, randomOutcome(random), randomOutcome(random)]) {
          const next = disk.powerLoss(outcome)
          const told: Told[] = []
          next.clock.run(openOn(next, told))
          expect(told.filter(({ kind }) => kind === 'journal-damaged')).toEqual([])
          script.check(next)
        }
      }
    },
  )

  test('during the replay is followed by one that is as good', () => {
    const { script, disk } = crashedAt(5, 150, callsOf(5, 150) - 10)
    const random = new SimRandom(5, 'power')
    const first = disk.powerLoss(randomOutcome(random))
    const whole = first.kill()
    whole.clock.run(openOn(whole))
    expect(whole.calls).toBeGreaterThan(20)
    for (let crashAt = 1; crashAt <= whole.calls; crashAt++) {
      const replaying = first.kill()
      runUntil(replaying, crashAt, async () => void (await openOn(replaying)))
      const next = replaying.powerLoss(randomOutcome(random))
      next.clock.run(openOn(next))
      script.check(next)
    }
  })
})

describe('the journal', () => {
  function world(): { clock: SimClock; disk: SimDisk; syncs: string[] } {
    const clock = new SimClock()
    const disk = new SimDisk(clock)
    const syncs: string[] = []
    disk.onCall = ({ kind, path }) => {
      if (kind === 'sync') syncs.push(path)
    }
    return { clock, disk, syncs }
  }

  /** Small files that were synced themselves once, and then got a little more. */
  async function manyOn(disk: JournaledDisk, count: number): Promise<DiskFile[]> {
    const files = Array.from({ length: count }, (_, i) => disk.open(`${i}.log`, 'create'))
    await disk.sync(files)
    for (const file of files) file.write(new Uint8Array(100).fill(7), 0)
    return files
  }

  test('takes one sync for many small files', () => {
    const { clock, disk, syncs } = world()
    const journaled = clock.run(openOn(disk))
    const files = clock.run(manyOn(journaled, 20))
    syncs.length = 0
    clock.run(journaled.sync(files))
    expect(syncs).toEqual(['journal'])
    clock.run(journaled.sync(files))
    expect(syncs).toEqual(['journal'])
  })

  test('leaves few files, much to write, and what is not a log to themselves', () => {
    const { clock, disk, syncs } = world()
    const journaled = clock.run(openOn(disk))
    const files = clock.run(manyOn(journaled, 3))
    syncs.length = 0
    clock.run(journaled.sync(files.slice(0, 1)))
    expect(syncs).toEqual(['0.log'])
    files[1]!.write(new Uint8Array(30_000), 0)
    clock.run(journaled.sync(files.slice(1)))
    expect(syncs).toEqual(['0.log', '1.log 2.log'])
    const others = ['a', 'b', 'c'].map((path) => journaled.open(path, 'create'))
    for (const file of others) file.write(new Uint8Array(1), 0)
    clock.run(journaled.sync(others))
    expect(syncs.at(-1)).toBe('a b c')
  })

  test('is emptied by close: the next start replays nothing', () => {
    const { clock, disk } = world()
    const journaled = clock.run(openOn(disk))
    clock.run(manyOn(journaled, 5).then((files) => journaled.sync(files)))
    clock.run(journaled.close())
    const next = disk.powerLoss(allLost)
    const told: Told[] = []
    next.clock.run(openOn(next, told))
    expect(told.find(({ kind }) => kind === 'journal-replayed')).toBeUndefined()
    for (let i = 0; i < 5; i++) expect(contentOf(next, `${i}.log`)).toEqual(new Uint8Array(100).fill(7))
  })

  test('a sync that fails, in front or in the background, is the last', () => {
    for (let failing = 1; failing <= 6; failing++) {
      const { clock, disk } = world()
      const journaled = clock.run(openOn(disk))
      const files = clock.run(manyOn(journaled, 10))
      disk.syncsUntilFailure = failing
      let failures = 0
      for (let round = 0; round < 100; round++) {
        for (const file of files) file.write(new Uint8Array(900).fill(round), file.size())
        try {
          clock.run(journaled.sync(files))
          expect(failures).toBe(0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'io' })
          failures++
        }
      }
      expect(failures).toBeGreaterThan(80)
    }
  })

  /** Rounds of many files, so that the files of one half are still being synced when the next is full. */
  async function rounds(disk: JournaledDisk, files: readonly DiskFile[], count: number): Promise<void> {
    for (let round = 0; round < count; round++) {
      for (const file of files) file.write(new Uint8Array(100).fill(round + 1), file.size())
      await disk.sync(files)
    }
  }

  test('does not use a half again before its files are durable', () => {
    for (let count = 8; count < 40; count += 3) {
      const { clock, disk } = world()
      const journaled = clock.run(openOn(disk))
      const files = clock.run(manyOn(journaled, 30))
      clock.run(rounds(journaled, files, count))
      const next = disk.powerLoss(allLost)
      next.clock.run(openOn(next))
      for (let i = 0; i < 30; i++) {
        const content = contentOf(next, `${i}.log`)
        expect(content.length).toBe(100 * (count + 1))
        for (let round = 0; round <= count; round++) expect(content[100 * round]).toBe(round === 0 ? 7 : round)
      }
    }
  })

  test('keeps whole a removed file that may come back, because its folder was not synced', () => {
    const { clock, disk } = world()
    const journaled = clock.run(openOn(disk))
    const files = clock.run(manyOn(journaled, 30))
    clock.run(rounds(journaled, files, 2))
    files[0]!.close()
    journaled.remove('0.log')
    clock.run(rounds(journaled, files.slice(1), 30))
    const next = disk.powerLoss(allLost)
    next.clock.run(openOn(next))
    expect(contentOf(next, '0.log').length).toBe(300)
  })

  test('an entry that was durable and is not readable any more is reported', () => {
    const { clock, disk } = world()
    const journaled = clock.run(openOn(disk))
    const files = clock.run(manyOn(journaled, 4))
    for (let round = 0; round < 4; round++) {
      for (const file of files) file.write(new Uint8Array(10).fill(round), file.size())
      clock.run(journaled.sync(files))
    }
    disk.flip('journal', 8192 + 4096 + 100, 3)
    const told: Told[] = []
    const next = disk.powerLoss(allLost)
    next.clock.run(openOn(next, told))
    expect(told).toContainEqual({ kind: 'journal-damaged', fields: { missingEntries: 1, readableEntries: 3 } })
  })

  test('bytes of a client that look like an entry are not taken for one', () => {
    const { clock, disk } = world()
    const journaled = clock.run(openOn(disk))
    const files = clock.run(manyOn(journaled, 2))
    clock.run(journaled.sync(files))
    // the journal's own entry, as a payload that lands on a block boundary behind a torn one
    const forged = disk.contentOf('journal').slice(8192, 8192 + 4096)
    forged[20] = 200
    files[0]!.write(forged, 100)
    files[1]!.write(new Uint8Array(10), 100)
    clock.run(journaled.sync(files))
    const told: Told[] = []
    const next = disk.powerLoss(allLost)
    next.clock.run(openOn(next, told))
    expect(told.map(({ kind }) => kind)).toEqual(['journal-replayed'])
  })

  test('is done without where the volume is too small, and says so', () => {
    const { clock, disk, syncs } = world()
    disk.totalBytes = 1024 * 1024
    const told: Told[] = []
    const journaled = clock.run(openOn(disk, told))
    expect(told.map(({ kind }) => kind)).toEqual(['journal-off'])
    clock.run(manyOn(journaled, 3).then((files) => journaled.sync(files)))
    expect(syncs.at(-1)).toBe('0.log 1.log 2.log')
  })

  test('of an earlier start is not replayed after a start without', () => {
    const { clock, disk } = world()
    const journaled = clock.run(openOn(disk))
    const files = clock.run(manyOn(journaled, 2))
    for (const fill of [1, 2]) {
      for (const file of files) file.write(new Uint8Array(50).fill(fill), 0)
      clock.run(journaled.sync(files))
    }
    const small = disk.powerLoss(allLost)
    small.totalBytes = 1024 * 1024
    const told: Told[] = []
    const without = small.clock.run(openOn(small, told))
    expect(told.map(({ kind }) => kind)).toEqual(['journal-replayed', 'journal-off'])
    const file = without.open('0.log', 'write')
    file.write(new Uint8Array(90).fill(3), 0)
    small.clock.run(without.sync([file]))
    const next = small.powerLoss(allLost)
    next.clock.run(openOn(next))
    expect(contentOf(next, '0.log').slice(0, 90)).toEqual(new Uint8Array(90).fill(3))
    expect(contentOf(next, '1.log').slice(0, 50)).toEqual(new Uint8Array(50).fill(2))
  })

  test('turns over early on a volume too full for it to grow', () => {
    const { clock, disk } = world()
    const journaled = clock.run(openOn(disk, [], { ...SMALL, halfBytes: 8 * 1024 * 1024 }))
    const files = clock.run(manyOn(journaled, 4))
    const size = disk.contentOf('journal').length
    disk.totalBytes = size + 4 * 100
    for (let round = 0; round < 600; round++) {
      for (const file of files) file.write(new Uint8Array(100).fill(round), 0)
      clock.run(journaled.sync(files))
    }
    // a refused growth may have taken the little there was
    expect(disk.contentOf('journal').length - size).toBeLessThanOrEqual(4 * 100)
    const next = disk.powerLoss(allLost)
    next.clock.run(openOn(next))
    for (let i = 0; i < 4; i++) expect(contentOf(next, `${i}.log`)).toEqual(new Uint8Array(100).fill(599))
  })

  test('never holds what a rename would leave behind', () => {
    const { clock, disk } = world()
    const journaled = clock.run(openOn(disk))
    journaled.open('free', 'create').close()
    journaled.rename('free', 'moved')
    expect(journaled.exists('moved')).toBe(true)
    clock.run(manyOn(journaled, 3).then((files) => journaled.sync(files)))
    expect(() => journaled.rename('1.log', '9.log')).toThrow('the journal holds')
    expect(() => journaled.rename('moved', '1.log')).toThrow('the journal holds')
  })

  test('use of a closed file is a broken invariant', () => {
    const { clock, disk } = world()
    const file = clock.run(openOn(disk)).open('1.log', 'create')
    file.close()
    file.close()
    expect(() => file.write(new Uint8Array(1), 0)).toThrow('closed')
    expect(() => file.size()).toThrow('closed')
  })
})
