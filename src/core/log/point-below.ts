// Where a log would stand had it ended earlier: what truncation goes back to.

import type { Epochs } from './epochs.ts'
import type { LogPoint } from './log-point.ts'
import type { LogReader, ReadSource } from './log-reader.ts'

/** The log's state as it was when it ended at `offset`, or at the base of the batch that contains it. */
export async function pointBelow(
  offset: number,
  log: ReadSource & { readonly appendedAtMax: number },
  reader: LogReader,
  epochs: Epochs,
): Promise<LogPoint> {
  const { list } = log.segments
  const i = log.segments.indexOf(offset)
  const segment = list[i]
  let end = offset
  if (segment !== undefined && segment.base < offset) {
    const place = await reader.placeOf(segment, offset)
    end = place.offset
    if (place.position > 0 && end > log.startOffset) {
      return {
        end,
        segmentBase: segment.base,
        segmentBytes: place.position,
        appendedAtMax: Number.isNaN(place.appendedAtBefore) ? log.appendedAtMax : place.appendedAtBefore,
        epoch: epochs.at(end - 1),
      }
    }
  }
  if (end <= log.startOffset) {
    const start = log.startOffset
    const epoch = epochs.at(start - 1)
    return { end: start, segmentBase: start, segmentBytes: 0, appendedAtMax: log.appendedAtMax, epoch }
  }
  const before = list[i - 1]!
  const appendedAt = await reader.lastAppendedAt(before)
  return {
    end,
    segmentBase: before.base,
    segmentBytes: before.bytes,
    appendedAtMax: Number.isNaN(appendedAt) ? log.appendedAtMax : appendedAt,
    epoch: epochs.at(end - 1),
  }
}
