import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Deadlines } from '../../../src/edge/http/deadlines.ts'
import { ProduceRoom } from '../../../src/edge/http/produce-room.ts'

test('who finds no room waits, comes in turn, and is refused when that takes too long', async () => {
  const room = new ProduceRoom(new Deadlines(), 100)
  const [first, second, third, fourth] = [room.share(), room.share(), room.share(), room.share()]
  expect(first.enter(60)).toBe(true)
  const order: string[] = []
  const large = second.enter(50) as Promise<boolean>
  const small = third.enter(10) as Promise<boolean>
  void large.then(() => order.push('large'))
  void small.then(() => order.push('small'))
  await Bun.sleep(1)
  expect(order).toEqual([])
  first.end()
  expect(await Promise.all([large, small])).toEqual([true, true])
  expect(order).toEqual(['large', 'small'])
  expect(await fourth.enter(41)).toBe(false)
  expect(room.refusal()).toMatchObject({ code: 'busy', status: 503, outcome: 'none' })
  second.end()
  expect(fourth.enter(41)).toBe(true)
})

test('a body larger than all of it is let in alone', async () => {
  const room = new ProduceRoom(new Deadlines(), 100)
  const [huge, other] = [room.share(), room.share()]
  expect(huge.enter(500)).toBe(true)
  expect(room.isFull).toBe(true)
  const waiting = other.enter(1) as Promise<boolean>
  huge.end()
  expect(await waiting).toBe(true)
})

test('whatever is asked for and given back, no more is in than fits, and in the end nothing', async () => {
  const step = fc.record({ share: fc.nat(9), bytes: fc.integer({ min: 1, max: 60 }), ends: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const room = new ProduceRoom(new Deadlines(), 100)
      const shares = Array.from({ length: 10 }, () => room.share())
      const held = shares.map(() => 0)
      const waiting: Promise<void>[] = []
      for (const { share, bytes, ends } of steps) {
        if (ends) {
          held[share] = 0
          shares[share]!.end()
        } else {
          const entered = shares[share]!.enter(bytes)
          const take = (): void => void (held[share]! += bytes)
          if (entered === true) take()
          else waiting.push(entered.then((isIn) => (isIn ? take() : undefined)))
        }
        await Promise.resolve()
        await Promise.resolve()
        await Promise.resolve()
        const sum = held.reduce((a, b) => a + b, 0)
        expect(sum).toBeLessThanOrEqual(100)
      }
      // Everybody goes, again and again: all who wait come in.
      for (let round = 0; round <= steps.length; round++) {
        for (const share of shares) share.end()
        await Promise.resolve()
      }
      await Promise.all(waiting)
      for (const share of shares) share.end()
      expect(room.share().enter(100)).toBe(true)
    }),
  )
})
