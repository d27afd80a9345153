// The face of every replicated machine: metadata now, groups, queues, transactions and schedules later. What it is made of
// is changed by records only, and records come from decisions only, so a machine is the same wherever the same records were
// applied, live, on start-up or on another broker.

export interface Machine<Command, Rec, Reply, View> {
  /** Reads only. The records of one decision become one batch: kept wholly or not at all. */
  decide(command: Command, now: number): Decision<Rec, Reply>
  /** The only writer. Tells which timers the record sets or clears. */
  apply(record: Rec, offset: number): readonly TimerChange<Command>[]
  /** A picture of the present that later records do not change. */
  view(): View
  /** Records that make the present anew when applied to an empty machine; as of this call, though drawn later. */
  snapshot(): Iterable<Rec>
}

export interface Decision<Rec, Reply> {
  readonly records: readonly Rec[]
  readonly reply: Reply
}

/**
 * Sets (or sets anew) the timer of that name, or clears it. A timer that fires submits its command like anybody else; it is
 * soft state of the one who leads, full again after a load.
 */
export type TimerChange<Command> =
  | { readonly timer: string; readonly afterMs: number; readonly command: Command }
  | { readonly timer: string; readonly afterMs: null }

export const NO_TIMERS: readonly never[] = []

/** How a machine's records are kept: one object, encoded on its own. */
export interface RecordCodec<Rec> {
  encode(record: Rec): Uint8Array
  /** Throws `UnreadableRecord` for what this version does not know. */
  decode(bytes: Uint8Array): Rec
}

/** A newer version wrote it, or it is not what its checksum promised: going on would be guessing. */
export class UnreadableRecord extends Error {
  constructor(why: string) {
    super(`a stored record cannot be read: ${why}`)
  }
}
