export type { Appended, AppendRefusal } from './append-outcome.ts'
export type { CommitFate } from './high-watermark.ts'
export { type HeldKey, type HeldRange, KeyBudget } from './idempotency-keys.ts'
export { Partition, type PartitionConfig, type PartitionOptions } from './partition.ts'
