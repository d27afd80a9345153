// A bit flipped in what is stored is reported as damage, with the place where reading can go on; it is never cut away and
// never handed out. What is whole is read as before. A flipped bit in what is derived is no loss at all.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { baseOffsetOf, batchBytesOf, lastOffsetOf } from '../../src/core/record/index.ts'
import { BrokerProcess, scratchFolder } from './broker-process.ts'

const RECORDS = 600
const FILLING = 'f'.repeat(900)
const RECORDS_A_REQUEST = 10

let scratch: ReturnType<typeof scratchFolder>
let broker: BrokerProcess

beforeEach(async () => {
  scratch = scratchFolder('damage')
  broker = await BrokerProcess.start({ data: scratch.folder })
  await broker.call('PUT', '/v1/topics/d', { partitions: 1, config: { segmentBytes: 64 << 10 } })
  for (let i = 0; i < RECORDS; i += RECORDS_A_REQUEST) {
    const records = Array.from({ length: RECORDS_A_REQUEST }, (_, j) => ({ value: { i: i + j, FILLING } }))
    await broker.call('POST', '/v1/topics/d/records', { records })
  }
})

afterEach(async () => {
  await broker?.kill()
  scratch.remove()
})

/** Stops the broker, changes its files, starts it again. */
async function whileStopped(change: (files: string[]) => void): Promise<void> {
  const { topicId } = await broker.call<{ topicId: string }>('GET', '/v1/topics/d')
  expect(await broker.stop()).toBe(0)
  const files = (readdirSync(scratch.folder, { recursive: true }) as string[])
    .filter((path) => path.includes(topicId))
    .sort()
  change(files.map((path) => join(scratch.folder, path)))
  broker = await BrokerProcess.start({ data: scratch.folder })
}

function segmentsOf(files: readonly string[]): string[] {
  return files.filter((path) => /\d{20}\.log$/.test(path))
}

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at]! ^= 0x10
  writeFileSync(path, bytes)
}

interface Damaged {
  base: number
  next: number
}

/** Flips a bit `into` the second batch of a segment; returns the offsets of that batch. */
function damageSecondBatch(segment: string, into: number): Damaged {
  const bytes = readFileSync(segment)
  const at = batchBytesOf(bytes, 0)
  const damaged = { base: baseOffsetOf(bytes, at), next: lastOffsetOf(bytes, at) + 1 }
  flipBit(segment, at + into)
  return damaged
}

/** Reads on from `from` until the end or a refusal; values are checked against their offsets. */
async function readFrom(
  from: number,
): Promise<{ next: number; status: number; problem: Record<string, unknown> | null }> {
  let next = from
  for (;;) {
    const response = await fetch(`${broker.url}/v1/topics/d/partitions/0/records?from=${next}&limit=100`)
    const body = (await response.json()) as Record<string, unknown>
    if (response.status !== 200) return { next, status: response.status, problem: body }
    const records = body['records'] as { offset: number; value: unknown }[]
    for (const { offset, value } of records) {
      expect(offset).toBe(next)
      expect(value).toEqual({ i: offset, FILLING })
      next++
    }
    if (body['caughtUp'] === true) return { next, status: 200, problem: null }
  }
}

const PLACES = [
  { name: 'a body', into: 200 },
  { name: 'a stamp', into: 3 },
  { name: 'a length', into: 28 },
]

describe('in a sealed segment', () => {
  for (const { name, into } of PLACES) {
    test(`a flipped bit in ${name} is reported, and the rest is read`, async () => {
      let damaged!: Damaged
      await whileStopped((files) => {
        const segments = segmentsOf(files)
        expect(segments.length).toBeGreaterThan(4)
        damaged = damageSecondBatch(segments[2]!, into)
      })
      const before = await readFrom(0)
      expect(before.next).toBe(damaged.base)
      expect(before.status).toBe(500)
      expect(before.problem).toMatchObject({ code: 'damaged', outcome: 'none' })
      const resumeAt = before.problem!['nextReadableOffset'] as number
      expect(resumeAt).toBeGreaterThanOrEqual(damaged.next)
      const after = await readFrom(resumeAt)
      expect(after).toEqual({ next: RECORDS, status: 200, problem: null })
    }, 60_000)
  }
})

describe('in the last segment, below what was synced', () => {
  for (const { name, into } of PLACES) {
    test(`a flipped bit in ${name} is damage, not a tail to cut; nothing is appended behind it`, async () => {
      let damaged!: Damaged
      await whileStopped((files) => {
        damaged = damageSecondBatch(segmentsOf(files).at(-1)!, into)
      })
      const before = await readFrom(0)
      expect(before.next).toBe(damaged.base)
      expect(before.problem).toMatchObject({ code: 'damaged' })
      const { highWatermark } = await broker.call<{ highWatermark: number }>('GET', '/v1/topics/d/partitions/0')
      expect(highWatermark).toBe(RECORDS)
      const produced = await fetch(`${broker.url}/v1/topics/d/records`, { method: 'POST', body: 'more' })
      expect(produced.status).toBe(500)
      expect(await produced.json()).toMatchObject({ code: 'damaged', outcome: 'none' })
    }, 60_000)
  }
})

test('flipped bits in indexes and other derived files lose nothing', async () => {
  await whileStopped((files) => {
    const derived = files.filter((path) => /\.(index|timeindex)$/.test(path))
    expect(derived.length).toBeGreaterThan(0)
    for (const path of derived) if (readFileSync(path).length > 0) flipBit(path, 2)
  })
  expect(await readFrom(0)).toEqual({ next: RECORDS, status: 200, problem: null })
  for (let from = 0; from < RECORDS; from += 37) expect((await readFrom(from)).next).toBe(RECORDS)
}, 60_000)
