import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { EntryIndex } from '../../../src/core/raft/index.ts'

type Step = { add: number } | { cut: number } | { forget: number } | { reset: number }
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 4 }) }) },
  fc.record({ cut: fc.nat() }),
  fc.record({ forget: fc.nat() }),
  { weight: 1, arbitrary: fc.record({ reset: fc.integer({ min: 1, max: 90 }) }) },
)

test('whatever is added, cut and forgotten, every index is found as in a plain list', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const index = new EntryIndex(1)
      let end = 1
      let entries: { start: number; count: number; term: number }[] = []
      let term = 1
      for (const it of steps) {
        const pick = (at: number) => entries[at % entries.length]!.start
        if ('add' in it) {
          entries.push({ start: end, count: it.add, term })
          index.add(end, it.add, term++)
          end += it.add
        } else if ('reset' in it) {
          index.reset((end = it.reset))
          entries = []
        } else if (entries.length > 0) {
          const place = pick('cut' in it ? it.cut : it.forget)
          if ('cut' in it) index.truncate((end = place))
          else index.forgetBefore(place)
          entries = entries.filter(({ start }) => ('cut' in it ? start < place : start >= place))
        }
        expect([index.first, index.last]).toEqual([entries[0]?.start ?? end, end - 1])
        expect([index.term(index.first - 1), index.term(end)]).toEqual([null, null])
        for (const entry of entries) {
          for (let at = entry.start; at < entry.start + entry.count; at++) {
            expect([index.term(at), index.startOf(at)]).toEqual([entry.term, entry.start])
          }
        }
      }
    }),
  )
})
