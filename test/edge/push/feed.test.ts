// A feed by itself: who is carried, who is let go, and what it says of where it stands.

import { expect, test } from 'bun:test'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { Feed, type FeedMember } from '../../../src/edge/push/feed.ts'
import { Feeds } from '../../../src/edge/push/feeds.ts'
import { openPush, type Opened } from '../../../src/edge/push/opening.ts'
import { Drafts, type Step, UnitReader } from '../../../src/edge/push/unit-reader.ts'
import { Problem, RecordsWriter } from '../../../src/edge/wire/index.ts'
import { PushRig } from './push-rig.ts'

class Member implements FeedMember {
  taken = 0
  readers: UnitReader[] = []
  constructor(readonly onTake: (step: Step) => boolean = () => true) {}

  take(step: Step): boolean {
    const isTaken = this.onTake(step)
    if (isTaken) this.taken++
    return isTaken
  }

  goOn(reader: UnitReader): void {
    this.readers.push(reader)
  }

  fail(error: unknown): void {
    throw error
  }
}

function readerOn(rig: PushRig): UnitReader {
  const asked = { topics: ['t'], partition: null, start: { kind: 'latest' as const }, tags: null }
  const opened = rig.clock.run(openPush(rig.broker, asked))
  if (opened instanceof Problem) throw new Error(opened.detail)
  return new UnitReader(new Drafts(new RecordsWriter(hostCodec), 1 << 20), (opened as Opened).session, null, {
    key: 'k',
    sub: 's',
  })
}

function feedsOf(rig: PushRig): Feeds {
  return new Feeds(() => new Promise((resolve) => rig.clock.nextTurn(resolve)))
}

test('it tells no place while its members are on the way to one', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const cursors: (string | null)[] = []
  const member = new Member(() => {
    cursors.push(feed.cursor)
    return true
  })
  const feed = feedsOf(rig).join(member, readerOn(rig)) as Feed
  rig.settle()
  const before = feed.cursor
  rig.produce('t', [1])
  expect(cursors).toEqual([null])
  expect([before, feed.cursor].map((cursor) => /_([0-9]+\.[0-9]+)/.exec(cursor!)?.[1])).toEqual(['0.0', '0.1'])
})

test('a crowd is served over several turns, each member once', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const feeds = feedsOf(rig)
  let turnsSeen = new Set<number>()
  const members = Array.from(
    { length: 1_000 },
    () =>
      new Member(() => {
        turnsSeen.add(rig.clock.world.events)
        return true
      }),
  )
  for (const member of members) {
    expect(feeds.join(member, readerOn(rig))).toBeInstanceOf(Feed)
    rig.settle()
  }
  expect(rig.broker.status.waiters).toBe(1)
  turnsSeen = new Set()
  rig.produce('t', [1])
  expect(new Set(members.map(({ taken }) => taken))).toEqual(new Set([1]))
  expect(turnsSeen.size).toBeGreaterThanOrEqual(4)
})

test('who cannot take goes on alone from the same place, and the others from behind it', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const feeds = feedsOf(rig)
  const steady = new Member()
  const stuck = new Member(() => false)
  void feeds.join(steady, readerOn(rig))
  rig.settle()
  void feeds.join(stuck, readerOn(rig))
  rig.produce('t', ['a'])
  expect([steady.taken, stuck.taken, stuck.readers.length]).toEqual([1, 0, 1])
  const step = stuck.readers[0]!.next()
  expect(step).toMatchObject({ kind: 'unit', recordCount: 1 })
  expect(feeds.join(stuck, stuck.readers[0]!)).toBeInstanceOf(Feed)
})

test('who has read further than the feed waits until it has, and then is carried', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const feeds = feedsOf(rig)
  const first = new Member()
  void feeds.join(first, readerOn(rig))
  rig.settle()
  const second = new Member()
  const reader = readerOn(rig)
  let joined: Feed | Promise<void> | null = null
  // Between the commit and the waking of those who wait for it.
  const { waiting } = rig.broker
  const wake = waiting.wake.bind(waiting)
  waiting.wake = (room) => {
    while (reader.next() !== null);
    joined = feeds.join(second, reader)
    wake(room)
  }
  rig.produce('t', [1])
  waiting.wake = wake
  expect(joined).toBeInstanceOf(Promise)
  expect([first.taken, second.taken]).toEqual([1, 0])
  expect(feeds.join(second, reader)).toBeInstanceOf(Feed)
  rig.produce('t', [2])
  expect([first.taken, second.taken]).toEqual([2, 1])
  expect(rig.broker.status.waiters).toBe(1)
})

test('it ends with its last member, and with the broker', () => {
  const rig = new PushRig()
  rig.createTopic('t')
  const feeds = feedsOf(rig)
  const member = new Member()
  const feed = feeds.join(member, readerOn(rig)) as Feed
  rig.settle()
  feed.leave(member)
  rig.settle()
  expect([feeds.count, rig.broker.status.waiters]).toEqual([0, 0])
  void feeds.join(member, readerOn(rig))
  rig.settle()
  rig.broker.stopTakingWork()
  rig.settle()
  expect(feeds.count).toBe(0)
})
