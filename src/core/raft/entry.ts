// One entry of the replicated log: one batch of a `core/log`. Its index is the batch's base offset, its term the batch's
// leader epoch; a batch of n records takes n indices and is never split. So log ends, matches and commits always lie
// between entries. Index 0 with term 0 is the empty beginning that every log shares; the first entry has index 1.

import type { ReplicaId } from './replica-id.ts'

export interface Entry {
  readonly index: number
  /** How many indices it takes. */
  readonly count: number
  readonly term: number
  readonly body: EntryBody
}

export type EntryBody =
  | { readonly kind: 'records'; readonly bytes: Uint8Array }
  /** The first entry of a leadership: committing it commits what earlier terms left. */
  | { readonly kind: 'noop' }
  /** The full voter set from this entry on. */
  | { readonly kind: 'voters'; readonly voters: readonly ReplicaId[] }

export function lastIndexOf(entry: Entry): number {
  return entry.index + entry.count - 1
}

const ENTRY_OVERHEAD_BYTES = 80

/** What an entry weighs against byte bounds: its payload and a batch header. */
export function entryBytes(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + (entry.body.kind === 'records' ? entry.body.bytes.length : 0)
}
