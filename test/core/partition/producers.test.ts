import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Producers, type ProducerVerdict } from '../../../src/core/partition/producers.ts'

const HOUR_MS = 3_600_000
const EXPIRY_MS = 24 * HOUR_MS

/** A partition's producers with offsets given like a log's, told as a story. */
class Story {
  readonly producers: Producers
  endOffset = 0
  nowMs = 0

  constructor(producersMax?: number) {
    this.producers = new Producers(producersMax)
  }

  /** Sends a batch of `count` records; what is next is appended. */
  send(producerId: number, epoch: number, baseSequence: number, count = 1): string {
    const verdict = this.producers.check(producerId, epoch, baseSequence, count, this.nowMs, EXPIRY_MS)
    if (verdict.kind !== 'next') return told(verdict)
    const baseOffset = this.endOffset
    this.endOffset += count
    this.producers.apply(producerId, epoch, { baseSequence, count, baseOffset, appendedAt: this.nowMs }, EXPIRY_MS)
    return `at ${baseOffset}`
  }
}

function told(verdict: ProducerVerdict): string {
  switch (verdict.kind) {
    case 'next':
      return 'next'
    case 'duplicate':
      return `duplicate of ${verdict.first.baseOffset}`
    case 'producer-fenced':
      return `fenced by ${verdict.currentEpoch}`
    case 'sequence-gap':
      return `${verdict.isAhead ? 'ahead' : 'behind'}, expected ${verdict.expectedSequence}`
    case 'producer-unknown':
      return 'unknown'
  }
}

describe('the story of a producer', () => {
  test('batches in order, a repeat, a gap', () => {
    const story = new Story()
    expect(story.send(7, 0, 0, 10)).toBe('at 0')
    expect(story.send(7, 0, 10, 5)).toBe('at 10')
    expect(story.send(7, 0, 0, 10)).toBe('duplicate of 0')
    expect(story.send(7, 0, 20, 1)).toBe('ahead, expected 15')
    expect(story.send(7, 0, 15, 1)).toBe('at 15')
    expect(story.send(7, 0, 10, 4)).toBe('behind, expected 16')
    expect(story.endOffset).toBe(16)
  })

  test('the last five are remembered, an older one is behind', () => {
    const story = new Story()
    for (let i = 0; i < 6; i++) story.send(7, 0, i)
    expect(story.send(7, 0, 1)).toBe('duplicate of 1')
    expect(story.send(7, 0, 5)).toBe('duplicate of 5')
    expect(story.send(7, 0, 0)).toBe('behind, expected 6')
  })

  test('a new epoch begins at 0 and fences the old', () => {
    const story = new Story()
    story.send(7, 3, 0)
    expect(story.send(7, 4, 1)).toBe('ahead, expected 0')
    expect(story.send(7, 4, 0)).toBe('at 1')
    expect(story.send(7, 3, 1)).toBe('fenced by 4')
    expect(story.send(7, 3, 0)).toBe('fenced by 4')
    expect(story.send(7, 4, 0)).toBe('duplicate of 1')
  })

  test('who was never here begins at 0, in any epoch', () => {
    const story = new Story()
    expect(story.send(7, 0, 1)).toBe('unknown')
    expect(story.send(7, 9, 0)).toBe('at 0')
  })

  test('sequences go around', () => {
    const story = new Story()
    const last = 2 ** 32 - 2
    story.producers.apply(7, 0, { baseSequence: last - 4, count: 4, baseOffset: 0, appendedAt: 0 }, EXPIRY_MS)
    expect(story.send(7, 0, last, 5)).toBe('at 0')
    expect(story.send(7, 0, 3, 1)).toBe('at 5')
    expect(story.send(7, 0, last, 5)).toBe('duplicate of 0')
    expect(story.send(7, 0, 2 ** 32 - 1, 1)).toBe('behind, expected 4')
    expect(story.send(7, 0, 5, 1)).toBe('ahead, expected 4')
  })

  test('silence for a day, and it is unknown; a batch in time keeps it', () => {
    const story = new Story()
    story.send(7, 0, 0)
    story.nowMs += EXPIRY_MS
    expect(story.send(7, 0, 1)).toBe('at 1')
    story.nowMs += EXPIRY_MS + 1
    expect(story.send(7, 0, 2)).toBe('unknown')
    expect(story.send(7, 0, 0)).toBe('at 2')
  })

  test('when there are too many the longest silent is forgotten', () => {
    const story = new Story(2)
    story.send(1, 0, 0)
    story.send(2, 0, 0)
    story.send(1, 0, 1)
    story.send(3, 0, 0)
    expect(story.producers.count).toBe(2)
    expect(story.send(2, 0, 1)).toBe('unknown')
    expect(story.send(1, 0, 2)).toBe('at 4')
  })
})

/** The rules again, over the whole history and without any bookkeeping. */
class Historian {
  readonly #batches: { id: number; epoch: number; base: number; count: number; offset: number }[] = []

  send(id: number, epoch: number, base: number, count: number, offset: number): string {
    const own = this.#batches.filter((b) => b.id === id)
    const latest = Math.max(-1, ...own.map((b) => b.epoch))
    const inEpoch = own.filter((b) => b.epoch === epoch)
    if (own.length > 0 && epoch < latest) return `fenced by ${latest}`
    const repeat = inEpoch.slice(-5).find((b) => b.base === base && b.count === count)
    if (repeat !== undefined) return `duplicate of ${repeat.offset}`
    const expected = inEpoch.reduce((sum, b) => sum + b.count, 0)
    if (own.length === 0 && base !== 0) return 'unknown'
    if (base !== expected) return `${base > expected ? 'ahead' : 'behind'}, expected ${expected}`
    this.#batches.push({ id, epoch, base, count, offset })
    return `at ${offset}`
  }
}

test('agrees with a historian', () => {
  const sending = fc.record({
    id: fc.integer({ min: 1, max: 3 }),
    epoch: fc.integer({ min: 0, max: 2 }),
    base: fc.integer({ min: 0, max: 12 }),
    count: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(fc.array(sending, { maxLength: 100, size: 'max' }), (sendings) => {
      const story = new Story()
      const historian = new Historian()
      for (const { id, epoch, base, count } of sendings) {
        const expected = historian.send(id, epoch, base, count, story.endOffset)
        expect(story.send(id, epoch, base, count)).toBe(expected)
      }
    }),
    { numRuns: 300 },
  )
})
