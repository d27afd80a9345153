import { describe, expect, test } from 'bun:test'
import { allLost } from '../../sim/disk.ts'
import { FOLDER, keyEntry, PartitionBench } from './partition-bench.ts'

const HOUR_MS = 3_600_000

describe('append', () => {
  test('offsets at once, visible and acknowledged when committed', () => {
    const bench = new PartitionBench().open()
    const { partition } = bench
    expect(bench.append(['a', 'b'])).toMatchObject({ kind: 'appended', baseOffset: 0, lastOffset: 1, count: 2 })
    expect(bench.append(['c'])).toMatchObject({ kind: 'appended', baseOffset: 2, lastOffset: 2 })
    expect(partition.endOffset).toBe(3)
    expect(partition.highWatermark).toBe(0)
    expect(partition.read(0, 1000)).toMatchObject({ kind: 'batches', nextOffset: 0 })
    const fates = [1, 2, 0].map((offset) => Promise.resolve(partition.whenCommitted(offset)))
    expect(bench.run(Promise.all(fates))).toEqual(['committed', 'committed', 'committed'])
    expect(partition.whenCommitted(2)).toBe('committed')
    expect(partition.highWatermark).toBe(3)
    expect(bench.advances).toBe(1)
    expect(bench.values()).toEqual(['a', 'b', 'c'])
    expect(partition.read(4, 1000)).toEqual({ kind: 'beyond-end', endOffset: 3 })
  })

  test('appendedAt never falls, whatever the clock does', () => {
    const bench = new PartitionBench().open()
    bench.append(['a'])
    const was = bench.nowMs
    bench.clock.wallOffsetMs -= HOUR_MS
    expect(bench.append(['b'])).toMatchObject({ appendedAt: was })
    bench.settle()
    bench.reopen()
    expect(bench.append(['c'])).toMatchObject({ appendedAt: was })
  })

  test('compare and append', () => {
    const bench = new PartitionBench().open()
    expect(bench.append(['a'], {}, 0).kind).toBe('appended')
    expect(bench.append(['b'], {}, 0)).toEqual({ kind: 'offset-mismatch', nextOffset: 1 })
    expect(bench.append(['b'], {}, 1).kind).toBe('appended')
    bench.settle()
    expect(bench.values()).toEqual(['a', 'b'])
  })

  test('a compare-and-append sent again finds its own success', () => {
    const bench = new PartitionBench().open()
    const producer = { producerId: 5, producerEpoch: 0, baseSequence: 0 }
    expect(bench.append(['a'], producer, 0).kind).toBe('appended')
    expect(bench.append(['a'], producer, 0)).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
  })

  test('each start leads under its own epoch', () => {
    const bench = new PartitionBench().open()
    bench.append(['a'])
    bench.settle()
    bench.reopen()
    bench.append(['b'])
    bench.settle()
    expect([0, 1, 2].map((offset) => bench.partition.epochAt(offset))).toEqual([1, 2, 2])
    expect(bench.partition.endOffsetOfEpoch(1)).toEqual({ epoch: 1, endOffset: 1 })
  })
})

const restarts: [string, (bench: PartitionBench) => void][] = [
  ['a clean stop', (bench) => bench.reopen()],
  ['a kill', (bench) => bench.crash()],
  ['a power loss', (bench) => bench.crash(allLost)],
]

describe.each(restarts)('across %s', (_, restart) => {
  test('the story of a producer', () => {
    const bench = new PartitionBench().open()
    const sent = (baseSequence: number, epoch = 0): unknown =>
      bench.append(['v'], { producerId: 9, producerEpoch: epoch, baseSequence })
    expect(sent(1)).toEqual({ kind: 'producer-unknown' })
    expect(sent(0)).toMatchObject({ kind: 'appended', baseOffset: 0 })
    expect(sent(1)).toMatchObject({ kind: 'appended', baseOffset: 1 })
    bench.settle()
    restart(bench)
    expect(sent(0)).toMatchObject({ kind: 'duplicate', baseOffset: 0, lastOffset: 0, count: 1 })
    expect(sent(3)).toEqual({ kind: 'sequence-gap', expectedSequence: 2, isAhead: true })
    expect(sent(2)).toMatchObject({ kind: 'appended', baseOffset: 2 })
    expect(sent(0, 1)).toMatchObject({ kind: 'appended', baseOffset: 3 })
    expect(sent(3)).toEqual({ kind: 'producer-fenced', currentEpoch: 1 })
    bench.settle()
    expect(bench.values()).toHaveLength(4)
  })

  test('the story of a key', () => {
    const bench = new PartitionBench().open()
    const appendedAt = bench.nowMs
    bench.append(['a', 'b'], { idempotency: keyEntry(1, 0, 7n) })
    bench.append(['other'])
    bench.append(['c'], { idempotency: keyEntry(1, 2, 8n) })
    bench.settle()
    restart(bench)
    expect(bench.partition.keyHeld(keyEntry(1, 0, 0n).keyHash)).toEqual({
      partitionCount: 1,
      nextOrdinal: 3,
      ranges: [
        { firstOrdinal: 0, count: 2, baseOffset: 0, lastOffset: 1, appendedAt, digest: 7n },
        { firstOrdinal: 2, count: 1, baseOffset: 3, lastOffset: 3, appendedAt, digest: 8n },
      ],
    })
    const repeat = bench.append(['a', 'b'], { idempotency: keyEntry(1, 0, 7n) })
    expect(repeat).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
    const other = bench.append(['x'], { idempotency: keyEntry(1, 0, 9n) })
    expect(other).toEqual({ kind: 'key-conflict', nextOrdinal: 3 })
    const rest = bench.append(['d'], { idempotency: keyEntry(1, 3, 9n) })
    expect(rest).toMatchObject({ kind: 'appended', baseOffset: 4 })
    bench.clock.pass(25 * HOUR_MS)
    expect(bench.append(['later'], { idempotency: keyEntry(2, 0, 1n) }).kind).toBe('appended')
    expect(bench.partition.keyHeld(keyEntry(1, 0, 0n).keyHash)).toBeNull()
  })
})

describe('a full disk', () => {
  test('what was not kept is told, and can be sent again; what was kept stays', () => {
    const bench = new PartitionBench().open()
    const { partition } = bench
    const first = { producerId: 9, producerEpoch: 0, baseSequence: 0 }
    const second = { ...first, baseSequence: 1, idempotency: keyEntry(3, 0, 1n) }
    bench.append(['a'], first)
    bench.settle()
    bench.fill()
    expect(bench.append(['b'], second)).toMatchObject({ kind: 'appended', baseOffset: 1 })
    expect(bench.append(['c'])).toMatchObject({ kind: 'appended', baseOffset: 2 })
    const fates = [1, 2].map((offset) => Promise.resolve(partition.whenCommitted(offset)))
    expect(bench.run(Promise.all(fates))).toEqual(['disk-full', 'disk-full'])
    expect(partition.endOffset).toBe(1)
    expect(partition.highWatermark).toBe(1)
    expect(bench.values()).toEqual(['a'])

    bench.makeRoom()
    bench.settle()
    expect(bench.append(['b'], second)).toMatchObject({ kind: 'appended', baseOffset: 1 })
    bench.settle()
    expect(partition.keyHeld(second.idempotency.keyHash)).toMatchObject({ ranges: [{ baseOffset: 1 }] })
    expect(bench.append(['a'], first)).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
    bench.reopen()
    expect(bench.append(['b'], second)).toMatchObject({ kind: 'duplicate', baseOffset: 1 })
    expect(bench.values()).toEqual(['a', 'b'])
  })

  test('while the state is read again nothing is appended', () => {
    const bench = new PartitionBench().open()
    bench.append(['a'])
    bench.settle()
    bench.fill()
    bench.append(['b'])
    const duringLoad = Promise.resolve(bench.partition.whenCommitted(1)).then((fate) => [
      fate,
      bench.append(['c']),
      bench.partition.keyHeld(new Uint8Array(16)),
    ])
    expect(bench.run(duringLoad)).toEqual(['disk-full', { kind: 'loading' }, null])
    bench.makeRoom()
    bench.settle()
    expect(bench.append(['c'])).toMatchObject({ kind: 'appended', baseOffset: 1 })
    bench.settle()
    expect(bench.values()).toEqual(['a', 'c'])
  })

  test('a snapshot that finds no space is left out, and missed by nobody', () => {
    const bench = new PartitionBench().open()
    bench.append(['a'], { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    bench.settle()
    bench.fill()
    bench.reopen()
    expect(bench.snapshots()).toEqual([])
    expect(bench.partition.producerCount).toBe(1)
  })
})

describe('snapshots', () => {
  test('a clean stop leaves one, and a start from it reads nothing of the log', () => {
    const bench = new PartitionBench().open()
    bench.append(['a'], { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    bench.settle()
    bench.reopen()
    expect(bench.snapshots()).toEqual(['00000000000000000001.producers'])
    const reads: string[] = []
    bench.run(bench.partition.close())
    bench.disk.onCall = ({ kind, path }) => {
      if (kind.startsWith('read') && path.endsWith('.log')) reads.push(path)
    }
    bench.leaderEpoch++
    bench.open()
    expect(bench.partition.producerCount).toBe(1)
    expect(reads).toEqual([])
    bench.reopen()
    expect(bench.snapshots()).toHaveLength(1)
  })

  test('one at a roll, once it is durable; the newest two are kept', () => {
    const bench = new PartitionBench({ segmentBytes: 2_000 }).open()
    for (let i = 0; i < 60; i++) {
      bench.append(['x'.repeat(100)], { producerId: 9, producerEpoch: 0, baseSequence: i })
      bench.settle()
    }
    expect(bench.snapshots()).toHaveLength(2)
    bench.crash()
    const sent = (baseSequence: number): unknown =>
      bench.append(['y'], { producerId: 9, producerEpoch: 0, baseSequence })
    expect(sent(59)).toMatchObject({ kind: 'duplicate' })
    expect(sent(60)).toMatchObject({ baseOffset: 60 })
  })

  test('a bad one is passed over for an older one, or none', () => {
    const bench = new PartitionBench().open()
    const sent = (baseSequence: number): unknown =>
      bench.append(['x'], { producerId: 9, producerEpoch: 0, baseSequence })
    for (let i = 0; i < 3; i++) {
      sent(i)
      bench.settle()
      bench.reopen()
    }
    const [older, newest] = bench.snapshots()
    bench.disk.flip(`${FOLDER}/${newest}`, 70, 2)
    bench.crash()
    expect(bench.complaints).toEqual(['producer-snapshot-unreadable'])
    expect(bench.snapshots()).toEqual([older!])
    expect(sent(1)).toMatchObject({ kind: 'duplicate', baseOffset: 1 })
    bench.disk.flip(`${FOLDER}/${older}`, 3, 7)
    bench.crash()
    expect(bench.complaints).toHaveLength(2)
    expect(bench.snapshots()).toEqual([])
    expect(sent(2)).toMatchObject({ kind: 'duplicate', baseOffset: 2 })
  })

  test('one of a log that was another is not believed', () => {
    const bench = new PartitionBench().open()
    bench.append(['a'])
    bench.settle()
    const early = bench.disk.kill()
    bench.disk = early.kill()
    bench.leaderEpoch++
    bench.open()
    bench.append(['b'], { producerId: 9, producerEpoch: 0, baseSequence: 0 })
    bench.settle()
    bench.run(bench.partition.close())
    const path = `${FOLDER}/${bench.snapshots().at(-1)}`
    const stale = bench.disk.contentOf(path)

    bench.disk = early
    bench.crash()
    bench.append(['c'])
    bench.settle()
    bench.disk.open(path, 'create').write(stale, 0)
    bench.crash()
    expect(bench.partition.endOffset).toBe(2)
    expect(bench.partition.producerCount).toBe(0)
    expect(bench.snapshots()).toEqual([])
  })
})

describe('trim and retention', () => {
  const owed = { producerId: 9, producerEpoch: 0, baseSequence: 0, idempotency: keyEntry(1, 0, 7n) }

  test('what producers are owed outlives the records', () => {
    const bench = new PartitionBench().open()
    bench.append(['a', 'b', 'c'], owed)
    bench.append(['d'])
    bench.settle()
    bench.run(bench.partition.trim(2))
    expect(bench.partition.startOffset).toBe(2)
    expect(bench.values()).toEqual(['c', 'd'])
    expect(bench.partition.read(0, 100)).toEqual({ kind: 'below-start', startOffset: 2 })
    bench.run(bench.partition.trim(4))
    bench.crash(allLost)
    expect(bench.partition.startOffset).toBe(4)
    expect(bench.append(['a', 'b', 'c'], owed)).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
    expect(bench.partition.keyHeld(owed.idempotency.keyHash)).toMatchObject({ nextOrdinal: 3 })
  })

  test('also when they go by age', () => {
    const bench = new PartitionBench({ retentionMs: HOUR_MS, segmentMs: HOUR_MS }).open()
    bench.append(['a', 'b', 'c'], owed)
    bench.settle()
    bench.clock.pass(3 * HOUR_MS)
    bench.run(bench.partition.maintain())
    expect(bench.partition.startOffset).toBe(3)
    bench.crash(allLost)
    expect(bench.append(['a', 'b', 'c'], owed)).toMatchObject({ kind: 'duplicate', baseOffset: 0 })
    bench.clock.pass(25 * HOUR_MS)
    bench.run(bench.partition.maintain())
    expect([bench.partition.producerCount, bench.partition.keyRangeCount]).toEqual([0, 0])
  })

  test('a start inside a batch, with no snapshot left', () => {
    const bench = new PartitionBench().open()
    bench.append(['a', 'b', 'c'], owed)
    bench.settle()
    bench.run(bench.partition.trim(1))
    for (const name of bench.snapshots()) bench.disk.lose(`${FOLDER}/${name}`)
    bench.crash()
    expect(bench.partition.producerCount).toBe(1)
    expect(bench.values()).toEqual(['b', 'c'])
  })
})

test('damage is told, and nothing is added', () => {
  const bench = new PartitionBench().open()
  bench.append(['x'.repeat(300)])
  bench.append(['y'.repeat(300)])
  bench.settle()
  bench.reopen()
  bench.disk.flip(`${FOLDER}/00000000000000000000.log`, 200, 1)
  const read = bench.run(Promise.resolve(bench.partition.read(0, 1_000)))
  expect(read).toMatchObject({ kind: 'damaged', offset: 0 })
  expect(bench.append(['z'])).toMatchObject({ kind: 'damaged', offset: 0 })
})
