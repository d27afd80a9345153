// What a request says of every record of a body that cannot say it: key, tags, timestamp, headers. Checked once, then
// filled into each record.

import { limits } from '../../core/base/index.ts'
import { RecordAttribute, RecordSpans } from '../../core/record/index.ts'
import { bodyFault, type BodyFault } from './body-fault.ts'
import { ByteWriter } from './byte-writer.ts'
import { encodeHeaders } from './record-headers.ts'
import { tagFault } from './tag-texts.ts'
import { timestampFault } from './timestamp.ts'

export interface GivenParameters {
  readonly key?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly timestamp?: number | undefined
  readonly headers?: Iterable<readonly [string, string]> | undefined
  readonly isTombstone?: boolean | undefined
}

const encoder = new TextEncoder()

export class RecordParameters {
  readonly #template: RecordSpans

  private constructor(template: RecordSpans) {
    this.#template = template
  }

  static of(given: GivenParameters): RecordParameters | BodyFault {
    const template = new RecordSpans()
    if (given.key !== undefined) {
      template.key = encoder.encode(given.key)
      template.keyStart = 0
      template.keyEnd = template.key.length
      if (template.keyEnd > limits.KEY_BYTES_MAX) {
        return bodyFault('too-large', '/key', `a key has ${limits.KEY_BYTES_MAX} bytes at most`)
      }
    }
    if (given.tags !== undefined) {
      if (given.tags.length > limits.BATCH_TAGS_MAX) {
        return bodyFault('too-large', '/tags', `a record has ${limits.BATCH_TAGS_MAX} tags at most`)
      }
      for (const [i, tag] of given.tags.entries()) {
        const fault = tagFault(tag)
        if (fault !== null) return bodyFault('invalid', `/tags/${i}`, fault)
      }
      template.tags = given.tags
    }
    if (given.timestamp !== undefined) {
      const fault = timestampFault(given.timestamp)
      if (fault !== null) return bodyFault('invalid', '/timestamp', fault)
      template.timestamp = given.timestamp
    }
    if (given.headers !== undefined) {
      const fault = encodeHeaders(given.headers, template, new ByteWriter())
      if (fault !== null) return fault
    }
    if (given.isTombstone === true) {
      if (given.key === undefined) return bodyFault('invalid', '/tombstone', 'a tombstone needs a key')
      template.attributes = RecordAttribute.tombstone
    }
    return new RecordParameters(template)
  }

  get isTombstone(): boolean {
    return this.#template.attributes === RecordAttribute.tombstone
  }

  /** Sets all of `record` but its value, of which there is none afterwards. */
  fill(record: RecordSpans): void {
    const template = this.#template
    record.attributes = template.attributes
    record.timestamp = template.timestamp
    record.key = template.key
    record.keyStart = template.keyStart
    record.keyEnd = template.keyEnd
    record.valueStart = 0
    record.valueEnd = 0
    record.headers = template.headers
    record.headersStart = template.headersStart
    record.headersEnd = template.headersEnd
    record.headerCount = template.headerCount
    record.tags = template.tags
  }
}
