// The shape of a refusal, for the emitted document.

import { z } from '@hono/zod-openapi'
import { allProblemCodes } from './problem-code.ts'

export const ProblemShape = z
  .looseObject({
    type: z.string().openapi({ example: 'urn:naru:problem:unknown-topic' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    code: z.enum(allProblemCodes).describe('A closed list: switch on it.'),
    outcome: z
      .enum(['none', 'partial', 'unknown'])
      .describe('What happened: nothing; a part, which the answer tells; or not known, so look or repeat with a key.'),
    retryable: z.boolean().describe('Whether the same request can succeed later.'),
    errors: z
      .array(z.object({ pointer: z.string().describe('JSON Pointer into the body'), message: z.string() }))
      .optional(),
  })
  .openapi('Problem', { description: 'RFC 9457. Further members are the numbers needed to recover.' })
