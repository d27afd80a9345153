import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type CommitFate, HighWatermark } from '../../../src/core/partition/high-watermark.ts'

test('whoever waits learns the fate of what it waits for, in order', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('repeat' as const), back: fc.nat({ max: 8 }) }),
    fc.record({ kind: fc.constant('advance' as const), by: fc.nat({ max: 4 }) }),
    fc.record({ kind: fc.constant('refuse' as const), by: fc.nat({ max: 4 }) }),
  )
  return fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const highWatermark = new HighWatermark(0)
      let end = 0
      const waiting: { offset: number; fate: CommitFate | null; got: CommitFate | null }[] = []
      const wait = (offset: number): void => {
        const fate = highWatermark.wait(offset)
        expect(fate === 'committed').toBe(offset < highWatermark.value)
        if (fate === 'committed') return
        const waiter: (typeof waiting)[number] = { offset, fate: null, got: null }
        waiting.push(waiter)
        void fate.then((got) => {
          waiter.got = got
        })
      }
      for (const s of steps) {
        if (s.kind === 'append') {
          end += s.count
          wait(end - 1)
        } else if (s.kind === 'repeat') {
          if (end > 0) wait(Math.max(0, end - 1 - s.back))
        } else if (s.kind === 'advance') {
          const to = Math.min(end, highWatermark.value + s.by)
          highWatermark.advance(to)
          for (const w of waiting) if (w.offset < to) w.fate ??= 'committed'
        } else {
          end = Math.max(highWatermark.value, end - s.by)
          highWatermark.refuse(end)
          for (const w of waiting) if (w.offset >= end) w.fate ??= 'disk-full'
        }
        await Promise.resolve()
        for (const w of waiting) expect(w.got).toBe(w.fate)
        expect(highWatermark.waiterCount).toBe(waiting.filter((w) => w.fate === null).length)
      }
    }),
    { numRuns: 200 },
  )
})
