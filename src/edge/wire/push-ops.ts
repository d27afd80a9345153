// What clients say over a socket: one JSON object a frame, `op` names it, `id` comes back in the answer.
//
// A frame that is no JSON object has no answer, the socket closes over it. All else that is wrong is answered by a problem
// and harms nothing. Records of `produce` are not parsed here: their bytes are handed on as they were sent.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'
import { jsonWords, skipJsonName, skipJsonSpace, skipJsonString, skipJsonValue } from '../../core/record/index.ts'
import { jsonStringOf } from './json-text.ts'
import { nearestName } from './nearest-name.ts'
import { Problem } from './problem.ts'
import { commitFault, commitFields, memberFields, subscribeFault } from './push-group-ops.ts'
import { RecordInShape } from './records.ts'
import { heldAgainst } from './shape.ts'

/** Plain characters only, so that a frame is as many bytes longer by it as it has characters. */
const Id = z
  .string()
  .regex(/^[\x20-\x7e]*$/, 'printable ASCII only')
  .min(1)
  .max(limits.SOCKET_ID_CHARS_MAX)
const Amount = z.int().min(0).max(limits.CREDIT_MAX)
const Topic = z.string()

const HelloOp = z.strictObject({ op: z.literal('hello'), id: Id.optional(), token: z.string().optional() })
const SubscribeOp = z.strictObject({
  op: z.literal('subscribe'),
  id: Id.describe('Names the subscription from here on: what is pushed carries it as `sub`.'),
  topics: z.array(Topic).min(1).max(limits.FETCH_TOPICS_MAX),
  partition: z.int().min(0).optional().describe('Only this one of the topic, of which there is one then.'),
  from: z.string().optional().describe('earliest (default), latest, -N or @time; with `partition` also an offset.'),
  cursor: z.string().optional().describe('Where to go on; not with `from`.'),
  tags: z
    .array(z.string().min(1).max(limits.TAG_BYTES_MAX))
    .min(1)
    .max(limits.BATCH_TAGS_MAX)
    .optional()
    .describe('Only records with one of these.'),
  credit: z
    .strictObject({ records: Amount, bytes: Amount })
    .optional()
    .describe('While both are above 0 a frame comes. Left out: the broker renews it as the socket drains.'),
  ...memberFields,
})
const CreditOp = z.strictObject({
  op: z.literal('credit'),
  id: Id.optional(),
  sub: Id,
  records: Amount,
  bytes: Amount,
})
const produceMembers = {
  op: z.literal('produce'),
  id: Id,
  topic: Topic,
  partition: z.int().min(0).optional(),
  acks: z.enum(['all', '1', '0']).default('all'),
  idempotencyKey: z.string().min(1).max(limits.IDEMPOTENCY_KEY_CHARS_MAX).optional(),
}
const ProduceOp = z.strictObject({ ...produceMembers, records: z.array(RecordInShape) })
/** As it is read: the records stand apart. */
const ProduceHead = z.strictObject({ ...produceMembers, records: z.unknown().optional() })
const CommitOp = z.strictObject({ op: z.literal('commit'), id: Id, sub: Id, ...commitFields })
const ReleaseOp = z
  .strictObject({ op: z.literal('release'), id: Id, sub: Id })
  .describe('What was revoked is worked on no more. Said by itself where all that was sent of it is committed.')
const UnsubscribeOp = z.strictObject({ op: z.literal('unsubscribe'), id: Id, sub: Id })
const PingOp = z.strictObject({ op: z.literal('ping'), id: Id })

export const ClientOpShape = z
  .discriminatedUnion('op', [HelloOp, SubscribeOp, CreditOp, ProduceOp, CommitOp, ReleaseOp, UnsubscribeOp, PingOp])
  .openapi('ClientOp')

export type SubscribeOp = z.output<typeof SubscribeOp>
/** `records` are the bytes of a JSON array. */
export type ProduceOp = Omit<z.output<typeof ProduceHead>, 'records'> & { records: Uint8Array }
export type ClientOp =
  | Exclude<z.output<typeof ClientOpShape>, { op: 'produce' | 'hello' }>
  | { op: 'hello'; id?: string | undefined }
  | ProduceOp

/** `id` and `sub` as far as the frame told them. */
export interface RefusedOp {
  op: 'refused'
  id: string | null
  sub: string | null
  problem: Problem
}

const shapes = {
  hello: HelloOp,
  subscribe: SubscribeOp,
  credit: CreditOp,
  produce: ProduceHead,
  commit: CommitOp,
  release: ReleaseOp,
  unsubscribe: UnsubscribeOp,
  ping: PingOp,
}
const LATER: ReadonlySet<string> = new Set(['ack', 'nack', 'extend'])

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Null: not a JSON object. */
export function readOp(text: string): ClientOp | RefusedOp | null {
  // Found in a value too, which costs a second look and harms nothing.
  const apart = text.includes('"produce"') ? partedFrame(text) : null
  const value = objectOf(apart?.head ?? text)
  if (value === null) return null
  const op = checkedOp(value, apart)
  return op instanceof Problem ? { op: 'refused', id: idOf(value['id']), sub: idOf(value['sub']), problem: op } : op
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

function checkedOp(value: Record<string, unknown>, apart: PartedFrame | null): ClientOp | Problem {
  const { op } = value
  if (typeof op !== 'string') return Problem.at('/op', 'op says what is wanted, such as "subscribe"')
  if (!Object.hasOwn(shapes, op)) return unknownOp(op)
  const checked = heldAgainst(shapes[op as keyof typeof shapes], value)
  if (checked instanceof Problem) return checked
  switch (checked.op) {
    case 'hello':
      if (checked.token === undefined) return checked
      return Problem.ofErrors([{ pointer: '/token', message: 'tokens are not supported yet' }], 'unsupported')
    case 'commit':
      return commitFault(checked) ?? checked
    case 'subscribe':
      return subscribeFault(checked) ?? checked
    case 'produce':
      return producing(checked, apart)
    default:
      return checked
  }
}

function producing(head: z.output<typeof ProduceHead>, apart: PartedFrame | null): ProduceOp | Problem {
  const records = apart?.records ?? null
  if (records === null || records[0] !== OPEN_ARRAY) {
    return Problem.at('/records', `records is an array of records, at most ${limits.JSON_DEPTH_MAX} levels deep`)
  }
  if (head.idempotencyKey !== undefined && head.acks === '0') {
    return Problem.at('/idempotencyKey', 'with acks 0 there is no result to repeat')
  }
  return { ...head, records }
}

function unknownOp(op: string): Problem {
  const pointer = '/op'
  if (LATER.has(op)) return Problem.ofErrors([{ pointer, message: `${op} is not supported yet` }], 'unsupported')
  const nearest = nearestName(op, Object.keys(shapes))
  const hint = nearest === null ? `known are ${Object.keys(shapes).join(', ')}` : `did you mean ${nearest}?`
  return Problem.at(pointer, `unknown op: ${hint}`)
}

function idOf(value: unknown): string | null {
  return Id.safeParse(value).data ?? null
}

interface PartedFrame {
  /** The frame without its records. */
  head: string
  records: Uint8Array
}

/** Null: no JSON object with a member `records`. Of several the last counts, as it does for JSON.parse. */
function partedFrame(text: string): PartedFrame | null {
  const bytes = encoder.encode(text)
  const words = jsonWords(bytes)
  const end = bytes.length
  let records: Uint8Array | null = null
  let head = ''
  let at = skipJsonSpace(bytes, 0, end)
  if (bytes[at] !== OPEN_OBJECT) return null
  for (;;) {
    at = skipJsonSpace(bytes, at + 1, end)
    if (bytes[at] !== QUOTE) return null
    const nameEnd = skipJsonString(bytes, at, end, words)
    const valueStart = skipJsonName(bytes, at, end, words)
    if (nameEnd < 0 || valueStart < 0) return null
    const valueEnd = skipJsonValue(bytes, valueStart, end, words)
    if (valueEnd < 0) return null
    if (isNamedRecords(bytes, at, nameEnd)) {
      records = bytes.slice(skipJsonSpace(bytes, valueStart, end), valueEnd)
    } else {
      head += `${head === '' ? '' : ','}${decoder.decode(bytes.subarray(at, valueEnd))}`
    }
    at = skipJsonSpace(bytes, valueEnd, end)
    if (bytes[at] === CLOSE_OBJECT) break
    if (bytes[at] !== COMMA) return null
  }
  if (records === null || skipJsonSpace(bytes, at + 1, end) !== end) return null
  return { head: `{${head}}`, records }
}

function isNamedRecords(bytes: Uint8Array, at: number, nameEnd: number): boolean {
  return nameEnd - at <= 64 && jsonStringOf(bytes, at, nameEnd) === 'records'
}
