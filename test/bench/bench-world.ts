// What every path is given: the two servers, the pace, and the ways to make a topic and keep it small.

import type { BrokerProcess } from '../e2e/broker-process.ts'
import type { Measured, Pace } from './comparison.ts'
import type { Floors } from './servers.ts'

export interface BenchWorld {
  broker: BrokerProcess
  floors: Floors
  /** On the disk that is measured; for files of the bench's own. */
  folder: string
  pace: Pace
}

/** One line of the table. */
export interface Row {
  path: string
  measured: Measured
  recordsPerRequest: number
  /** Payload bytes a request moves, in whichever direction the path is about. */
  payloadBytes: number
  /** What the ratio is of: the floor's name. */
  against?: string
  ratio?: number
  target?: number
  /** A second bound beside the ratio: at most this many times the floor's p99. */
  p99Ratio?: number
  p99Target?: number
  note?: string
}

export function isReached(row: Row): boolean | null {
  if (row.target === undefined && row.p99Target === undefined) return null
  const ratioOk = row.target === undefined || (row.ratio ?? Number.NaN) >= row.target
  const p99Ok = row.p99Target === undefined || (row.p99Ratio ?? Number.NaN) <= row.p99Target
  return ratioOk && p99Ok
}

/** A few are in memory at a time while `trimTopic` keeps up. */
const SEGMENT_BYTES = 16 << 20

let topicsMade = 0

export async function makeTopic(
  world: BenchWorld,
  partitions = 1,
  config: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const name = `bench-${++topicsMade}`
  await world.broker.call('PUT', `/v1/topics/${name}`, {
    partitions,
    config: { segmentBytes: SEGMENT_BYTES, ...config },
  })
  return name
}

/** Lets go of all sealed segments, so that a long run does not fill the disk. */
export async function trimTopic(world: BenchWorld, topic: string): Promise<void> {
  const { highWatermark } = await world.broker.call<{ highWatermark: number }>(
    'GET',
    `/v1/topics/${topic}/partitions/0`,
  )
  await world.broker.call('POST', `/v1/topics/${topic}/trim`, { partition: 0, beforeOffset: highWatermark })
}
