// Fills an answer from a fetch session: batch after batch of whichever partition's turn it is, until it is full, or nothing
// is left, or as much has been looked at as one request may. With `clamp`, what cannot be read is stepped over.

import { limits } from '../../core/base/index.ts'
import type { FetchPosition, FetchSession, FetchSlice } from '../../core/broker/index.ts'
import type { ByteWriter, RecordsWriter, WriteOptions } from '../wire/index.ts'
import type { FetchCall } from './fetch-call.ts'

/** What is read beyond the records asked for is checked and thrown away: little enough, and seldom a second read. */
const READ_AHEAD = 1.125
const READ_BYTES_MIN = 64 * 1024
/** Looked at before other requests get their turn. */
const TURN_BYTES_MAX = 4 * 1024 * 1024

const formOf: Readonly<Record<FetchCall['form'], WriteOptions['form']>> = {
  json: 'records',
  records: 'ndjson-records',
  values: 'ndjson-values',
}

export interface GatheringBounds {
  recordsMax: number
  bytesMax: number
}

export class Gathering {
  recordCount = 0
  scannedBytes = 0
  readonly #session: FetchSession
  readonly #asked: FetchCall
  readonly #writer: RecordsWriter
  readonly #out: ByteWriter

  constructor(session: FetchSession, asked: FetchCall, writer: RecordsWriter, out: ByteWriter) {
    this.#session = session
    this.#asked = asked
    this.#writer = writer
    this.#out = out
  }

  /** Whether it has looked at all that one request may. */
  get isSpent(): boolean {
    return this.scannedBytes >= limits.FETCH_SCAN_BYTES_MAX
  }

  async fill(bounds: GatheringBounds): Promise<void> {
    const start = this.#out.length
    let turnBytes = 0
    while (this.recordCount < bounds.recordsMax && !this.isSpent) {
      const position = this.#session.ready()
      if (position === null) {
        if (this.#asked.request.clamp && stepOver(this.#session)) continue
        return
      }
      const read = this.#session.read(position, this.#readBytes(position, bounds))
      const slice = read instanceof Promise ? await read : read
      if (slice === null) continue
      if (slice.bytes.length === 0) return
      if (this.#take(slice, bounds, this.#out.length - start)) return
      turnBytes += slice.bytes.length
      if (turnBytes >= TURN_BYTES_MAX) {
        turnBytes = 0
        await new Promise(setImmediate)
      }
    }
  }

  /** As many as the records asked for will likely take, by what the partition's records take on average. */
  #readBytes({ offset, replica }: FetchPosition, { recordsMax, bytesMax }: GatheringBounds): number {
    if (this.#asked.tags !== null) return bytesMax
    const likely = replica.live.bytesBetween(offset, offset + recordsMax - this.recordCount) * READ_AHEAD
    return Math.min(bytesMax, Math.max(READ_BYTES_MIN, Math.ceil(likely)))
  }

  /** True: the answer is full. */
  #take({ position, bytes }: FetchSlice, { recordsMax, bytesMax }: GatheringBounds, filledBytes: number): boolean {
    const { topic, replica } = position
    const written = this.#writer.write(this.#out, bytes, {
      form: formOf[this.#asked.form],
      topic: this.#asked.isManyTopics ? topic.name : null,
      partition: replica.partition,
      fromOffset: position.offset,
      untilOffset: position.untilOffset,
      recordsMax: recordsMax - this.recordCount,
      bytesMax: bytesMax - filledBytes,
      recordsBefore: this.recordCount,
      wantedTags: this.#asked.tags,
    })
    this.scannedBytes += bytes.length
    this.recordCount += written.recordCount
    position.offset = written.nextOffset
    if (written.damagedUntil >= 0) damage(position, written.damagedUntil)
    return written.isFull
  }
}

function damage(position: FetchPosition, nextReadableOffset: number): void {
  const { topic, replica, offset } = position
  position.problem = { kind: 'damaged', topic: topic.name, partition: replica.partition, offset, nextReadableOffset }
}

/** Whether any partition could be taken up again behind what cannot be read. */
export function stepOver(session: FetchSession): boolean {
  let isAny = false
  for (const position of session.positions) {
    const { problem } = position
    if (problem === null) continue
    if (problem.kind === 'damaged' && problem.nextReadableOffset > position.offset) {
      position.offset = problem.nextReadableOffset
    } else if (problem.kind === 'below-start') {
      position.offset = problem.logStartOffset
    } else {
      continue
    }
    position.problem = null
    isAny = true
  }
  return isAny
}
