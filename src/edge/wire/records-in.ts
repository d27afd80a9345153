// Bodies of produce requests → records, one at a time: see json-body, ndjson-body, raw-body.

export type { BodyFault } from './body-fault.ts'
export { readJsonBody } from './json-body.ts'
export { pointerSteps } from './json-pointer.ts'
export type { LinedBody } from './lined-body.ts'
export { NdjsonRecords, NdjsonValues, type PointerPath, type ValuePointers } from './ndjson-body.ts'
export { readFormBody, readRawBody, TextLines } from './raw-body.ts'
export { type GivenParameters, RecordParameters } from './record-parameters.ts'
export type { RecordSink } from './record-sink.ts'
export { timestampFault } from './timestamp.ts'
