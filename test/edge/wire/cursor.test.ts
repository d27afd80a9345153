import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type TopicId, topicIdOf } from '../../../src/core/base/index.ts'
import { type CursorPlace, Problem, readCursor, writeCursor } from '../../../src/edge/wire/index.ts'

const topicId = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(topicIdOf)
const place = fc.record({
  partition: fc.integer({ min: 0, max: 1_023 }),
  offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  epoch: fc.option(fc.nat(), { nil: null }),
})
const topic = fc.tuple(topicId, fc.uniqueArray(place, { minLength: 1, maxLength: 6, selector: (p) => p.partition }))

function placesOf(topics: readonly (readonly [TopicId, readonly Omit<CursorPlace, 'topicId'>[]])[]): CursorPlace[] {
  return topics.flatMap(([id, places]) => places.map((p) => ({ ...p, topicId: id })))
}

test('what is written is read back, unescaped anywhere', () => {
  fc.assert(
    fc.property(fc.uniqueArray(topic, { minLength: 1, maxLength: 4, selector: ([id]) => id }), (topics) => {
      const places = placesOf(topics)
      const text = writeCursor(places)
      expect(text).toMatch(/^[A-Za-z0-9._-]+$/)
      expect(readCursor(text)).toEqual(places)
    }),
  )
})

test('a place at offset 0 is left out, but never the first of a topic', () => {
  const id = topicIdOf(new Uint8Array(20))
  const at = (partition: number, offset: number): CursorPlace => ({ topicId: id, partition, offset, epoch: null })
  expect(writeCursor([at(0, 0), at(1, 0), at(2, 7)])).toBe(`${id}_0.0_2.7`)
  expect(writeCursor([at(0, 0), at(1, 0)])).toBe(`${id}_0.0`)
})

test('a cursor that was cut is refused or names fewer places: never others', () => {
  fc.assert(
    fc.property(topic, fc.nat(), ([id, places], cut) => {
      const whole = placesOf([[id, places]])
      const text = writeCursor(whole)
      const read = readCursor(text.slice(0, cut % text.length))
      if (read instanceof Problem) return
      for (const entry of read) {
        expect(
          whole.some((p) => p.partition === entry.partition || String(p.partition).startsWith(String(entry.partition))),
        ).toBe(true)
      }
    }),
  )
})

test('nothing makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('0', '1', '9', '.', '_', 'a', 'z', '-', ' '), maxLength: 60 }),
      (text) => {
        const read = readCursor(text)
        if (read instanceof Problem) expect(read.code).toBe('malformed')
      },
    ),
  )
})
