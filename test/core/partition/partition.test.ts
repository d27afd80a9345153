import { describe, expect, test } from 'bun:test'
import { keyEntry, PartitionBench } from './partition-bench.ts'

const HOUR_MS = 3_600_000

describe('append', () => {
  test('offsets at once, visible and acknowledged when committed', async () => {
    const bench = await new PartitionBench().open()
    const { partition } = bench
    expect(bench.append(['a', 'b'])).toMatchObject({ kind: 'appended', baseOffset: 0, lastOffset: 1, count: 2 })
    expect(bench.append(['c'])).toMatchObject({ kind: 'appended', baseOffset: 2, lastOffset: 2 })
    expect(partition.endOffset).toBe(3)
    expect(partition.highWatermark).toBe(0)
    expect(partition.read(0, 1000)).toMatchObject({ kind: 'batches', nextOffset: 0 })
    const fates = [partition.whenCommitted(1), partition.whenCommitted(2), partition.whenCommitted(0)]
    expect(await Promise.all(fates)).toEqual(['committed', 'committed', 'committed'])
    expect(partition.whenCommitted(2)).toBe('committed')
    expect(partition.highWatermark).toBe(3)
    expect(bench.advances).toBe(1)
    expect(await bench.values()).toEqual(['a', 'b', 'c'])
    expect(partition.read(4, 1000)).toEqual({ kind: 'beyond-end', endOffset: 3 })
  })

  test('appendedAt never falls, whatever the clock does', async () => {
    const bench = await new PartitionBench().open()
    bench.append(['a'])
    const was = bench.nowMs
    bench.nowMs -= HOUR_MS
    expect(bench.append(['b'])).toMatchObject({ appendedAt: was })
    await bench.settle()
    await bench.reopen()
    expect(bench.append(['c'])).toMatchObject({ appendedAt: was })
  })

  test('compare and append', async () => {
    const bench = await new PartitionBench().open()
    expect(bench.append(['a'], {}, 0).kind).toBe('appended')
    expect(bench.append(['b'], {}, 0)).toEqual({ kind: 'offset-mismatch', nextOffset: 1 })
    expect(bench.append(['b'], {}, 1).kind).toBe('appended')
    await bench.settle()
    expect(await bench.values()).toEqual(['a', 'b'])
  })

  test('a compare-and-append sent again finds its own success', async () => {
    const bench = await new PartitionBench().open()
    const producer = { producerId: 5, producerEpoch: 0, baseSequence: 0 }
    expect(bench.append(['a'], producer, 0).kind).toBe('appended')
    expect(bench.append(['a'], producer, 0)).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
  })

  test('each start leads under its own epoch', async () => {
    const bench = await new PartitionBench().open()
    bench.append(['a'])
    await bench.settle()
    await bench.reopen()
    bench.append(['b'])
    await bench.settle()
    expect([0, 1, 2].map((offset) => bench.partition.epochAt(offset))).toEqual([1, 2, 2])
    expect(bench.partition.endOffsetOfEpoch(1)).toEqual({ epoch: 1, endOffset: 1 })
  })
})

describe('the story of a producer, across restarts', () => {
  test.each(['a clean stop', 'a crash'])('%s', async (end) => {
    let bench = await new PartitionBench().open()
    const sent = (baseSequence: number, epoch = 0): unknown =>
      bench.append(['v'], { producerId: 9, producerEpoch: epoch, baseSequence })
    expect(sent(1)).toEqual({ kind: 'producer-unknown' })
    expect(sent(0)).toMatchObject({ kind: 'appended', baseOffset: 0 })
    expect(sent(1)).toMatchObject({ kind: 'appended', baseOffset: 1 })
    await bench.settle()
    bench = end === 'a crash' ? await bench.crash() : await bench.reopen()
    expect(sent(0)).toMatchObject({ kind: 'duplicate', baseOffset: 0, lastOffset: 0, count: 1 })
    expect(sent(3)).toEqual({ kind: 'sequence-gap', expectedSequence: 2, isAhead: true })
    expect(sent(2)).toMatchObject({ kind: 'appended', baseOffset: 2 })
    expect(sent(0, 1)).toMatchObject({ kind: 'appended', baseOffset: 3 })
    expect(sent(3)).toEqual({ kind: 'producer-fenced', currentEpoch: 1 })
    await bench.settle()
    expect(await bench.values()).toHaveLength(4)
  })
})

describe('the story of a key, across restarts', () => {
  test.each(['a clean stop', 'a crash'])('%s', async (end) => {
    let bench = await new PartitionBench().open()
    bench.append(['a', 'b'], { idempotency: keyEntry(1, 0, 7n) })
    bench.append(['other'])
    bench.append(['c'], { idempotency: keyEntry(1, 2, 8n) })
    await bench.settle()
    bench = end === 'a crash' ? await bench.crash() : await bench.reopen()
    const appendedAt = bench.nowMs
    expect(bench.partition.keyHeld(keyEntry(1, 0, 0n).keyHash)).toEqual({
      partitionCount: 1,
      nextOrdinal: 3,
      ranges: [
        { firstOrdinal: 0, count: 2, baseOffset: 0, lastOffset: 1, appendedAt, digest: 7n },
        { firstOrdinal: 2, count: 1, baseOffset: 3, lastOffset: 3, appendedAt, digest: 8n },
      ],
    })
    expect(bench.append(['a', 'b'], { idempotency: keyEntry(1, 0, 7n) })).toMatchObject({
      kind: 'duplicate',
      baseOffset: 0,
    })
    expect(bench.append(['x'], { idempotency: keyEntry(1, 0, 9n) })).toEqual({ kind: 'key-conflict', nextOrdinal: 3 })
    expect(bench.append(['d'], { idempotency: keyEntry(1, 3, 9n) })).toMatchObject({ kind: 'appended', baseOffset: 4 })
    bench.nowMs += 25 * HOUR_MS
    expect(bench.append(['later']).kind).toBe('appended')
    expect(bench.append(['later'], { idempotency: keyEntry(2, 0, 1n) }).kind).toBe('appended')
    expect(bench.partition.keyHeld(keyEntry(1, 0, 0n).keyHash)).toBeNull()
  })
})

describe('a full disk', () => {
  test('what was not kept is told, and can be sent again; what was kept stays', async () => {
    const bench = await new PartitionBench().open()
    const { partition } = bench
    const first = { producerId: 9, producerEpoch: 0, baseSequence: 0 }
    const second = { ...first, baseSequence: 1, idempotency: keyEntry(3, 0, 1n) }
    bench.append(['a'], first)
    await bench.settle()
    bench.disk.freeBytes = 0
    expect(bench.append(['b'], second)).toMatchObject({ kind: 'appended', baseOffset: 1 })
    expect(bench.append(['c'])).toMatchObject({ kind: 'appended', baseOffset: 2 })
    expect(await Promise.all([partition.whenCommitted(1), partition.whenCommitted(2)])).toEqual([
      'disk-full',
      'disk-full',
    ])
    expect(partition.endOffset).toBe(1)
    expect(partition.highWatermark).toBe(1)
    expect(await bench.values()).toEqual(['a'])

    bench.disk.freeBytes = Number.POSITIVE_INFINITY
    while (bench.append(['b'], second).kind === 'loading') await bench.turn()
    expect(await bench.settle()).toBe('committed')
    expect(partition.keyHeld(second.idempotency.keyHash)).toMatchObject({ ranges: [{ baseOffset: 1 }] })
    expect(bench.append(['a'], first)).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
    await bench.reopen()
    expect(bench.append(['b'], second)).toMatchObject({ kind: 'duplicate', baseOffset: 1 })
    expect(await bench.values()).toEqual(['a', 'b'])
  })

  test('while the state is read again nothing is appended', async () => {
    const bench = await new PartitionBench().open()
    bench.append(['a'])
    await bench.settle()
    bench.disk.freeBytes = 0
    bench.append(['b'])
    expect(await bench.partition.whenCommitted(1)).toBe('disk-full')
    expect(bench.append(['c'])).toEqual({ kind: 'loading' })
    expect(bench.partition.keyHeld(new Uint8Array(16))).toBeNull()
    await bench.turn()
    bench.disk.freeBytes = Number.POSITIVE_INFINITY
    await bench.turn()
    expect(bench.append(['c'])).toMatchObject({ kind: 'appended', baseOffset: 1 })
    await bench.partition.close()
  })
})

describe('snapshots', () => {
  test('a clean stop leaves one, and a start from it reads nothing of the log', async () => {
    const bench = await new PartitionBench().open()
    bench.append(['a'], { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    await bench.settle()
    await bench.reopen()
    expect(bench.snapshots()).toEqual(['00000000000000000001.producers'])
    await bench.reopen()
    expect(bench.snapshots()).toHaveLength(1)
    expect(bench.partition.producerCount).toBe(1)
  })

  test('one at a roll, once it is durable; the newest two are kept', async () => {
    const bench = new PartitionBench()
    bench.config = { ...bench.config, segmentBytes: 2_000 }
    await bench.open()
    for (let i = 0; i < 60; i++) {
      bench.append(['x'.repeat(100)], { producerId: 9, producerEpoch: 0, baseSequence: i })
      await bench.settle()
    }
    expect(bench.snapshots()).toHaveLength(2)
    const crashed = await bench.crash()
    expect(crashed.append(['y'], { producerId: 9, producerEpoch: 0, baseSequence: 59 })).toMatchObject({
      kind: 'duplicate',
    })
    expect(crashed.append(['y'], { producerId: 9, producerEpoch: 0, baseSequence: 60 })).toMatchObject({
      baseOffset: 60,
    })
  })

  test('a bad one is passed over for an older one, or none', async () => {
    const bench = await new PartitionBench().open()
    for (let i = 0; i < 3; i++) {
      bench.append(['x'], { producerId: 9, producerEpoch: 0, baseSequence: i })
      await bench.settle()
      await bench.reopen()
    }
    const [older, newest] = bench.snapshots()
    bench.disk.damage(`topics/t/0/${newest}`, 70)
    const once = await bench.crash()
    expect(once.complaints).toEqual(['producer-snapshot-unreadable'])
    expect(once.append(['x'], { producerId: 9, producerEpoch: 0, baseSequence: 1 })).toMatchObject({
      kind: 'duplicate',
      baseOffset: 1,
    })
    bench.disk.damage(`topics/t/0/${older}`, 3)
    const twice = await bench.crash()
    expect(twice.complaints).toEqual(['producer-snapshot-unreadable', 'producer-snapshot-unreadable'])
    expect(twice.append(['x'], { producerId: 9, producerEpoch: 0, baseSequence: 2 })).toMatchObject({
      kind: 'duplicate',
      baseOffset: 2,
    })
    expect(twice.snapshots()).toEqual([])
  })

  test('one of a log that was another is not believed', async () => {
    const bench = await new PartitionBench().open()
    bench.append(['a'])
    await bench.settle()
    const early = bench.disk.copy()
    bench.append(['b'], { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    await bench.settle()
    await bench.partition.close()
    const name = bench.snapshots().at(-1)!
    const bytes = new Uint8Array(1_000)
    const stale = bytes.subarray(0, bench.disk.open(`topics/t/0/${name}`, 'read').read(bytes, 0))

    const other = new PartitionBench()
    other.disk = early
    other.leaderEpoch = 2
    await other.open()
    other.append(['c'])
    await other.settle()
    other.disk.open(`topics/t/0/${name}`, 'create').write(stale, 0)
    const restarted = await other.crash()
    expect(restarted.partition.endOffset).toBe(2)
    expect(restarted.partition.producerCount).toBe(0)
  })
})

describe('trim', () => {
  test('what producers are owed outlives the records', async () => {
    const bench = await new PartitionBench().open()
    bench.append(['a', 'b', 'c'], { producerId: 9, producerEpoch: 0, baseSequence: 0, idempotency: keyEntry(1, 0, 7n) })
    bench.append(['d'])
    await bench.settle()
    await bench.partition.trim(2)
    expect(bench.partition.startOffset).toBe(2)
    expect(await bench.values()).toEqual(['c', 'd'])
    expect(bench.partition.read(0, 100)).toEqual({ kind: 'below-start', startOffset: 2 })
    await bench.partition.trim(4)
    const restarted = await bench.crash()
    expect(restarted.partition.startOffset).toBe(4)
    const repeat = restarted.append(['a', 'b', 'c'], { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    expect(repeat).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
    expect(restarted.partition.keyHeld(keyEntry(1, 0, 0n).keyHash)).toMatchObject({ nextOrdinal: 3 })
  })

  test('a start inside a batch, with no snapshot left', async () => {
    const bench = await new PartitionBench().open()
    bench.append(['a', 'b', 'c'], { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    await bench.settle()
    await bench.partition.trim(1)
    for (const name of bench.snapshots()) bench.disk.remove(`topics/t/0/${name}`)
    const restarted = await bench.crash()
    expect(restarted.partition.producerCount).toBe(1)
    expect(await restarted.values()).toEqual(['b', 'c'])
  })
})

test('damage is told, and nothing is added', async () => {
  const bench = await new PartitionBench().open()
  bench.append(['x'.repeat(300)])
  bench.append(['y'.repeat(300)])
  await bench.settle()
  await bench.reopen()
  bench.disk.damage('topics/t/0/00000000000000000000.log', 200)
  expect(await bench.partition.read(0, 1_000)).toMatchObject({ kind: 'damaged', offset: 0 })
  expect(bench.append(['z'])).toMatchObject({ kind: 'damaged', offset: 0 })
})
