// A machine small enough to see through: named counters that may not go below zero, and that expire.

import {
  type Decision,
  type Machine,
  Runtime,
  type Submitted,
  type TimerChange,
  unkeyed,
  UnreadableRecord,
} from '../../../src/core/machine/index.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeJournal } from './fake-journal.ts'

export type Command =
  | { kind: 'add'; name: string; by: number[] }
  | { kind: 'lease'; name: string; ms: number }
  | { kind: 'expire'; name: string }
export type Rec =
  | { kind: 'added'; name: string; by: number }
  | { kind: 'leased'; name: string; ms: number }
  | { kind: 'gone'; name: string }
export type Reply = { kind: 'is'; value: number } | { kind: 'below-zero'; value: number }
export type View = Readonly<Record<string, number>>

class Counters implements Machine<Command, Rec, Reply, View> {
  #values = new Map<string, number>()

  decide(command: Command): Decision<Rec, Reply> {
    const value = this.#values.get(command.name) ?? 0
    if (command.kind === 'lease') return { records: [{ ...command, kind: 'leased' }], reply: { kind: 'is', value } }
    if (command.kind === 'expire')
      return { records: [{ kind: 'gone', name: command.name }], reply: { kind: 'is', value: 0 } }
    const sum = command.by.reduce((total, by) => total + by, value)
    if (sum < 0) return { records: [], reply: { kind: 'below-zero', value } }
    const records = command.by.map((by): Rec => ({ kind: 'added', name: command.name, by }))
    return { records, reply: { kind: 'is', value: sum } }
  }

  apply(record: Rec): readonly TimerChange<Command>[] {
    const { name } = record
    if (record.kind === 'leased') {
      return [{ timer: name, afterMs: record.ms, command: { kind: 'expire', name } }]
    }
    if (record.kind === 'gone') {
      this.#values.delete(name)
      return [{ timer: name, afterMs: null }]
    }
    this.#values.set(name, (this.#values.get(name) ?? 0) + record.by)
    return []
  }

  view(): View {
    return Object.fromEntries(this.#values)
  }

  snapshot(): Iterable<Rec> {
    return [...this.#values].map(([name, by]): Rec => ({ kind: 'added', name, by }))
  }
}

export const records = unkeyed<Rec>({
  encode: (record) => new TextEncoder().encode(JSON.stringify(record)),
  decode(bytes) {
    const record = JSON.parse(new TextDecoder().decode(bytes)) as Rec
    if (!['added', 'leased', 'gone'].includes(record.kind)) throw new UnreadableRecord('kind is unknown')
    return record
  },
})

export class Bench {
  readonly journal = new FakeJournal()
  readonly clock = new FakeClock()
  readonly published: View[] = []
  readonly failures: unknown[] = []
  runtime!: Runtime<Command, Rec, Reply, View>

  async open(snapshotBytes = 1_000_000): Promise<this> {
    this.runtime = await Runtime.open({
      create: () => new Counters(),
      records,
      journal: this.journal,
      clock: this.clock,
      snapshotBytes,
      onCommitted: (view) => this.published.push(view),
      onFailed: (error) => this.failures.push(error),
    })
    return this
  }

  add(name: string, ...by: number[]): Answer<Reply> {
    return new Answer(this.runtime.submit({ kind: 'add', name, by }))
  }

  read(): Answer<View> {
    return new Answer(this.runtime.read((view) => view))
  }
}

export class Answer<T> {
  got: Submitted<T> | 'parked' = 'parked'

  constructor(promise: Promise<Submitted<T>>) {
    void promise.then((submitted) => {
      this.got = submitted
    })
  }
}
