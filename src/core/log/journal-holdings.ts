// Where in which files a replay of the journal would write, by half: what decides whether a change has to go through the journal
// too, and which files a half's end waits for. Ranges are remembered as one hull a file: logs grow at their end.

import type { HalfNumber } from './journal.ts'
import type { JournalItem, Range } from './journal-entry.ts'
import { NOT_TRUNCATED, type Pending } from './journaled-file.ts'

export class JournalHoldings {
  readonly #halves: readonly [Map<string, Range>, Map<string, Range>] = [new Map(), new Map()]

  get isEmpty(): boolean {
    return this.#halves.every((half) => half.size === 0)
  }

  has(path: string): boolean {
    return this.#halves.some((half) => half.has(path))
  }

  /** The file at `path`, or all below the folder that it names. */
  below(path: string): Set<string> {
    return new Set(this.#halves.flatMap((half) => [...half.keys()].filter((held) => isBelow(held, path))))
  }

  pathsOf(half: HalfNumber): string[] {
    return [...this.#halves[half].keys()]
  }

  /** Whether a replay would undo what is pending, were it made durable without the journal. */
  wouldUndo(path: string, { ranges, truncatedTo }: Pending): boolean {
    return this.#halves.some((half) => {
      const held = half.get(path)
      if (held === undefined) return false
      return truncatedTo < held.end || ranges.some(({ position, end }) => position < held.end && end > held.position)
    })
  }

  /** An entry with `item` goes to `half`. */
  note(half: HalfNumber, item: JournalItem): void {
    if (item.kind === 'forgotten') return
    const { path, ranges, truncatedTo } = item
    const held = this.#halves[half].get(path) ?? { position: Infinity, end: 0 }
    for (const { position, end } of ranges) {
      held.position = Math.min(held.position, position)
      held.end = Math.max(held.end, end)
    }
    // a replayed cut would take away all that comes after it
    if (truncatedTo !== NOT_TRUNCATED) {
      held.position = Math.min(held.position, truncatedTo)
      held.end = Infinity
    }
    this.#halves[half].set(path, held)
  }

  /** An entry that says so is durable. */
  forget(path: string): void {
    for (const half of this.#halves) half.delete(path)
  }

  /** Nothing in the half is replayed any more. */
  release(half: HalfNumber): void {
    this.#halves[half].clear()
  }
}

export function isBelow(path: string, folderOrFile: string): boolean {
  return path === folderOrFile || path.startsWith(`${folderOrFile}/`)
}
