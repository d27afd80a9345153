// Truncation and reset, and their completion after a crash: one way for both, steered by the mark alone.

import type { DiskFile } from '../ports/index.ts'
import type { DurableMark, MarkFields } from './durable-mark.ts'
import type { Epochs } from './epochs.ts'
import type { GroupCommit } from './group-commit.ts'
import { beginAnew } from './log-point.ts'
import type { SegmentSet } from './segment-set.ts'

/** Makes `fields`, a mark that says `cutting`, durable, removes what lies outside it, and then says so no more. */
export async function finishCut(
  segments: SegmentSet,
  mark: DurableMark,
  fields: MarkFields,
  epochs: Epochs,
  folder: string,
  commits: GroupCommit,
): Promise<SegmentSet> {
  await commits.syncNow([mark.writeTwice(fields)], [])
  const isEmpty = fields.durableEnd === fields.startOffset
  const gone = new Set(isEmpty ? segments.list : segments.from(fields.durableEnd))
  const files: DiskFile[] = []
  for (const segment of gone) segment.remove()
  const rest = segments.without(gone)
  const last = rest.last
  if (last !== null && last.base === fields.segmentBase && last.bytes >= fields.segmentBytes) {
    // also when it looks cut already: a process killed before the sync leaves that
    last.file().truncate(fields.segmentBytes)
    last.bytes = fields.segmentBytes
    last.warmTo = Math.min(last.warmTo, last.bytes)
    last.index.cutTo(last.bytes)
    last.lastAppendedAt = Number.NaN
    files.push(last.file())
  }
  if (fields.latestEpoch < 0) epochs.clear()
  else epochs.cutFrom(fields.durableEnd)
  files.push(epochs.writeIfRoom())
  await commits.syncNow(files, [folder])
  // no batch may come before this is durable: the mark that says `cutting` would take it away
  fields.state = 'unsettled'
  beginAnew(fields, fields.durableEnd)
  await commits.syncNow([mark.writeTwice(fields)], [])
  return rest
}
