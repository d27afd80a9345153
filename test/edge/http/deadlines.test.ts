import { expect, test } from 'bun:test'
import { type Deadline, Deadlines } from '../../../src/edge/http/deadlines.ts'

function deadlineIn(ms: number): { deadline: Deadline; expired: Promise<number> } {
  let expire!: (atMs: number) => void
  const expired = new Promise<number>((resolve) => {
    expire = resolve
  })
  return { deadline: { atMs: performance.now() + ms, expire: () => expire(performance.now()) }, expired }
}

test('each expires once its time has come, the nearest first, whatever the order they were set in', async () => {
  const deadlines = new Deadlines()
  const [late, early] = [deadlineIn(40), deadlineIn(10)]
  deadlines.add(late.deadline)
  deadlines.add(early.deadline)
  const [lateMs, earlyMs] = await Promise.all([late.expired, early.expired])
  expect(earlyMs).toBeGreaterThanOrEqual(early.deadline.atMs)
  expect(lateMs).toBeGreaterThanOrEqual(late.deadline.atMs)
  expect(earlyMs).toBeLessThanOrEqual(lateMs)
})

test('one that was met does not expire', async () => {
  const deadlines = new Deadlines()
  const [met, other] = [deadlineIn(5), deadlineIn(20)]
  let hasExpired = false
  void met.expired.then(() => {
    hasExpired = true
  })
  deadlines.add(met.deadline)
  deadlines.add(other.deadline)
  deadlines.delete(met.deadline)
  await other.expired
  expect(hasExpired).toBe(false)
})
