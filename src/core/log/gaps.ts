// Segments whose ends do not meet: something between them is lost. Looked for when the mark counts other segments than there are.

import type { Damage } from './damage.ts'
import type { LogReader } from './log-reader.ts'
import type { SegmentSet } from './segment-set.ts'

export async function findGaps({ list }: SegmentSet, reader: LogReader, note: (gap: Damage) => void): Promise<void> {
  for (let i = 0; i + 1 < list.length; i++) {
    const next = list[i + 1]!
    const end = await reader.walkEnd(list[i]!)
    if (end.offset >= next.base) continue
    const detail = 'the segments do not meet'
    note({ offset: end.offset, nextReadableOffset: next.base, path: next.path, detail })
  }
  for (const segment of list) segment.closeFile()
}
