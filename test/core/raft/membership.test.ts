import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { changedVoters, distance, MembershipHistory } from '../../../src/core/raft/membership.ts'
import { majorityOf } from '../../../src/core/raft/quorum.ts'
import { isReplicaId, nodeIdOf, type ReplicaId, replicaIdOf } from '../../../src/core/raft/index.ts'

const ids = (...nodes: number[]): ReplicaId[] => nodes.map((node) => replicaIdOf(node, 'a'))

describe('membership', () => {
  test('a change gives the full set, sorted', () => {
    expect(changedVoters(ids(1, 3), { kind: 'add', replica: ids(2)[0]! })).toEqual(ids(1, 2, 3))
    expect(changedVoters(ids(1, 3), { kind: 'remove', replica: ids(1)[0]! })).toEqual(ids(3))
  })

  test.each([
    ['already-voter', { kind: 'add', replica: replicaIdOf(1, 'a') }],
    ['not-a-voter', { kind: 'remove', replica: replicaIdOf(9, 'a') }],
    ['not-a-voter', { kind: 'remove', replica: replicaIdOf(1, 'b') }],
  ] as const)('refuses: %s', (kind, change) => {
    expect(changedVoters(ids(1, 2), change)).toEqual({ kind })
  })

  test('a node does not vote twice through two folders', () => {
    const change = { kind: 'add', replica: replicaIdOf(2, 'b') } as const
    expect(changedVoters(ids(1, 2), change)).toEqual({ kind: 'node-id-in-use', by: replicaIdOf(2, 'a') })
  })

  test('the last voter stays', () => {
    expect(changedVoters(ids(1), { kind: 'remove', replica: ids(1)[0]! })).toEqual({ kind: 'last-voter' })
  })

  test('majorities of neighbouring sets share a voter', () => {
    const sets = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 7 })
    fc.assert(
      fc.property(sets, fc.integer({ min: 1, max: 9 }), fc.boolean(), (nodes, node, add) => {
        const before = ids(...nodes)
        const after = changedVoters(before, { kind: add ? 'add' : 'remove', replica: replicaIdOf(node, 'a') })
        if ('kind' in after) return
        expect(distance(before, after)).toBe(1)
        expect(majorityOf(before.length) + majorityOf(after.length)).toBeGreaterThan(
          new Set([...before, ...after]).size,
        )
      }),
    )
  })

  test('history: in force when appended, back when cut off, the right one for a snapshot', () => {
    const history = new MembershipHistory({ index: 0, voters: [] })
    history.append(1, ids(1, 2, 3))
    history.append(7, ids(1, 2, 3, 4))
    expect(history.current).toEqual({ index: 7, voters: ids(1, 2, 3, 4) })
    expect(history.before.voters).toEqual(ids(1, 2, 3))
    expect(history.at(6).voters).toEqual(ids(1, 2, 3))
    expect(history.at(7).voters).toEqual(ids(1, 2, 3, 4))
    history.truncate(7)
    expect(history.current.voters).toEqual(ids(1, 2, 3))
    history.truncate(8)
    expect(history.current.voters).toEqual(ids(1, 2, 3))
    history.append(9, ids(2, 3))
    history.forgetBefore(8)
    expect(history.at(8).voters).toEqual(ids(1, 2, 3))
    history.forgetBefore(12)
    expect(history.at(12).voters).toEqual(ids(2, 3))
    expect(() => history.truncate(9)).toThrow('below the snapshot')
  })

  test('a jump of two voters is a mistake', () => {
    const history = new MembershipHistory({ index: 1, voters: ids(1, 2, 3) })
    expect(() => history.append(2, ids(1, 4, 5))).toThrow('more than one voter')
  })

  test('replica ids', () => {
    expect(nodeIdOf(replicaIdOf(42, 'k3x'))).toBe(42)
    expect(['1.a', '0.Zz-_9', '4294967295.a'].every(isReplicaId)).toBe(true)
    expect(['', '1', '1.', '.a', '01.a', '-1.a', '1.a b', `1.${'a'.repeat(65)}`].some(isReplicaId)).toBe(false)
  })
})
