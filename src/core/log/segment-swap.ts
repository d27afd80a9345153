// One compacted segment takes the place of neighbours that it was made of. Its file goes through three names, and what a crash
// leaves says how far it came:
//
//   <base>.compacting     being written               a start removes it
//   <base>-<end>.swap     whole, synced, and durable  a start removes the .log files within its offsets, and goes on
//     by this name
//   <base>.log            a segment like any other
//
// No file is ever named over another: the old ones are gone, durably, before the new one gets their name.

import type { Disk } from '../ports/index.ts'
import type { GroupCommit } from './group-commit.ts'
import { type Segment, segmentStem } from './segment.ts'

const COMPACTING = /^\d{20}\.compacting$/
const SWAP = /^(\d{20})-(\d{20})\.swap$/
const SEGMENT_FILE = /^(\d{20})\.(?:log|index)$/

interface SwapWorld {
  readonly disk: Disk
  readonly commits: GroupCommit
}

export function compactingPath(folder: string, base: number): string {
  return `${segmentStem(folder, base)}.compacting`
}

/**
 * `fresh` is written and synced, and no mark that may be read after a crash speaks of a place inside `group`, which ends before
 * `end`. `takePlace` is called when readers are to go by `fresh`.
 */
export async function swapSegments(
  folder: string,
  group: readonly Segment[],
  end: number,
  fresh: Segment,
  { disk, commits }: SwapWorld,
  takePlace: () => void,
): Promise<void> {
  const stem = segmentStem(folder, fresh.base)
  const swap = `${stem}-${String(end).padStart(20, '0')}.swap`
  disk.rename(fresh.path, swap)
  fresh.namedAs(swap)
  await commits.syncNow([], [folder])
  takePlace()
  for (const segment of group) segment.remove()
  await commits.syncNow([], [folder])
  disk.rename(swap, `${stem}.log`)
  fresh.namedAs(`${stem}.log`)
  fresh.index.persist()
  await commits.syncNow([], [folder])
}

/** What an earlier process left: `names` are in the folder. False: nothing. */
export async function finishSwaps(folder: string, names: readonly string[], world: SwapWorld): Promise<boolean> {
  const { disk, commits } = world
  const swaps = names.filter((name) => SWAP.test(name))
  const unfinished = names.filter((name) => COMPACTING.test(name))
  for (const name of unfinished) disk.remove(`${folder}/${name}`)
  for (const swap of swaps) {
    const [, base, end] = SWAP.exec(swap)!
    for (const name of names) {
      const within = SEGMENT_FILE.exec(name)?.[1]
      if (within !== undefined && within >= base! && within < end!) disk.remove(`${folder}/${name}`)
    }
    await commits.syncNow([], [folder])
    disk.rename(`${folder}/${swap}`, `${folder}/${base}.log`)
  }
  if (swaps.length > 0) await commits.syncNow([], [folder])
  return swaps.length + unfinished.length > 0
}
