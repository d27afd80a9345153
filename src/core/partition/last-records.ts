// Where the last so many records of a compacted log begin. Offsets without a record lie between, so the records are counted, in
// ever longer stretches back from the end.

import type { Log } from '../log/index.ts'
import type { Codec } from '../ports/index.ts'
import { isControl, recordCountOf, RecordReader } from '../record/index.ts'

const WIDER = 4

export async function offsetOfLast(log: Log, end: number, count: number, codec: Codec): Promise<number> {
  if (count === 0) return end
  for (let span = count; ; span *= WIDER) {
    const from = Math.max(end - span, log.startOffset)
    let held = 0
    await log.scan(from, end, (bytes, at) => {
      if (!isControl(bytes, at)) held += recordCountOf(bytes, at)
    })
    if (held < count && from > log.startOffset) continue
    return Math.max(await offsetBehind(log, from, end, Math.max(held - count, 0), codec), log.startOffset)
  }
}

/** The offset of the first record behind `skipped` others. */
async function offsetBehind(log: Log, from: number, end: number, skipped: number, codec: Codec): Promise<number> {
  const reader = new RecordReader()
  let found: number | null = null
  await log.scan(from, end, (bytes, at) => {
    if (found !== null || isControl(bytes, at)) return
    const count = recordCountOf(bytes, at)
    if (count <= skipped) {
      skipped -= count
    } else if (reader.open(bytes, at, codec)) {
      while (skipped-- > 0) reader.next()
      found = reader.next()?.offset ?? null
    }
  })
  return found ?? from
}
