// Time from the operating system.

import type { Clock } from '../../core/ports/index.ts'

/** Longer delays overflow the timer's 32 bits and would fire at once; they are waited for in steps. */
const DELAY_MS_MAX = 0x7fff_ffff

export const hostClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  wakeAt(monotonicMs, wake) {
    let timer: ReturnType<typeof setTimeout>
    const arm = () => {
      const left = monotonicMs - performance.now()
      timer = setTimeout(fire, Math.min(Math.max(Math.ceil(left), 0), DELAY_MS_MAX))
    }
    // timers count whole milliseconds of their own clock and may be early by a fraction
    const fire = () => (performance.now() >= monotonicMs ? wake() : arm())
    arm()
    return () => clearTimeout(timer)
  },
  nextTurn: (run) => void setImmediate(run),
}
