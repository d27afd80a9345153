// A way to receive records: over a WebSocket, an event stream, or by asking again and again. Each lasts as long as its connection
// does, and leaves in the inbox where the next is to go on.

import type { Record as WireRecord } from '../../openapi/client/index.ts'
import type { Brokers } from './brokers.ts'
import type { Inbox } from './inbox.ts'
import type { Membership } from './membership.ts'
import { receivedRecord } from './received.ts'

export interface FeedWorld {
  readonly brokers: Brokers
  readonly inbox: Inbox
  readonly topics: readonly string[]
  /** Null: all of them. */
  readonly partition: number | null
  /** Where to begin while the inbox knows no cursor. */
  readonly from: string
  readonly tags: readonly string[] | null
  /** Null: it reads for itself. */
  readonly membership: Membership | null
  /** Resolves when no more is taken out of the inbox, nor dealt with. */
  readonly taken: Promise<void>
  readonly requestTimeoutMs: number
  /** What the broker said, from JSON. */
  read(text: string): unknown
  /** Connected, and placed there; null: the group knows where. */
  opened(cursor: string | null): void
  /** Read on to there without a record. */
  passed(cursor: string): void
}

/** Resolves, or throws, when its connection has ended; a `NaruError` that is not retryable is final. */
export type Feed = (world: FeedWorld, signal: AbortSignal) => Promise<void>

/** A record fits no frame: it is to be asked for over HTTP. */
export class FrameTooSmall extends Error {}

export interface ReceivedRecords {
  topic: string
  records: WireRecord[]
  cursor: string
  caughtUp: boolean
}

export function deliver({ inbox, membership }: FeedWorld, received: ReceivedRecords, bytes: number): void {
  const { topic, cursor, caughtUp } = received
  const records = received.records.map((record) => receivedRecord(record, topic))
  inbox.push({ kind: 'batch', batch: { topic, records, cursor, caughtUp }, bytes, stamp: membership?.stamp ?? 0 })
}

/** Where to go on, as query parameters and subscriptions name it. */
export function placeOf({ inbox, from }: FeedWorld): { cursor: string } | { from: string } {
  return inbox.cursor === null ? { from } : { cursor: inbox.cursor }
}
