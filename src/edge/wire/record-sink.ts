import type { RecordSpans } from '../../core/record/index.ts'

/** Where the readers of bodies put the records. */
export interface RecordSink {
  /**
   * `record` is the same object each time, and what it points to is good until the call returns. `start…end` of `source` are
   * the bytes the record was sent as.
   */
  add(record: RecordSpans, source: Uint8Array, start: number, end: number): void
}
