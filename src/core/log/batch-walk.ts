// Walking the batches of a segment file off the event loop, every checksum verified, in slices of about a MiB so that no
// step is long. `walkBatches` goes on as long as each batch follows the one before it; `nextBatch` finds the way back
// onto the track behind bytes that are bad.

import { limits } from '../base/index.ts'
import type { Codec, DiskFile } from '../ports/index.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  batchBytesOf,
  type BatchFault,
  frameFault,
  isStampGood,
  lastOffsetOf,
  leaderEpochOf,
  storedFault,
} from '../record/index.ts'
import { StorageRefusal } from './damage.ts'

const SLICE_BYTES = 1024 * 1024

/** A file, or a segment: that one opens its file anew when it was closed meanwhile, and says when it is gone. */
export type BatchFile = Pick<DiskFile, 'path' | 'readCold'>

/** Where a walk stands: the next batch should lie at `position` and begin with `offset`, in no older epoch. */
export interface Track {
  readonly position: number
  readonly offset: number
  readonly epoch: number
}

export interface WalkEnd extends Track {
  /** Why it ended before `end`; null: everything up to `end` is good. */
  readonly fault: BatchFault | null
}

export async function walkBatches(
  file: BatchFile,
  track: Track,
  end: number,
  codec: Codec,
  visit: (bytes: Uint8Array, at: number, position: number) => void,
): Promise<WalkEnd> {
  let { position, offset, epoch } = track
  let bytes = new Uint8Array(Math.min(SLICE_BYTES, Math.max(end - position, 0)))
  while (position < end) {
    const count = await file.readCold(bytes.subarray(0, Math.min(bytes.length, end - position)), position)
    let at = 0
    let fault: BatchFault | null = null
    while (at < count) {
      fault = storedFault(bytes, at, count, codec) ?? trackFault(bytes, at, offset, epoch)
      if (fault !== null) break
      visit(bytes, at, position + at)
      offset = lastOffsetOf(bytes, at) + 1
      epoch = leaderEpochOf(bytes, at)
      at += batchBytesOf(bytes, at)
    }
    position += at
    if (fault?.kind === 'version')
      throw new StorageRefusal('newer-format', `${file.path} at ${position}: ${fault.detail}`)
    if (fault !== null && (fault.kind !== 'cut' || count - at === end - position))
      return { position, offset, epoch, fault }
    if (count === 0 || (fault === null && at < count)) break
    if (fault !== null && at === 0) {
      // one batch is longer than the slice, or the file is shorter than it should be
      if (bytes.length >= limits.BATCH_BYTES_MAX || count < bytes.length) return { position, offset, epoch, fault }
      bytes = new Uint8Array(limits.BATCH_BYTES_MAX)
    }
  }
  const fault: BatchFault | null = position < end ? { kind: 'cut', detail: 'the file is shorter than it was' } : null
  return { position, offset, epoch, fault }
}

export function trackFault(bytes: Uint8Array, at: number, offset: number, epoch: number): BatchFault | null {
  if (baseOffsetOf(bytes, at) !== offset) {
    return { kind: 'structure', detail: `offset ${baseOffsetOf(bytes, at)} where ${offset} should be` }
  }
  if (leaderEpochOf(bytes, at) < epoch) return { kind: 'structure', detail: 'the leader epoch falls' }
  return null
}

/**
 * The next whole batch behind a bad one at `track`, beginning with an offset in (track.offset, offsetMax). A payload may
 * itself hold bytes that look like a batch, so one is believed only when it ends where another begins or the file ends.
 */
export async function nextBatch(
  file: BatchFile,
  track: Track,
  end: number,
  offsetMax: number,
  codec: Codec,
): Promise<Track | null> {
  let position = track.position
  // room for the bad batch, a slice to search, one more batch and the header behind it
  const room = 2 * limits.BATCH_BYTES_MAX + SLICE_BYTES + BATCH_HEADER_BYTES
  const bytes = new Uint8Array(Math.min(room, Math.max(end - position, 0)))
  let isFirst = true
  while (end - position >= BATCH_HEADER_BYTES) {
    const wanted = Math.min(bytes.length, end - position)
    const count = await file.readCold(bytes.subarray(0, wanted), position)
    if (count < BATCH_HEADER_BYTES) return null
    const fileEnd = position + wanted === end || count < wanted ? count : Number.POSITIVE_INFINITY
    // under a good stamp the length can be believed, and nothing inside the bad batch is taken for one
    let at = isFirst ? (isFramed(bytes, 0, count, codec) ? batchBytesOf(bytes, 0) : 1) : 0
    isFirst = false
    const sliceEnd = Math.min(count, SLICE_BYTES + at)
    for (; at < sliceEnd; at++) {
      if (!isLikely(bytes, at, count, track.offset, offsetMax) || !isFramed(bytes, at, count, codec)) continue
      if (storedFault(bytes, at, count, codec) !== null) {
        at += batchBytesOf(bytes, at) - 1
        continue
      }
      const next = at + batchBytesOf(bytes, at)
      const follows = next + BATCH_HEADER_BYTES <= count && isStampGood(bytes, next, codec)
      if (next === fileEnd || follows) {
        return { position: position + at, offset: baseOffsetOf(bytes, at), epoch: leaderEpochOf(bytes, at) }
      }
    }
    position += Math.max(at, 1)
  }
  return null
}

function isLikely(bytes: Uint8Array, at: number, count: number, offset: number, offsetMax: number): boolean {
  if (at + BATCH_HEADER_BYTES > count || bytes[at + 7] !== 0 || bytes[at + 6]! > 0x1f) return false
  const base = baseOffsetOf(bytes, at)
  return base > offset && base < offsetMax
}

function isFramed(bytes: Uint8Array, at: number, count: number, codec: Codec): boolean {
  return frameFault(bytes, at, count) === null && isStampGood(bytes, at, codec)
}
