// Any history of appends, repeats, full disks, rolls, trims and restarts, held against a twin that keeps everything in plain
// lists: the same verdict for every batch, the same records in the end, and the same producer state after every restart.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { allKept, allLost, randomOutcome } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'
import { keyEntry, PartitionBench } from './partition-bench.ts'

interface TwinBatch {
  baseOffset: number
  values: string[]
  producer: { id: number; epoch: number; base: number } | null
  key: { key: number; first: number; digest: bigint } | null
}

class Twin {
  batches: TwinBatch[] = []
  committed = 0

  get end(): number {
    const last = this.batches.at(-1)
    return last === undefined ? 0 : last.baseOffset + last.values.length
  }

  /** What should become of a batch; appends it when it is good. */
  offer(batch: Omit<TwinBatch, 'baseOffset'>, expectOffset: number | null): string {
    const verdict = this.#producer(batch) ?? this.#key(batch)
    if (verdict !== null) return verdict
    if (expectOffset !== null && expectOffset !== this.end) return `offset-mismatch ${this.end}`
    this.batches.push({ ...batch, baseOffset: this.end })
    return `appended ${this.batches.at(-1)!.baseOffset}`
  }

  cutTo(offset: number): void {
    this.batches = this.batches.filter((batch) => batch.baseOffset < offset)
  }

  values(from: number): string[] {
    return this.batches.flatMap((b) => b.values.filter((_, i) => b.baseOffset + i >= from))
  }

  nextOrdinal(key: number): number {
    return this.batches.reduce((sum, b) => sum + (b.key?.key === key ? b.values.length : 0), 0)
  }

  #producer({ producer, values }: Omit<TwinBatch, 'baseOffset'>): string | null {
    if (producer === null) return null
    const own = this.batches.filter((b) => b.producer?.id === producer.id)
    if (own.length === 0) return producer.base === 0 ? null : 'producer-unknown'
    const epoch = Math.max(...own.map((b) => b.producer!.epoch))
    if (producer.epoch < epoch) return `producer-fenced ${epoch}`
    const inEpoch = own.filter((b) => b.producer!.epoch === producer.epoch)
    const repeat = inEpoch
      .slice(-5)
      .find((b) => b.producer!.base === producer.base && b.values.length === values.length)
    if (repeat !== undefined) return `duplicate ${repeat.baseOffset}`
    const expected = inEpoch.reduce((sum, b) => sum + b.values.length, 0)
    return producer.base === expected ? null : `sequence-gap ${expected}`
  }

  #key({ key, values }: Omit<TwinBatch, 'baseOffset'>): string | null {
    if (key === null) return null
    const next = this.nextOrdinal(key.key)
    if (next === 0 || key.first === next) return null
    const own = this.batches.filter((b) => b.key?.key === key.key)
    const repeat = own.find(
      (b) => b.key!.first === key.first && b.key!.digest === key.digest && b.values.length === values.length,
    )
    return repeat === undefined ? `key-conflict ${next}` : `duplicate ${repeat.baseOffset}`
  }
}

function told(outcome: ReturnType<PartitionBench['append']>): string {
  switch (outcome.kind) {
    case 'appended':
    case 'duplicate':
      return `${outcome.kind} ${outcome.baseOffset}`
    case 'offset-mismatch':
      return `offset-mismatch ${outcome.nextOffset}`
    case 'producer-fenced':
      return `producer-fenced ${outcome.currentEpoch}`
    case 'sequence-gap':
      return `sequence-gap ${outcome.expectedSequence}`
    case 'key-conflict':
      return `key-conflict ${outcome.nextOrdinal}`
    default:
      return outcome.kind
  }
}

const count = fc.integer({ min: 1, max: 4 })
const append = fc.record({
  kind: fc.constant('append' as const),
  count,
  producer: fc.option(
    fc.record({ id: fc.integer({ min: 1, max: 3 }), epoch: fc.nat({ max: 2 }), base: fc.nat({ max: 6 }) }),
    { freq: 2 },
  ),
  key: fc.option(
    fc.record({
      key: fc.integer({ min: 1, max: 3 }),
      first: fc.nat({ max: 4 }),
      digest: fc.bigInt({ min: 0n, max: 1n }),
    }),
    { freq: 2 },
  ),
  isNext: fc.boolean(),
  expectOffset: fc.option(fc.nat({ max: 10 }), { freq: 20 }),
})
const step = fc.oneof(
  { weight: 12, arbitrary: append },
  { weight: 4, arbitrary: fc.constant({ kind: 'settle' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'fill' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('trim' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'maintain' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      how: fc.constantFrom('stop', 'kill', 'lost', 'kept', 'torn'),
      seed: fc.nat(),
    }),
  },
)

function restart(bench: PartitionBench, how: string, seed: number): void {
  bench.makeRoom()
  if (how === 'stop') bench.reopen()
  else if (how === 'kill') bench.crash()
  else bench.crash(how === 'lost' ? allLost : how === 'kept' ? allKept : randomOutcome(new SimRandom(seed, 'power')))
}

test('agrees with its twin, whatever happens', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const bench = new PartitionBench({ segmentBytes: 700 }).open()
      const twin = new Twin()
      let serial = 0
      const follow = (): void => {
        bench.settle()
        twin.cutTo(bench.partition.endOffset)
        twin.committed = bench.partition.highWatermark
        expect(twin.end).toBe(bench.partition.endOffset)
        expect(bench.partition.highWatermark).toBe(bench.partition.endOffset)
      }
      for (const s of steps) {
        if (s.kind === 'append') {
          const producer = s.producer === null ? null : { ...s.producer }
          const key = s.key === null ? null : { ...s.key }
          if (s.isNext && producer !== null) {
            const own = twin.batches.filter(
              (b) => b.producer?.id === producer.id && b.producer.epoch === producer.epoch,
            )
            producer.base = own.reduce((sum, b) => sum + b.values.length, 0)
          }
          if (s.isNext && key !== null) key.first = twin.nextOrdinal(key.key)
          // With a key unknown here any first ordinal may begin.
          if (key !== null && twin.nextOrdinal(key.key) === 0) key.first = 0
          const values = Array.from({ length: s.count }, () => `value ${serial++}`)
          const sumBefore = bench.partition.stateSum()
          const outcome = bench.append(
            values,
            {
              ...(producer === null
                ? {}
                : { producerId: producer.id, producerEpoch: producer.epoch, baseSequence: producer.base }),
              ...(key === null ? {} : { idempotency: keyEntry(key.key, key.first, key.digest) }),
            },
            s.expectOffset ?? undefined,
          )
          expect(told(outcome)).toBe(twin.offer({ values, producer, key }, s.expectOffset))
          if (outcome.kind !== 'appended') expect(bench.partition.stateSum()).toBe(sumBefore)
        } else if (s.kind === 'settle') {
          follow()
        } else if (s.kind === 'fill') {
          bench.fill()
          follow()
          bench.makeRoom()
        } else if (s.kind === 'trim') {
          follow()
          const { startOffset, highWatermark } = bench.partition
          bench.run(bench.partition.trim(startOffset + Math.round((highWatermark - startOffset) * s.share)))
        } else if (s.kind === 'maintain') {
          bench.run(bench.partition.maintain())
          follow()
        } else {
          const settled = bench.partition.endOffset === bench.partition.highWatermark
          const sum = bench.partition.stateSum()
          const before = twin.committed
          restart(bench, s.how, s.seed)
          follow()
          expect(bench.partition.endOffset).toBeGreaterThanOrEqual(before)
          if (settled) expect(bench.partition.stateSum()).toBe(sum)
        }
      }
      follow()
      expect(bench.values()).toEqual(twin.values(bench.partition.startOffset))
      const live = bench.partition.stateSum()
      bench.crash(allLost)
      expect(bench.partition.stateSum()).toBe(live)
      for (const name of bench.snapshots()) bench.disk.lose(`topics/t/0/${name}`)
      bench.crash(allLost)
      if (bench.partition.startOffset === 0) expect(bench.partition.stateSum()).toBe(live)
      const expected = ['log-no-space', 'log-tail-cut', 'producer-snapshot-unreadable']
      expect(bench.complaints.filter((event) => !expected.includes(event))).toEqual([])
    }),
    { numRuns: 60 },
  )
})
