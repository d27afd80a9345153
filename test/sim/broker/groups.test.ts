// Groups on a broker whose life ends at every disk call: no commit and no membership that was acknowledged is lost, nothing
// comes to be that nobody asked for, and the next life goes on from there.

import { describe, expect, test } from 'bun:test'
import { MemberPoll, ProduceSession } from '../../../src/core/broker/index.ts'
import { add, produceRequest } from '../../core/broker/broker-rig.ts'
import { GroupRig } from '../../core/broker/group-rig.ts'
import { allKept, allLost, type Outcome, randomOutcome } from '../disk.ts'
import { SimRandom } from '../random.ts'

/** In three partitions of `__groups`. */
const GROUPS = ['a', 'b', 'c']
const STEPS = 5
const RECORDS = 2 * STEPS
/** None of them is to be heard of. */
const FALSE_ALARMS = ['log-damaged', 'journal-damaged', 'stray-topic-folder', 'groups-unreadable']
const TIMEOUT_MS = 60_000

/** What one group was promised, and what it may have. */
interface Promised {
  isJoined: boolean
  committed: number
  asked: number
}

class Life {
  readonly rig: GroupRig
  readonly #lies: boolean
  readonly promises = new Map<string, Promised>(
    GROUPS.map((group) => [group, { isJoined: false, committed: 0, asked: 0 }]),
  )

  /** With `lies` syncs do nothing, once the groups' first records are kept. */
  constructor(isJournaled: boolean, lies = false) {
    this.rig = new GroupRig({ isJournaled })
    this.#lies = lies
  }

  async live(): Promise<void> {
    const { rig } = this
    await rig.starting()
    await rig.broker.submit({ kind: 'create-topic', name: 't', partitions: 1 })
    const session = await rig.broker.openProduce(produceRequest('t'))
    if (!(session instanceof ProduceSession)) throw new Error(session.kind)
    add(session, Array.from({ length: RECORDS }, String))
    await session.finish()
    if (this.#lies) rig.disk.lies = 'sync'
    await Promise.all(GROUPS.map((group) => this.work(group)))
    await rig.stopping()
  }

  /** Joins, and commits one record a time, now by polls and now by commits. */
  async work(group: string): Promise<void> {
    const { groups } = this.rig.broker
    const promised = this.promises.get(group)!
    const joined = await groups.join({ group, member: 'm', topics: ['t'] })
    promised.isJoined ||= 'settings' in joined
    const last = Math.min(promised.committed + STEPS, RECORDS)
    for (let next = promised.committed + 1; next <= last; next++) {
      promised.asked = Math.max(promised.asked, next)
      const offsets = [this.rig.at('t', 0, next)]
      if (next % 2 === 0) {
        const reply = await groups.commit({ group, member: 'm', generation: null, offsets })
        if (reply.kind === 'committed') promised.committed = next
        continue
      }
      const poll = await groups.poll({ group, member: 'm', generation: null, commit: offsets, waitMs: 0 })
      if (!(poll instanceof MemberPoll)) continue
      promised.committed = next
      await poll.end()
    }
  }

  /** The process ends at that call. */
  end(at: number, outcome: Outcome | null): void {
    const { rig } = this
    rig.disk.onCall = (_, number) => {
      if (number === at) rig.disk.die()
    }
    try {
      rig.run(this.live())
    } catch (error) {
      if (!rig.disk.isDead) throw error
    }
    rig.crash(outcome)
  }

  /** The first broken promise, or null. */
  check(): string | null {
    const { rig } = this
    for (const [group, { isJoined, committed, asked }] of this.promises) {
      const described = rig.run(rig.broker.groups.describe(group))
      if (!('places' in described)) {
        if (isJoined || committed > 0) return `${group} is gone: ${described.kind}`
        continue
      }
      const isMember = described.group.members.has('m')
      if (isJoined && !isMember) return `${group} has lost its member`
      const place = described.places.find(({ nextOffset }) => nextOffset !== null)?.nextOffset ?? 0
      if (place < committed || place > asked) return `${group} is at ${place}, committed ${committed}, asked ${asked}`
    }
    return rig.halts[0] ?? rig.complaints.find((event) => FALSE_ALARMS.includes(event)) ?? null
  }
}

test('the groups are in different partitions', () => {
  const life = new Life(false)
  life.rig.run(life.live())
  life.rig.crash()
  const used = life.rig.records('__groups').filter((records) => records.length > 0)
  expect(used).toHaveLength(GROUPS.length)
  expect([...life.promises.values()]).toEqual(GROUPS.map(() => ({ isJoined: true, committed: STEPS, asked: STEPS })))
})

describe.each([
  ['as it is', false],
  ['behind the shared journal', true],
])('on the disk %s', (_, isJournaled) => {
  test(
    'a life that ends at every disk call, and another after it',
    () => {
      const whole = new Life(isJournaled)
      whole.rig.run(whole.live())
      const { calls } = whole.rig.disk
      expect(calls).toBeGreaterThan(100)
      for (let at = 1; at <= calls; at++) {
        const life = new Life(isJournaled)
        const outcomes = [allLost, allKept, randomOutcome(new SimRandom(at, 'power')), null]
        life.end(at, outcomes[at % outcomes.length]!)
        const broken = life.check()
        expect(broken === null ? null : `at call ${at}: ${broken}`).toBeNull()
        if (life.rig.partitionsOf('t') === 0) continue
        life.rig.run(Promise.all(GROUPS.map((group) => life.work(group))))
        life.rig.restart()
        const later = life.check()
        expect(later === null ? null : `after call ${at}: ${later}`).toBeNull()
      }
    },
    TIMEOUT_MS,
  )
})

test('commits acknowledged before a sync that does nothing are found', () => {
  const whole = new Life(false)
  whole.rig.run(whole.live())
  let found = 0
  for (let at = 100; at <= whole.rig.disk.calls; at += 10) {
    const life = new Life(false, true)
    life.end(at, allLost)
    if (life.check() !== null) found++
  }
  expect(found).toBeGreaterThan(3)
})
