// What the shapes share: a JSON body held against its shape, and the faults by JSON Pointer.

import { z } from '@hono/zod-openapi'
import { nearestName } from './nearest-name.ts'
import { type PointedError, Problem } from './problem.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** The body as its shape promises, or every way in which it does not. */
export function readShape<Shape extends z.ZodType>(shape: Shape, body: Uint8Array): z.output<Shape> | Problem {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(body))
  } catch (error) {
    return new Problem('malformed', `The body is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  return heldAgainst(shape, value)
}

/** The value as its shape promises, or every way in which it does not. */
export function heldAgainst<Shape extends z.ZodType>(shape: Shape, value: unknown): z.output<Shape> | Problem {
  const result = shape.safeParse(value)
  if (result.success) return result.data
  return Problem.ofErrors(result.error.issues.flatMap((issue) => pointed(issue, knownNames(shape))))
}

function pointed(issue: z.core.$ZodIssue, known: readonly string[]): PointedError[] {
  const at = issue.path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  if (issue.code !== 'unrecognized_keys') return [{ pointer: at, message: issue.message }]
  return issue.keys.map((key) => {
    const nearest = issue.path.length === 0 ? nearestName(key, known) : null
    const pointer = `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    return { pointer, message: nearest === null ? 'unknown field' : `unknown field: did you mean ${nearest}?` }
  })
}

function knownNames(shape: z.ZodType): readonly string[] {
  return shape instanceof z.ZodObject ? Object.keys(shape.shape) : []
}
