// Placement as it is promised, over any brokers and racks.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { placeReplicas, ringOf, type Site } from '../../../src/core/cluster/placement.ts'

const rack = fc.constantFrom(null, 'a', 'b', 'c')
const sites = fc
  .array(rack, { minLength: 1, maxLength: 9 })
  .map((racks) => racks.map((name, i): Site => ({ nodeId: i * 3 + 1, rack: name })))
const factor = fc.integer({ min: 1, max: 7 })

const rackOf = (all: readonly Site[], nodeId: number): string | null => all.find((s) => s.nodeId === nodeId)!.rack
function spread(counts: Map<unknown, number>): number {
  return Math.max(...counts.values()) - Math.min(...counts.values())
}

function tally<Key>(keys: Iterable<Key>, from: Iterable<Key>): Map<Key, number> {
  const counts = new Map([...from].map((key) => [key, 0]))
  for (const key of keys) counts.set(key, counts.get(key)! + 1)
  return counts
}

describe('placement', () => {
  test('one replica a broker, as many as asked or as there are, on live brokers only', () => {
    fc.assert(
      fc.property(sites, factor, fc.nat(5_000), (all, wanted, turn) => {
        const replicas = placeReplicas(ringOf(all), wanted, turn)
        expect(replicas).toHaveLength(Math.min(wanted, all.length))
        expect(new Set(replicas).size).toBe(replicas.length)
        expect(all.map(({ nodeId }) => nodeId)).toEqual(expect.arrayContaining(replicas))
      }),
    )
  })

  test('over as many racks as there are; no rack holds two more than one that has a broker left', () => {
    fc.assert(
      fc.property(sites, factor, fc.nat(5_000), (all, wanted, turn) => {
        const replicas = placeReplicas(ringOf(all), wanted, turn)
        const racks = new Set(all.map((site) => site.rack))
        const held = tally(
          replicas.map((nodeId) => rackOf(all, nodeId)),
          racks,
        )
        expect([...held.values()].filter((count) => count > 0)).toHaveLength(Math.min(racks.size, replicas.length))
        for (const [name, count] of held) {
          const isFull = all.filter((site) => site.rack === name).length === count
          if (!isFull) expect(Math.max(...held.values()) - count).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  test('leaders go round all brokers evenly, wherever the turn begins', () => {
    fc.assert(
      fc.property(sites, factor, fc.nat(500), fc.integer({ min: 1, max: 60 }), (all, wanted, first, count) => {
        const ring = ringOf(all)
        const leaders = Array.from({ length: count }, (_, i) => placeReplicas(ring, wanted, first + i)[0]!)
        const counts = tally(
          leaders,
          all.map(({ nodeId }) => nodeId),
        )
        expect(spread(counts)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test.each([2, 3, 4, 5, 6])('of %p equal brokers each holds as much, whole rounds on', (count) => {
    const all = Array.from({ length: count }, (_, i): Site => ({ nodeId: i + 1, rack: null }))
    for (let wanted = 1; wanted <= count; wanted++) {
      const held = Array.from({ length: count * (count - 1) }, (_, turn) => placeReplicas(ringOf(all), wanted, turn))
      const counts = tally(
        held.flat(),
        all.map(({ nodeId }) => nodeId),
      )
      expect(spread(counts)).toBe(0)
    }
  })

  test('what a partition has stays, in its order', () => {
    fc.assert(
      fc.property(sites, factor, fc.nat(500), fc.nat(500), (all, wanted, turn, later) => {
        const before = placeReplicas(ringOf(all.slice(0, Math.ceil(all.length / 2))), wanted, turn)
        const after = placeReplicas(ringOf(all), wanted, later, before)
        expect(after.slice(0, before.length)).toEqual(before)
        expect(after).toHaveLength(Math.max(before.length, Math.min(wanted, all.length)))
        expect(new Set(after).size).toBe(after.length)
      }),
    )
  })

  test('no broker, no place', () => {
    expect(placeReplicas(ringOf([]), 3, 7)).toEqual([])
  })
})
