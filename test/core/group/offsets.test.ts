import { describe, expect, test } from 'bun:test'
import { GroupRig, START, topicId } from './group-rig.ts'

const ORDERS = topicId('o')

function rigOf(partitions = 4): GroupRig {
  const rig = new GroupRig()
  rig.topics.create('orders', partitions)
  return rig
}

const at = (partition: number, nextOffset: number) => ({ topicId: ORDERS, partition, nextOffset })
const list = (...partitions: number[]) => [{ topicId: ORDERS, partitions }]

const DAY_MS = 86_400_000

describe('committing', () => {
  test('by a poll only forward; by a commit back as well', () => {
    const rig = rigOf()
    rig.join('a')
    rig.commit('a', [at(0, 10)])
    const { length } = rig.log
    rig.poll('a', [at(0, 9)])
    expect(rig.log.length).toBe(length)
    rig.commit('a', [at(0, 3)])
    expect(rig.committed()).toEqual({ 0: 3 })
  })

  test('one record a partition, whose key is its place', () => {
    const rig = rigOf()
    rig.join('a')
    const { length } = rig.log
    rig.commit('a', [at(0, 10), { ...at(3, 4), leaderEpoch: 2, metadata: 'é' }])
    const stored = rig.log
      .slice(length)
      .map(({ key, value }) => [Buffer.from(key!).toString(), Buffer.from(value!).toString()])
    expect(stored).toEqual([
      [`offset/g/${ORDERS}/0`, `{"nextOffset":10,"leaderEpoch":null,"metadata":null,"committedAt":${START}}`],
      [`offset/g/${ORDERS}/3`, `{"nextOffset":4,"leaderEpoch":2,"metadata":"é","committedAt":${START}}`],
    ])
  })

  test('claims what is sent at most once: of two that read from the same place one gets it', () => {
    const rig = rigOf()
    rig.join('a', { delivery: 'at-most-once' })
    const claim = (from: number, nextOffset: number) =>
      rig.ask({
        kind: 'claim-offsets',
        group: 'g',
        member: 'a',
        generation: 1,
        claims: [{ ...at(0, nextOffset), from }],
      }).kind
    expect([claim(3, 10), claim(3, 8), claim(10, 15), claim(10, 20)]).toEqual([
      'claimed',
      'fenced',
      'claimed',
      'fenced',
    ])
    expect(claim(15, 1_001)).toBe('beyond-end')
    expect(rig.committed()).toEqual({ 0: 15 })
  })

  test('pins what was never committed, and leaves what was', () => {
    const rig = rigOf()
    rig.join('a', { from: 'latest' })
    rig.commit('a', [at(1, 5)])
    const pin = (...offsets: ReturnType<typeof at>[]) => rig.ask({ kind: 'pin-offsets', group: 'g', offsets })
    expect(pin(at(0, 700), at(1, 700))).toEqual({ kind: 'pinned', positions: [at(0, 700), at(1, 5)] })
    expect(pin(at(0, 800))).toEqual({ kind: 'pinned', positions: [at(0, 700)] })
    rig.leave('a')
    expect(pin(at(2, 800))).toEqual({ kind: 'pinned', positions: [at(2, 800)] })
    expect(rig.committed()).toEqual({ 0: 700, 1: 5 })
  })

  test('from outside, for a group that nobody has joined yet', () => {
    const rig = rigOf()
    expect(rig.commit(null, [at(0, 10)])).toEqual({ kind: 'committed' })
    expect(rig.group()).toMatchObject({ state: 'empty', emptySince: START })
    rig.join('a')
    expect(rig.poll('a')).toMatchObject({ positions: [{ nextOffset: 10 }, { nextOffset: null }, {}, {}] })
  })
})

describe('topics', () => {
  test('grow: the new partitions are shared, the old stay where they are', () => {
    const rig = rigOf(4)
    rig.join('a')
    rig.join('b')
    rig.poll('a')
    rig.topics.create('orders', 6)
    rig.ask({ kind: 'refresh', group: 'g' })
    expect([rig.member('a').assignment, rig.member('b').assignment]).toEqual([list(0, 1, 4), list(2, 3, 5)])
    const { length } = rig.log
    rig.ask({ kind: 'refresh', group: 'g' })
    expect(rig.log.length).toBe(length)
  })

  test('are deleted and made again: another topic, and no offset is left of the first', () => {
    const rig = rigOf(2)
    rig.join('a')
    rig.commit('a', [at(0, 10), at(1, 10)])
    rig.topics.delete('orders')
    rig.topics.create('orders', 2, topicId('n'))
    rig.ask({ kind: 'refresh', group: 'g' })
    rig.settle()
    expect(rig.committed()).toEqual({})
    expect(rig.member('a')).toMatchObject({ state: 'revoking', assignment: [] })
    rig.poll('a')
    expect(rig.member('a').assignment).toEqual([{ topicId: topicId('n'), partitions: [0, 1] }])
  })

  test('one that is only not known here loses nothing', () => {
    const rig = rigOf(2)
    rig.join('a')
    rig.commit('a', [at(0, 10)])
    rig.topics.named.clear()
    rig.ask({ kind: 'refresh', group: 'g' })
    rig.settle()
    expect(rig.committed()).toEqual({ 0: 10 })
  })
})

describe('the end', () => {
  test('of offsets: seven days after the last member, or the last commit', () => {
    const rig = rigOf()
    rig.join('a')
    rig.commit('a', [at(0, 10)])
    rig.leave('a')
    rig.pass(5 * DAY_MS)
    rig.commit(null, [at(0, 20)])
    rig.pass(3 * DAY_MS)
    rig.reload()
    rig.pass(4 * DAY_MS - 1)
    expect(rig.committed()).toEqual({ 0: 20 })
    rig.pass(1)
    expect(rig.ask({ kind: 'describe', group: 'g' }).kind).toBe('unknown-group')
    expect(rig.timers).toEqual([])
    rig.reload()
    expect(rig.machine.count).toBe(0)
  })

  test('of a group that never committed: an hour after the last member; a member that comes back keeps it', () => {
    const rig = rigOf()
    rig.join('a')
    rig.leave('a')
    rig.pass(3_599_999)
    const { generation } = rig.join('a').member
    expect(generation).toBe(2)
    rig.leave('a')
    rig.pass(3_599_999)
    expect(rig.group().state).toBe('empty')
    rig.pass(1)
    expect(rig.machine.count).toBe(0)
  })

  test('of a group by hand, with more offsets than one decision removes', () => {
    const rig = rigOf(0)
    rig.topics.named.set('orders', { id: ORDERS, partitions: Array.from({ length: 2_500 }, (_, i) => i) })
    rig.commit(
      null,
      Array.from({ length: 1_500 }, (_, i) => at(i, 1)),
    )
    rig.commit(
      null,
      Array.from({ length: 1_000 }, (_, i) => at(1_500 + i, 1)),
    )
    expect(rig.ask({ kind: 'delete-group', group: 'g' })).toEqual({ kind: 'deleting', offsetsLeft: 500 })
    expect(rig.ask({ kind: 'delete-group', group: 'g' })).toEqual({ kind: 'deleted' })
    expect(rig.machine.count).toBe(0)
    expect(rig.machine.view().groups.size).toBe(0)
    rig.compact()
    rig.reload()
    expect(rig.machine.count).toBe(0)
  })
})
