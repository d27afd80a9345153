// Real input through the real thing: 200 000 flights piped in with curl under one Idempotency-Key, the broker killed midway
// and started again, the upload repeated, and every flight read back: none missing, none twice, in order per key.

import { afterAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'
import { sh, ShellRun } from './shell.ts'

const FLIGHTS = join(import.meta.dir, '../../node_modules/vega-datasets/data/flights-200k.json')
const FLIGHT_COUNT = 200_000
const PARTITIONS = 4
/** Killed when this many are in: enough to have visibly begun, and far from done. */
const TAKEN_BEFORE_KILL = 40_000
const TAKEN_MS_MAX = 30_000

const NUMBERED = `jq -c 'to_entries[] | .value + {seq: .key}' "$FLIGHTS" > flights.ndjson`
const UPLOAD = `curl -fsS --limit-rate 4M -H 'Content-Type: application/x-ndjson' -H 'Idempotency-Key: flights-200k' \\
  -X POST -T flights.ndjson "$T/flights/records?keyPointer=/distance"`
const READ_BACK = `: > back.ndjson; cursor=
until grep -qis '^naru-caught-up: true' head.txt; do
  curl -fsS -D head.txt -H 'Accept: application/x-ndjson' \\
    "$T/flights/records?format=record&limit=100000&maxBytes=8MiB\${cursor:+&cursor=$cursor}" >> back.ndjson || exit 1
  cursor=$(tr -d '\\r' < head.txt | sed -n 's/^naru-cursor: //ip')
done`

const scratch = scratchFolder('flights')
const data = join(scratch.folder, 'data')
let broker: BrokerProcess | null = null

afterAll(async () => {
  await broker?.kill()
  scratch.remove()
})

function topics(): Record<string, string> {
  return { T: `${broker!.url}/v1/topics`, FLIGHTS }
}

async function takenSoFar(): Promise<number> {
  const topic = await broker!.call<{ partitions: { highWatermark: number }[] }>('GET', '/v1/topics/flights')
  return topic.partitions.reduce((sum, partition) => sum + partition.highWatermark, 0)
}

interface Stored {
  partition: number
  offset: number
  key: string
  value: { seq: number; distance: number }
}

test('all flights arrive once and in order through a kill -9 in the middle of the upload', async () => {
  broker = await BrokerProcess.start({ data })
  await sh(NUMBERED, scratch.folder, topics())
  await broker.call('PUT', '/v1/topics/flights', { partitions: PARTITIONS })

  const first = new ShellRun(UPLOAD, scratch.folder, topics())
  await until(Date.now() + TAKEN_MS_MAX, async () => (await takenSoFar()) >= TAKEN_BEFORE_KILL, 20)
  await broker.kill()
  expect((await first.result).code).not.toBe(0)

  broker = await BrokerProcess.start({ data })
  const kept = await takenSoFar()
  expect(kept).toBeGreaterThanOrEqual(TAKEN_BEFORE_KILL)
  expect(kept).toBeLessThan(FLIGHT_COUNT)
  const answer = JSON.parse(await sh(UPLOAD, scratch.folder, topics())) as { count: number }
  expect(answer.count).toBe(FLIGHT_COUNT)
  expect(await takenSoFar()).toBe(FLIGHT_COUNT)

  await sh(READ_BACK, scratch.folder, topics())
  const lines = (await Bun.file(join(scratch.folder, 'back.ndjson')).text()).trimEnd().split('\n')
  expect(lines.length).toBe(FLIGHT_COUNT)
  const seen = new Uint8Array(FLIGHT_COUNT)
  const lastOfKey = new Map<string, Stored>()
  for (const line of lines) {
    const record = JSON.parse(line) as Stored
    const { seq, distance } = record.value
    if (seen[seq] !== 0) throw new Error(`flight ${seq} is there twice`)
    seen[seq] = 1
    if (record.key !== String(distance)) throw new Error(`flight ${seq} has key ${record.key}, not ${distance}`)
    const last = lastOfKey.get(record.key)
    if (last !== undefined && (last.partition !== record.partition || last.value.seq >= seq)) {
      throw new Error(`key ${record.key}: flight ${seq} comes after ${last.value.seq}`)
    }
    lastOfKey.set(record.key, record)
  }
  expect(seen.every((count) => count === 1)).toBe(true)

  // once more: everything is held, nothing is added
  const replayed = await sh(UPLOAD.replace('curl ', 'curl -D replay.txt '), scratch.folder, topics())
  expect((JSON.parse(replayed) as { count: number }).count).toBe(FLIGHT_COUNT)
  expect(await Bun.file(join(scratch.folder, 'replay.txt')).text()).toMatch(/^idempotency-replayed: true/im)
  expect(await takenSoFar()).toBe(FLIGHT_COUNT)
}, 180_000)
