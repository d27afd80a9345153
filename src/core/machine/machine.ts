// The face of every replicated machine: metadata now, groups, queues, transactions and schedules later. What it is made of
// is changed by records only, and records come from decisions only, so a machine is the same wherever the same records were
// applied, live, on start-up or on another broker.

export interface Machine<Command, Rec, Reply, View> {
  /** Reads only. The records of one decision become one batch: kept wholly or not at all. */
  decide(command: Command, now: number): Decision<Rec, Reply, Command>
  /** The only writer. Tells which timers the record sets or clears. */
  apply(record: Rec, offset: number): readonly TimerChange<Command>[]
  /** A picture of the present that later records do not change. */
  view(): View
  /** Records that make the present anew when applied to an empty machine; as of this call, though drawn later. */
  snapshot(): Iterable<Rec>
}

export interface Decision<Rec, Reply, Command = never> {
  readonly records: readonly Rec[]
  readonly reply: Reply
  /** Changed without a record: a session goes on and nothing is written. Set behind those of the records. */
  readonly timers?: readonly TimerChange<Command>[]
}

/**
 * Sets (or sets anew) the timer of that name, or clears it. A timer that fires submits its command like anybody else; it is
 * soft state of the one who leads, full again after a load.
 */
export type TimerChange<Command> =
  | { readonly timer: string; readonly afterMs: number; readonly command: Command }
  | { readonly timer: string; readonly afterMs: null }

export const NO_TIMERS: readonly never[] = []

/**
 * A record as it is kept. In a journal that keeps the latest of each key only, a record says all that is so of its key, and
 * one without a value that nothing is any more; so order between keys carries no meaning.
 */
export interface StoredRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/** How a machine's records are kept: each encoded on its own. */
export interface RecordCodec<Rec> {
  encode(record: Rec): StoredRecord
  /** Throws `UnreadableRecord` for what this version does not know. */
  decode(stored: StoredRecord): Rec
}

export interface ValueCodec<Rec> {
  encode(record: Rec): Uint8Array
  decode(value: Uint8Array): Rec
}

/** For a journal that keeps every record, or a snapshot in their place: nothing has a key. */
export function unkeyed<Rec>(values: ValueCodec<Rec>): RecordCodec<Rec> {
  return {
    encode: (record) => ({ key: null, value: values.encode(record) }),
    decode({ value }) {
      if (value === null) throw new UnreadableRecord('it has no value')
      return values.decode(value)
    },
  }
}

/** A newer version wrote it, or it is not what its checksum promised: going on would be guessing. */
export class UnreadableRecord extends Error {
  constructor(why: string) {
    super(`a stored record cannot be read: ${why}`)
  }
}
