// A compacted topic on the executable: the latest value of each key stays, the rest goes while the broker runs, and neither kill -9
// nor a restart brings anything back or loses it.

import { afterAll, expect, test } from 'bun:test'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerProcess, scratchFolder, until } from './broker-process.ts'

const scratch = scratchFolder('compaction')
let broker: BrokerProcess | null = null

afterAll(async () => {
  await broker?.kill()
  scratch.remove()
})

interface Stored {
  offset: number
  key: string
  value: unknown
  tombstone?: boolean
}

const CONFIG = { cleanup: 'compact', segmentBytes: 65_536, segmentMs: 1_000, deleteRetentionMs: 2_000 }
const KEYS = 60
const SECONDS = 1_000

const start = async (): Promise<BrokerProcess> => (broker = await BrokerProcess.start({ data: scratch.folder }))

/** Sizes of the partition's segments. */
function storedBytes(): number {
  const topics = join(scratch.folder, 'topics')
  let bytes = 0
  for (const topic of readdirSync(topics)) {
    const folder = join(topics, topic, '0')
    for (const name of readdirSync(folder)) if (/\.(log|swap)$/.test(name)) bytes += statSync(join(folder, name)).size
  }
  return bytes
}

/** Page by page, from the start to the end of what is committed. */
async function readAll(from: BrokerProcess): Promise<Stored[]> {
  const stored: Stored[] = []
  for (let offset = 0; ;) {
    const query = `from=${offset}&until=latest&limit=50000&maxBytes=4MiB`
    const page = await from.call<{ records: Stored[]; next: { offset: number }[]; caughtUp: boolean; cursor: string }>(
      'GET',
      `/v1/topics/facts/partitions/0/records?${query}`,
    )
    stored.push(...page.records)
    if (page.caughtUp) return stored
    offset = Number(page.cursor.split('.')[1])
  }
}

function viewOf(records: readonly Stored[]): Map<string, unknown> {
  const view = new Map<string, unknown>()
  for (const { key, value, tombstone } of records) {
    if (tombstone === true) view.delete(key)
    else view.set(key, value)
  }
  return view
}

let serial = 0

/** `count` records over all keys, some of them deletions; what was acknowledged goes into `view`. */
async function produce(to: BrokerProcess, view: Map<string, unknown>, count: number): Promise<void> {
  const records = Array.from({ length: count }, () => {
    const key = `key ${serial % KEYS}`
    const isDeletion = serial % KEYS === 7 && serial % 4 === 1
    return isDeletion
      ? { key, tombstone: true, serial: serial++ }
      : { key, value: { serial: serial++, padding: 'x'.repeat(200) } }
  })
  const body = records.map(({ key, value, tombstone }) => (tombstone === true ? { key, tombstone } : { key, value }))
  await to.call('POST', '/v1/topics/facts/records', { records: body })
  for (const { key, value, tombstone } of records) {
    if (tombstone === true) view.delete(key)
    else view.set(key, value)
  }
}

test('the latest value of each key stays, over kill -9 and restart, and the rest goes while the broker runs', async () => {
  const view = new Map<string, unknown>()
  let running = await start()
  await running.call('PUT', '/v1/topics/facts', { partitions: 1, config: CONFIG })

  const refused = await fetch(`${running.url}/v1/topics/facts/records`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"value":"of no key"}',
  })
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([422, 'key-required'])

  for (let i = 0; i < 20; i++) await produce(running, view, 100)
  // 2 000 records of more than 200 bytes, of which 60 are the latest of their key
  await until(Date.now() + 20 * SECONDS, async () => storedBytes() < 40_000)
  const left = await readAll(running)
  expect(viewOf(left)).toEqual(view)
  expect(left.length).toBeLessThanOrEqual(KEYS)
  expect(left.map(({ offset }) => offset)).toEqual(left.map(({ offset }) => offset).toSorted((a, b) => a - b))

  for (let kills = 0; kills < 5; kills++) {
    const quiet = Date.now() + 200 + Math.random() * 1_200
    while (Date.now() < quiet) await produce(running, view, 100)
    if (kills % 2 === 0) await Bun.sleep(Math.random() * 1_500)
    await running.kill()
    running = await start()
    expect(viewOf(await readAll(running))).toEqual(view)
  }

  await until(Date.now() + 20 * SECONDS, async () => storedBytes() < 40_000)
  const last = await readAll(running)
  expect(viewOf(last)).toEqual(view)
  expect(last.length).toBeLessThanOrEqual(KEYS)
  expect(await running.stop()).toBe(0)
  running = await start()
  expect(await readAll(running)).toEqual(last)
}, 90_000)
