// What a log says about bytes it once had durably and can no longer read. Nothing damaged is ever cut away: whoever holds
// another copy may refetch it, and reads go on behind it.

export interface Damage {
  /** First offset that cannot be read. */
  readonly offset: number
  /** First offset behind it that can; the log's end when there is none. */
  readonly nextReadableOffset: number
  readonly path: string
  readonly detail: string
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
