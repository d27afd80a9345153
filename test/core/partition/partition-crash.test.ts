// The power goes at every single disk call of a scripted life of a partition, with everything unsynced lost, kept, or torn by
// seed. Each time: what was acknowledged is there, or was trimmed; a repeat of it is answered with its first offset, whether
// by producer or by key, also when the record itself is trimmed; and what comes next in the sequence is taken.

import { expect, test } from 'bun:test'
import { Stuck } from '../../sim/clock.ts'
import { allKept, allLost, type Outcome, randomOutcome } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'
import { keyEntry, PartitionBench } from './partition-bench.ts'

const HOUR_MS = 3_600_000

class Life {
  readonly bench = new PartitionBench({ segmentBytes: 900, segmentMs: HOUR_MS, retentionMs: 5 * HOUR_MS })
  /** Sequences, which are keys as well, acknowledged: their offsets are the same numbers. */
  acknowledged = 0
  sent = 0
  trimmedTo = 0
  calls = 0

  constructor(readonly dieAt: number) {
    this.#count()
  }

  #count(): void {
    this.bench.disk.onCall = () => {
      if (++this.calls === this.dieAt) this.bench.disk.die()
    }
  }

  send(count: number): void {
    for (let i = 0; i < count; i++) {
      const sequence = this.sent++
      expect(this.offer(sequence)).toMatchObject({ kind: 'appended', baseOffset: sequence })
      void Promise.resolve(this.bench.partition.whenCommitted(sequence)).then((fate) => {
        if (fate === 'committed') this.acknowledged = Math.max(this.acknowledged, sequence + 1)
      })
    }
    this.bench.settle()
    if (this.bench.disk.isDead) throw new Stuck('dead')
  }

  offer(sequence: number): unknown {
    const idempotency = keyEntry(sequence, 0, BigInt(sequence))
    return this.bench.append([`${sequence} ${'x'.repeat(100)}`], {
      producerId: 9,
      producerEpoch: 0,
      baseSequence: sequence,
      idempotency,
    })
  }

  trim(offset: number): void {
    this.trimmedTo = offset
    this.bench.run(this.bench.partition.trim(offset))
  }

  run(): void {
    const { bench } = this
    bench.open()
    this.send(3)
    this.send(9)
    this.trim(5)
    this.send(4)
    bench.reopen()
    this.send(8)
    bench.clock.pass(2 * HOUR_MS)
    this.send(2)
    bench.run(bench.partition.maintain())
    bench.clock.pass(4 * HOUR_MS)
    this.trimmedTo = 24
    bench.run(bench.partition.maintain())
    bench.clock.pass(9 * HOUR_MS)
    this.trimmedTo = 26
    bench.run(bench.partition.maintain())
    expect(bench.partition.startOffset).toBe(26)
    this.send(2)
    bench.run(bench.partition.close())
  }

  check(outcome: Outcome | null): void {
    const { bench } = this
    bench.disk.onCall = null
    bench.crash(outcome)
    const { startOffset, endOffset } = bench.partition
    expect(startOffset).toBeLessThanOrEqual(this.trimmedTo)
    expect(endOffset).toBeGreaterThanOrEqual(this.acknowledged)
    expect(endOffset).toBeLessThanOrEqual(this.sent)
    const numbers = bench.values().map((value) => Number.parseInt(value, 10))
    expect(numbers).toEqual(Array.from({ length: endOffset - startOffset }, (_, i) => startOffset + i))
    for (let sequence = 0; sequence < endOffset; sequence++) {
      const held = bench.partition.keyHeld(keyEntry(sequence, 0, 0n).keyHash)
      expect(held).toMatchObject({ nextOrdinal: 1, ranges: [{ baseOffset: sequence, digest: BigInt(sequence) }] })
    }
    for (let sequence = Math.max(0, endOffset - 5); sequence < endOffset; sequence++) {
      expect(this.offer(sequence)).toMatchObject({ kind: 'duplicate', baseOffset: sequence })
    }
    expect(this.offer(endOffset)).toMatchObject({ kind: 'appended', baseOffset: endOffset })
    bench.settle()
    expect(bench.partition.highWatermark).toBe(endOffset + 1)
  }
}

/** A life that ends at a disk call, or lives on when there are fewer. */
function lived(dieAt: number): Life {
  const life = new Life(dieAt)
  try {
    life.run()
  } catch (error) {
    if (!life.bench.disk.isDead || !(error instanceof Stuck)) throw error
  }
  return life
}

const outcomes: [string, (seed: number) => Outcome | null][] = [
  ['only the process dies', () => null],
  ['everything unsynced is lost', () => allLost],
  ['everything unsynced is kept', () => allKept],
  ['some of it is lost, kept or torn', (seed) => randomOutcome(new SimRandom(seed, 'power'))],
]

test.each(outcomes)('the end comes at every disk call: %s', (_, outcome) => {
  const { calls } = lived(Number.POSITIVE_INFINITY)
  expect(calls).toBeGreaterThan(150)
  for (let dieAt = 1; dieAt <= calls; dieAt++) lived(dieAt).check(outcome(dieAt))
})
