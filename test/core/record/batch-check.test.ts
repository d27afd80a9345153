import { describe, expect, test } from 'bun:test'
import { writeU16, writeU32 } from '../../../src/core/base/index.ts'
import {
  appendedAtOf,
  baseOffsetOf,
  type BatchFault,
  frameFault,
  isStampGood,
  lastOffsetOf,
  leaderEpochOf,
  NO_PRODUCER,
  producerIdOf,
  stampBatch,
  storedFault,
} from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { draftBatch, edited, metaEntry, packed, record, sampleBatch } from './batch-draft.ts'

function stamped(batch: Uint8Array): Uint8Array {
  stampBatch(batch, 0, 42, 1_800_000_000_000, 7, hostCodec)
  return batch
}

const check = (batch: Uint8Array): BatchFault | null => storedFault(batch, 0, batch.length, hostCodec)

test('a stamp leaves the body as it was', () => {
  const batch = sampleBatch({ producerId: 5, producerEpoch: 1, baseSequence: 9 })
  const before = batch.slice(24)
  stamped(batch)
  expect(batch.slice(24)).toEqual(before)
  expect([baseOffsetOf(batch, 0), lastOffsetOf(batch, 0)]).toEqual([42, 43])
  expect([appendedAtOf(batch, 0), leaderEpochOf(batch, 0), producerIdOf(batch, 0)]).toEqual([1_800_000_000_000, 7, 5])
  expect(producerIdOf(sampleBatch(), 0)).toBe(NO_PRODUCER)
  expect(check(batch)).toBeNull()
})

test('a stamp holds the extremes', () => {
  for (const offset of [0, 2 ** 32, Number.MAX_SAFE_INTEGER - 1]) {
    const batch = sampleBatch()
    stampBatch(batch, 0, offset, offset, 0xffff_ffff, hostCodec)
    expect(check(batch)).toBeNull()
    expect([baseOffsetOf(batch, 0), lastOffsetOf(batch, 0)]).toEqual([offset, offset + 1])
    expect([appendedAtOf(batch, 0), leaderEpochOf(batch, 0)]).toEqual([offset, 0xffff_ffff])
  }
})

describe('every single flipped bit is found', () => {
  test.each(['none', 'gzip', 'zstd'] as const)('%s', (compression) => {
    const batch = stamped(sampleBatch({ compression, producerId: 5 }))
    const kinds = new Set<string>()
    for (let bit = 0; bit < batch.length * 8; bit++) {
      batch[bit >> 3]! ^= 1 << (bit & 7)
      const fault = check(batch)
      if (fault === null) throw new Error(`bit ${bit} of byte ${bit >> 3} is not missed`)
      kinds.add(fault.kind)
      // Damage is never mistaken for a newer version, which would keep the broker from starting.
      expect(fault.kind).not.toBe('version')
      expect(isStampGood(batch, 0, hostCodec)).toBe(bit >= 32 * 8)
      batch[bit >> 3]! ^= 1 << (bit & 7)
    }
    expect([...kinds].toSorted()).toEqual(['body', 'cut', 'stamp', 'structure'])
    expect(check(batch)).toBeNull()
  })
})

const ONE = record(0, 0, 0, 0, 0, 0)

describe('under good sums', () => {
  test.each([
    ['another magic', edited(sampleBatch(), (bytes) => (bytes[32] = 2), true)],
    ['another compression', edited(sampleBatch(), (bytes) => (bytes[33] = 3), true)],
    ['another attribute', edited(sampleBatch(), (bytes) => (bytes[34] = 2), true)],
    ['a critical entry', stamped(draftBatch({ records: ONE, meta: metaEntry(9, 1, packed('x')) }))],
    ['a flag of an entry', stamped(draftBatch({ records: ONE, meta: metaEntry(9, 2, packed('x')) }))],
  ])('%s unknown here means a newer version', (_, batch) => {
    expect(check(batch)?.kind).toBe('version')
    expect(check(batch.map((byte, at) => (at === 24 ? byte ^ 1 : byte)))?.kind).toBe('stamp')
    expect(check(batch.map((byte, at) => (at === batch.length - 1 ? byte ^ 1 : byte)))?.kind).toBe('body')
  })

  test.each([
    ['an entry that may be skipped', stamped(draftBatch({ records: ONE, meta: metaEntry(9, 0, packed('x')) }))],
    ['an idempotency entry', stamped(draftBatch({ records: ONE, meta: metaEntry(2, 1, new Uint8Array(32)) }))],
    ['a control batch', stamped(draftBatch({ records: ONE, attributes: 1 }))],
    ['holes left by compaction', stamped(draftBatch({ records: ONE, lastOffsetDelta: 65_535 }))],
    [
      'a batch compacted to nothing',
      edited(draftBatch({ records: ONE.subarray(0, 0) }), (bytes) => writeU16(bytes, 36, 0), true),
    ],
  ])('%s is sound where it is stored', (_, batch) => {
    expect(check(batch)).toBeNull()
  })
})

test('a frame needs a header, a possible size, and all of its bytes', () => {
  const batch = sampleBatch()
  const bytes = new Uint8Array(batch.length + 20)
  bytes.set(batch, 10)
  expect(frameFault(bytes, 10, bytes.length)).toBeNull()
  expect(frameFault(bytes, 10, 10 + batch.length)).toBeNull()
  expect(frameFault(bytes, 10, 9 + batch.length)?.kind).toBe('cut')
  expect(frameFault(bytes, 10, 89)?.kind).toBe('cut')
  for (const size of [0, 79, 2 * 1024 * 1024 + 1, 0xffff_ffff]) {
    writeU32(bytes, 38, size)
    expect(frameFault(bytes, 10, bytes.length)?.kind).toBe('structure')
  }
})
