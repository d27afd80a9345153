// kill -9 under load, round after round, and the judgement after each restart.
//
// A round: the broker is up and producers of every kind write, a consumer reads along; after a random time the process is
// killed; now and then the next one is killed too while it starts. Then a broker is started on the same folder, everything
// is read back through the public API, and compared with what the producers were told and what the consumer had seen.

import { scratchFolder, until } from '../broker-process.ts'
import { LiveConsumer, readAll } from './consumer.ts'
import { differencesOf, LogView, ProducerLedger, violationsOf } from './ledger.ts'
import {
  JsonProducer,
  LinesKeyedProducer,
  LineStreamProducer,
  type Producer,
  type ProducerWorld,
  RawKeyedProducer,
  RawProducer,
  SequenceProducer,
} from './producers.ts'
import { SeededRandom } from './seeded-random.ts'
import { Site } from './site.ts'

export interface CrashRun {
  rounds: number
  seed: number
  /** Longest time a broker is up before it is killed. */
  upMsMax: number
  report: (line: string) => void
}

export interface CrashFigures {
  rounds: number
  kills: number
  records: number
  acked: number
}

const TOPIC = 'soak'
/** Few and many: files are synced by themselves, or through the journal they share. */
const PARTITIONS = [1, 3, 40]
/** Small, so that kills fall into rolls too. */
const SEGMENT_BYTES = [64 << 10, 256 << 10]
const UP_MS_MIN = 50
const KILL_IN_START_SHARE = 0.3
const KILL_IN_START_MS_MAX = 150
const CATCH_UP_MS_MAX = 30_000

const KINDS: readonly { name: string; make: (world: ProducerWorld) => Producer }[] = [
  { name: 'raw', make: (world) => new RawProducer(world) },
  { name: 'raw', make: (world) => new RawProducer(world) },
  { name: 'raw with key', make: (world) => new RawKeyedProducer(world) },
  { name: 'JSON', make: (world) => new JsonProducer(world) },
  { name: 'JSON', make: (world) => new JsonProducer(world) },
  { name: 'NDJSON with key', make: (world) => new LinesKeyedProducer(world) },
  { name: 'NDJSON stream', make: (world) => new LineStreamProducer(world) },
  { name: 'sequences', make: (world) => new SequenceProducer(world) },
  { name: 'sequences', make: (world) => new SequenceProducer(world) },
]

/** Throws at the first violation, leaving the data folder for a look. */
export async function runCrashes({ rounds, seed, upMsMax, report }: CrashRun): Promise<CrashFigures> {
  const random = new SeededRandom(seed)
  const partitionCount = random.pick(PARTITIONS)
  const segmentBytes = random.pick(SEGMENT_BYTES)
  const scratch = scratchFolder('soak')
  const site = new Site(scratch.folder)
  const ledgers = KINDS.map(({ name }, id) => new ProducerLedger(id, name))
  const live = new LogView(partitionCount)
  const consumer = new LiveConsumer(site, TOPIC, live)
  const producers = KINDS.map(({ make }, id) =>
    make({
      site,
      topic: TOPIC,
      partitionCount,
      random: random.fork(),
      ledger: ledgers[id]!,
      runName: `soak-${seed}`,
    }),
  )
  let failure: Error | null = null
  let kills = 0
  try {
    await site.start()
    await site.broker.call('PUT', `/v1/topics/${TOPIC}`, { partitions: partitionCount, config: { segmentBytes } })
    report(`seed ${seed}: ${partitionCount} partitions, segments of ${segmentBytes >> 10} KiB`)
    consumer.start()
    for (const producer of producers) producer.start((error) => (failure ??= error))
    for (let round = 1; round <= rounds; round++) {
      const upMs = random.between(UP_MS_MIN, upMsMax)
      site.letProducersIn()
      await Bun.sleep(upMs)
      await site.kill()
      kills++
      while (random.chance(KILL_IN_START_SHARE)) {
        await site.startAndKill(random.between(1, KILL_IN_START_MS_MAX))
        kills++
      }
      const startedAt = performance.now()
      await site.start()
      const startMs = performance.now() - startedAt
      const stored = await judge(site, ledgers, live, consumer)
      if (failure !== null) throw failure as Error
      report(
        `round ${round}/${rounds}: up ${upMs} ms, started in ${startMs.toFixed(0)} ms, ${stored.recordCount} records`,
      )
    }
    site.letProducersIn()
    for (const producer of producers) await producer.stop()
    if (failure !== null) throw failure as Error
    const stored = await judge(site, ledgers, live, consumer)
    await consumer.stop()
    const acked = ledgers.reduce((sum, ledger) => sum + ledger.ackedCount, 0)
    for (const { kind, sent, ackedCount } of ledgers)
      report(`  ${kind.padEnd(16)} ${sent} sent, ${ackedCount} acknowledged`)
    await site.kill()
    scratch.remove()
    return { rounds, kills, records: stored.recordCount, acked }
  } catch (error) {
    const output = outputOf(site)
    await site.kill()
    report(`seed ${seed}; data kept in ${scratch.folder}\n${output}`)
    throw error
  }
}

/** Reads everything back and compares. Producers are not let in while it runs, bar the end. */
async function judge(
  site: Site,
  ledgers: readonly ProducerLedger[],
  live: LogView,
  consumer: LiveConsumer,
): Promise<LogView> {
  const stored = new LogView(live.partitions.length)
  await readAll(site.broker.url, TOPIC, stored)
  const caughtUp = async (): Promise<boolean> => consumer.failure !== null || live.recordCount >= stored.recordCount
  await until(Date.now() + CATCH_UP_MS_MAX, caughtUp)
  if (consumer.failure !== null) throw consumer.failure
  const wrong = [...violationsOf(ledgers, stored), ...differencesOf(live, stored)]
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  return stored
}

function outputOf(site: Site): string {
  try {
    return site.broker.output
  } catch {
    return '(no broker was running)'
  }
}
