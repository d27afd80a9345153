// From a key to its partition, the same in every client and broker for ever; vectors in test/core/record/slots.json.
//
//   slot      = murmur3_x86_32(key, seed 0) mod 16384
//   partition = the active one whose fmix32(slot × 65536 + partition + 0x9e3779b9, mod 2^32) is highest, unsigned
//
// `fmix32` is murmur3's finalizer. It is one-to-one, so two partitions never tie. Each partition's number for a slot is
// its own affair: a new partition takes only the slots it wins, a retired one gives up only its own.

import { assert, limits } from '../base/index.ts'

const SLOT_MASK = limits.SLOTS - 1
const UNKNOWN = 0xffff

export function slotOfKey(bytes: Uint8Array, start: number, end: number): number {
  return murmur3(bytes, start, end) & SLOT_MASK
}

/** MurmurHash3_x86_32 with seed 0, as unsigned 32 bits. */
function murmur3(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0
  let at = start
  for (const wordsEnd = start + ((end - start) & ~3); at < wordsEnd; at += 4) {
    hash ^= scramble(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe654_6b64) | 0
  }
  if (at < end) {
    let word = bytes[at]!
    if (at + 1 < end) word |= bytes[at + 1]! << 8
    if (at + 2 < end) word |= bytes[at + 2]! << 16
    hash ^= scramble(word)
  }
  return fmix32(hash ^ (end - start))
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e_2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b87_3593)
}

function fmix32(hash: number): number {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/**
 * Immutable. A slot's partition is worked out when first asked for: all at once would hold the event loop for 50 ms where
 * there are a thousand partitions.
 */
export class SlotTable {
  readonly #partitions: readonly number[]
  readonly #partitionBySlot = new Uint16Array(limits.SLOTS).fill(UNKNOWN)

  constructor(activePartitions: readonly number[]) {
    assert(activePartitions.length > 0, 'a topic has an active partition')
    assert(
      activePartitions.every((partition) => partition >= 0 && partition < UNKNOWN),
      'partitions fit 16 bits',
    )
    this.#partitions = [...activePartitions]
  }

  partitionOf(slot: number): number {
    const known = this.#partitionBySlot[slot]!
    return known === UNKNOWN ? this.#choose(slot) : known
  }

  #choose(slot: number): number {
    let chosen = -1
    let highest = -1
    for (const partition of this.#partitions) {
      const weight = fmix32(((slot << 16) + partition + 0x9e37_79b9) | 0)
      if (weight > highest) {
        highest = weight
        chosen = partition
      }
    }
    this.#partitionBySlot[slot] = chosen
    return chosen
  }
}
