import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Deque } from '../../../src/core/base/index.ts'

test('behaves as an array', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('push', 'push', 'push', 'shift', 'pop'), { maxLength: 300, size: 'max' }),
      (steps) => {
        const deque = new Deque<number>()
        const array: number[] = []
        steps.forEach((step, i) => {
          if (step === 'push') {
            deque.push(i)
            array.push(i)
          } else if (step === 'shift') {
            expect(deque.shift()).toBe(array.shift())
          } else {
            expect(deque.pop()).toBe(array.pop())
          }
          expect(deque.count).toBe(array.length)
          expect(deque.first()).toBe(array[0])
          expect(deque.last()).toBe(array.at(-1))
        })
      },
    ),
  )
})
