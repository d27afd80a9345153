// The control plane: the table of operations on Hono's router, and what is said of addresses and methods it does not have.

import { OpenAPIHono } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'
import { isPage, pageAnswer, pagePaths } from '../console/index.ts'
import { Problem } from '../wire/index.ts'
import { pathStart } from './address.ts'
import { bodyAnswer, problemAnswer } from './answer.ts'
import { asyncApiText } from './asyncapi.ts'
import { type Bodies, declaredBytes } from './body.ts'
import type { Connection, HeaderBag } from './call.ts'
import { controlOperations } from './control-operations.ts'
import { isLater } from './later.ts'
import { mediaTypeOf } from './media-type.ts'
import { openApiText } from './openapi.ts'
import { Query } from './query.ts'
import type { ControlPath, Method, Operation } from './table.ts'

const DOCUMENTS: Readonly<Record<string, () => string>> = {
  '/openapi.json': openApiText,
  '/asyncapi.json': asyncApiText,
}
const encoder = new TextEncoder()
const patterns = controlOperations.map(({ method, path }) => ({ method, pattern: patternOf(path) }))

/** What a request comes with, beside itself. */
export interface ControlEnv {
  Bindings: { readonly connection: Connection | null }
}

export function createControl(path: ControlPath, bodies: Bodies): OpenAPIHono<ControlEnv> {
  const app = new OpenAPIHono<ControlEnv>({ getPath: (request) => pathOf(request.url) })
  for (const [address, text] of Object.entries(DOCUMENTS)) {
    let document: Uint8Array | null = null
    app.get(address, (c) => {
      if (c.req.method === 'HEAD') return notFound(c.req.raw)
      document ??= encoder.encode(text())
      return bodyAnswer(document, 'application/json')
    })
  }
  for (const page of pagePaths) {
    app.get(page, (c) => {
      if (c.req.method === 'HEAD') return notFound(c.req.raw)
      return pageAnswer(page, c.req.header('if-none-match'))
    })
  }
  for (const operation of controlOperations) {
    app.on(operation.method, operation.path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) => {
      // Hono gives HEAD to what answers GET: here only where the table says so.
      const request = c.req.raw
      if (request.method !== operation.method && !allowedOn(pathOf(request.url)).includes('HEAD'))
        return notFound(request)
      return run(operation, path, bodies, request, c.req.param(), c.env.connection)
    })
  }
  app.notFound((c) => notFound(c.req.raw))
  app.onError((error) => {
    throw error
  })
  return app
}

async function run(
  operation: Operation,
  path: ControlPath,
  bodies: Bodies,
  request: Request,
  names: Readonly<Record<string, string>>,
  connection: Connection | null,
): Promise<Response> {
  const headers = request.headers.toJSON() as HeaderBag
  const declared = declaredBytes(headers['content-length'])
  const mark = request.url.indexOf('?')
  const known = (operation.query ?? []).map(({ name }) => name)
  const query = mark < 0 ? Query.none : Query.parse(request.url.slice(mark + 1), known)
  if (query instanceof Problem) return bodies.refuse(request, declared, query)
  const body = await bodies.whole(request, declared, limits.CONTROL_REQUEST_BYTES_MAX)
  if (body instanceof Problem) return bodies.refuse(request, declared, body)
  const fault = bodyFault(operation, headers, body)
  if (fault !== null) return problemAnswer(fault)
  return operation.run(path, { names, query, headers, body, request, connection })
}

function bodyFault(operation: Operation, headers: HeaderBag, body: Uint8Array): Problem | null {
  if (operation.body === undefined) {
    return body.length === 0 ? null : new Problem('malformed', `${operation.method} takes no body here`)
  }
  if (body.length === 0) {
    return operation.body.isOptional ? null : new Problem('malformed', 'A JSON body says what is wanted: it is missing')
  }
  const contentType = headers['content-type']
  if (contentType === undefined || mediaTypeOf(contentType) === 'application/json') return null
  return new Problem('unsupported-media-type', 'Send application/json here: curl --json does')
}

/** Also for a method that is not known at an address that is. */
function notFound(request: Request): Response {
  const path = pathOf(request.url)
  const allowed = allowedOn(path)
  if (allowed.length > 0) return methodNotAllowed(request.method, allowed)
  if (isLater(path)) return problemAnswer(new Problem('unsupported', 'This is not supported yet'))
  return problemAnswer(new Problem('not-found', 'There is nothing here: GET /openapi.json lists what there is'))
}

export function methodNotAllowed(method: string, allowed: readonly string[]): Response {
  const headers = { allow: [...allowed, 'OPTIONS'].join(', ') }
  if (method === 'OPTIONS') return new Response(null, { status: 204, headers })
  const problem = new Problem(
    'method-not-allowed',
    `${method} is not known here, but ${allowed.join(', ')}`,
    {},
    'none',
    headers,
  )
  return problemAnswer(problem)
}

function allowedOn(path: string): Method[] {
  if (Object.hasOwn(DOCUMENTS, path) || isPage(path)) return ['GET']
  return patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
}

function pathOf(url: string): string {
  const start = pathStart(url)
  const mark = url.indexOf('?', start)
  return mark < 0 ? url.slice(start) : url.slice(start, mark)
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}
