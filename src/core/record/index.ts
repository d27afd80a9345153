export * from './batch.ts'
export { BatchBuilder, type BatchCompression, type BatchFields } from './batch-builder.ts'
export {
  findMeta,
  type IdempotencyEntry,
  metaFault,
  MetaType,
  readIdempotency,
  type TagMask,
  TagReader,
} from './meta.ts'
export { copySpan, readRecord, RecordAttribute, RecordSpans } from './record.ts'
export { isJson, skipJsonName, skipJsonNumber, skipJsonSpace, skipJsonString, skipJsonValue } from './json.ts'
