// What operators and probes ask.

import { z } from '@hono/zod-openapi'
import { HealthShape, LimitsShape, Problem, problemOf, ReadyShape } from '../wire/index.ts'
import { bodyAnswer, jsonAnswer, problemAnswer } from './answer.ts'
import type { Operation } from './table.ts'

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const encoder = new TextEncoder()

export const plainOperations: readonly Operation[] = [
  {
    id: 'getHealth',
    method: 'GET',
    path: '/healthz',
    tag: 'operations',
    summary: 'Whether the process answers',
    answers: { 200: { about: 'It does.', shape: HealthShape } },
    problems: [],
    run: () => jsonAnswer({ status: 'ok' }),
  },
  {
    id: 'getReadiness',
    method: 'GET',
    path: '/readyz',
    tag: 'operations',
    summary: 'Whether logs are recovered, a quorum is seen and requests are taken',
    answers: { 200: { about: 'Ready.', shape: ReadyShape } },
    problems: ['shutting-down', 'no-leader'],
    run: ({ broker }) => {
      const { phase } = broker.status
      if (phase === 'ready' && broker.member.controller === null)
        return problemAnswer(problemOf({ kind: 'no-controller' }))
      if (phase === 'ready') return jsonAnswer({ status: 'ready' })
      if (phase === 'closing') return problemAnswer(problemOf({ kind: 'closing' }))
      return problemAnswer(new Problem('shutting-down', 'The broker is starting: its logs are being recovered'))
    },
  },
  {
    id: 'getMetrics',
    method: 'GET',
    path: '/metrics',
    tag: 'operations',
    summary: 'Numbers for Prometheus',
    answers: { 200: { about: 'The exposition format.', shape: z.string(), mediaType: 'text/plain' } },
    problems: [],
    run: async (path) => bodyAnswer(encoder.encode(await path.metricsText()), METRICS_TYPE),
  },
  {
    id: 'getLimits',
    method: 'GET',
    path: '/v1/limits',
    tag: 'operations',
    summary: 'Every limit in force',
    answers: { 200: { about: 'By name, each with its unit.', shape: LimitsShape } },
    problems: [],
    run: (path) => jsonAnswer(path.limits),
  },
]
