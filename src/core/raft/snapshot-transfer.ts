// How the payload of a snapshot travels beside an `install`: the one who is offered it asks for chunk after chunk, so nothing is
// kept by the sender and what is lost is asked for again when the leader offers anew.
//
//   leader ── install (control) ──► follower        want   u8 1 · u64 index · u64 term · u64 from
//          ◄── want from (bulk) ──                  chunk  u8 2 · u64 index · u64 term · u64 from · u64 bytes in all · bytes
//          ── chunk (bulk) ──────►
//
// The `install` is given to the state machine when the snapshot lies here whole, checked and synced.

import { concatBytes, readU64, writeU64 } from '../base/index.ts'
import type { Events, Peer, Peers } from '../ports/index.ts'
import type { MessageOf } from './message.ts'
import type { Position } from './storage.ts'
import type { RaftStore } from './store.ts'

const WANT = 1
const CHUNK = 2
const WANT_BYTES = 25
const CHUNK_HEAD_BYTES = 33
const CHUNK_BYTES_MAX = 200 * 1024

interface Receiving {
  message: MessageOf<'install'>
  reached: number
  isVerifying: boolean
}

export interface TransferWorld {
  readonly store: RaftStore
  readonly peers: Peers
  readonly events: Events
  /** The snapshot for this message is at hand. */
  readonly onWhole: (message: MessageOf<'install'>) => void
  readonly onFailed: (error: unknown) => void
  readonly onSent: (to: Peer, outcome: 'progressing' | 'failed') => void
}

export class SnapshotTransfer {
  readonly #world: TransferWorld
  #receiving: Receiving | null = null

  constructor(world: TransferWorld) {
    this.#world = world
  }

  offered(message: MessageOf<'install'>, from: number): void {
    const known = this.#receiving
    if (known !== null && isSame(known.message.head, message.head)) {
      known.message = message
    } else {
      if (known?.isVerifying === true) return
      this.#world.store.beginReceiving(message.head)
      this.#receiving = { message, reached: 0, isVerifying: false }
    }
    this.#ask(from)
  }

  onMessage(from: Peer, bytes: Uint8Array): void {
    if (bytes.length < WANT_BYTES) return
    const place = { index: readU64(bytes, 1), term: readU64(bytes, 9) }
    const at = readU64(bytes, 17)
    if (bytes[0] === WANT && bytes.length === WANT_BYTES) this.#give(from, place, at)
    if (bytes[0] === CHUNK && bytes.length >= CHUNK_HEAD_BYTES) {
      this.#take(from, place, at, readU64(bytes, 25), bytes.subarray(CHUNK_HEAD_BYTES))
    }
  }

  #give(to: Peer, place: Position, from: number): void {
    const { store, peers, onSent } = this.#world
    const chunk = store.snapshotChunk(place, from, CHUNK_BYTES_MAX)
    if (chunk === null) return onSent(to, 'failed')
    const head = headOf(CHUNK, CHUNK_HEAD_BYTES, place, from)
    writeU64(head, 25, chunk.bytesTotal)
    onSent(to, peers.send(to.nodeId, 'bulk', 'snapshot', concatBytes([head, chunk.bytes])) ? 'progressing' : 'failed')
  }

  #take(from: Peer, place: Position, at: number, bytesTotal: number, bytes: Uint8Array): void {
    const receiving = this.#receiving
    if (receiving === null || receiving.isVerifying || !isSame(receiving.message.head, place)) return
    if (at !== receiving.reached || at + bytes.length > bytesTotal || bytes.length === 0) return
    if (!this.#world.store.receive(at, bytes)) {
      this.#receiving = null
      return
    }
    receiving.reached += bytes.length
    if (receiving.reached < bytesTotal) return this.#ask(from.nodeId)
    receiving.isVerifying = true
    this.#verify(receiving).catch(this.#world.onFailed)
  }

  async #verify(receiving: Receiving): Promise<void> {
    const { store, events, onWhole } = this.#world
    const { head } = receiving.message
    const isWhole = await store.verifyReceived(head)
    this.#receiving = null
    if (isWhole) onWhole(receiving.message)
    else events.warn('snapshot-received-damaged', { index: head.index, term: head.term })
  }

  #ask(nodeId: number): void {
    const { message, reached, isVerifying } = this.#receiving!
    if (isVerifying) return
    this.#world.peers.send(nodeId, 'bulk', 'snapshot', headOf(WANT, WANT_BYTES, message.head, reached))
  }
}

function isSame(a: Position, b: Position): boolean {
  return a.index === b.index && a.term === b.term
}

function headOf(kind: number, length: number, { index, term }: Position, from: number): Uint8Array {
  const head = new Uint8Array(length)
  head[0] = kind
  writeU64(head, 1, index)
  writeU64(head, 9, term)
  writeU64(head, 17, from)
  return head
}
