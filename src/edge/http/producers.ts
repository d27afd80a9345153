// Identities of SDK producers: /v1/producers.

import { z } from '@hono/zod-openapi'
import { Problem, ProducerShape, readShape } from '../wire/index.ts'
import { jsonAnswer, problemAnswer } from './answer.ts'
import { replyAnswer } from './change.ts'
import type { ControlCall, ControlPath, Operation } from './table.ts'

const NothingShape = z.strictObject({})

export const producerOperations: readonly Operation[] = [
  {
    id: 'createProducer',
    method: 'POST',
    path: '/v1/producers',
    tag: 'records',
    summary: 'An identity for a producer whose repeats are to be recognised by sequence',
    body: { shape: NothingShape, isOptional: true },
    answers: { 201: { about: 'A new identity.', shape: ProducerShape } },
    problems: ['malformed', 'shutting-down'],
    run: createProducer,
  },
]

async function createProducer(path: ControlPath, { body }: ControlCall): Promise<Response> {
  const given = body.length === 0 ? {} : readShape(NothingShape, body)
  if (given instanceof Problem) return problemAnswer(given)
  const identity = await path.broker.newProducer()
  return 'kind' in identity ? replyAnswer(path, identity) : jsonAnswer(identity, 201)
}
