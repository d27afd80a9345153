// The stored form of a partition's producers and keys, so that a start need not read a day of log. Derived: a snapshot that is
// missing or bad costs a longer scan. File `<20-digit next offset>.producers`, little-endian:
//
//  0 u32 'NRPS'        24 u32 producer count
//  4 u32 version = 1   28 u32 range count
//  8 u64 next offset   32 producers, longest silent first:
// 16 i64 latest epoch         u64 id · u32 epoch · u32 batch count
//        below it             { u32 baseSequence · u32 count · u64 baseOffset · i64 appendedAt }…   oldest first
//                        ranges, oldest first: the 12 stored words of range-ring.ts
//                        u32 crc of all before
//
// The epoch ties it to its log: offsets are used anew only under a later epoch, so a log in which a later epoch begins below
// the snapshot's next offset is another one than the snapshot was taken of.

import { readI64, readU32, readU64, writeU32, writeU64 } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import type { KeyBudget } from './idempotency-keys.ts'
import { ProducerState } from './producer-state.ts'
import type { Producer, ProducerBatch } from './producers.ts'
import { capturedRange, type RangeCapture, STORED_WORDS } from './range-ring.ts'

const MAGIC = 0x5350_524e
const VERSION = 1
const HEADER_BYTES = 32
const PRODUCER_BYTES = 16
const PRODUCER_BATCH_BYTES = 24
const RANGE_BYTES = STORED_WORDS * 4
const CRC_BYTES = 4
const CHUNK_BYTES = 64 * 1024
/** Some tens of microseconds of restoring, a millisecond where a table grows. */
const RANGES_PER_STEP = 100

export interface StateCapture {
  nextOffset: number
  epoch: number
  producers: readonly Producer[]
  ranges: RangeCapture
}

/** The state of this moment; what is captured does not change when the state goes on. */
export function captureState(state: ProducerState, epoch: number): StateCapture {
  const producers = state.producers.capture()
  return { nextOffset: state.nextOffset, epoch, producers, ranges: state.keys.capture() }
}

export function snapshotBytes(capture: StateCapture): number {
  let bytes = HEADER_BYTES + capture.ranges.count * RANGE_BYTES + CRC_BYTES
  for (const { batches } of capture.producers) bytes += PRODUCER_BYTES + batches.length * PRODUCER_BATCH_BYTES
  return bytes
}

/** Chunks in order, each valid until the next is drawn. */
export function* encodeSnapshot(capture: StateCapture, codec: Codec): Iterable<Uint8Array> {
  const chunk = new Uint8Array(CHUNK_BYTES)
  let at = writeHeader(chunk, capture)
  let crc = 0
  for (const producer of capture.producers) {
    if (at + PRODUCER_BYTES + producer.batches.length * PRODUCER_BATCH_BYTES > CHUNK_BYTES) {
      crc = codec.crc32(chunk.subarray(0, at), crc)
      yield chunk.subarray(0, at)
      at = 0
    }
    at = writeProducer(chunk, at, producer)
  }
  for (let i = 0; i < capture.ranges.count; i++) {
    if (at + RANGE_BYTES > CHUNK_BYTES) {
      crc = codec.crc32(chunk.subarray(0, at), crc)
      yield chunk.subarray(0, at)
      at = 0
    }
    const range = capturedRange(capture.ranges, i)
    for (let word = 0; word < STORED_WORDS; word++) writeU32(chunk, at + word * 4, range.page[range.at + word]!)
    at += RANGE_BYTES
  }
  crc = codec.crc32(chunk.subarray(0, at), crc)
  yield chunk.subarray(0, at)
  writeU32(chunk, 0, crc)
  yield chunk.subarray(0, CRC_BYTES)
}

/** Next offset and epoch of a whole snapshot of a version we know, else null. */
export function readSnapshotHeader(bytes: Uint8Array, codec: Codec): { nextOffset: number; epoch: number } | null {
  const end = bytes.length - CRC_BYTES
  if (end < HEADER_BYTES || readU32(bytes, 0) !== MAGIC || readU32(bytes, 4) !== VERSION) return null
  if (readU32(bytes, end) !== codec.crc32(bytes.subarray(0, end))) return null
  return { nextOffset: readU64(bytes, 8), epoch: readI64(bytes, 16) }
}

/** Restores a whole snapshot a step at a time; returns the state at the end. */
export function* restoreSnapshot(bytes: Uint8Array, budget: KeyBudget): Generator<void, ProducerState> {
  const state = new ProducerState(readU64(bytes, 8), budget)
  let at = HEADER_BYTES
  for (let i = readU32(bytes, 24); i > 0; i--) at = restoreProducer(bytes, at, state)
  yield
  const words: number[] = new Array<number>(STORED_WORDS).fill(0)
  for (let i = readU32(bytes, 28); i > 0; i--) {
    for (let word = 0; word < STORED_WORDS; word++) words[word] = readU32(bytes, at + word * 4)
    state.keys.restore(words)
    at += RANGE_BYTES
    if (i % RANGES_PER_STEP === 0) yield
  }
  return state
}

function writeHeader(chunk: Uint8Array, capture: StateCapture): number {
  writeU32(chunk, 0, MAGIC)
  writeU32(chunk, 4, VERSION)
  writeU64(chunk, 8, capture.nextOffset)
  writeU64(chunk, 16, capture.epoch)
  writeU32(chunk, 24, capture.producers.length)
  writeU32(chunk, 28, capture.ranges.count)
  return HEADER_BYTES
}

function writeProducer(chunk: Uint8Array, at: number, producer: Producer): number {
  writeU64(chunk, at, producer.producerId)
  writeU32(chunk, at + 8, producer.epoch)
  writeU32(chunk, at + 12, producer.batches.length)
  at += PRODUCER_BYTES
  for (const batch of producer.batches) {
    writeU32(chunk, at, batch.baseSequence)
    writeU32(chunk, at + 4, batch.count)
    writeU64(chunk, at + 8, batch.baseOffset)
    writeU64(chunk, at + 16, batch.appendedAt)
    at += PRODUCER_BATCH_BYTES
  }
  return at
}

function restoreProducer(bytes: Uint8Array, at: number, state: ProducerState): number {
  const producerId = readU64(bytes, at)
  const epoch = readU32(bytes, at + 8)
  const batches: ProducerBatch[] = []
  const count = readU32(bytes, at + 12)
  at += PRODUCER_BYTES
  for (let i = 0; i < count; i++) {
    batches.push({
      baseSequence: readU32(bytes, at),
      count: readU32(bytes, at + 4),
      baseOffset: readU64(bytes, at + 8),
      appendedAt: readI64(bytes, at + 16),
    })
    at += PRODUCER_BATCH_BYTES
  }
  state.producers.restore({ producerId, epoch, batches })
  return at
}
