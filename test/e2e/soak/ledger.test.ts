// The judge judged: each kind of loss it exists for is noticed, and what is allowed is let pass.

import { describe, expect, test } from 'bun:test'
import { differencesOf, LogView, ProducerLedger, violationsOf } from './ledger.ts'

/** A producer that sent four records: two acknowledged at 0 and 1, one refused, one of unknown outcome. */
function ledger(): ProducerLedger {
  const one = new ProducerLedger(0, 'test')
  one.acked(one.take(2), 2, [{ partition: 0, baseOffset: 0, lastOffset: 1 }])
  one.refused(one.take(1), 1)
  one.take(1)
  return one
}

function view(...counters: number[]): LogView {
  const seen = new LogView(1)
  for (const [offset, counter] of counters.entries()) seen.add(0, offset, 0, counter)
  return seen
}

describe('what is read back against what was told', () => {
  const cases: [string, number[], RegExp | null][] = [
    ['all acknowledged', [0, 1], null],
    ['and the unknown', [0, 1, 3], null],
    ['one lost', [0], /LOST 0:1/],
    ['one twice', [0, 1, 1], /twice/],
    ['out of order', [1, 0], /comes after/],
    ['elsewhere than acknowledged', [3, 0, 1], /was acknowledged at/],
    ['a refused one', [0, 1, 2], /refused/],
    ['one never sent', [0, 1, 9], /never sent/],
  ]
  for (const [name, counters, expected] of cases) {
    test(name, () => {
      const found = violationsOf([ledger()], view(...counters))
      if (expected === null) expect(found).toEqual([])
      else expect(found.join('\n')).toMatch(expected)
    })
  }

  test('a hole or a repeat of an offset', () => {
    expect(() => new LogView(1).add(0, 1, 0, 0)).toThrow('offset 1 was read where 0 was next')
  })

  test('a consumer that had read what is gone, or is another record now', () => {
    expect(differencesOf(view(0, 1), view(0, 1, 3))).toEqual([])
    expect(differencesOf(view(0, 1), view(0)).length).toBe(1)
    expect(differencesOf(view(0, 3), view(0, 1)).length).toBe(1)
  })
})
