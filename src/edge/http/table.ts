// The control routes as data: one entry declares where an operation is, what it takes, what it answers, and what does it.
// The router, the `Allow` of a 405 and the emitted document all read it, so that none can say what another does not.

import type { z } from '@hono/zod-openapi'
import type { Broker } from '../../core/broker/index.ts'
import type { LimitsView, ProblemCode } from '../wire/index.ts'
import type { Connection, HeaderBag } from './call.ts'
import type { Query } from './query.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What an operator's questions are answered from, beside the broker. */
export interface ControlPath {
  readonly broker: Broker
  readonly clusterId: string
  readonly nodeId: number
  readonly version: string
  readonly limits: LimitsView
  metricsText(): string | Promise<string>
}

export interface ControlCall {
  /** Of the address's parameters, decoded. */
  readonly names: Readonly<Record<string, string>>
  readonly query: Query
  readonly headers: HeaderBag
  readonly body: Uint8Array
  /** For what waits: its end, and the patience of its connection. */
  readonly request: Request
  readonly connection: Connection | null
}

export interface QueryParameter {
  readonly name: string
  readonly about: string
  readonly shape: z.ZodType
}

export interface Operation {
  readonly id: string
  readonly method: Method
  /** With `{name}` for what varies. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly query?: readonly QueryParameter[]
  readonly body?: { shape: z.ZodType; isOptional: boolean }
  /** By status. */
  readonly answers: Readonly<Record<number, { about: string; shape?: z.ZodType; mediaType?: string }>>
  readonly problems: readonly ProblemCode[]
  run(path: ControlPath, call: ControlCall): Response | Promise<Response>
}
