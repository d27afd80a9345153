// The emitted document: OpenAPI 3.1, from the table of control operations, the data operations and the wire shapes.

import { OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import { type ProblemCode, problemCodes, ProblemShape } from '../wire/index.ts'
import { controlOperations } from './control-operations.ts'
import { type DataOperation, dataOperations } from './data-operations.ts'
import type { Operation, QueryParameter } from './table.ts'

type Responses = RouteConfig['responses']

/** Of what is named in a path; the rest are numbers. */
const NAME_EXAMPLES: Readonly<Record<string, string>> = { topic: 'orders', group: 'billing', member: 'worker-1' }

const DESCRIPTION =
  'A distributed message queue and event log in one executable. Every operation is one curl line. Refusals are RFC 9457 ' +
  'problems with a closed `code`, an `outcome` and the numbers needed to recover.'

export function openApiText(): string {
  const app = new OpenAPIHono()
  for (const operation of controlOperations) app.openAPIRegistry.registerPath(controlRoute(operation))
  for (const operation of dataOperations) app.openAPIRegistry.registerPath(dataRoute(operation))
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Naru',
      version: '1',
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: 'http://localhost:7070' }],
    tags: [
      { name: 'topics', description: 'Topics, partitions and their settings' },
      { name: 'records', description: 'Producing and reading' },
      { name: 'groups', description: 'Consumer groups: each partition to one member, and offsets that are kept' },
      { name: 'operations', description: 'Health, numbers and limits' },
    ],
  })
  return `${JSON.stringify(document, null, 2)}\n`
}

function controlRoute(operation: Operation): RouteConfig {
  const { id, method, path, tag, summary, query = [], body, answers, problems } = operation
  const responses: Responses = {}
  for (const [status, { about, shape, mediaType = 'application/json' }] of Object.entries(answers)) {
    responses[status] =
      shape === undefined ? { description: about } : { description: about, content: { [mediaType]: { schema: shape } } }
  }
  return {
    operationId: id,
    method: method.toLowerCase() as RouteConfig['method'],
    path,
    tags: [tag],
    summary,
    request: {
      ...parameters(path, query, []),
      ...(body === undefined
        ? null
        : { body: { required: !body.isOptional, content: { 'application/json': { schema: body.shape } } } }),
    },
    responses: withProblems(responses, problems, method === 'HEAD'),
  }
}

function dataRoute(operation: DataOperation): RouteConfig {
  const { id, method, path, tag, summary, description, query, headers, bodies, answers, problems } = operation
  const responses: Responses = {}
  for (const [status, { about, content }] of Object.entries(answers)) {
    responses[status] = { description: about, content: contentOf(content) }
  }
  return {
    operationId: id,
    method: method.toLowerCase() as RouteConfig['method'],
    path,
    tags: [tag],
    summary,
    ...(description === undefined ? null : { description }),
    request: {
      ...parameters(path, query, headers),
      ...(bodies === undefined ? null : { body: { required: true, content: contentOf(bodies) } }),
    },
    responses: withProblems(responses, problems, false),
  }
}

function contentOf(shapes: Readonly<Record<string, z.ZodType>>): Record<string, { schema: z.ZodType }> {
  return Object.fromEntries(Object.entries(shapes).map(([mediaType, schema]) => [mediaType, { schema }]))
}

function parameters(
  path: string,
  query: readonly QueryParameter[],
  headers: readonly QueryParameter[],
): { params?: z.ZodObject; query?: z.ZodObject; headers?: z.ZodObject } {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!)
  return {
    ...(names.length === 0
      ? null
      : { params: z.object(Object.fromEntries(names.map((name) => [name, pathShape(name)]))) }),
    ...(query.length === 0 ? null : { query: optionals(query) }),
    ...(headers.length === 0 ? null : { headers: optionals(headers) }),
  }
}

function pathShape(name: string): z.ZodType {
  const example = NAME_EXAMPLES[name]
  return example === undefined ? z.int().min(0).openapi({ example: 0 }) : z.string().openapi({ example })
}

function optionals(named: readonly QueryParameter[]): z.ZodObject {
  return z.object(
    Object.fromEntries(
      named.map(({ name, about, shape }) => [
        name,
        shape.optional().openapi({ param: { name, description: about, required: name === 'topics' } }),
      ]),
    ),
  )
}

/** Several codes of one status share a response, which names them. */
function withProblems(responses: Responses, problems: readonly ProblemCode[], isHead: boolean): Responses {
  const codesByStatus = new Map<number, ProblemCode[]>()
  for (const code of [...problems, 'internal'] as const) {
    const { status } = problemCodes[code]
    codesByStatus.set(status, [...(codesByStatus.get(status) ?? []), code])
  }
  for (const [status, codes] of codesByStatus) {
    const description = codes.map((code) => `\`${code}\`: ${problemCodes[code].title}`).join('. ')
    responses[status] = isHead
      ? { description }
      : { description, content: { 'application/problem+json': { schema: ProblemShape } } }
  }
  return responses
}
