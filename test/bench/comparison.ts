// Variants of one path measured side by side: all warmed, then interleaved in rounds so that drift of the machine falls on
// each alike; what is reported of a variant is the median over its rounds.

import { type Load, LoadRun, median, percentile } from './load.ts'
import { cpuSeconds, Metrics, type Server } from './servers.ts'

export interface Variant {
  name: string
  server: Server
  connections: number
  requests: readonly Uint8Array[]
  /** Reads the broker's sync histogram around each slice. */
  synced?: boolean
  /** Lets go of what a slice has stored: now and then while it runs, as retention would, and after it. */
  tidy?: () => Promise<void>
}

export interface Measured {
  requestsPerSecond: number
  /** Milliseconds. */
  p50: number
  p99: number
  /** Share of one core the server used; well below 1 the server was not the limit. */
  busy: number
  /** Processor time a request took the server, in microseconds: holds also where the core had to be shared. */
  cpuMicros: number
  /** Mean duration of a sync, NaN when not asked for. */
  syncSeconds: number
  requestBytes: number
  replyBytes: number
}

export interface Pace {
  seconds: number
  warmSeconds: number
  rounds: number
}

/**
 * A log that only grows is written into ever fresh memory, which on a virtual machine costs several times the write. Under
 * retention old pages come back as new ones: that is the state worth measuring.
 */
const TIDY_EVERY_MS = 100

export const SYNC_METRIC = 'naru_log_sync_seconds'

export async function compare(variants: readonly Variant[], pace: Pace): Promise<Measured[]> {
  const runs: LoadRun[] = []
  const slices: Measured[][] = variants.map(() => [])
  try {
    for (const { server, connections, requests, tidy } of variants) {
      const load: Load = { port: server.port, connections, requests }
      const run = await LoadRun.open(load)
      runs.push(run)
      await whileTidying(tidy, () => run.measure(pace.warmSeconds))
    }
    for (let round = 0; round < pace.rounds; round++) {
      for (const [i, variant] of variants.entries()) {
        slices[i]!.push(await measureSlice(variant, runs[i]!, pace.seconds))
      }
    }
  } finally {
    for (const run of runs) run.close()
  }
  return slices.map(medianOf)
}

async function measureSlice(variant: Variant, run: LoadRun, seconds: number): Promise<Measured> {
  const before = variant.synced === true ? await Metrics.scrape(variant.server) : null
  const cpuBefore = cpuSeconds(variant.server.pid)
  const sample = await whileTidying(variant.tidy, () => run.measure(seconds))
  const cpu = cpuSeconds(variant.server.pid) - cpuBefore
  const after = before === null ? null : await Metrics.scrape(variant.server)
  return {
    requestsPerSecond: sample.requests / sample.seconds,
    p50: percentile(sample.latencies, 0.5),
    p99: percentile(sample.latencies, 0.99),
    busy: cpu / sample.seconds,
    cpuMicros: (cpu * 1e6) / sample.requests,
    syncSeconds: before === null || after === null ? Number.NaN : Metrics.meanBetween(SYNC_METRIC, before, after),
    requestBytes: variant.requests[0]!.length,
    replyBytes: sample.bytesIn / sample.requests,
  }
}

async function whileTidying<Result>(
  tidy: (() => Promise<void>) | undefined,
  run: () => Promise<Result>,
): Promise<Result> {
  if (tidy === undefined) return run()
  let underWay: Promise<void> | null = null
  const timer = setInterval(() => {
    underWay ??= tidy().finally(() => {
      underWay = null
    })
  }, TIDY_EVERY_MS)
  try {
    return await run()
  } finally {
    clearInterval(timer)
    await underWay
    await tidy()
  }
}

function medianOf(slices: readonly Measured[]): Measured {
  const of = (pick: (slice: Measured) => number): number => median(slices.map(pick))
  return {
    requestsPerSecond: of((slice) => slice.requestsPerSecond),
    p50: of((slice) => slice.p50),
    p99: of((slice) => slice.p99),
    busy: of((slice) => slice.busy),
    cpuMicros: of((slice) => slice.cpuMicros),
    syncSeconds: of((slice) => slice.syncSeconds),
    requestBytes: of((slice) => slice.requestBytes),
    replyBytes: of((slice) => slice.replyBytes),
  }
}
