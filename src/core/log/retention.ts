// Which sealed segments may go: those whose last batch is older than the age allowed, and the oldest while the log without them
// still has the size allowed. A plan only; it never reaches behind `limit`, below which all is synced.

import type { LogConfig } from './log-config.ts'

export interface SealedSegment<S extends { readonly bytes: number }> {
  readonly segment: S
  /** Behind its last offset. */
  readonly end: number
}

/**
 * The new log start offset, or `startOffset` when nothing may go. `sealed` are in order. `lastAppendedAt` is asked for as few as
 * need be; NaN: not known, kept by age.
 */
export async function retentionStart<S extends { readonly bytes: number }>(
  sealed: readonly SealedSegment<S>[],
  startOffset: number,
  logBytes: number,
  limit: number,
  config: LogConfig,
  nowMs: number,
  lastAppendedAt: (segment: S) => Promise<number>,
): Promise<number> {
  let start = startOffset
  let bytes = logBytes
  for (const { segment, end } of sealed) {
    if (end > limit) break
    const isExcess = config.retentionBytes >= 0 && bytes - segment.bytes >= config.retentionBytes
    const mayGo = isExcess || (config.retentionMs >= 0 && nowMs - (await lastAppendedAt(segment)) > config.retentionMs)
    if (!mayGo) break
    start = Math.max(start, end)
    bytes -= segment.bytes
  }
  return start
}
