// The epoch cache made anew from the batches below the durable mark. Epochs rise along a log, so a segment whose first batch has
// the same epoch as the next segment's needs no walk.

import type { Codec } from '../ports/index.ts'
import { BATCH_HEADER_BYTES, baseOffsetOf, isStampGood, leaderEpochOf } from '../record/index.ts'
import { nextBatch, type Track, walkBatches } from './batch-walk.ts'
import type { MarkFields } from './durable-mark.ts'
import type { Epochs } from './epochs.ts'
import type { Segment } from './segment.ts'
import type { SegmentSet } from './segment-set.ts'

export async function rebuildEpochs(
  epochs: Epochs,
  segments: SegmentSet,
  fields: MarkFields,
  codec: Codec,
): Promise<void> {
  epochs.clear()
  const list = segments.list.filter((segment) => segment.base < fields.durableEnd)
  for (let i = 0; i < list.length; i++) {
    const segment = list[i]!
    const first = firstEpoch(segment, codec)
    const next = list[i + 1]
    if (first >= epochs.latest && first >= 0) epochs.note(first, segment.base)
    if (next !== undefined && first >= 0 && firstEpoch(next, codec) === first) continue
    await noteEpochs(epochs, segment, fields, codec)
  }
}

async function noteEpochs(epochs: Epochs, segment: Segment, fields: MarkFields, codec: Codec): Promise<void> {
  const end = segment.base === fields.segmentBase ? Math.min(fields.segmentBytes, segment.bytes) : segment.bytes
  let track: Track = { position: 0, offset: segment.base, epoch: Math.max(epochs.latest, 0) }
  for (;;) {
    const reached = await walkBatches(segment.file(), track, end, codec, (bytes, at) =>
      epochs.note(leaderEpochOf(bytes, at), baseOffsetOf(bytes, at)),
    )
    if (reached.fault === null) return
    const next = await nextBatch(segment.file(), reached, end, fields.durableEnd, codec)
    if (next === null) return
    track = next
  }
}

function firstEpoch(segment: Segment, codec: Codec): number {
  const header = new Uint8Array(BATCH_HEADER_BYTES)
  const count = segment.file().read(header, 0)
  return count === BATCH_HEADER_BYTES && isStampGood(header, 0, codec) ? leaderEpochOf(header, 0) : -1
}
