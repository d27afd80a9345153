// The feeds there are, by what they read: the same partitions through the same filter.

import { Feed, type FeedMember } from './feed.ts'
import type { UnitReader } from './unit-reader.ts'

export class Feeds {
  readonly #feeds = new Map<string, Feed>()
  readonly #turn: () => Promise<void>

  constructor(turn: () => Promise<void>) {
    this.#turn = turn
  }

  get count(): number {
    return this.#feeds.size
  }

  /**
   * Has the member carried by a feed from where `reader`, which has caught up, stands; the reader is the feed's then. A
   * promise: the feed is elsewhere, and worth another try when that resolves.
   */
  join(member: FeedMember, reader: UnitReader): Feed | Promise<void> {
    const { key } = reader
    const known = this.#feeds.get(key)
    if (known !== undefined) {
      if (known.isAt(reader)) {
        known.add(member)
        return known
      }
      // Where both are at the end they read different partitions, one of which was added since: a new feed takes over.
      if (!known.isAtEnd) return known.rested()
    }
    const feed = new Feed(reader, this.#turn, (ended) => {
      if (this.#feeds.get(key) === ended) this.#feeds.delete(key)
    })
    this.#feeds.set(key, feed)
    feed.add(member)
    void feed.run()
    return feed
  }
}
