import { expect, test } from 'bun:test'
import { Deadline, Deadlines } from '../../../src/edge/http/deadlines.ts'

class Noted extends Deadline {
  readonly expired: Promise<number>
  readonly #resolve: (atMs: number) => void

  constructor(ms: number) {
    super(performance.now() + ms)
    const { promise, resolve } = Promise.withResolvers<number>()
    this.expired = promise
    this.#resolve = resolve
  }

  override expire(): void {
    this.#resolve(performance.now())
  }
}

test('each expires once its time has come, the nearest first, whatever the order they were set in', async () => {
  const deadlines = new Deadlines()
  const [late, early] = [new Noted(40), new Noted(10)]
  deadlines.add(late)
  deadlines.add(early)
  const [lateMs, earlyMs] = await Promise.all([late.expired, early.expired])
  expect(earlyMs).toBeGreaterThanOrEqual(early.atMs)
  expect(lateMs).toBeGreaterThanOrEqual(late.atMs)
  expect(earlyMs).toBeLessThanOrEqual(lateMs)
})

test('one that was met does not expire', async () => {
  const deadlines = new Deadlines()
  const [met, other] = [new Noted(5), new Noted(20)]
  let hasExpired = false
  void met.expired.then(() => {
    hasExpired = true
  })
  deadlines.add(met)
  deadlines.add(other)
  deadlines.delete(met)
  await other.expired
  expect(hasExpired).toBe(false)
})

test('whoever leaves from wherever, the others expire, and leaving again changes nothing', async () => {
  const deadlines = new Deadlines()
  const all = Array.from({ length: 6 }, () => new Noted(10))
  for (const deadline of all) deadlines.add(deadline)
  const expired: number[] = []
  all.forEach((deadline, i) => void deadline.expired.then(() => expired.push(i)))
  for (const i of [0, 5, 2, 2]) deadlines.delete(all[i]!)
  await Promise.all([1, 3, 4].map((i) => all[i]!.expired))
  expect(expired.toSorted((a, b) => a - b)).toEqual([1, 3, 4])
})
