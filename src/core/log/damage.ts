// What a log says about bytes it once had durably and can no longer read. Nothing damaged is ever cut away: whoever holds
// another copy may refetch it, and reads go on behind it.

import type { Events } from '../ports/index.ts'

export interface Damage {
  /** First offset that cannot be read. */
  readonly offset: number
  /** First offset behind it that can; the log's end when there is none. */
  readonly nextReadableOffset: number
  readonly path: string
  readonly detail: string
}

/** What is known to be damaged in one log, by offset. */
export class Damages {
  #list: Damage[]
  readonly #events: Events

  constructor(found: readonly Damage[], events: Events) {
    this.#list = [...found]
    this.#events = events
  }

  get first(): Damage | null {
    return this.#list[0] ?? null
  }

  isAnyFrom(offset: number): boolean {
    return this.#list.some((damage) => damage.offset >= offset)
  }

  note(damage: Damage): void {
    if (this.#list.some((known) => known.offset === damage.offset)) return
    this.#events.error('log-damaged', { ...damage })
    this.#list.push(damage)
    this.#list.sort((a, b) => a.offset - b.offset)
  }

  /** What was cut away or trimmed is nobody's concern any more. */
  keep(isLeft: (damage: Damage) => boolean): void {
    this.#list = this.#list.filter(isLeft)
  }
}

/** What lies on the disk was written by a newer version, or is not what this start expects: the broker must not go on. */
export class StorageRefusal extends Error {
  constructor(
    readonly kind: 'newer-format' | 'identity-unreadable' | 'identity-missing' | 'foreign-cluster' | 'foreign-node',
    message: string,
  ) {
    super(message)
  }
}
