// The state file: which term a replica is in and whom it voted for. Losing it could make a replica vote twice in a term,
// so it is kept in two copies, and with neither readable the replica must not vote (`rejoin --as-new`).
//
//   at 0 and at 4096, each:
//    0 u32 magic "NRVT"      16 u64 term                     24 u16 bytes of votedFor (0: none)   28 … both, UTF-8,
//    4 u32 crc of 8 …        8 u64 sequence of this save      26 u16 bytes of replica                  zeros to 512
//
// A save writes the first copy, syncs, writes the second, syncs, and only then counts. So a save torn by a power loss
// leaves one whole copy, and a copy that rots later leaves the other: the higher sequence is the truth either way.

import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { isReplicaId, type ReplicaId } from './replica-id.ts'
import type { Vote } from './storage.ts'

export const COPY_POSITIONS = [0, 4096] as const
export const COPY_BYTES = 512
export const STATE_FILE_BYTES = 4096 + COPY_BYTES

const MAGIC = 0x5456524e
const NAMES_AT = 28

export interface SavedState {
  readonly replica: ReplicaId
  /** Grows by one each save. */
  readonly sequence: number
  readonly vote: Vote
}

export type StateFile =
  /** Never saved: right on a folder whose log is empty, damage elsewhere. */
  | { readonly kind: 'absent' }
  /** `mend` lists the copies to write anew before the state is relied upon. */
  | { readonly kind: 'found'; readonly state: SavedState; readonly mend: readonly (0 | 1)[] }
  /** No copy can be read: this replica must not vote again. */
  | { readonly kind: 'damaged' }

/** One copy; the same bytes go to both positions. */
export function encodeState(state: SavedState, codec: Codec): Uint8Array {
  const bytes = new Uint8Array(COPY_BYTES)
  const votedFor = new TextEncoder().encode(state.vote.votedFor ?? '')
  const replica = new TextEncoder().encode(state.replica)
  writeU32(bytes, 0, MAGIC)
  writeU64(bytes, 8, state.sequence)
  writeU64(bytes, 16, state.vote.term)
  writeU16(bytes, 24, votedFor.length)
  writeU16(bytes, 26, replica.length)
  bytes.set(votedFor, NAMES_AT)
  bytes.set(replica, NAMES_AT + votedFor.length)
  writeU32(bytes, 4, codec.crc32(bytes.subarray(8)))
  return bytes
}

export function decodeStateFile(bytes: Uint8Array, codec: Codec): StateFile {
  if (bytes.every((byte) => byte === 0)) return { kind: 'absent' }
  const [first, second] = COPY_POSITIONS.map((at) => decodeCopy(bytes.subarray(at, at + COPY_BYTES), codec))
  if (!first && !second) return { kind: 'damaged' }
  if (!second || (first && first.sequence > second.sequence)) return { kind: 'found', state: first!, mend: [1] }
  if (!first || second.sequence > first.sequence) return { kind: 'found', state: second, mend: [0] }
  return { kind: 'found', state: first, mend: [] }
}

function decodeCopy(bytes: Uint8Array, codec: Codec): SavedState | null {
  if (bytes.length < COPY_BYTES || readU32(bytes, 0) !== MAGIC) return null
  if (readU32(bytes, 4) !== codec.crc32(bytes.subarray(8))) return null
  const sequence = readU64(bytes, 8)
  const term = readU64(bytes, 16)
  const replicaAt = NAMES_AT + readU16(bytes, 24)
  const end = replicaAt + readU16(bytes, 26)
  if (end > COPY_BYTES || !Number.isSafeInteger(sequence) || !Number.isSafeInteger(term)) return null
  const votedFor = new TextDecoder().decode(bytes.subarray(NAMES_AT, replicaAt))
  const replica = new TextDecoder().decode(bytes.subarray(replicaAt, end))
  if (!isReplicaId(replica) || (votedFor !== '' && !isReplicaId(votedFor))) return null
  return { replica, sequence, vote: { term, votedFor: votedFor === '' ? null : (votedFor as ReplicaId) } }
}
