// What an operator asks: health, limits, the cluster.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'

export const HealthShape = z.object({ status: z.literal('ok') }).openapi('Health')
export const ReadyShape = z.object({ status: z.literal('ready') }).openapi('Ready')

export const LimitsShape = z
  .record(z.string(), z.number())
  .openapi('Limits', { description: 'Every limit in force, named with its unit.' })

export const ClusterShape = z
  .object({
    clusterId: z.string(),
    controller: z.int(),
    brokers: z.array(z.object({ id: z.int(), state: z.enum(['starting', 'ready', 'closing']) })),
    topics: z.int(),
    partitions: z.int(),
    version: z.string(),
  })
  .openapi('Cluster')

export type LimitsView = Readonly<Record<string, number>>

/** `limits` under the names of JSON: BATCH_BYTES_MAX is batchBytesMax. */
export function limitsView(more: LimitsView): LimitsView {
  const named = Object.entries(limits).map(([name, value]) => [camelCase(name), value] as const)
  return { ...Object.fromEntries(named), ...more }
}

function camelCase(name: string): string {
  return name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
