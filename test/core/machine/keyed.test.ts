import { expect, test } from 'bun:test'
import {
  type Decision,
  type Machine,
  type RecordCodec,
  Runtime,
  type TimerChange,
  unkeyed,
  UnreadableRecord,
} from '../../../src/core/machine/index.ts'
import { FakeClock, settle } from './fake-clock.ts'
import { FakeJournal } from './fake-journal.ts'

// Leases by name, each a key of its own: granted, prolonged without a record, removed.

interface Command {
  kind: 'grant' | 'prolong' | 'end'
  name: string
}
interface Lease {
  name: string
  isHeld: boolean
}

const LEASE_MS = 100

class Leases implements Machine<Command, Lease, 'done', readonly string[]> {
  readonly #held = new Set<string>()

  decide({ kind, name }: Command): Decision<Lease, 'done', Command> {
    if (kind === 'prolong') return { records: [], reply: 'done', timers: [clockOf(name)] }
    const timers = kind === 'grant' ? [clockOf(name)] : []
    return { records: [{ name, isHeld: kind === 'grant' }], reply: 'done', timers }
  }

  apply({ name, isHeld }: Lease): readonly TimerChange<Command>[] {
    if (isHeld) this.#held.add(name)
    else this.#held.delete(name)
    return isHeld ? [clockOf(name)] : [{ timer: name, afterMs: null }]
  }

  view(): readonly string[] {
    return [...this.#held].sort()
  }

  snapshot(): Iterable<Lease> {
    return [...this.#held].map((name) => ({ name, isHeld: true }))
  }
}

function clockOf(name: string): TimerChange<Command> {
  return { timer: name, afterMs: LEASE_MS, command: { kind: 'end', name } }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const records: RecordCodec<Lease> = {
  encode: ({ name, isHeld }) => ({ key: bytes(name), value: isHeld ? bytes('held') : null }),
  decode: ({ key, value }) => ({ name: new TextDecoder().decode(key!), isHeld: value !== null }),
}

async function opened(journal: FakeJournal, clock: FakeClock) {
  const create = (): Leases => new Leases()
  const opening = Runtime.open<Command, Lease, 'done', readonly string[]>({
    create,
    records,
    journal,
    clock,
    snapshotBytes: Infinity,
  })
  await settle()
  journal.commit()
  return opening
}

test('a sign of life writes nothing, and the clock begins anew', async () => {
  const [journal, clock] = [new FakeJournal(), new FakeClock()]
  const runtime = await opened(journal, clock)
  void runtime.submit({ kind: 'grant', name: 'a' })
  journal.commit()
  clock.advance(90)
  expect(await runtime.submit({ kind: 'prolong', name: 'a' })).toEqual({ kind: 'committed', reply: 'done' })
  clock.advance(90)
  expect(journal.endOffset).toBe(1)
  clock.advance(10)
  expect(journal.endOffset).toBe(2)
  journal.commit()
  await settle()
  expect(runtime.committedView).toEqual([])
})

test('a decision that could not be appended changes no clock', async () => {
  const [journal, clock] = [new FakeJournal(), new FakeClock()]
  const runtime = await opened(journal, clock)
  void runtime.submit({ kind: 'grant', name: 'a' })
  journal.commit()
  clock.advance(60)
  journal.refuseWith = 'disk-full'
  expect((await runtime.submit({ kind: 'grant', name: 'a' })).kind).toBe('refused')
  journal.refuseWith = null
  clock.advance(40)
  expect(journal.endOffset).toBe(2)
})

test('what a key named is removed by a record without a value; the latest of each key make the same machine', async () => {
  const [journal, clock] = [new FakeJournal(), new FakeClock()]
  const runtime = await opened(journal, clock)
  for (const [kind, name] of [
    ['grant', 'a'],
    ['grant', 'b'],
    ['end', 'a'],
    ['grant', 'c'],
    ['grant', 'b'],
  ] as const) {
    void runtime.submit({ kind, name })
  }
  journal.commit()
  await settle()
  expect(runtime.committedView).toEqual(['b', 'c'])
  expect(journal.log[2]).toEqual({ key: bytes('a'), value: null })

  const compacted = new FakeJournal()
  compacted.append(journal.log.slice(2))
  const restarted = await opened(compacted, clock)
  expect(restarted.committedView).toEqual(['b', 'c'])
})

test('where nothing has a key, a record without a value is of another version', () => {
  const codec = unkeyed<string>({ encode: (text) => bytes(text), decode: (value) => new TextDecoder().decode(value) })
  expect(codec.decode(codec.encode('x'))).toBe('x')
  expect(() => codec.decode({ key: null, value: null })).toThrow(UnreadableRecord)
})
