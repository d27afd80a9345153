// Puts what only the journal holds back into the files, on start and before anybody reads them.
//
// Entries go in order; all of a path before it was forgotten is void. A file that is not there was removed, or its name was
// never made durable: it is not made anew. Applied twice, it gives the same, so a crash in the midst is no case of its own.

import type { Disk, DiskFile } from '../ports/index.ts'
import type { JournalEntry } from './journal-entry.ts'

type Item = JournalEntry['items'][number]

export interface Replayed {
  files: number
  bytes: number
}

export async function replayJournal(disk: Disk, entries: readonly JournalEntry[]): Promise<Replayed> {
  const itemsByPath = new Map<string, Item[]>()
  for (const { items } of entries)
    for (const item of items) {
      if (item.kind === 'forgotten') itemsByPath.delete(item.path)
      else itemsByPath.getOrInsertComputed(item.path, () => []).push(item)
    }
  const files: DiskFile[] = []
  let bytes = 0
  for (const [path, items] of itemsByPath) {
    if (!disk.exists(path)) continue
    const file = disk.open(path, 'write')
    files.push(file)
    for (const item of items) bytes += applyItem(file, item)
  }
  if (files.length > 0) await disk.sync(files)
  for (const file of files) file.close()
  return { files: files.length, bytes }
}

function applyItem(file: DiskFile, item: Item): number {
  if (item.kind === 'forgotten') return 0
  if (item.truncatedTo < file.size()) file.truncate(item.truncatedTo)
  let bytes = 0
  for (const [i, { position }] of item.ranges.entries()) {
    file.write(item.data[i]!, position)
    bytes += item.data[i]!.length
  }
  if (file.size() < item.size) file.truncate(item.size)
  return bytes
}
