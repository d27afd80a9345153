// What every handler of the data path gets: the request with what was already read of it.

import type { Broker } from '../../core/broker/index.ts'
import type { RecordsWriter } from '../wire/index.ts'
import type { AnswerBuffers } from './answer-buffers.ts'
import type { Bodies } from './body.ts'

/** Header values by lower-case name. Taking all at once costs less than asking for eight, and shows the Naru-Header-* ones. */
export type HeaderBag = Readonly<Record<string, string | undefined>>

/** The part of the server that knows about connections; absent in process. */
export interface Connection {
  timeout(request: Request, seconds: number): void
}

export interface Call {
  readonly request: Request
  readonly headers: HeaderBag
  /** Behind the question mark. */
  readonly queryText: string
  readonly connection: Connection | null
}

/** What the handlers of the data path share. */
export interface DataPath {
  readonly broker: Broker
  readonly bodies: Bodies
  readonly buffers: AnswerBuffers
  readonly records: RecordsWriter
  readonly lingerMs: number
  readonly heartbeatMs: number
  /** Told of what should not have happened, where no answer can tell it any more. */
  onFailure(error: unknown): void
}

export function accepts(headers: HeaderBag, mediaType: string): boolean {
  return headers['accept']?.includes(mediaType) ?? false
}
