// What the golden files hold, one feature each: the records, the batch's fields, and the leader's stamp.

import { type BatchFields, RecordAttribute } from '../../../src/core/record/index.ts'
import { type PlainRecord, plainRecord } from './plain-record.ts'

export interface GoldenBatch {
  name: string
  records: PlainRecord[]
  fields: BatchFields
  baseOffset: number
  appendedAt: number
  leaderEpoch: number
}

const NOON = 1_795_780_800_000

const many = Array.from({ length: 12 }, (_, i) =>
  plainRecord({
    timestamp: NOON + i,
    attributes: RecordAttribute.json,
    value: `{"flight":${100 + i},"delay":${(i * 7) % 5}}`,
  }),
)

export const goldenBatches: GoldenBatch[] = [
  golden('plain', [plainRecord({ timestamp: NOON, value: 'hello' })], {}),
  golden(
    'keyed-with-headers',
    [
      plainRecord({
        timestamp: NOON,
        attributes: RecordAttribute.json,
        key: 'k1',
        value: '{"a":1}',
        headers: [
          ['h', 'é'],
          ['x', ''],
        ],
      }),
      plainRecord({ timestamp: NOON - 1, attributes: RecordAttribute.tombstone, key: 'k1' }),
      plainRecord({ timestamp: NOON + 300, key: '', value: 'v'.repeat(130) }),
    ],
    {},
  ),
  golden(
    'tags',
    [
      plainRecord({ timestamp: NOON, value: 'a', tags: ['vip'] }),
      plainRecord({ timestamp: NOON, value: 'b' }),
      plainRecord({ timestamp: NOON, value: 'c', tags: ['vip', '나루'] }),
    ],
    {},
  ),
  golden('idempotency', [plainRecord({ timestamp: NOON, value: 'once' })], {
    idempotency: {
      keyHash: Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i),
      firstOrdinal: 1_000,
      partitionCount: 4,
      digest: 0x0123_4567_89ab_cdefn,
    },
  }),
  golden('producer', [plainRecord({ timestamp: NOON, value: 'exactly' })], {
    producerId: 2 ** 40 + 3,
    producerEpoch: 2,
    baseSequence: 77,
  }),
  golden('control', [plainRecord({ timestamp: 0, value: 'marker' })], { attributes: 1 }),
  {
    ...golden(
      'extremes',
      [plainRecord({ timestamp: -62_167_219_200_000 }), plainRecord({ timestamp: 253_402_300_799_999 })],
      {
        producerId: Number.MAX_SAFE_INTEGER,
        producerEpoch: 0xffff_ffff,
        baseSequence: 0xffff_ffff,
      },
    ),
    baseOffset: Number.MAX_SAFE_INTEGER - 1,
    leaderEpoch: 0xffff_ffff,
  },
  golden('gzip', many, { compression: 'gzip' }),
  golden('zstd', many, { compression: 'zstd' }),
]

function golden(name: string, records: PlainRecord[], fields: BatchFields): GoldenBatch {
  return { name, records, fields, baseOffset: 42, appendedAt: NOON + 7, leaderEpoch: 3 }
}
