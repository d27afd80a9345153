// Bodies of lines: which reader a request's lines get, and what its answer calls them.

import { type LinedBody, NdjsonRecords, NdjsonValues, type RecordSink, TextLines } from '../wire/index.ts'
import type { DataPath } from './call.ts'
import type { TakenAs } from './produce-answer.ts'
import type { ProduceCall } from './produce-call.ts'

export function linedBody(path: DataPath, asked: ProduceCall, sink: RecordSink): LinedBody {
  const { codec } = path.broker
  switch (asked.lines) {
    case 'records':
      return new NdjsonRecords(sink, codec)
    case 'values':
      return new NdjsonValues(sink, codec, asked.parameters, { key: asked.keyPointer, tag: asked.tagPointer })
    default:
      return new TextLines(sink, asked.parameters)
  }
}

export function takenAs(asked: ProduceCall): TakenAs {
  return asked.lines === 'text' ? 'raw' : asked.lines === 'values' ? 'json' : 'records'
}
