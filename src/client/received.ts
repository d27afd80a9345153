// A record as a program gets it: values that are JSON parsed, what is not text as bytes.

import type { Record as WireRecord } from '../../openapi/client/index.ts'

export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The sender's, milliseconds. */
  readonly timestamp: number
  /** The broker's, milliseconds. */
  readonly appendedAt: number
  readonly key?: string | Uint8Array
  /** What JSON says, text, or bytes; undefined in a tombstone. Numbers beyond 2^53 lose digits, as everywhere in JavaScript. */
  readonly value: unknown
  readonly tombstone?: true
  readonly headers?: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
}

/** The same object, brought into shape. */
export function receivedRecord(wire: WireRecord, topic: string): ConsumedRecord {
  const record = wire as { topic?: string; key?: unknown; value?: unknown }
  record.topic = topic
  if (wire.keyBase64 !== undefined) {
    record.key = bytesOf(wire.keyBase64)
    delete wire.keyBase64
  }
  if (wire.valueBase64 !== undefined) {
    record.value = bytesOf(wire.valueBase64)
    delete wire.valueBase64
  }
  return record as ConsumedRecord
}

function bytesOf(base64: string): Uint8Array {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
