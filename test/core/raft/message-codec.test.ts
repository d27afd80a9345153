import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  batchOf,
  controlBatch,
  decodeMessage,
  encodeMessage,
  type Entry,
  entryOf,
  lastIndexOf,
  type Message,
  type MessageBody,
  type ReplicaId,
  replicaIdOf,
} from '../../../src/core/raft/index.ts'
import { BatchBuilder, RecordSpans, stampBatch } from '../../../src/core/record/index.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'

const one = replicaIdOf(1, 'abcdefghij234567klmn')
const two = replicaIdOf(4_294_967_295, 'x')

function records(index: number, term: number, values: readonly string[]): Entry {
  const builder = new BatchBuilder(hostCodec)
  const spans = new RecordSpans()
  for (const value of values) {
    spans.value = new TextEncoder().encode(value)
    spans.valueEnd = spans.value.length
    builder.add(spans, 7)
  }
  const bytes = builder.finish()
  stampBatch(bytes, 0, index, 7, term, hostCodec)
  return { index, count: values.length, term, body: { kind: 'records', bytes } }
}

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const term = fc.integer({ min: 1, max: 0xffff_fff0 })
const replica = fc
  .tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/))
  .map(([node, directory]) => replicaIdOf(node, directory))
const voters = fc.uniqueArray(replica, { maxLength: 9 })

/** Entries that follow on from one another. */
const entries = fc
  .array(
    fc.oneof(
      fc.constant<'noop'>('noop'),
      voters,
      fc.record({ values: fc.array(fc.string(), { minLength: 1, maxLength: 4 }) }),
    ),
    { maxLength: 5 },
  )
  .map((bodies) => {
    const made: Entry[] = []
    let index = 11
    for (const body of bodies) {
      const place = { index, count: 1, term: 3 }
      const entry: Entry =
        body === 'noop'
          ? { ...place, body: { kind: 'noop' } }
          : Array.isArray(body)
            ? { ...place, body: { kind: 'voters', voters: body } }
            : records(index, 3, body.values)
      made.push(entry)
      index = lastIndexOf(entry) + 1
    }
    return made
  })

const body: fc.Arbitrary<MessageBody> = fc.oneof(
  fc.record({ kind: fc.constant('pre-vote' as const), lastIndex: number, lastTerm: number }),
  fc.record({ kind: fc.constant('pre-vote-reply' as const), granted: fc.boolean() }),
  fc.record({ kind: fc.constant('vote' as const), lastIndex: number, lastTerm: number, transfer: fc.boolean() }),
  fc.record({ kind: fc.constant('vote-reply' as const), granted: fc.boolean() }),
  fc.record({
    kind: fc.constant('append' as const),
    prevIndex: fc.constant(10),
    prevTerm: fc.constant(2),
    commit: number,
    entries,
  }),
  fc.record({ kind: fc.constant('append-reply' as const), matchIndex: number }),
  fc.record({ kind: fc.constant('append-refused' as const), prevIndex: number, hintIndex: number, hintTerm: number }),
  fc.record({ kind: fc.constant('heartbeat' as const), commit: number, round: number }),
  fc.record({ kind: fc.constant('heartbeat-reply' as const), round: number, abstaining: fc.boolean() }),
  fc.record({ kind: fc.constant('install' as const), head: fc.record({ index: number, term: number, voters }) }),
  fc.record({ kind: fc.constantFrom('timeout-now' as const, 'newer-term' as const) }),
  fc.record({ kind: fc.constant('follow' as const), lastIndex: number, mending: fc.boolean() }),
  fc.record({ kind: fc.constant('leader-hint' as const), leader: fc.option(replica) }),
)

const message: fc.Arbitrary<Message> = fc
  .tuple(replica, replica, term, body)
  .map(([from, to, its, rest]) => ({ from, to, term: Math.max(its, 3), ...rest }))

const decode = (bytes: Uint8Array) => decodeMessage(bytes, hostCodec)
const encode = (it: Message) => encodeMessage(it, hostCodec)

describe('messages as bytes', () => {
  test('come back as they went', () => {
    fc.assert(
      fc.property(message, (it) => expect(decode(encode(it))).toEqual(it)),
      { numRuns: 500 },
    )
  })

  test('cut short, longer, flipped or made up: another message or none, never an error', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(7), fc.uint8Array({ maxLength: 300 }), (it, at, bit, noise) => {
        const bytes = encode(it)
        expect(decode(bytes.subarray(0, at % bytes.length))).not.toEqual(it)
        expect(decode(new Uint8Array([...bytes, 0]))).not.toEqual(it)
        const flipped = bytes.slice()
        flipped[at % bytes.length]! ^= 1 << bit
        expect(decode(flipped)).not.toEqual(it)
        decode(noise)
        noise[0] = 1
        decode(noise)
      }),
      { numRuns: 1_000 },
    )
  })

  const heartbeat: Message = { from: one, to: two, term: 4, kind: 'heartbeat', commit: 1, round: 2 }

  test('the bytes are these', () => {
    const hex = encode({ ...heartbeat, from: replicaIdOf(1, 'a'), to: replicaIdOf(2, 'b') }).toHex()
    expect(hex).toBe('010700000400000000000000' + '03312e61' + '03322e62' + '0100000000000000' + '0200000000000000')
  })

  test.each([
    ['another version', 0, 2],
    ['a kind that is not known', 1, 99],
    ['a flag that is not known', 2, 2],
    ['a flag on a kind that has none', 2, 1],
    ['a reserved byte', 3, 1],
    ['a term beyond any', 10, 1],
  ])('with %s they are refused', (_, at, value) => {
    const bytes = encode(heartbeat)
    bytes[at] = value
    expect(decode(bytes)).toBeNull()
  })

  const append = (prevIndex: number, prevTerm: number, its: number, list: readonly Entry[]): Message => ({
    ...{ from: one, to: two, term: its, kind: 'append', prevIndex, prevTerm, commit: 0 },
    entries: list,
  })

  test.each([
    ['a gap', append(1, 1, 3, [records(3, 1, ['a'])])],
    ['a term that falls', append(1, 2, 3, [records(2, 1, ['a'])])],
    ['a term of the future', append(1, 1, 3, [records(2, 4, ['a'])])],
    ['an overlap', append(1, 1, 3, [records(2, 1, ['a', 'b']), records(3, 1, ['c'])])],
  ])('entries with %s are refused', (_, it) => expect(decode(encode(it))).toBeNull())

  test('a name that is none is refused', () => {
    expect(decode(encode({ ...heartbeat, from: 'nobody' as ReplicaId }))).toBeNull()
  })
})

describe('entries as batches', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(entries, (list) => {
        for (const entry of list) expect(entryOf(batchOf(entry, hostCodec), 0, hostCodec)).toEqual(entry)
      }),
    )
  })

  test.each([
    { kind: 'later' },
    { kind: 'voters' },
    { kind: 'voters', voters: ['nobody'] },
    { kind: 'voters', voters: [1] },
    {},
  ])('a control batch of %p is none', (value) =>
    expect(entryOf(controlBatch(value, 5, 2, hostCodec), 0, hostCodec)).toBeNull(),
  )
})
