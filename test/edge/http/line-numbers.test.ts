import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { LineNumbers } from '../../../src/edge/http/line-numbers.ts'

test('every record finds its line, however the blank ones lie, also after forgetting', () => {
  const blanksBefore = fc.array(fc.constantFrom(0, 0, 0, 1, 3), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(blanksBefore, fc.nat(), (blanks, cut) => {
      const numbers = new LineNumbers()
      const lines: number[] = []
      let line = 0
      for (const [record, blank] of blanks.entries()) {
        line += blank + 1
        lines.push(line)
        numbers.note(record, line)
      }
      const from = cut % blanks.length
      numbers.forgetBelow(from)
      for (let record = from; record < blanks.length; record++) expect(numbers.lineOf(record)).toBe(lines[record]!)
    }),
  )
})
