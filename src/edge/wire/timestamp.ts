// Milliseconds that clients give. Ten digits are the seconds of any year from 1973 to 2286 and, as milliseconds, a day of
// early 1970: whoever sends them forgot to multiply.

import { limits } from '../../core/base/index.ts'

const SECONDS_MIN = 100_000_000
const SECONDS_MAX = 10_000_000_000

/** What is wrong with a timestamp, or null. */
export function timestampFault(ms: number): string | null {
  if (!Number.isInteger(ms) || ms < 0) return 'a timestamp is a whole number of milliseconds since 1970'
  if (ms >= SECONDS_MIN && ms < SECONDS_MAX) return 'this looks like seconds: a timestamp is in milliseconds'
  if (ms > limits.TIMESTAMP_MS_MAX) return 'this is beyond the year 9999: a timestamp is in milliseconds'
  return null
}
