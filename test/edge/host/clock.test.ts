import { expect, spyOn, test } from 'bun:test'
import { hostClock } from '../../../src/edge/host/index.ts'

test('a wake-up is never early', async () => {
  for (const delay of [0, 0.4, 1.7, 3.2]) {
    const due = hostClock.monotonic() + delay
    await new Promise<void>((resolve) => hostClock.wakeAt(due, resolve))
    expect(hostClock.monotonic()).toBeGreaterThanOrEqual(due)
  }
})

test('a cancelled wake-up never comes', async () => {
  let woken = false
  const due = hostClock.monotonic() + 2
  hostClock.wakeAt(due, () => (woken = true))()
  await new Promise<void>((resolve) => hostClock.wakeAt(due + 3, resolve))
  expect(woken).toBe(false)
})

test('a wake-up months ahead is waited for in steps that a timer can hold', () => {
  const timers = spyOn(globalThis, 'setTimeout')
  try {
    hostClock.wakeAt(hostClock.monotonic() + 90 * 86_400_000, () => {})()
    expect(timers.mock.calls.map((call) => call[1])).toEqual([2 ** 31 - 1])
  } finally {
    timers.mockRestore()
  }
})

test('the next turn comes after what runs now', async () => {
  const order: string[] = []
  await new Promise<void>((resolve) => {
    hostClock.nextTurn(() => {
      order.push('next')
      resolve()
    })
    queueMicrotask(() => order.push('microtask'))
    order.push('now')
  })
  expect(order).toEqual(['now', 'microtask', 'next'])
})
