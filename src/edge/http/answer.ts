// Answers: the headers every one carries, made once, and JSON bodies.

import type { Problem } from '../wire/index.ts'

const EVERY = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }

/** A `Headers` made once is copied natively, which costs a third of an object's conversion. Never changed after this. */
const forJson: ResponseInit = { status: 200, headers: new Headers({ ...EVERY, 'content-type': 'application/json' }) }

export function jsonText(text: string, status = 200, more?: Readonly<Record<string, string>>): Response {
  if (status === 200 && more === undefined) return new Response(text, forJson)
  return new Response(text, { status, headers: { ...EVERY, 'content-type': 'application/json', ...more } })
}

export function jsonAnswer(value: unknown, status = 200, more?: Readonly<Record<string, string>>): Response {
  return jsonText(JSON.stringify(value), status, more)
}

/** `bytes` are copied. */
export function jsonBytes(bytes: Uint8Array): Response {
  return new Response(bytes as Uint8Array<ArrayBuffer>, forJson)
}

export function bodyAnswer(
  body: Uint8Array | ReadableStream<Uint8Array> | null,
  contentType: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  const sent = body as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
  return new Response(sent, { status: 200, headers: { ...EVERY, 'content-type': contentType, ...more } })
}

export function problemAnswer(problem: Problem): Response {
  const response = problem.response()
  response.headers.set('x-content-type-options', 'nosniff')
  response.headers.set('cache-control', 'no-store')
  return response
}
