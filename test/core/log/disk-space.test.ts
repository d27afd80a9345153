import { expect, test } from 'bun:test'
import { DISK_SPACE_DEFAULTS, DiskSpace } from '../../../src/core/log/index.ts'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { EventList } from './log-rig.ts'

const GIB = 1024 ** 3

class FakeVolume extends SimDisk {
  free = 0

  override space(): { freeBytes: number; totalBytes: number } {
    return { freeBytes: this.free, totalBytes: this.totalBytes }
  }
}

function volume(totalBytes: number, floorBytes = 0) {
  const disk = new FakeVolume(new SimClock(), { totalBytes })
  const events = new EventList()
  const space = new DiskSpace(disk, events, { ...DISK_SPACE_DEFAULTS, floorBytes })
  const at = (freeBytes: number) => {
    disk.free = freeBytes
    space.refresh()
    return space.level
  }
  return { space, at, events }
}

test('levels fall at their marks and rise with some room above them', () => {
  const { space, at, events } = volume(100 * GIB)
  expect(at(50 * GIB)).toBe('ok')
  expect(at(1.9 * GIB)).toBe('soft')
  expect(space.isLow).toBe(false)
  expect(at(0.9 * GIB)).toBe('hard')
  expect(space.isLow).toBe(true)
  expect(space.freeBytesMin).toBe(GIB)
  expect(at(0.2 * GIB)).toBe('critical')
  expect(at(0.3 * GIB)).toBe('critical')
  expect(at(0.6 * GIB)).toBe('hard')
  expect(at(1.5 * GIB)).toBe('hard')
  expect(at(2.1 * GIB)).toBe('soft')
  expect(at(3.9 * GIB)).toBe('soft')
  expect(at(4.1 * GIB)).toBe('ok')
  expect(events.of('disk-space').length).toBe(6)
})

test('on a small volume the percentage holds', () => {
  const { at, space } = volume(100 * 1024 * 1024)
  expect(at(11 * 1024 * 1024)).toBe('ok')
  expect(at(6 * 1024 * 1024)).toBe('soft')
  expect(at(4 * 1024 * 1024)).toBe('hard')
  expect(space.freeBytesMin).toBe(5 * 1024 * 1024)
})

test('no mark lies below the floor, unless the volume is small', () => {
  expect(volume(1000 * GIB, 3 * GIB).at(2.9 * GIB)).toBe('critical')
  expect(volume(GIB, 3 * GIB).at(0.06 * GIB)).toBe('soft')
})

test('a write without space is low until a refresh finds room', () => {
  const { space, at } = volume(100 * GIB)
  at(50 * GIB)
  space.noteNoSpace()
  expect(space.isLow).toBe(true)
  expect(at(50 * GIB)).toBe('ok')
})
