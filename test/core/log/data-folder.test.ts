import { expect, test } from 'bun:test'
import { DataFolder, StorageRefusal } from '../../../src/core/log/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { SimClock, Stuck } from '../../sim/clock.ts'
import { allKept, allLost, randomOutcome, SimDisk } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'
import { EventList } from './log-rig.ts'

function open(disk: SimDisk, expected: { clusterId?: string; nodeId?: number } = {}, seed = 1): DataFolder {
  const world = { disk, codec: hostCodec, random: new SimRandom(seed, 'ids'), events: new EventList() }
  return disk.clock.run(DataFolder.open(world, expected, ['lock']))
}

function refusalOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof StorageRefusal) return error.kind
    throw error
  }
  return 'none'
}

test('an identity is made once and found ever after', () => {
  const disk = new SimDisk(new SimClock())
  disk.open('lock', 'create')
  const made = open(disk)
  expect(made.isNew).toBe(true)
  expect(made.identity.nodeId).toBe(1)
  expect(made.identity.directoryId).toMatch(/^[a-z2-7]{20}$/)
  expect(made.identity.clusterId).not.toBe(made.identity.directoryId)
  const again = open(disk.powerLoss(allLost), {}, 2)
  expect(again.isNew).toBe(false)
  expect(again.identity).toEqual(made.identity)
})

test('another cluster or node is refused', () => {
  const disk = new SimDisk(new SimClock())
  open(disk, { clusterId: 'mine', nodeId: 3 })
  expect(refusalOf(() => open(disk, { clusterId: 'mine', nodeId: 3 }))).toBe('none')
  expect(refusalOf(() => open(disk, { clusterId: 'other' }))).toBe('foreign-cluster')
  expect(refusalOf(() => open(disk, { nodeId: 4 }))).toBe('foreign-node')
})

test('one bad or lost copy is restored, two are refused while there is data', () => {
  const disk = new SimDisk(new SimClock())
  const { identity } = open(disk)
  const bytes = disk.contentOf('identity')
  for (const name of ['identity', 'identity.copy']) {
    for (let at = 0; at < bytes.length; at++) {
      const flipped = disk.kill()
      flipped.flip(name, at, at % 8)
      expect(open(flipped, {}, 9).identity).toEqual(identity)
      expect(flipped.contentOf(name)).toEqual(bytes)
    }
    const lost = disk.kill()
    lost.lose(name)
    expect(open(lost, {}, 9).identity).toEqual(identity)
  }
  const bad = disk.kill()
  bad.createFolder('topics')
  bad.flip('identity', 3, 1)
  bad.flip('identity.copy', 3, 1)
  expect(refusalOf(() => open(bad))).toBe('identity-unreadable')
  const none = disk.kill()
  none.createFolder('topics')
  none.lose('identity')
  none.lose('identity.copy')
  expect(refusalOf(() => open(none))).toBe('identity-missing')
})

test('a newer format is refused', () => {
  const disk = new SimDisk(new SimClock())
  open(disk)
  const line = '{"format":2,"clusterId":"a","nodeId":1,"directoryId":"b"}'
  const sum = hostCodec.crc32(new TextEncoder().encode(line)).toString(16).padStart(8, '0')
  disk.replace('identity', new TextEncoder().encode(`${line}\n${sum}\n`))
  expect(refusalOf(() => open(disk))).toBe('newer-format')
})

test('a crash at any disk call of the first start leaves an identity or a folder to start in', () => {
  for (let dieAt = 1; ; dieAt++) {
    const disk = new SimDisk(new SimClock())
    disk.onCall = (_, number) => {
      if (number === dieAt) disk.die()
    }
    let made: DataFolder | null = null
    try {
      made = open(disk)
    } catch (error) {
      if (!(error instanceof Stuck)) throw error
    }
    for (const outcome of [allLost, allKept, randomOutcome(new SimRandom(dieAt, 'fate'))]) {
      const again = open(disk.powerLoss(outcome), {}, 2)
      if (made !== null) expect(again.identity).toEqual(made.identity)
      expect(open(again.isNew ? disk.kill() : disk.powerLoss(outcome), {}, 3).identity.nodeId).toBe(1)
    }
    if (!disk.isDead || made !== null) break
  }
})
