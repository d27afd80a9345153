// Any life of readers: small rooms and credits, cuts at any moment, partitions that are added. Whoever resumes from the last
// cursor it was given has, in the end, every record once and each partition's in order.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { FakeSocket } from './push-rig.ts'
import { PushRig, type PushedRecord } from './push-rig.ts'

type Step =
  | { kind: 'produce'; partition: number; count: number; bytes: number }
  | { kind: 'read'; reader: number; bytes: number }
  | { kind: 'credit'; reader: number; records: number }
  | { kind: 'cut'; reader: number }
  | { kind: 'pass'; ms: number }
  | { kind: 'grow' }

const READERS = 3

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('produce' as const),
      partition: fc.nat(3),
      count: fc.integer({ min: 1, max: 20 }),
      bytes: fc.constantFrom(1, 1, 100, 20_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      reader: fc.nat(READERS - 1),
      bytes: fc.constantFrom(0, 500, 5_000, 500_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('credit' as const),
      reader: fc.nat(READERS - 1),
      records: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), reader: fc.nat(READERS - 1) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(0, 0.1, 0.3, 1, 20_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('grow' as const) }) },
)

/** What a client keeps: its records, and the latest cursor. */
class Reader {
  readonly records: PushedRecord[] = []
  socket!: FakeSocket
  #cursor: string | null = null
  #seen = 0

  constructor(
    readonly rig: PushRig,
    readonly hasCredit: boolean,
    readonly tags: string[] | null,
  ) {
    this.connect()
  }

  connect(): void {
    this.socket = this.rig.connect()
    this.#seen = 0
    this.socket.roomBytes = 2_000
    this.socket.say({
      op: 'subscribe',
      id: 's',
      topics: ['t'],
      ...(this.#cursor === null ? null : { cursor: this.#cursor }),
      ...(this.hasCredit ? { credit: { records: 10, bytes: 1_000_000 } } : null),
      ...(this.tags === null ? null : { tags: this.tags }),
    })
  }

  /** What came stays, when the connection is cut in the middle of what is still to come. */
  cut(): void {
    this.take()
    this.socket.hangUp()
    this.connect()
  }

  take(): void {
    for (; this.#seen < this.socket.messages.length; this.#seen++) {
      const message = this.socket.messages[this.#seen]!
      if (typeof message['cursor'] === 'string') this.#cursor = message['cursor']
      if (message.op === 'records') this.records.push(...(message['records'] as PushedRecord[]))
      expect(message.op).not.toBe('reset')
      expect(message.op).not.toBe('error')
    }
  }
}

function live(steps: readonly Step[], seed: number): void {
  const rig = new PushRig(seed)
  rig.createTopic('t')
  let partitions = 1
  let produced = 0
  const readers = [new Reader(rig, false, null), new Reader(rig, true, null), new Reader(rig, false, ['even'])]
  const producer = rig.connect()
  for (const step of steps) {
    switch (step.kind) {
      case 'produce': {
        const records = Array.from({ length: step.count }, () => {
          const value = [produced++, 'x'.repeat(step.bytes)]
          return { value, tags: [produced % 2 === 0 ? 'even' : 'odd'] }
        })
        producer.say({ op: 'produce', id: 'p', topic: 't', partition: step.partition % partitions, records })
        break
      }
      case 'read':
        readers[step.reader]!.socket.read(step.bytes)
        break
      case 'credit':
        if (readers[step.reader]!.hasCredit) {
          readers[step.reader]!.socket.say({
            op: 'credit',
            sub: 's',
            records: step.records,
            bytes: step.records * 1_000,
          })
        }
        break
      case 'cut':
        readers[step.reader]!.cut()
        break
      case 'pass':
        rig.pass(step.ms)
        break
      case 'grow':
        if (partitions < 4) rig.clock.run(rig.broker.submit({ kind: 'add-partitions', name: 't', count: ++partitions }))
    }
    for (const reader of readers) {
      if (reader.socket.closed !== null) reader.cut()
    }
  }
  for (const reader of readers) {
    reader.socket.read(1e9)
    reader.socket.roomBytes = 1e9
    if (reader.hasCredit) reader.socket.say({ op: 'credit', sub: 's', records: 1_000_000, bytes: 500_000_000 })
  }
  rig.pass(100)
  for (const reader of readers) {
    reader.take()
    const wanted = Array.from({ length: produced }, (_, i) => i).filter((i) => reader.tags === null || i % 2 === 1)
    const got = reader.records.map(({ value }) => (value as [number])[0])
    expect(got.toSorted((a, b) => a - b)).toEqual(wanted)
    const latest = new Map<number, number>()
    for (const { partition, offset } of reader.records) {
      expect(offset).toBeGreaterThan(latest.get(partition) ?? -1)
      latest.set(partition, offset)
    }
  }
}

test('every record once, in order, whatever happens to the readers', () => {
  fc.assert(fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), fc.nat(), live), { numRuns: 120 })
}, 30_000)
