// Bits that flip and files that end early, everywhere: below the durable mark nothing is ever cut silently, above it the log
// ends behind its last good batch.

import { describe, expect, test } from 'bun:test'
import { StorageRefusal } from '../../../src/core/log/index.ts'
import { stampBatch } from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { allLost, type SimDisk } from '../../sim/disk.ts'
import { CONFIG, FOLDER, LogRig } from './log-rig.ts'

const MARK = `${FOLDER}/durable`
const EPOCHS = `${FOLDER}/epochs`

interface Made {
  rig: LogRig
  values: Map<number, string>
  epochs: number[]
}

/** A closed log of three segments, two epochs, a trimmed start. */
function makeLog(): Made {
  const rig = LogRig.fresh({ ...CONFIG, segmentBytes: 600 })
  for (let i = 0; i < 14; i++) {
    if (i === 5) rig.epoch = 4
    rig.append(`first of ${i}`, `second of ${i} ${'x'.repeat(i)}`)
    if (i % 2 === 0) rig.settle()
  }
  rig.settle()
  rig.clock.run(rig.log.trim(3))
  const { values } = rig.readAll()
  rig.clock.run(rig.log.close())
  return { rig, values, epochs: epochsOf(rig) }
}

function epochsOf({ log }: LogRig): number[] {
  return Array.from({ length: log.endOffset - log.startOffset }, (_, i) => log.epochAt(log.startOffset + i))
}

function segmentsOf(disk: SimDisk): string[] {
  return disk
    .paths()
    .filter((path) => path.endsWith('.log'))
    .sort()
}

/** Every record is there as it was or in a gap that was reported; returns how many are in gaps. */
function expectNothingSilent(found: LogRig, made: Made): number {
  const { values, gaps } = found.readAll()
  expect([found.log.startOffset, found.log.endOffset]).toEqual([3, 28])
  let missing = 0
  for (const [offset, value] of made.values) {
    if (gaps.some(([from, to]) => offset >= from && offset < to)) missing++
    else expect(values.get(offset)).toBe(value)
  }
  if (gaps.length > 0) {
    expect(found.log.damage).not.toBeNull()
    expect(found.events.of('log-damaged')).not.toEqual([])
  }
  return missing
}

describe('a flipped bit', () => {
  const made = makeLog()

  test('in a segment is damage of one batch, whatever bit it is', () => {
    for (const path of segmentsOf(made.rig.disk)) {
      const bytes = made.rig.disk.contentOf(path).length
      for (let at = 0; at < bytes; at++) {
        const disk = made.rig.disk.kill()
        disk.flip(path, at, at % 8)
        const found = made.rig.next(disk).open()
        const missing = expectNothingSilent(found, made)
        // the first batch of the log holds an offset below the start, which nobody misses
        expect(missing).toBeLessThanOrEqual(2)
        if (missing === 0) expect(path).toBe(segmentsOf(made.rig.disk)[0]!)
        else expect(() => found.append('x')).toThrow('damaged')
      }
    }
  })

  test('in an index, the epochs or the mark costs nothing', () => {
    for (const path of made.rig.disk.paths().filter((path) => !path.endsWith('.log'))) {
      const bytes = made.rig.disk.contentOf(path)
      for (let at = 0; at < bytes.length; at++) {
        // between its slots the mark's file is empty
        if (path === MARK && bytes[at] === 0 && at > 100 && at < 4000) continue
        for (let bit = 0; bit < 8; bit += path === MARK || path === EPOCHS ? 1 : 3) {
          const disk = made.rig.disk.kill()
          disk.flip(path, at, bit)
          const found = made.rig.next(disk).open()
          expect(expectNothingSilent(found, made)).toBe(0)
          expect(found.log.damage).toBeNull()
          expect(epochsOf(found)).toEqual(made.epochs)
        }
      }
    }
  })

  test('is found after a crash as well', () => {
    const rig = LogRig.fresh({ ...CONFIG, segmentBytes: 900 })
    for (let i = 0; i < 8; i++) rig.append(`${i}`)
    rig.settle()
    const { segments } = rig.log
    const { path, bytes } = segments.last!
    rig.append('not synced')
    rig.clock.pass(0.05)
    for (let at = 0; at < bytes; at++) {
      const disk = rig.disk.kill()
      disk.flip(path, at, 3)
      const found = rig.next(disk).open()
      const { gaps } = found.readAll()
      expect(gaps.length).toBe(1)
      expect(found.log.endOffset).toBe(9)
      expect(found.log.damage).not.toBeNull()
    }
  })
})

describe('a lost file', () => {
  const made = makeLog()

  test('index, epochs or mark: rebuilt', () => {
    for (const path of made.rig.disk.paths().filter((path) => !path.endsWith('.log'))) {
      const disk = made.rig.disk.kill()
      disk.lose(path)
      const found = made.rig.next(disk).open()
      // the mark knew the trimmed start; without it the log begins with its first segment
      if (path === MARK) {
        expect(found.events.of('log-mark-lost').length).toBe(1)
        expect(found.log.startOffset).toBeLessThanOrEqual(3)
        expect(found.log.endOffset).toBe(28)
        for (const [offset, value] of made.values) expect(found.readAll().values.get(offset)).toBe(value)
      } else {
        expect(expectNothingSilent(found, made)).toBe(0)
        expect(epochsOf(found)).toEqual(made.epochs)
      }
      expect(found.log.damage).toBeNull()
      found.append('goes on')
      found.settle()
    }
  })

  test('a segment: damage of what it held', () => {
    const paths = segmentsOf(made.rig.disk)
    expect(paths.length).toBeGreaterThanOrEqual(3)
    for (const path of paths) {
      const disk = made.rig.disk.kill()
      disk.lose(path)
      const found = made.rig.next(disk).open()
      expect(found.log.damage).not.toBeNull()
      expect(expectNothingSilent(found, made)).toBeGreaterThan(0)
    }
  })

  test('all segments: damage of everything', () => {
    const disk = made.rig.disk.kill()
    for (const path of segmentsOf(disk)) disk.lose(path)
    const found = made.rig.next(disk).open()
    expect(found.log.damage).toMatchObject({ offset: 3, nextReadableOffset: 28 })
    expect(expectNothingSilent(found, made)).toBe(25)
  })

  test('both slots of the mark bad, and nothing else there: not taken for a new log', () => {
    const disk = made.rig.disk.kill()
    for (const path of segmentsOf(disk)) disk.lose(path)
    disk.replace(MARK, new Uint8Array(5000).fill(7))
    expect(made.rig.next(disk).open().log.damage).not.toBeNull()
  })
})

describe('without a mark', () => {
  const made = makeLog()

  test('a bad batch is damage when a whole one follows, and a tail, reported, at the end', () => {
    const paths = segmentsOf(made.rig.disk)
    for (const path of paths) {
      const bytes = made.rig.disk.contentOf(path).length
      for (let at = 0; at < bytes; at += 7) {
        const disk = made.rig.disk.kill()
        disk.replace(MARK, new Uint8Array(5000).fill(7))
        disk.flip(path, at, at % 8)
        const found = made.rig.next(disk).open()
        const { values, gaps } = found.readAll()
        const cut = found.events.of('log-tail-cut')
        if (found.log.endOffset < 28) {
          expect(cut.length).toBe(1)
          expect(found.log.endOffset).toBe(26)
        }
        for (const [offset, value] of made.values) {
          if (offset >= found.log.endOffset || gaps.some(([from, to]) => offset >= from && offset < to)) continue
          expect(values.get(offset)).toBe(value)
        }
        if (gaps.length > 0) expect(found.log.damage).not.toBeNull()
      }
    }
  })
})

describe('a tail', () => {
  /** Synced up to `durableEnd`, then batches that are only in the page cache. */
  function makeTail(): { rig: LogRig; durableEnd: number; path: string; markedBytes: number } {
    const rig = LogRig.fresh({ ...CONFIG, segmentBytes: 100_000 })
    for (let i = 0; i < 4; i++) rig.append(`durable ${i}`)
    rig.settle()
    const last = rig.log.segments.last!
    const markedBytes = last.bytes
    for (let i = 0; i < 4; i++) rig.append(`written ${i}`, 'x'.repeat(i))
    rig.clock.pass(0.05)
    return { rig, durableEnd: rig.durableEnd, path: last.path, markedBytes }
  }

  test('of any length ends behind its last whole batch; a file that ends below the mark is damaged', () => {
    const { rig, durableEnd, path, markedBytes } = makeTail()
    const bytes = rig.disk.contentOf(path)
    expect(bytes.length).toBeGreaterThan(markedBytes + 400)
    const all = new Map(Array.from({ length: 12 }, (_, i) => [i, true]))
    expect(all.size).toBe(rig.log.endOffset)
    let end = -1
    for (let length = 0; length <= bytes.length; length++) {
      const disk = rig.disk.kill()
      disk.replace(path, bytes.slice(0, length))
      const found = rig.next(disk).open()
      if (length < markedBytes) {
        expect(found.log.endOffset).toBe(durableEnd)
        expect(found.log.damage).not.toBeNull()
        expect(found.readAll().gaps.length).toBe(1)
        if (length > 0) expect(disk.contentOf(path).length).toBe(length)
        continue
      }
      expect(found.log.damage).toBeNull()
      expect(found.log.endOffset).toBeGreaterThanOrEqual(Math.max(durableEnd, end))
      end = found.log.endOffset
      expect(found.readAll().values.size).toBe(end)
      found.append('goes on')
      found.settle()
      expect(found.next(found.disk.powerLoss(allLost)).open().log.endOffset).toBe(end + 1)
    }
    expect(end).toBe(12)
  })

  test('with a changed byte anywhere is cut there, and the good batches that went are counted', () => {
    const { rig, durableEnd, path, markedBytes } = makeTail()
    const bytes = rig.disk.contentOf(path)
    for (let at = markedBytes; at < bytes.length; at++) {
      const disk = rig.disk.kill()
      disk.flip(path, at, at % 8)
      const found = rig.next(disk).open()
      expect(found.log.damage).toBeNull()
      expect(found.log.endOffset).toBeLessThan(12)
      const [event] = found.events.of('log-tail-cut')
      const batchesKept = (found.log.endOffset - durableEnd) / 2
      expect(event).toMatchObject({ endOffset: found.log.endOffset, droppedBatches: 4 - batchesKept - 1 })
      expect(found.readAll().gaps).toEqual([])
    }
  })
})

test('a batch of a newer version is refused, not cut', () => {
  const rig = LogRig.fresh()
  rig.append('a')
  rig.settle()
  const batch = rig.append('b').slice()
  rig.clock.pass(0.05)
  const { path } = rig.log.segments.last!
  const bytes = rig.disk.contentOf(path)
  const at = bytes.length - batch.length
  bytes[at + 32] = 2
  const body = hostCodec.crc32(bytes.subarray(at + 28))
  new DataView(bytes.buffer).setUint32(at + 24, body, true)
  stampBatch(bytes, at, 1, rig.clock.now(), 0, hostCodec)
  const disk = rig.disk.kill()
  disk.replace(path, bytes)
  expect(() => rig.next(disk).open()).toThrow(StorageRefusal)
  expect(disk.contentOf(path)).toEqual(bytes)
})

test('a mark of a newer version is refused', () => {
  const rig = LogRig.fresh()
  rig.append('a')
  rig.clock.run(rig.log.close())
  const disk = rig.disk.kill()
  const bytes = disk.contentOf(MARK)
  const view = new DataView(bytes.buffer)
  for (const slot of [0, 4096]) {
    view.setUint32(slot + 4, 2, true)
    view.setUint32(slot + 72, hostCodec.crc32(bytes.subarray(slot, slot + 72)), true)
  }
  disk.replace(MARK, bytes)
  expect(() => rig.next(disk).open()).toThrow(StorageRefusal)
})

test('a clean start reads a few small things, however many segments there are', () => {
  const rig = LogRig.fresh({ ...CONFIG, segmentBytes: 500 })
  for (let i = 0; i < 300; i++) rig.append('x'.repeat(300))
  rig.clock.run(rig.log.close())
  expect(rig.log.segmentCount).toBe(300)
  const disk = rig.disk.kill()
  const reads: string[] = []
  disk.onCall = (call) => {
    if (call.kind === 'read' || call.kind === 'read-cold') reads.push(call.path)
  }
  rig.next(disk).open()
  expect(reads).toEqual([MARK, EPOCHS])
})
