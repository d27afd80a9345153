// A message as bytes, little-endian. What a peer sends is believed only as far as it can be read: `decodeMessage` gives null for
// anything else, and never throws.
//
//   0 u8 version = 1    1 u8 kind    2 u8 flags    3 u8 0    4 u64 term
//  12 u8 bytes of from · from · u8 bytes of to · to · u64 … as the kind has · voters or entries to the end
//
// Entries are batches back to back, as they lie in the log; voters are a u8 count, then for each its bytes (u8) and name.

import { concatBytes, readU64, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { batchOf, entriesOf, TERM_MAX } from './entry-batch.ts'
import { type Entry, lastIndexOf } from './entry.ts'
import type { Envelope, Message } from './message.ts'
import { isReplicaId, type ReplicaId } from './replica-id.ts'

const VERSION = 1
const FLAG = 1
/** Their order is that of the byte on the wire: new ones go to the end. */
const KINDS: readonly Message['kind'][] = [
  'pre-vote',
  'pre-vote-reply',
  'vote',
  'vote-reply',
  'append',
  'append-reply',
  'append-refused',
  'heartbeat',
  'heartbeat-reply',
  'install',
  'timeout-now',
  'newer-term',
  'follow',
  'leader-hint',
]

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeMessage(message: Message, codec: Codec): Uint8Array {
  const head = new Uint8Array(12)
  head[0] = VERSION
  head[1] = KINDS.indexOf(message.kind)
  head[2] = isFlagged(message) ? FLAG : 0
  writeU64(head, 4, message.term)
  const parts = [head, nameBytes(message.from), nameBytes(message.to), numberBytes(numbersOf(message))]
  switch (message.kind) {
    case 'append':
      for (const entry of message.entries) parts.push(batchOf(entry, codec))
      break
    case 'install':
      parts.push(Uint8Array.of(message.head.voters.length), ...message.head.voters.map(nameBytes))
      break
    case 'leader-hint':
      if (message.leader !== null) parts.push(nameBytes(message.leader))
      break
    default:
  }
  return concatBytes(parts)
}

function isFlagged(message: Message): boolean {
  switch (message.kind) {
    case 'pre-vote-reply':
    case 'vote-reply':
      return message.granted
    case 'vote':
      return message.transfer
    case 'heartbeat-reply':
      return message.abstaining
    case 'follow':
      return message.mending
    default:
      return false
  }
}

function numbersOf(message: Message): readonly number[] {
  switch (message.kind) {
    case 'pre-vote':
    case 'vote':
      return [message.lastIndex, message.lastTerm]
    case 'append':
      return [message.prevIndex, message.prevTerm, message.commit]
    case 'append-reply':
      return [message.matchIndex]
    case 'append-refused':
      return [message.prevIndex, message.hintIndex, message.hintTerm]
    case 'heartbeat':
      return [message.commit, message.round]
    case 'heartbeat-reply':
      return [message.round]
    case 'install':
      return [message.head.index, message.head.term]
    case 'follow':
      return [message.lastIndex]
    case 'pre-vote-reply':
    case 'vote-reply':
    case 'timeout-now':
    case 'newer-term':
    case 'leader-hint':
      return []
  }
}

/** Null: not a message of this version. */
export function decodeMessage(bytes: Uint8Array, codec: Codec): Message | null {
  const [version, kindByte, flags, zero] = bytes
  if (bytes.length < 12 || version !== VERSION || flags! > FLAG || zero !== 0) return null
  const kind = KINDS[kindByte!]
  if (kind === undefined) return null
  const reader = new Fields(bytes, 12)
  const term = readU64(bytes, 4)
  const envelope = { from: reader.name(), to: reader.name(), term }
  const message = bodyOf(reader, kind, envelope, flags === FLAG, codec)
  if (message === null || reader.isBad || !reader.isAtEnd || term > TERM_MAX) return null
  return isFlagged(message) === (flags === FLAG) ? message : null
}

function bodyOf(
  reader: Fields,
  kind: Message['kind'],
  envelope: Envelope,
  flag: boolean,
  codec: Codec,
): Message | null {
  switch (kind) {
    case 'pre-vote':
      return { ...envelope, kind, lastIndex: reader.number(), lastTerm: reader.number() }
    case 'vote':
      return { ...envelope, kind, lastIndex: reader.number(), lastTerm: reader.number(), transfer: flag }
    case 'pre-vote-reply':
    case 'vote-reply':
      return { ...envelope, kind, granted: flag }
    case 'append': {
      const place = { prevIndex: reader.number(), prevTerm: reader.number(), commit: reader.number() }
      const entries = reader.isBad ? null : entriesOf(reader.rest(), 0, codec)
      if (entries === null || !followOn(place.prevIndex, place.prevTerm, entries, envelope.term)) return null
      return { ...envelope, kind, ...place, entries }
    }
    case 'append-reply':
      return { ...envelope, kind, matchIndex: reader.number() }
    case 'append-refused':
      return { ...envelope, kind, prevIndex: reader.number(), hintIndex: reader.number(), hintTerm: reader.number() }
    case 'heartbeat':
      return { ...envelope, kind, commit: reader.number(), round: reader.number() }
    case 'heartbeat-reply':
      return { ...envelope, kind, round: reader.number(), abstaining: flag }
    case 'install': {
      const place = { index: reader.number(), term: reader.number() }
      return { ...envelope, kind, head: { ...place, voters: reader.names() } }
    }
    case 'timeout-now':
    case 'newer-term':
      return { ...envelope, kind }
    case 'follow':
      return { ...envelope, kind, lastIndex: reader.number(), mending: flag }
    case 'leader-hint':
      return { ...envelope, kind, leader: reader.isAtEnd ? null : reader.name() }
  }
}

/** Without gaps, in terms that never fall and are not the future's. */
function followOn(prevIndex: number, prevTerm: number, entries: readonly Entry[], term: number): boolean {
  for (const entry of entries) {
    if (entry.index !== prevIndex + 1 || entry.term < prevTerm || entry.term > term) return false
    prevIndex = lastIndexOf(entry)
    prevTerm = entry.term
  }
  return true
}

function nameBytes(name: ReplicaId): Uint8Array {
  const text = encoder.encode(name)
  return concatBytes([Uint8Array.of(text.length), text])
}

function numberBytes(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * numbers.length)
  for (const [i, number] of numbers.entries()) writeU64(bytes, 8 * i, number)
  return bytes
}

/** Fields in order; once one is not there or not what it should be, `isBad`. */
class Fields {
  isBad = false
  readonly #bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  number(): number {
    if (this.#at + 8 > this.#bytes.length) return this.#bad(0)
    const value = readU64(this.#bytes, this.#at)
    this.#at += 8
    return Number.isSafeInteger(value) ? value : this.#bad(0)
  }

  name(): ReplicaId {
    const start = this.#at + 1
    const end = start + (this.#bytes[this.#at] ?? 0)
    if (end > this.#bytes.length) return this.#bad('' as ReplicaId)
    const name = decoder.decode(this.#bytes.subarray(start, end))
    this.#at = end
    return isReplicaId(name) ? name : this.#bad('' as ReplicaId)
  }

  names(): ReplicaId[] {
    const count = this.#bytes[this.#at] ?? this.#bad(0)
    this.#at++
    const names: ReplicaId[] = []
    while (names.length < count && !this.isBad) names.push(this.name())
    return names
  }

  rest(): Uint8Array {
    const rest = this.#bytes.subarray(this.#at)
    this.#at = this.#bytes.length
    return rest
  }

  #bad<T>(instead: T): T {
    this.isBad = true
    this.#at = this.#bytes.length
    return instead
  }
}
