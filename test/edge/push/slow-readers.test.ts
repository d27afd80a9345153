// What slow readers keep together is bounded: the slowest goes first.

import { expect, test } from 'bun:test'
import { type SlowReader, SlowReaders } from '../../../src/edge/push/slow-readers.ts'

class Reader implements SlowReader {
  isGone = false
  looks = 0
  constructor(readonly all: SlowReaders) {}

  lookAgain(): void {
    this.looks++
  }

  letGo(): void {
    this.isGone = true
    this.all.delete(this)
  }
}

test('beyond the bound whoever has been slow the longest is let go', () => {
  const all = new SlowReaders(100)
  const readers = Array.from({ length: 4 }, () => new Reader(all))
  for (const reader of readers) all.add(reader, 40)
  expect(readers.map(({ isGone }) => isGone)).toEqual([true, true, false, false])
  expect([all.count, all.bytes]).toEqual([2, 80])
  all.delete(readers[2]!)
  all.add(readers[0]!, 60)
  expect([all.count, all.bytes, readers[3]!.isGone]).toEqual([2, 100, false])
  all.lookAgain(0)
  expect(readers.map(({ looks }) => looks)).toEqual([1, 0, 0, 1])
})

test('one that keeps more than all may goes itself', () => {
  const all = new SlowReaders(100)
  const reader = new Reader(all)
  all.add(reader, 101)
  expect([reader.isGone, all.count, all.bytes]).toEqual([true, 0, 0])
  all.delete(reader)
  expect(all.bytes).toBe(0)
})
