export * from './batch.ts'
export { admitBatch } from './batch-admission.ts'
export { BatchBuilder, type BatchCompression, type BatchFields, type BatchWriterCodec } from './batch-builder.ts'
export { emptyBatch, identifyBatch, withCompressedRecords } from './batch-rewrite.ts'
export { BatchSieve, sealBatch } from './batch-sieve.ts'
export { frameFault, storedFault } from './batch-check.ts'
export type { BatchFault } from './batch-fault.ts'
export { inflateRecordsLater } from './inflation.ts'
export { findMeta, type IdempotencyEntry, MetaType, readDeleteHorizon, readIdempotency } from './meta.ts'
export { RecordAttribute, RecordSpans } from './record.ts'
export {
  isJson,
  isPlainText,
  jsonWords,
  skipJsonName,
  skipJsonSpace,
  skipJsonString,
  skipJsonValue,
  skipPlainText,
} from './json.ts'
export { RecordReader } from './record-reader.ts'
export { slotOfKey, SlotTable } from './slots.ts'
export { type TagMask, TagReader } from './tag-reader.ts'
