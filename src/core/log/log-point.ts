// Where a log stands behind some batch: what the durable mark will say of it once that is synced.

import type { MarkFields } from './durable-mark.ts'

export interface LogPoint {
  end: number
  segmentBase: number
  segmentBytes: number
  appendedAtMax: number
  epoch: number
}

/**
 * The next batch goes into a file of its own, also after another start. A file that was cut is never made longer: blocks of
 * the cut part, were they to come back in a crash, would pass for batches appended since.
 */
export function beginAnew(point: { segmentBase: number; segmentBytes: number }, end: number): void {
  point.segmentBase = end
  point.segmentBytes = 0
}

/** What a mark says of a log that ends, synced, at `point`. */
export function marked(startOffset: number, point: LogPoint, segmentCount: number): MarkFields {
  return {
    startOffset,
    durableEnd: point.end,
    segmentBase: point.segmentBase,
    segmentBytes: point.segmentBytes,
    appendedAtMax: point.appendedAtMax,
    latestEpoch: point.epoch,
    segmentCount,
    state: 'settled',
  }
}

export function emptyPoint(offset: number): LogPoint {
  return { end: offset, segmentBase: offset, segmentBytes: 0, appendedAtMax: 0, epoch: -1 }
}
