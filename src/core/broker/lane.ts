// What one produce request has for one partition: the batch being built, those that wait for their turn, what was kept.

import type { BatchBuilder } from '../record/index.ts'
import type { PartitionResult } from './refusal.ts'
import type { Replica } from './replicas.ts'

export class Lane {
  batches: Uint8Array[] | null = null
  firstRecords: number[] | null = null
  result: PartitionResult | null = null
  /** Ordinal within the request of the open batch's first record. */
  firstRecord = 0
  /** With a request key: place of the next record among this partition's, and of the open batch's first. */
  ordinal = 0
  batchOrdinal = 0
  digest = 0n

  constructor(
    readonly replica: Replica,
    readonly builder: BatchBuilder,
  ) {}
}
