// How late the event loop comes to what is due: a timer every so often, and by how much it was missed.

import type { Meter } from '../../core/ports/index.ts'

const EVERY_MS = 20
const BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/** Returns what ends the watch. */
export function watchLoop(meter: Meter): () => void {
  const lag = meter.histogram('naru_loop_lag_seconds', 'How late the event loop came to a timer', BOUNDS_SECONDS)
  let dueMs = performance.now() + EVERY_MS
  const timer = setInterval(() => {
    const nowMs = performance.now()
    lag.observe(Math.max(0, nowMs - dueMs) / 1000)
    dueMs = nowMs + EVERY_MS
  }, EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
