// Which sealed segments may go: those whose last batch is older than the age allowed, and the oldest while the log without them
// still has the size allowed. A plan only; it never reaches behind `limit`, below which all is synced.

import type { LogConfig } from './log-config.ts'

export interface RetainedSegment {
  /** Behind its last offset. */
  readonly end: number
  readonly bytes: number
  /** NaN: not known, kept by age. */
  readonly lastAppendedAt: number
}

/** The new log start offset, or `startOffset` when nothing may go. `oldest` are the sealed segments in order. */
export function retentionStart(
  startOffset: number,
  oldest: readonly RetainedSegment[],
  logBytes: number,
  limit: number,
  config: LogConfig,
  nowMs: number,
): number {
  let start = startOffset
  let bytes = logBytes
  for (const segment of oldest) {
    if (segment.end > limit) break
    const isOld = config.retentionMs >= 0 && nowMs - segment.lastAppendedAt > config.retentionMs
    const isExcess = config.retentionBytes >= 0 && bytes - segment.bytes >= config.retentionBytes
    if (!isOld && !isExcess) break
    start = Math.max(start, segment.end)
    bytes -= segment.bytes
  }
  return start
}
