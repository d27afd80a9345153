import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { TimingWheel, type TimingWheelHandle } from '../../../src/core/base/index.ts'

/** What the wheel must do, without any cleverness: a list, sorted when asked. */
class SortedList {
  #nowMs: number
  #waiting: { deadlineMs: number; item: number }[] = []

  constructor(nowMs: number) {
    this.#nowMs = Math.floor(nowMs)
  }

  get count(): number {
    return this.#waiting.length
  }

  add(deadlineMs: number, item: number): void {
    this.#waiting.push({ deadlineMs: Math.ceil(deadlineMs), item })
  }

  cancel(item: number): boolean {
    const before = this.#waiting.length
    this.#waiting = this.#waiting.filter((w) => w.item !== item)
    return this.#waiting.length < before
  }

  /** Those already past when added come first and in order of adding, as the wheel takes them without looking. */
  advance(nowMs: number): number[] {
    const overdue = this.#waiting.filter((w) => w.deadlineMs <= this.#nowMs)
    const waiting = this.#waiting.filter((w) => w.deadlineMs > this.#nowMs)
    this.#nowMs = Math.max(this.#nowMs, Math.floor(nowMs))
    waiting.sort((a, b) => a.deadlineMs - b.deadlineMs)
    const due = waiting.filter((w) => w.deadlineMs <= this.#nowMs)
    this.#waiting = waiting.filter((w) => w.deadlineMs > this.#nowMs)
    return [...overdue, ...due].map((w) => w.item)
  }

  earliest(): number | null {
    return this.#waiting.length === 0 ? null : Math.min(...this.#waiting.map((w) => w.deadlineMs))
  }
}

const distance = fc.oneof(
  fc.integer({ min: -50, max: 300 }),
  fc.integer({ min: 0, max: 300_000 }),
  fc.constantFrom(63, 64, 65, 4095, 4096, 4097, 262_143, 262_144),
  fc.integer({ min: 0, max: 2 ** 45 }),
  fc.double({ min: 0, max: 5000, noNaN: true }),
)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), distance }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), distance }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sleep' as const) }) },
)

test('behaves as a sorted list', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 10_000 }), fc.constant(1_790_000_000_000)),
      fc.array(step, { maxLength: 120, size: 'max' }),
      (startMs, steps) => {
        const wheel = new TimingWheel<number>(startMs)
        const list = new SortedList(startMs)
        const handles: TimingWheelHandle<number>[] = []
        let nowMs = startMs
        for (const s of steps) {
          if (s.kind === 'add') {
            list.add(nowMs + s.distance, handles.length)
            handles.push(wheel.add(nowMs + s.distance, handles.length))
          } else if (s.kind === 'cancel') {
            if (handles.length === 0) continue
            const item = s.pick % handles.length
            expect(wheel.cancel(handles[item]!)).toBe(list.cancel(item))
          } else if (s.kind === 'advance') {
            nowMs += Math.max(0, s.distance)
            expect(wheel.advance(nowMs)).toEqual(list.advance(nowMs))
          } else {
            const asleepUntil = wheel.nextDeadline()
            const earliest = list.earliest()
            expect(asleepUntil === null).toBe(earliest === null)
            if (asleepUntil === null || earliest === null) continue
            // Of several that are past any will do: all of them are due.
            expect(asleepUntil).toBeLessThanOrEqual(Math.max(earliest, nowMs))
            nowMs = Math.max(nowMs, asleepUntil)
            expect(wheel.advance(nowMs)).toEqual(list.advance(nowMs))
          }
          expect(wheel.count).toBe(list.count)
        }
      },
    ),
    { numRuns: 400 },
  )
})

test('never early: a fraction of a millisecond before the deadline is before it', () => {
  const wheel = new TimingWheel<string>(1000.7)
  wheel.add(1001.2, 'a')
  expect(wheel.nextDeadline()).toBe(1002)
  expect(wheel.advance(1001.2)).toEqual([])
  expect(wheel.advance(1001.999)).toEqual([])
  expect(wheel.advance(1002)).toEqual(['a'])
})

test('without cancels the next deadline is exact, however far', () => {
  const wheel = new TimingWheel<number>(123)
  for (const deadlineMs of [123 + 2 ** 40, 900_000, 70_001, 4_200, 200]) {
    wheel.add(deadlineMs, deadlineMs)
    expect(wheel.nextDeadline()).toBe(deadlineMs)
  }
})

test('a handle that fired, or was cancelled, cancels nothing', () => {
  const wheel = new TimingWheel<string>(0)
  const fired = wheel.add(5, 'fired')
  const cancelled = wheel.add(6, 'cancelled')
  expect(cancelled.isWaiting).toBe(true)
  expect(wheel.cancel(cancelled)).toBe(true)
  expect(wheel.cancel(cancelled)).toBe(false)
  expect(wheel.advance(10)).toEqual(['fired'])
  expect(wheel.cancel(fired)).toBe(false)
  expect(wheel.count).toBe(0)
  expect(wheel.nextDeadline()).toBeNull()
})
