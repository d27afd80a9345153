// The segments of a log in order, as one immutable picture: whoever reads holds the picture it began with, while roll,
// retention and truncation put another in its place.

import type { Segment } from './segment.ts'

export interface SealedSegment {
  readonly segment: Segment
  /** Behind its last offset. */
  readonly end: number
}

export class SegmentSet {
  static readonly empty = new SegmentSet([])
  readonly list: readonly Segment[]

  constructor(list: readonly Segment[]) {
    this.list = list
  }

  get last(): Segment | null {
    return this.list.at(-1) ?? null
  }

  get bytes(): number {
    let bytes = 0
    for (const segment of this.list) bytes += segment.bytes
    return bytes
  }

  /** The index of the last segment that begins at or below `offset`; -1 when none does. */
  indexOf(offset: number): number {
    let low = 0
    let high = this.list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.list[middle]!.base <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Bytes of the batches between two offsets, roughly: by the average offset of each segment. The log ends at `endOffset`. */
  bytesBetween(from: number, to: number, endOffset: number): number {
    let bytes = 0
    for (let i = Math.max(this.indexOf(from), 0); i < this.list.length && this.list[i]!.base < to; i++) {
      const segment = this.list[i]!
      const end = this.list[i + 1]?.base ?? endOffset
      const shared = Math.min(to, end) - Math.max(from, segment.base)
      if (shared > 0) bytes += (segment.bytes * shared) / (end - segment.base)
    }
    return Math.ceil(bytes)
  }

  with(segment: Segment): SegmentSet {
    return new SegmentSet([...this.list, segment])
  }

  /** With one segment in place of some neighbours. */
  replaced(group: readonly Segment[], by: Segment): SegmentSet {
    return new SegmentSet(
      this.list.flatMap((segment) => (segment === group[0] ? [by] : group.includes(segment) ? [] : [segment])),
    )
  }

  without(gone: ReadonlySet<Segment>): SegmentSet {
    return new SegmentSet(this.list.filter((segment) => !gone.has(segment)))
  }

  /** Segments with nothing at or above `startOffset`; the log ends at `endOffset`. */
  below(startOffset: number, endOffset: number): Segment[] {
    return this.list.filter((_, i) => (this.list[i + 1]?.base ?? endOffset) <= startOffset)
  }

  /** How many hold offsets in [startOffset, endOffset). */
  countWithin(startOffset: number, endOffset: number): number {
    return this.list.filter((s, i) => s.base < endOffset && (this.list[i + 1]?.base ?? endOffset) > startOffset).length
  }

  /** All but `active`, with the offset each ends before; the log ends at `endOffset`. */
  sealed(active: Segment | null, endOffset: number): SealedSegment[] {
    const all = this.list.map((segment, i) => ({ segment, end: this.list[i + 1]?.base ?? endOffset }))
    return all.filter(({ segment }) => segment !== active)
  }

  from(offset: number): Segment[] {
    return this.list.filter((segment) => segment.base >= offset)
  }
}
