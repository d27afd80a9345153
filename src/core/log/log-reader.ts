// Reading a log: whole batches as they lie in the file, both checksums of each verified. Ranges written or read lately are copied
// out of the page cache at once, into the shared buffer; others are read off the event loop into memory of their own.
//
// A sequential reader's next position is remembered; anyone else starts at the sparse index and steps from batch to batch.
// What cannot be read is reported with the offset where reading can go on.

import { assert } from '../base/index.ts'
import { type Clock, type Codec, DiskError } from '../ports/index.ts'
import {
  appendedAtOf,
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  batchBytesOf,
  frameFault,
  isBodyGood,
  isStampGood,
  lastOffsetOf,
} from '../record/index.ts'
import { nextBatch, walkBatches } from './batch-walk.ts'
import type { Damage } from './damage.ts'
import type { ReadBuffer } from './read-buffer.ts'
import type { Segment } from './segment.ts'
import type { SegmentSet } from './segment-set.ts'
import { INDEX_EVERY_BYTES } from './sparse-index.ts'

export type LogRead =
  | {
      readonly kind: 'batches'
      /** Valid until the reader yields to the event loop. */ readonly bytes: Uint8Array
      readonly nextOffset: number
    }
  | { readonly kind: 'below-start'; readonly startOffset: number }
  | { readonly kind: 'beyond-end'; readonly endOffset: number }
  | { readonly kind: 'damaged'; readonly offset: number; readonly nextReadableOffset: number }

/** The log as its reader sees it. */
export interface ReadSource {
  readonly segments: SegmentSet
  readonly startOffset: number
  readonly endOffset: number
  /** Behind the last batch that is in a file. */
  readonly writtenEnd: number
  noteDamage(damage: Damage): void
}

export interface ReadWorld {
  readonly codec: Codec
  readonly clock: Clock
  readonly readBuffer: ReadBuffer
}

/** A place where a batch begins. */
interface Place {
  readonly segment: Segment
  readonly position: number
  readonly offset: number
}

const NO_BYTES = new Uint8Array(0)
/** Checking a small batch costs about 0.4 µs whatever its size: more of them in one read would hold the loop. */
const READ_BATCHES_MAX = 10_000
const READ_BYTES_MIN = 16 * 1024
const SCAN_BYTES = 1024 * 1024
const SCAN_SLICE_MS = 8
const HINTS = 8

export class LogReader {
  readonly #source: ReadSource
  readonly #world: ReadWorld
  /** Where the latest reads ended: the next ones of sequential readers begin there. */
  readonly #hints: Place[] = []
  #hintAt = 0
  /** Set by `#parse` when it needs other bytes: how many, from the place it has reached. */
  #wanted = 0
  #reachedPosition = 0
  #reachedOffset = 0

  constructor(source: ReadSource, world: ReadWorld) {
    this.#source = source
    this.#world = world
  }

  read(from: number, upTo: number, bytesMax: number): LogRead | Promise<LogRead> {
    const { startOffset, endOffset, segments } = this.#source
    if (from < startOffset) return { kind: 'below-start', startOffset }
    if (from > endOffset) return { kind: 'beyond-end', endOffset }
    upTo = Math.min(upTo, this.#source.writtenEnd)
    if (from >= upTo) return { kind: 'batches', bytes: NO_BYTES, nextOffset: from }
    const place = this.#hint(from) ?? this.#indexed(segments.list[segments.indexOf(from)], from)
    const near = place === null ? null : this.#readNear(place, from, upTo, bytesMax)
    return near ?? this.#readElsewhere(segments, from, upTo, bytesMax)
  }

  /** Off the loop; anew when the segment was removed meanwhile, or another took its place. */
  async #readElsewhere(segments: SegmentSet, from: number, upTo: number, bytesMax: number): Promise<LogRead> {
    try {
      return await this.#readFar(from, upTo, bytesMax)
    } catch (error) {
      if (!this.#isOutdated(segments, error)) throw error
      return this.read(from, upTo, bytesMax)
    }
  }

  #isOutdated(segments: SegmentSet, error: unknown): boolean {
    return error instanceof DiskError && error.code === 'not-found' && segments !== this.#source.segments
  }

  /** Segments were cut or removed. */
  forgetPlaces(): void {
    this.#hints.length = 0
    this.#hintAt = 0
  }

  /** Visits every readable batch from the one containing `from`, all below `upTo`, in slices. */
  async scan(from: number, upTo: number, visit: (bytes: Uint8Array, at: number) => void): Promise<void> {
    let sliceEndMs = this.#world.clock.monotonic() + SCAN_SLICE_MS
    while (from < upTo) {
      const reading = this.read(from, upTo, SCAN_BYTES)
      const read = reading instanceof Promise ? await reading : reading
      if (read.kind === 'batches') {
        for (let at = 0; at < read.bytes.length; at += batchBytesOf(read.bytes, at)) visit(read.bytes, at)
        if (read.nextOffset === from) return
        from = read.nextOffset
      } else if (read.kind === 'damaged') {
        from = read.nextReadableOffset
      } else if (read.kind === 'below-start') {
        from = read.startOffset
      } else {
        return
      }
      if (this.#world.clock.monotonic() < sliceEndMs) continue
      await new Promise<void>((resolve) => this.#world.clock.nextTurn(resolve))
      sliceEndMs = this.#world.clock.monotonic() + SCAN_SLICE_MS
    }
  }

  /** Base offset of the first batch appended at or after `ms`; the end when there is none. */
  async offsetAtTime(ms: number): Promise<number> {
    const { segments } = this.#source
    try {
      return await this.#offsetAtTime(segments, ms)
    } catch (error) {
      if (!this.#isOutdated(segments, error)) throw error
      return this.offsetAtTime(ms)
    }
  }

  async #offsetAtTime({ list }: SegmentSet, ms: number): Promise<number> {
    let low = 0
    let high = list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.firstAppendedAt(list[middle]!) < ms) low = middle + 1
      else high = middle
    }
    const segment = list[low - 1]
    if (segment === undefined) return this.#source.startOffset
    await this.#completeIndex(segment)
    const row = segment.index.rowBefore(ms)
    let found = -1
    const track = {
      position: segment.index.position(row),
      offset: row < 0 ? segment.base : segment.index.offset(row),
      epoch: 0,
    }
    const end = await walkBatches(segment, track, segment.bytes, this.#world.codec, (bytes, at) => {
      if (found < 0 && appendedAtOf(bytes, at) >= ms) found = baseOffsetOf(bytes, at)
    })
    return Math.max(found < 0 ? end.offset : found, this.#source.startOffset)
  }

  /** NaN when the segment's first batch cannot be read. */
  firstAppendedAt(segment: Segment): number {
    if (Number.isNaN(segment.firstAppendedAt) && segment.bytes > 0) {
      const header = new Uint8Array(BATCH_HEADER_BYTES)
      const count = segment.file().read(header, 0)
      const isGood = count === BATCH_HEADER_BYTES && isStampGood(header, 0, this.#world.codec)
      if (isGood) segment.firstAppendedAt = appendedAtOf(header, 0)
    }
    return segment.firstAppendedAt
  }

  /** NaN when the end of the segment cannot be read. Of a sealed segment. */
  async lastAppendedAt(segment: Segment): Promise<number> {
    if (Number.isNaN(segment.lastAppendedAt)) {
      let last = Number.NaN
      const end = await this.#walkEnd(segment, (bytes, at) => {
        last = appendedAtOf(bytes, at)
      })
      if (end.fault === null) segment.lastAppendedAt = last
    }
    return segment.lastAppendedAt
  }

  /** Where the batch that contains `offset` begins, or the first behind it; and when the one before was appended. */
  async placeOf(
    segment: Segment,
    offset: number,
  ): Promise<{ position: number; offset: number; appendedAtBefore: number }> {
    await this.#completeIndex(segment)
    const { index } = segment
    const row = index.rowOfOffset(offset)
    const track = { position: index.position(row), offset: row < 0 ? segment.base : index.offset(row), epoch: 0 }
    let position = -1
    let base = offset
    let before = Number.NaN
    const end = await walkBatches(segment, track, segment.bytes, this.#world.codec, (bytes, at, here) => {
      if (lastOffsetOf(bytes, at) < offset) before = appendedAtOf(bytes, at)
      else if (position < 0) {
        position = here
        base = baseOffsetOf(bytes, at)
      }
    })
    return position < 0
      ? { position: end.position, offset: end.offset, appendedAtBefore: before }
      : { position, offset: base, appendedAtBefore: before }
  }

  /** How far the segment can be walked from its last index row. */
  walkEnd(segment: Segment): Promise<{ position: number; offset: number }> {
    return this.#walkEnd(segment, () => {})
  }

  async #walkEnd(segment: Segment, visit: (bytes: Uint8Array, at: number) => void) {
    await this.#completeIndex(segment)
    const { index } = segment
    const row = index.count - 1
    const track = { position: index.position(row), offset: row < 0 ? segment.base : index.offset(row), epoch: 0 }
    return walkBatches(segment, track, segment.bytes, this.#world.codec, visit)
  }

  #hint(offset: number): Place | null {
    for (const place of this.#hints) {
      // at the end of a segment the next batch may have come to lie in a new one
      if (place.offset === offset && place.position < place.segment.bytes && !place.segment.isGone) return place
    }
    return null
  }

  #remember(from: number, segment: Segment, position: number, offset: number): void {
    const known = this.#hints.findIndex((place) => place.offset === from)
    if (known >= 0) {
      this.#hints[known] = { segment, position, offset }
      return
    }
    this.#hints[this.#hintAt] = { segment, position, offset }
    this.#hintAt = (this.#hintAt + 1) % HINTS
  }

  #indexed(segment: Segment | undefined, offset: number): Place | null {
    if (segment === undefined || !segment.index.isComplete) return null
    const row = segment.index.rowOfOffset(offset)
    return {
      segment,
      position: segment.index.position(row),
      offset: row < 0 ? segment.base : segment.index.offset(row),
    }
  }

  /** At once, or null when it must wait for the device or meets something bad. */
  #readNear(place: Place, from: number, upTo: number, bytesMax: number): LogRead | null {
    const { segment } = place
    let { position, offset } = place
    let want = wantedBytes(bytesMax, offset === from)
    for (;;) {
      const end = Math.min(position + want, segment.bytes)
      if (end <= position || !segment.isWarm(position, end)) return null
      const bytes = this.#world.readBuffer.take(end - position)
      const count = segment.file().read(bytes, position)
      const read = this.#parse(bytes, count, segment, position, offset, from, upTo, bytesMax)
      if (read !== null) return read
      const isThere = count === bytes.length && this.#reachedPosition + this.#wanted <= segment.bytes
      if (this.#wanted === 0 || !isThere) return null
      position = this.#reachedPosition
      offset = this.#reachedOffset
      want = Math.max(this.#wanted, want)
    }
  }

  async #readFar(from: number, upTo: number, bytesMax: number): Promise<LogRead> {
    const { segments } = this.#source
    const segment = segments.list[segments.indexOf(from)]
    if (segment === undefined)
      return this.#damaged(from, from, segments.list[0]?.base, 'no segment', 'its segment is missing')
    let isIndexFresh = !(await this.#completeIndex(segment))
    let place = this.#hint(from) ?? this.#indexed(segment, from)!
    let { position, offset } = place
    let want = wantedBytes(bytesMax, offset === from)
    for (;;) {
      const end = Math.min(position + want, segment.bytes)
      const bytes = new Uint8Array(Math.max(end - position, 0))
      const count = bytes.length === 0 ? 0 : await segment.readCold(bytes, position)
      segment.warm(position, end)
      const read = this.#parse(bytes, count, segment, position, offset, from, upTo, bytesMax)
      if (read !== null) return read
      position = this.#reachedPosition
      offset = this.#reachedOffset
      if (this.#wanted > 0 && count === bytes.length && position + this.#wanted <= segment.bytes) {
        want = Math.max(this.#wanted, want)
        continue
      }
      if (position === place.position && !isIndexFresh) {
        // the index may have led astray
        isIndexFresh = true
        await this.#rebuildIndex(segment)
        this.forgetPlaces()
        place = this.#indexed(segment, from)!
        position = place.position
        offset = place.offset
        continue
      }
      const next = await nextBatch(
        segment,
        { position, offset, epoch: 0 },
        segment.bytes,
        this.#offsetMax(segment),
        this.#world.codec,
      )
      if (next === null || next.offset > from) {
        return this.#damaged(
          offset,
          from,
          next?.offset ?? this.#offsetMax(segment),
          segment.path,
          `bad at position ${position}`,
        )
      }
      this.#damaged(offset, from, next.offset, segment.path, `bad at position ${position}`)
      position = next.position
      offset = next.offset
    }
  }

  /**
   * The answer, if it lies in the first `count` of `bytes`, which begin with the batch of `offset` at `position` of the
   * segment. Null: `#reached…` tells where it stopped, `#wanted` how many bytes it needs from there, 0: what is there is bad.
   */
  #parse(
    bytes: Uint8Array,
    count: number,
    segment: Segment,
    position: number,
    offset: number,
    from: number,
    upTo: number,
    bytesMax: number,
  ): LogRead | null {
    const { codec } = this.#world
    let start = -1
    let at = 0
    let batches = 0
    this.#wanted = 0
    while (at < count || start < 0) {
      const fault = at + BATCH_HEADER_BYTES <= count ? null : BATCH_HEADER_BYTES
      if (fault !== null || !isStampGood(bytes, at, codec) || baseOffsetOf(bytes, at) !== offset) {
        if (start >= 0) break
        return this.#stop(position + at, offset, fault ?? 0)
      }
      const batchBytes = batchBytesOf(bytes, at)
      if (frameFault(bytes, at, count) !== null) {
        if (start >= 0) break
        return this.#stop(position + at, offset, batchBytes)
      }
      if (start >= 0 && (at + batchBytes - start > bytesMax || batches === READ_BATCHES_MAX)) break
      if (!isBodyGood(bytes, at, codec)) {
        if (start >= 0) break
        return this.#stop(position + at, offset, 0)
      }
      const last = lastOffsetOf(bytes, at)
      if (last >= upTo) {
        if (start < 0) return { kind: 'batches', bytes: NO_BYTES, nextOffset: from }
        break
      }
      if (start < 0 && last >= from) start = at
      if (start >= 0) batches++
      offset = last + 1
      at += batchBytes
    }
    this.#remember(from, segment, position + at, offset)
    return { kind: 'batches', bytes: bytes.subarray(start, at), nextOffset: offset }
  }

  #stop(position: number, offset: number, wanted: number): null {
    this.#reachedPosition = position
    this.#reachedOffset = offset
    this.#wanted = wanted
    return null
  }

  #damaged(offset: number, from: number, next: number | undefined, path: string, detail: string): LogRead {
    const nextReadableOffset = next ?? this.#source.endOffset
    assert(nextReadableOffset > from || offset < from, 'damage that ends before it begins')
    this.#source.noteDamage({ offset, nextReadableOffset, path, detail })
    return { kind: 'damaged', offset: from, nextReadableOffset }
  }

  /** Offsets of the segment's batches are below this. */
  #offsetMax(segment: Segment): number {
    const { list } = this.#source.segments
    return list[list.indexOf(segment) + 1]?.base ?? this.#source.writtenEnd
  }

  /** False: the index had to be rebuilt just now. */
  async #completeIndex(segment: Segment): Promise<boolean> {
    if (await segment.index.load(segment.bytes)) return true
    await this.#rebuildIndex(segment)
    return false
  }

  async #rebuildIndex(segment: Segment): Promise<void> {
    const { codec } = this.#world
    const end = segment.bytes
    const fresh = segment.index.fresh()
    let track = { position: 0, offset: segment.base, epoch: 0 }
    for (;;) {
      const reached = await walkBatches(segment, track, end, codec, (bytes, at, position) =>
        fresh.note(baseOffsetOf(bytes, at), position, appendedAtOf(bytes, at)),
      )
      if (reached.fault === null) break
      const next = await nextBatch(segment, reached, end, this.#offsetMax(segment), codec)
      if (next === null) break
      track = next
    }
    segment.index.replaceBelow(end, fresh)
  }
}

function wantedBytes(bytesMax: number, isExact: boolean): number {
  return Math.max(bytesMax, READ_BYTES_MIN) + (isExact ? 0 : INDEX_EVERY_BYTES)
}
