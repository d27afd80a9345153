// What a partition owes its producers outlives compaction: a batch of which no record is left is still recognised, by producer and by
// Idempotency-Key, after any restart and without a snapshot, until it is too old to be asked for.

import { expect, test } from 'bun:test'
import { allKept, allLost } from '../../sim/disk.ts'
import { type GivenBatch, keyedBatch } from '../log/keyed-twin.ts'
import { FOLDER, keyEntry, PartitionBench } from './partition-bench.ts'

const HOUR_MS = 3_600_000

function compacted(): PartitionBench {
  return new PartitionBench({
    cleanup: 'compact',
    deleteRetentionMs: HOUR_MS,
    segmentBytes: 1_500,
    segmentMs: HOUR_MS,
    // says nothing where records go by key
    retentionMs: HOUR_MS,
    idempotencyMs: 10 * HOUR_MS,
  }).open()
}

const given = (serial: number): GivenBatch => ({
  records: [{ key: `k${serial % 3}`, value: `${serial} ${'x'.repeat(30)}` }],
  producer: { id: 9, sequence: serial },
  requestKey: serial,
})

const offer = (bench: PartitionBench, serial: number) =>
  bench.partition.append(keyedBatch(given(serial), bench.nowMs), { now: bench.nowMs })

function fill(bench: PartitionBench, from: number, count: number): void {
  for (let serial = from; serial < from + count; serial++) {
    expect(offer(bench, serial)).toMatchObject({ kind: 'appended', baseOffset: serial })
  }
  bench.settle()
}

function compact(bench: PartitionBench): void {
  expect(bench.partition.isCompactionDue).toBe(true)
  bench.run(bench.partition.compact())
  expect(bench.partition.isCompactionDue).toBe(false)
}

function forgetSnapshots(bench: PartitionBench): void {
  for (const name of bench.snapshots()) bench.disk.lose(`${FOLDER}/${name}`)
}

test('repeats of records that are gone are recognised, however the state is read again', () => {
  const bench = compacted()
  fill(bench, 0, 60)
  const sum = bench.partition.stateSum()
  compact(bench)
  expect(bench.values().length).toBeLessThan(20)
  expect(
    bench
      .values()
      .slice(-3)
      .map((value) => Number.parseInt(value, 10)),
  ).toEqual([57, 58, 59])
  for (const again of [
    () => bench.reopen(),
    () => bench.crash(),
    () => bench.crash(allLost),
    () => {
      forgetSnapshots(bench)
      bench.crash(allKept)
    },
  ]) {
    again()
    expect(bench.partition.stateSum()).toBe(sum)
    for (let serial = 0; serial < 60; serial++) {
      expect(bench.partition.keyHeld(keyEntry(serial, 0, 0n).keyHash)).toMatchObject({
        nextOrdinal: 1,
        ranges: [{ baseOffset: serial, digest: BigInt(serial) }],
      })
      if (serial >= 55) expect(offer(bench, serial)).toMatchObject({ kind: 'duplicate', baseOffset: serial })
    }
  }
  fill(bench, 60, 1)
})

test('what is too old to be asked for takes no room, and does not come back from an older snapshot', () => {
  const bench = compacted()
  fill(bench, 0, 60)
  compact(bench)
  const { bytes } = bench.partition
  bench.clock.pass(6 * HOUR_MS)
  fill(bench, 60, 20)
  bench.clock.pass(6 * HOUR_MS)
  fill(bench, 80, 20)
  bench.clock.pass(2 * HOUR_MS)
  bench.run(bench.partition.maintain())
  expect(bench.partition.startOffset).toBe(0)
  const sum = bench.partition.stateSum()
  compact(bench)
  expect(bench.partition.bytes).toBeLessThan(bytes + 40 * 140)
  forgetSnapshots(bench)
  bench.crash(allLost)
  expect(bench.partition.stateSum()).toBe(sum)
  expect(bench.partition.keyHeld(keyEntry(7, 0, 0n).keyHash)).toBeNull()
  expect(bench.partition.keyHeld(keyEntry(70, 0, 0n).keyHash)).not.toBeNull()
  expect(offer(bench, 99)).toMatchObject({ kind: 'duplicate', baseOffset: 99 })
  expect(bench.values().map((value) => Number.parseInt(value, 10))).toEqual([97, 98, 99])
})

test('a close ends a compaction, and the next start goes on', () => {
  const bench = compacted()
  fill(bench, 0, 200)
  let calls = 0
  const running = bench.partition.compact()
  let closing: Promise<void> | null = null
  bench.disk.onCall = () => {
    if (++calls === 12) closing = bench.partition.close()
  }
  bench.run(running)
  bench.run(closing!)
  bench.disk.onCall = null
  bench.leaderEpoch++
  bench.open()
  expect(bench.values().length).toBeGreaterThan(10)
  compact(bench)
  expect(
    bench
      .values()
      .slice(-3)
      .map((value) => Number.parseInt(value, 10)),
  ).toEqual([197, 198, 199])
  expect(bench.complaints).toEqual([])
})

test('the last records are counted where offsets may have none', () => {
  const bench = compacted()
  fill(bench, 0, 60)
  const lastOf = (count: number) => bench.run(Promise.resolve(bench.partition.offsetOfLast(count)))
  expect([lastOf(0), lastOf(1), lastOf(7), lastOf(60), lastOf(100)]).toEqual([60, 59, 53, 0, 0])
  compact(bench)
  const left = bench.values().map((value) => Number.parseInt(value, 10))
  expect(left.length).toBeLessThan(20)
  for (let count = 1; count <= left.length; count++) expect(lastOf(count)).toBe(left.at(-count)!)
  expect(lastOf(0)).toBe(60)
  expect(bench.values(lastOf(left.length + 5)).length).toBe(left.length)
})
