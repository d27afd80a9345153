// Bytes that no honest client sends. Whatever they are, the checks answer and never throw; and what they let pass, the
// slow twin lets pass too and the reader gives back, while what the twin takes is not refused.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { writeU16, writeU32 } from '../../../src/core/base/index.ts'
import { admitBatch, RecordReader, storedFault } from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { builtBatch, metaEntry, sealed, shortened } from './batch-draft.ts'
import { type PlainRecord, plainRecord, plainRecords } from './plain-record.ts'
import { readBatch } from './read-batch.ts'
import { seeded } from './seeded.ts'
import { decodeSlowly } from './slow-decoder.ts'

const MUTANTS_A_BATCH = 60
const INTERESTING = [0, 1, 2, 0x7f, 0x80, 0xff]

/** Some bytes changed anywhere behind the checksum, or a field, or a piece cut out, doubled or blown up. */
function mutant(batch: Uint8Array, below: (bound: number) => number): Uint8Array {
  const bytes = batch.slice()
  const at = 28 + below(bytes.length - 28)
  switch (below(6)) {
    case 0:
      bytes[at] = INTERESTING[below(INTERESTING.length)]!
      break
    case 1:
      bytes[at]! ^= 1 << below(8)
      break
    case 2:
      for (let i = 0; i < 4; i++) bytes[28 + below(bytes.length - 28)] = below(256)
      break
    case 3:
      writeU32(bytes, [28, 72, 76][below(3)]!, [0, 1, 0xffff_ffff, bytes.length, bytes.length - 80][below(5)]!)
      break
    case 4:
      bytes.copyWithin(at, 80 + below(bytes.length - 80))
      break
    default:
      writeU16(bytes, [36, 38][below(2)]!, below(20))
  }
  return below(8) === 0
    ? shortened(bytes.length > 81 ? withSize(bytes) : batch, 80 + below(bytes.length - 80))
    : sealed(bytes)
}

function withSize(bytes: Uint8Array): Uint8Array {
  writeU32(bytes, 28, bytes.length)
  return bytes
}

function slowly(bytes: Uint8Array): PlainRecord[] | null {
  try {
    return decodeSlowly(bytes)
  } catch {
    return null
  }
}

test('mutants of good batches are judged as the slow twin judges them', () => {
  let admitted = 0
  fc.assert(
    fc.property(
      plainRecords,
      fc.constantFrom('none', 'none', 'gzip', 'zstd'),
      fc.nat(),
      (records, compression, seed) => {
        const batch = builtBatch(records, { compression })
        const below = seeded(seed)
        for (let i = 0; i < MUTANTS_A_BATCH; i++) {
          const bytes = mutant(batch, below)
          const fault = admitBatch(bytes, 0, bytes.length, hostCodec)
          const twin = slowly(bytes)
          if ((fault === null) !== (twin !== null)) throw new Error(`mutant ${i}: ${fault?.detail ?? 'admitted'}`)
          if (twin === null) continue
          expect(readBatch(bytes)).toEqual(twin)
          admitted++
        }
      },
    ),
    { numRuns: 300 },
  )
  expect(admitted).toBeGreaterThan(100)
})

test('a zstd frame that promises a checksum and has none is cut, which its decompressor alone does not see', () => {
  const whole = builtBatch([plainRecord({ value: 'row '.repeat(50) })], { compression: 'zstd' })
  const cut = whole.slice()
  cut[84]! |= 4
  expect([slowly(sealed(whole)), slowly(sealed(cut))]).toEqual([[expect.anything()], null])
  expect(admitBatch(cut, 0, cut.length, hostCodec)).toMatchObject({ kind: 'structure' })
})

test('bytes of no meaning are refused, as a batch and as the rest of one', () => {
  const below = seeded(20_261_122)
  const reader = new RecordReader()
  for (let i = 0; i < 20_000; i++) {
    const bytes = new Uint8Array(below(200)).map(() => (below(3) === 0 ? below(256) : below(4)))
    if (bytes.length > 80 && i % 4 > 0) {
      bytes[32] = 1
      bytes[33] = below(3)
      writeU16(bytes, 34, 0)
      writeU16(bytes, 36, 1 + below(3))
      writeU32(bytes, 76, below(i % 3 === 0 ? 30 : 1))
      if (i % 3 === 0 && bytes.length > 120)
        bytes.set(
          metaEntry(
            1,
            1,
            new Uint8Array(below(20)).map(() => below(4)),
          ),
          80,
        )
      if (i % 4 > 1) sealed(withSize(bytes))
    }
    expect(storedFault(bytes, 0, bytes.length, hostCodec)).not.toBeNull()
    const fault = admitBatch(bytes, 0, bytes.length, hostCodec)
    if (fault === null) expect(slowly(bytes)).not.toBeNull()
    // A reader trusts the checksums, not the records: it must come to an end all the same.
    if (!reader.open(bytes, 0, hostCodec)) continue
    let count = 0
    while (reader.next() !== null) count++
    expect(count).toBeLessThanOrEqual(0xffff)
  }
})
