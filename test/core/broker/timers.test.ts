// One wheel, one alarm: nothing early, nothing twice, nothing after a cancel or a close, and input before timeouts.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Timers } from '../../../src/core/broker/timers.ts'
import { SimClock } from '../../sim/clock.ts'

test('each fires once, at its time or the next whole millisecond, unless it was cancelled', () => {
  const timer = fc.record({
    setAtMs: fc.double({ min: 0, max: 3_000, noNaN: true }),
    afterMs: fc.double({ min: -10, max: 90_000, noNaN: true }),
    cancelAfterMs: fc.option(fc.double({ min: 0, max: 90_000, noNaN: true })),
  })
  const property = fc.property(fc.array(timer, { maxLength: 40 }), (given) => {
    const clock = new SimClock()
    const timers = new Timers(clock)
    const fired: (number | null)[] = given.map(() => null)
    given.forEach(({ setAtMs, afterMs, cancelAfterMs }, i) => {
      clock.after(setAtMs, () => {
        const expire = (): void => {
          expect(fired[i]).toBeNull()
          fired[i] = clock.monotonic()
        }
        const handle = timers.at(clock.monotonic() + afterMs, { expire })
        if (cancelAfterMs !== null) clock.after(cancelAfterMs, () => timers.cancel(handle))
      })
    })
    clock.runAll()
    for (const [i, { setAtMs, afterMs, cancelAfterMs }] of given.entries()) {
      const dueMs = setAtMs + Math.max(afterMs, 0)
      const isCancelled = cancelAfterMs !== null && cancelAfterMs <= Math.max(afterMs, 0)
      if (isCancelled) expect(fired[i]).toBeNull()
      else if (cancelAfterMs === null || cancelAfterMs > Math.max(afterMs, 0) + 1) {
        expect(fired[i]).toBeGreaterThanOrEqual(dueMs)
        expect(fired[i]).toBeLessThanOrEqual(dueMs + 1)
      }
    }
  })
  fc.assert(property, { numRuns: 200, seed: 3 })
})

test('a late wake-up takes in first what is waiting: an answer beats its timeout', () => {
  const clock = new SimClock()
  const timers = new Timers(clock)
  const told: string[] = []
  const handle = timers.at(10, { expire: () => told.push('timeout') })
  // The loop stalls over the deadline, and the answer lies behind the alarm in the same turn.
  clock.after(10, () => {
    told.push('answer')
    timers.cancel(handle)
  })
  clock.runAll()
  expect(told).toEqual(['answer'])
})

test('after a close nothing fires, and whoever sets one is none the worse', () => {
  const clock = new SimClock()
  const timers = new Timers(clock)
  const told: string[] = []
  timers.at(10, { expire: () => told.push('before') })
  timers.close()
  timers.cancel(timers.at(20, { expire: () => told.push('after') }))
  timers.at(30, { expire: () => told.push('after') })
  clock.runAll()
  expect(told).toEqual([])
})
