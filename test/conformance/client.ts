// The few words the suite speaks with: requests, their answers as JSON, and topics of a test's own.

import { expect } from 'bun:test'
import type { Target } from './target.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // Answers are looked into member by member, whatever they are.
  readonly json: Record<string, unknown> & { readonly [name: string]: unknown }
}

let topics = 0

/** A name no other test uses. */
export function freshTopic(): string {
  return `t${topics++}`
}

export async function call(target: Target, method: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await target.fetch(path, { ...init, method })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  const json = type.includes('json') && !type.includes('ndjson') && text !== '' ? JSON.parse(text) : {}
  return { status: response.status, headers: response.headers, text, json: json as Answer['json'] }
}

export const get = (target: Target, path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  call(target, 'GET', path, { headers })

/** A raw body unless `headers` name a type. */
export function post(
  target: Target,
  path: string,
  body: string | Uint8Array | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const sent = body as NonNullable<RequestInit['body']>
  return call(target, 'POST', path, { body: sent, headers, ...(body instanceof ReadableStream ? HALF : null) })
}

export function sendJson(target: Target, method: string, path: string, value: unknown): Promise<Answer> {
  return call(target, method, path, { body: JSON.stringify(value), headers: JSON_TYPE })
}

export const JSON_TYPE = { 'content-type': 'application/json' }
export const NDJSON_TYPE = { 'content-type': 'application/x-ndjson' }
export const NDJSON = { accept: 'application/x-ndjson' }
/** A request whose body is a stream has to say so. */
const HALF = { duplex: 'half' } as const

/** Holds an answer against a status and a code, and every refusal against what all refusals promise. */
export function expectProblem(answer: Answer, status: number, code: string, outcome = 'none'): void {
  expect([answer.status, answer.json['code'], answer.text]).toEqual([status, code, answer.text])
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  expect(answer.json).toMatchObject({ type: `urn:naru:problem:${code}`, status, outcome })
  expect(typeof answer.json['detail']).toBe('string')
  expect(typeof answer.json['retryable']).toBe('boolean')
}

export interface RecordOut {
  topic?: string
  partition: number
  offset: number
  key?: string
  value?: unknown
  tags?: string[]
  headers?: Record<string, string>
  tombstone?: true
}

export async function recordsOf(target: Target, path: string): Promise<RecordOut[]> {
  const answer = await get(target, path)
  expect(answer.status).toBe(200)
  return answer.json['records'] as RecordOut[]
}

export async function createTopic(target: Target, topic: string, partitions: number): Promise<void> {
  const answer = await sendJson(target, 'PUT', `/v1/topics/${topic}`, { partitions })
  expect(answer.status).toBe(201)
}

/** A body of unknown length, a piece at a time. */
export function pieces(
  parts: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): ReadableStream<Uint8Array> {
  const iterator = Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done === true) controller.close()
      else controller.enqueue(typeof value === 'string' ? Buffer.from(value) : value)
    },
  })
}
