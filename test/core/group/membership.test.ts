import { describe, expect, test } from 'bun:test'
import { GroupRig, topicId } from './group-rig.ts'

const ORDERS = topicId('o')

function rigOf(partitions = 4): GroupRig {
  const rig = new GroupRig()
  rig.topics.create('orders', partitions)
  return rig
}

const at = (partition: number, nextOffset: number) => ({ topicId: ORDERS, partition, nextOffset })
const list = (...partitions: number[]) => [{ topicId: ORDERS, partitions }]

describe('joining', () => {
  test('again, asking the same: the same answer, and nothing is written', () => {
    const rig = rigOf()
    const first = rig.join('a', { from: 'latest', tags: ['x', 'y'] })
    const { length } = rig.log
    expect(rig.join('a')).toEqual(first)
    expect(rig.join('a', { tags: ['y', 'x'], topics: ['orders', 'orders'] })).toEqual(first)
    expect(rig.log.length).toBe(length)
  })

  test('again, asking for other topics and times: they take the place of the others', () => {
    const rig = rigOf()
    rig.topics.create('payments', 2)
    rig.join('a')
    rig.join('a', { topics: ['payments'], sessionMs: 10_000 })
    expect(rig.member('a').state).toBe('revoking')
    rig.poll('a')
    expect(rig.member('a').assignment).toEqual([{ topicId: topicId('p'), partitions: [0, 1] }])
    rig.pass(9_999)
    expect(rig.group().members.size).toBe(1)
    rig.pass(1)
    expect(rig.group().members.size).toBe(0)
  })

  test('a topic that does not exist is taken up when it does', () => {
    const rig = new GroupRig()
    expect(rig.join('a').member).toMatchObject({ assignment: [], state: 'stable' })
    rig.topics.create('orders', 2)
    rig.ask({ kind: 'refresh', group: 'g' })
    expect(rig.member('a').assignment).toEqual(list(0, 1))
  })
})

describe('dropping', () => {
  function revoking(): GroupRig {
    const rig = rigOf()
    rig.join('a')
    rig.join('b')
    return rig
  }

  test('a heartbeat that still owns it has not dropped it, one that does not has', () => {
    const rig = revoking()
    const told = rig.heartbeat('a', { generation: 1, owned: list(0, 1, 2, 3) })
    expect(told).toMatchObject({ member: { state: 'revoking', assignment: list(0, 1), revoke: list(2, 3) } })
    rig.heartbeat('a', { generation: 1, owned: list(0, 3) })
    rig.heartbeat('a', { generation: 1 })
    expect(rig.member('b').assignment).toEqual([])
    rig.heartbeat('a', { generation: 1, owned: list(0, 1) })
    expect(rig.member('b').assignment).toEqual(list(2, 3))
  })

  test('nor has a poll that says it works on it', () => {
    const rig = revoking()
    const poll = (owned: ReturnType<typeof list>) =>
      rig.ask({ kind: 'poll', group: 'g', member: 'a', generation: null, commit: [], owned, waitMs: 0 })
    expect(poll(list(0, 1, 2))).toMatchObject({ member: { state: 'revoking', revoke: list(2, 3) } })
    expect(poll(list(0, 1))).toMatchObject({ member: { state: 'stable', assignment: list(0, 1) } })
    expect(rig.member('b').assignment).toEqual(list(2, 3))
  })

  test('a repeat from before it held the partition has not dropped it', () => {
    const rig = rigOf()
    rig.join('a')
    rig.join('b')
    rig.poll('a')
    const { generation } = rig.member('b')
    rig.leave('a')
    rig.join('a')
    expect(rig.member('b').revoke.length).toBeGreaterThan(0)
    // Sent when it held less; it works on all four by now.
    rig.heartbeat('b', { generation, owned: [] })
    rig.poll('b', [], generation)
    expect(rig.member('b').state).toBe('revoking')
    rig.poll('b')
    expect(rig.member('b').state).toBe('stable')
  })

  test('what is being dropped may be committed, with the poll that drops it', () => {
    const rig = revoking()
    expect(rig.commit('a', [at(3, 7)], 1)).toEqual({ kind: 'committed' })
    expect(rig.poll('a', [at(0, 1), at(2, 5)], 1)).toMatchObject({
      kind: 'polled',
      positions: [
        { partition: 0, nextOffset: 1 },
        { partition: 1, nextOffset: null },
      ],
    })
    expect(rig.poll('b')).toMatchObject({
      positions: [
        { partition: 2, nextOffset: 5 },
        { partition: 3, nextOffset: 7 },
      ],
    })
    expect(rig.commit('a', [at(3, 8)])).toMatchObject({ kind: 'not-held', partition: 3 })
  })

  test('the repeat of a poll whose answer was lost is no fault, and takes nothing back', () => {
    const rig = revoking()
    rig.poll('a', [at(0, 4), at(2, 5)], 1)
    rig.poll('b', [at(2, 9)])
    expect(rig.poll('a', [at(0, 4), at(2, 5)])).toMatchObject({ kind: 'polled', member: { assignment: list(0, 1) } })
    expect(rig.committed()).toEqual({ 0: 4, 2: 9 })
  })

  test('what comes back while it is dropped is dropped all the same, and given anew', () => {
    const rig = revoking()
    rig.leave('b')
    expect(rig.member('a')).toMatchObject({
      state: 'revoking',
      assignment: list(0, 1),
      revoke: list(2, 3),
      target: list(0, 1, 2, 3),
    })
    rig.poll('a')
    expect(rig.member('a')).toMatchObject({ state: 'stable', assignment: list(0, 1, 2, 3) })
  })
})

describe('clocks', () => {
  test('a held-back answer counts as life; when it goes out, the session begins', () => {
    const rig = rigOf()
    rig.join('a', { sessionMs: 10_000 })
    rig.ask({ kind: 'poll', group: 'g', member: 'a', generation: null, commit: [], waitMs: 60_000 })
    rig.pass(69_999)
    expect(rig.group().members.size).toBe(1)
    rig.ask({ kind: 'touch', group: 'g', member: 'a' })
    rig.pass(9_999)
    expect(rig.group().members.size).toBe(1)
    rig.pass(1)
    expect(rig.group().members.size).toBe(0)
  })

  test('a member that has committed all there is gets on by being there', () => {
    const rig = rigOf(1)
    rig.join('a', { pollMs: 30_000 })
    rig.commit('a', [at(0, 1_000)])
    const beat = (seconds: number): void => {
      for (let i = 0; i < seconds; i += 5) {
        rig.pass(5_000)
        rig.heartbeat('a')
      }
    }
    beat(120)
    expect(rig.group().members.size).toBe(1)
    rig.topics.end = 1_001
    beat(25)
    expect(rig.group().members.size).toBe(1)
    beat(5)
    expect(rig.group().members.size).toBe(0)
  })

  test('what others do does not prolong a session', () => {
    const rig = rigOf()
    rig.join('a', { sessionMs: 30_000 })
    rig.pass(20_000)
    rig.join('b')
    rig.pass(9_999)
    expect(rig.group().members.size).toBe(2)
    rig.pass(1)
    expect([...rig.group().members.keys()]).toEqual(['b'])
  })

  test('many that expire at once are one division', () => {
    const rig = rigOf()
    for (let i = 0; i < 100; i++) rig.join(`m${i}`, { sessionMs: 30_000 })
    rig.join('last', { sessionMs: 40_000 })
    const { epoch } = rig.group()
    const { length } = rig.log
    rig.pass(30_000)
    expect(rig.member('last').assignment).toEqual(list(0, 1, 2, 3))
    expect(rig.group().epoch).toBe(epoch + 100)
    // Two for each that went, and the division.
    expect(rig.log.length - length).toBe(202)
  })

  test('after a load every session is full', () => {
    const rig = rigOf()
    rig.join('a')
    rig.pass(40_000)
    rig.reload()
    rig.pass(44_999)
    expect(rig.group().members.size).toBe(1)
    rig.pass(1)
    expect(rig.group().members.size).toBe(0)
  })

  test('after a load, what was to be dropped has its full time', () => {
    const rig = rigOf()
    rig.join('a', { sessionMs: 200_000, rebalanceMs: 20_000 })
    rig.join('b', { sessionMs: 200_000 })
    rig.pass(15_000)
    rig.reload()
    rig.pass(19_999)
    expect(rig.group().members.size).toBe(2)
    rig.pass(1)
    expect([...rig.group().members.keys()]).toEqual(['b'])
    expect(rig.member('b').assignment).toEqual(list(0, 1, 2, 3))
  })
})
