// What an operator asks: health, limits, the cluster.

import { z } from '@hono/zod-openapi'
import { limits } from '../../core/base/index.ts'

export const HealthShape = z.object({ status: z.literal('ok') }).openapi('Health')
export const ReadyShape = z.object({ status: z.literal('ready') }).openapi('Ready')

export const LimitsShape = z
  .record(z.string(), z.number())
  .openapi('Limits', { description: 'Every limit in force, named with its unit.' })

const BrokerState = z.enum(['live', 'fenced']).describe('Fenced: silent, stopping or starting; it leads nothing.')

export const BrokerListShape = z
  .object({
    brokers: z.array(
      z.object({
        id: z.int(),
        state: BrokerState,
        address: z.string().describe('Where it is reached; empty for a broker alone.'),
        rack: z.string().nullable(),
        isController: z.boolean(),
        isVoter: z.boolean(),
        leads: z.int().describe('Partitions it leads.'),
        replicas: z.int().describe('Partitions it holds or is planned to hold.'),
      }),
    ),
  })
  .openapi('BrokerList')

export const VotersShape = z.object({ voters: z.array(z.int()) }).openapi('Voters')

export const ClusterShape = z
  .object({
    clusterId: z.string(),
    controller: z.int().nullable().describe('The broker that decides, as far as the one asked knows. Null: none does.'),
    voters: z.array(z.int()).describe('Brokers of which a majority decides.'),
    brokers: z.array(z.object({ id: z.int(), state: BrokerState })),
    topics: z.int(),
    partitions: z.int().describe('Of all topics.'),
    version: z.string(),
  })
  .openapi('Cluster')

export type BrokerListView = z.output<typeof BrokerListShape>
export type ClusterView = z.output<typeof ClusterShape>
export type VotersView = z.output<typeof VotersShape>
export type LimitsView = Readonly<Record<string, number>>

/** `limits` under the names of JSON: BATCH_BYTES_MAX is batchBytesMax. */
export function limitsView(more: LimitsView): LimitsView {
  const named = Object.entries(limits).map(([name, value]) => [camelCase(name), value] as const)
  return { ...Object.fromEntries(named), ...more }
}

function camelCase(name: string): string {
  return name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
