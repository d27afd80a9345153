// A small volume filled up: produce is refused with nothing done, reads go on, and it recovers when space returns. Without root
// the test is skipped and says so.

import { afterAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { BrokerProcess, until } from './broker-process.ts'
import { SmallVolume } from './small-volume.ts'

const VOLUME_BYTES = 48 << 20
const VALUE_BYTES = 200_000
const RECOVERS_MS_MAX = 10_000

const volume = new SmallVolume(VOLUME_BYTES)
let broker: BrokerProcess | null = null
const data = join(volume.folder, 'data')

afterAll(async () => {
  await broker?.kill()
  volume.end()
})

interface Attempt {
  status: number
  retryAfter: string | null
  problem: { code: string; outcome: string; retryable: boolean }
}

let counter = 0
const acked: number[] = []

/** One record; its number is kept when it is acknowledged. */
async function produce(): Promise<Attempt> {
  const value = counter++
  const response = await fetch(`${broker!.url}/v1/topics/t/records`, {
    method: 'POST',
    body: JSON.stringify({ value: { n: value, filling: 'f'.repeat(VALUE_BYTES) } }),
    headers: { 'content-type': 'application/json' },
  })
  const problem = (await response.json()) as Attempt['problem']
  if (response.status === 200) acked.push(value)
  return { status: response.status, retryAfter: response.headers.get('retry-after'), problem }
}

async function stored(): Promise<number[]> {
  const numbers: number[] = []
  let from = 0
  for (;;) {
    const answer = await broker!.call<{ records: { offset: number; value: { n: number } }[]; caughtUp: boolean }>(
      'GET',
      `/v1/topics/t/partitions/0/records?from=${from}&maxBytes=4MiB`,
    )
    for (const { value, offset } of answer.records) {
      expect(offset).toBe(from++)
      numbers.push(value.n)
    }
    if (answer.caughtUp) return numbers
  }
}

function expectRefusal({ status, retryAfter, problem }: Attempt): void {
  expect(status).toBe(503)
  expect(problem).toMatchObject({ outcome: 'none', retryable: true })
  expect(retryAfter).not.toBeNull()
}

async function producesAgain(): Promise<void> {
  await until(Date.now() + RECOVERS_MS_MAX, async () => (await produce()).status === 200, 50)
}

test.skipIf(!volume.isMounted)(
  'a full volume refuses produce with nothing done, reads go on, and it recovers by itself',
  async () => {
    broker = await BrokerProcess.start({ data })
    await broker.call('PUT', '/v1/topics/t', { partitions: 1, config: { segmentBytes: 1 << 20 } })
    for (let i = 0; i < 20; i++) expect((await produce()).status).toBe(200)

    // filled under its hands: the next writes find no space before any watermark was looked at
    volume.fill()
    for (let i = 0; i < 5; i++) expectRefusal(await produce())
    expect(await stored()).toEqual(acked)
    volume.free()
    await producesAgain()
    expect(await stored()).toEqual(acked)

    // filled by itself, to where the watermark stops it
    let last = await produce()
    for (let i = 0; i < VOLUME_BYTES / VALUE_BYTES && last.status === 200; i++) last = await produce()
    expectRefusal(last)
    expect(volume.freeBlocks).toBeGreaterThan(0)
    expect(await stored()).toEqual(acked)

    // killed while full, started while full: what was acknowledged is there
    volume.fill()
    await broker.kill()
    broker = await BrokerProcess.start({ data })
    expect(await stored()).toEqual(acked)
    expectRefusal(await produce())
    volume.free()

    // its own deletions make room too
    const { highWatermark } = await broker.call<{ highWatermark: number }>('GET', '/v1/topics/t/partitions/0')
    await broker.call('POST', '/v1/topics/t/trim', { partition: 0, beforeOffset: highWatermark })
    await producesAgain()
  },
  120_000,
)
