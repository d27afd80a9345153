// Lines as they come in, read as the broker reads them, into records for the client's producer. What a reader hands on is good until
// its next call, and a record may have to wait: so it gets bytes of its own.

import { readVarint, varintEnd } from '../../core/base/index.ts'
import { RecordAttribute, type RecordSpans } from '../../core/record/index.ts'
import type { ProducerRecord } from '../../client/index.ts'
import { hostCodec } from '../host/index.ts'
import {
  type BodyFault,
  type LinedBody,
  NdjsonRecords,
  NdjsonValues,
  type PointerPath,
  pointerSteps,
  RecordParameters,
  TextLines,
} from '../wire/index.ts'
import { CommandFailed } from './output.ts'

export interface LineOptions {
  readonly format: string
  readonly keyPointer?: string
  readonly tagPointer?: string
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export class LineRecords {
  readonly #body: LinedBody
  readonly #recordBytesMax: number
  readonly #take: (record: ProducerRecord) => void
  #fault: BodyFault | null = null

  constructor(options: LineOptions, recordBytesMax: number, take: (record: ProducerRecord) => void) {
    this.#recordBytesMax = recordBytesMax
    this.#take = take
    this.#body = bodyOf(options, this)
  }

  /** What is wrong with the first line that cannot be a record, which ends it; those before it have been taken. */
  push(bytes: Uint8Array): BodyFault | null {
    return this.#body.push(bytes) ?? this.#fault
  }

  end(): BodyFault | null {
    return this.#body.end() ?? this.#fault
  }

  /** For the readers of lines. */
  add(spans: RecordSpans): void {
    if (this.#fault !== null) return
    const { payloadBytes } = spans
    if (payloadBytes <= this.#recordBytesMax) return this.#take(recordOf(spans))
    const message = `the record has ${payloadBytes} bytes, the topic takes ${this.#recordBytesMax} at most`
    const { lineCount: line, recordCount: record } = this.#body
    this.#fault = { code: 'too-large', pointer: '', message, record, line }
  }
}

function bodyOf({ format, keyPointer, tagPointer }: LineOptions, sink: LineRecords): LinedBody {
  if (format === 'record') return new NdjsonRecords(sink, hostCodec)
  const parameters = RecordParameters.of({}) as RecordParameters
  if (format === 'text') return new TextLines(sink, parameters)
  return new NdjsonValues(sink, hostCodec, parameters, {
    key: pathOf(keyPointer, '--key-pointer'),
    tag: pathOf(tagPointer, '--tag-pointer'),
  })
}

function pathOf(text: string | undefined, option: string): PointerPath | null {
  if (text === undefined) return null
  const steps = pointerSteps(text)
  if (steps === null) throw new CommandFailed(`${option} is a JSON Pointer, such as /user/id`)
  return { text, steps }
}

function recordOf(spans: RecordSpans): ProducerRecord {
  const { attributes, value, valueStart, valueEnd, key, keyStart, keyEnd, timestamp, tags } = spans
  const record: ProducerRecord = {}
  if (keyStart >= 0) record.key = key.slice(keyStart, keyEnd)
  if ((attributes & RecordAttribute.tombstone) !== 0) record.tombstone = true
  else if ((attributes & RecordAttribute.json) !== 0) record.json = value.slice(valueStart, valueEnd)
  else record.value = value.slice(valueStart, valueEnd)
  if (!Number.isNaN(timestamp)) record.timestamp = timestamp
  if (tags.length > 0) record.tags = [...tags]
  if (spans.headerCount > 0) record.headers = headersOf(spans)
  return record
}

function headersOf({ headers, headersStart, headersEnd, headerCount }: RecordSpans): Record<string, string> {
  const texts: string[] = []
  let at = headersStart
  while (texts.length < 2 * headerCount) {
    const bytes = readVarint(headers, at, headersEnd)
    at = varintEnd + bytes
    texts.push(decoder.decode(headers.subarray(at - bytes, at)))
  }
  return Object.fromEntries(Array.from({ length: headerCount }, (_, i) => [texts[2 * i]!, texts[2 * i + 1]!]))
}
