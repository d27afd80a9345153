import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { TopicId } from '../../../src/core/base/index.ts'
import type { Assignment } from '../../../src/core/group/index.ts'
import { PartitionSet } from '../../../src/core/group/partition-set.ts'
import { rangeAssignment } from '../../../src/core/group/range.ts'
import { type AssignorMember, stickyAssignment } from '../../../src/core/group/sticky.ts'
import { topicId } from './group-rig.ts'

type Division = ReadonlyMap<string, Assignment>

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const topicOf = (letter: string, partitions: number) => ({ id: topicId(letter), partitions: numbers(partitions) })
const load = (part: Assignment): number => part.reduce((sum, { partitions }) => sum + partitions.length, 0)
const loads = (division: Division): number[] => [...division.values()].map(load)

function* pairs(part: Assignment): Iterable<string> {
  for (const { topicId: id, partitions } of part) for (const partition of partitions) yield `${id}/${partition}`
}

/** Partition to member; fails when one is in two hands. */
function ownersOf(division: Division): Map<string, string> {
  const owners = new Map<string, string>()
  for (const [member, part] of division) {
    for (const pair of pairs(part)) {
      expect(owners.has(pair)).toBe(false)
      owners.set(pair, member)
    }
  }
  return owners
}

function expectWhole(members: readonly AssignorMember[], division: Division): void {
  expect([...division.keys()].sort()).toEqual(members.map(({ member }) => member).sort())
  const owners = ownersOf(division)
  const topics = new Map(members.flatMap(({ topics: of }) => of.map((topic) => [topic.id, topic])))
  let count = 0
  for (const { id, partitions } of topics.values()) {
    count += partitions.length
    for (const partition of partitions) {
      const owner = members.find(({ member }) => member === owners.get(`${id}/${partition}`))
      expect(owner?.topics.some((topic) => topic.id === id)).toBe(true)
    }
  }
  expect(owners.size).toBe(count)
}

// --- worlds ------------------------------------------------------------------------------------------------------------

interface Shape {
  topics: number[]
  /** Of each member, a bit for each topic. */
  subscriptions: number[]
}

const LETTERS = 'opqrst'

/** Members with what they had, which may name partitions and topics that are no more. */
function membersOf(
  { topics, subscriptions }: Shape,
  before: ReadonlyMap<string, Assignment> = new Map(),
): AssignorMember[] {
  return subscriptions.map((bits, i) => ({
    member: `m${i}`,
    topics: topics.flatMap((partitions, t) => ((bits >> t) & 1 ? [topicOf(LETTERS[t]!, partitions)] : [])),
    previous: before.get(`m${i}`) ?? [],
  }))
}

const uneven = fc.record({
  topics: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
  subscriptions: fc.array(fc.integer({ min: 1, max: 31 }), { minLength: 1, maxLength: 7 }),
})
const alike = fc
  .record({
    topics: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
    members: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ topics, members }): Shape => ({ topics, subscriptions: Array.from({ length: members }, () => 31) }))

/** Any division at all of what there is, in two hands nowhere. */
function scattered(shape: Shape, seed: number): Map<string, Assignment> {
  const sets = shape.subscriptions.map(() => new PartitionSet())
  let state = seed
  shape.topics.forEach((partitions, t) => {
    for (let partition = 0; partition < partitions; partition++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      const member = (state >>> 8) % (sets.length + 1)
      if (member < sets.length) sets[member]!.add(topicId(LETTERS[t]!), partition)
    }
  })
  return new Map(sets.map((set, i) => [`m${i}`, set.toAssignment()]))
}

// --- the dumb twin -----------------------------------------------------------------------------------------------------

/** The least sum of squared loads of all divisions there are, by trying: partitions of a topic are alike. */
function leastSquares({ topics, subscriptions }: Shape): number {
  let reached = new Set([subscriptions.map(() => 0).join()])
  topics.forEach((partitions, t) => {
    const able = subscriptions.flatMap((bits, i) => ((bits >> t) & 1 ? [i] : []))
    if (able.length === 0) return
    for (let partition = 0; partition < partitions; partition++) {
      const next = new Set<string>()
      for (const vector of reached) {
        const counts = vector.split(',').map(Number)
        for (const member of able) next.add(counts.map((count, i) => (i === member ? count + 1 : count)).join())
      }
      reached = next
    }
  })
  const squares = [...reached].map((vector) => vector.split(',').reduce((sum, count) => sum + Number(count) ** 2, 0))
  return Math.min(...squares)
}

/** How many must lose a partition they had, so that nobody has two more than another; where all subscribe alike. */
function fewestMoves(kept: readonly number[], partitions: number): number {
  const quota = Math.floor(partitions / kept.length)
  let higher = partitions % kept.length
  let moves = 0
  for (const count of [...kept].sort((a, b) => b - a)) {
    const may = count > quota && higher > 0 ? quota + 1 : quota
    if (may > quota) higher--
    moves += Math.max(0, count - may)
  }
  return moves
}

function movesBetween(before: Division, after: Division): number {
  const owners = ownersOf(after)
  let moves = 0
  for (const [member, part] of before) for (const pair of pairs(part)) if (owners.get(pair) !== member) moves++
  return moves
}

describe('sticky', () => {
  test('gives everything to somebody who wants it, as evenly as there is a way to', () => {
    const small = fc.record({
      topics: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
      subscriptions: fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 4 }),
    })
    fc.assert(
      fc.property(small, fc.nat(), (shape, seed) => {
        const members = membersOf(shape, scattered(shape, seed))
        const division = stickyAssignment(members)
        expectWhole(members, division)
        const squares = loads(division).reduce((sum, count) => sum + count ** 2, 0)
        expect(squares).toBe(leastSquares(shape))
      }),
      { numRuns: 300 },
    )
  })

  test('moves nothing when nothing has changed', () => {
    fc.assert(
      fc.property(uneven, fc.nat(), (shape, seed) => {
        const division = stickyAssignment(membersOf(shape, scattered(shape, seed)))
        expect(stickyAssignment(membersOf(shape, division))).toEqual(division)
      }),
      { numRuns: 300 },
    )
  })

  test('moves no more than it must, where all subscribe alike', () => {
    fc.assert(
      fc.property(alike, fc.nat(), (shape, seed) => {
        const before = scattered(shape, seed)
        const division = stickyAssignment(membersOf(shape, before))
        const total = shape.topics.reduce((sum, partitions) => sum + partitions, 0)
        expect(Math.max(...loads(division)) - Math.min(...loads(division))).toBeLessThanOrEqual(1)
        expect(movesBetween(before, division)).toBe(fewestMoves(loads(before), total))
      }),
      { numRuns: 500 },
    )
  })

  test('one comes: it gets its share, and only that moves; one goes: only its own moves', () => {
    fc.assert(
      fc.property(uneven, fc.nat(), (shape, seed) => {
        const before = stickyAssignment(membersOf(shape, scattered(shape, seed)))
        const fewer: Shape = { ...shape, subscriptions: shape.subscriptions.slice(0, -1) }
        const kept = new Map([...before].slice(0, -1))
        if (kept.size === 0) return
        const after = stickyAssignment(membersOf(fewer, kept))
        // Where subscriptions differ, what has gone may have to be made good for by passing on along a chain.
        const chain = shape.subscriptions.length
        expect(movesBetween(kept, after)).toBeLessThanOrEqual(load([...before.values()].at(-1)!) * chain)
        const back = stickyAssignment(membersOf(shape, after))
        expect(movesBetween(after, back)).toBeLessThanOrEqual(load(back.get(`m${chain - 1}`)!) * chain)
      }),
      { numRuns: 300 },
    )
  })

  test('what two claim goes to the first in the list', () => {
    const claim = [{ topicId: topicId('o'), partitions: [0, 1] }]
    const topics = [topicOf('o', 4)]
    const division = stickyAssignment([
      { member: 'later', topics, previous: claim },
      { member: 'earlier', topics, previous: claim },
    ])
    expect(division.get('later')).toEqual(claim)
  })

  test('a thousand members and ten thousand partitions', () => {
    const topics = numbers(10).map((i) => ({
      id: LETTERS[0]!.repeat(19).concat(String.fromCodePoint(97 + i)) as TopicId,
      partitions: numbers(1_000),
    }))
    const member = (i: number): AssignorMember => ({ member: `m${i}`, topics, previous: [] })
    const first = stickyAssignment(numbers(1_000).map(member))
    expect(new Set(loads(first))).toEqual(new Set([10]))
    const joined = stickyAssignment(numbers(1_001).map((i) => ({ ...member(i), previous: first.get(`m${i}`) ?? [] })))
    expect(movesBetween(first, joined)).toBe(9)
  })
})

describe('range', () => {
  test('cuts each topic into equal runs, in the order of names', () => {
    fc.assert(
      fc.property(uneven, (shape) => {
        const members = membersOf(shape)
        const division = rangeAssignment(members)
        expectWhole(members, division)
        for (const [t, partitions] of shape.topics.entries()) {
          const runs = members
            .filter(({ topics }) => topics.some(({ id }) => id === topicId(LETTERS[t]!)))
            .map(
              ({ member }) =>
                division.get(member)!.find(({ topicId: id }) => id === topicId(LETTERS[t]!))?.partitions ?? [],
            )
          if (runs.length === 0) continue
          expect(runs.flat()).toEqual(numbers(partitions))
          const lengths = runs.map((run) => run.length)
          expect(lengths).toEqual([...lengths].sort((a, b) => b - a))
          expect(lengths[0]! - lengths.at(-1)!).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('the same partition of topics cut alike is in one hand', () => {
    const topics = [topicOf('o', 6), topicOf('p', 6)]
    const members = ['a', 'b', 'c'].map((member) => ({ member, topics, previous: [] }))
    for (const part of rangeAssignment(members).values()) expect(part[0]!.partitions).toEqual(part[1]!.partitions)
  })
})
