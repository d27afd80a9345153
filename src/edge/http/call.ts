// What every handler of the data path gets: the request with what was already read of it.

import type { Broker, FetchStart } from '../../core/broker/index.ts'
import type { Problem, RecordsWriter } from '../wire/index.ts'
import type { AnswerBuffers } from './answer-buffers.ts'
import type { Bodies } from './body.ts'
import type { ProduceRoom } from './produce-room.ts'

/** Header values by lower-case name. Taking all at once costs less than asking for eight, and shows the Naru-Header-* ones. */
export type HeaderBag = Readonly<Record<string, string | undefined>>

/** The part of the server that knows about connections; absent in process. */
export interface Connection {
  timeout(request: Request, seconds: number): void
  upgrade(request: Request, options: object): boolean
}

/** What a stream of events is to read. */
export interface StreamRequest {
  readonly topics: readonly string[]
  /** Null: all of each topic. */
  readonly partition: number | null
  readonly start: FetchStart
  readonly tags: ReadonlySet<string> | null
}

/** The room that pushes, as it is handed what is for it. */
export interface PushDoor {
  /** Null: the connection is a socket now, and there is nothing to answer. */
  upgrade(request: Request, offeredProtocols: string | undefined, connection: Connection): Problem | null
  stream(asked: StreamRequest): Promise<Response | Problem>
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
  readonly room: ProduceRoom
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
