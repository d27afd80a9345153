// A machine's journal on a partition of an internal topic: committed is what is below the high watermark. Records are ordinary
// ones with keys, so the topic is compacted as any, and whoever reads it sees them. There are no snapshots: compaction leaves
// one record a key, so the log from its start is the snapshot, and it has holes.

import { assert } from '../../base/index.ts'
import type { Journal, JournalAppended, JournalListener, JournalRefusal, StoredRecord } from '../../machine/index.ts'
import type { Clock, Codec } from '../../ports/index.ts'
import { BatchBuilder, isControl, RecordAttribute, RecordReader, RecordSpans } from '../../record/index.ts'
import type { Replica } from '../replicas.ts'

/** The batch builders and spans of all journals of a broker: one record is written at a time. */
export class JournalPen {
  readonly builder: BatchBuilder
  readonly spans = new RecordSpans()
  readonly codec: Codec
  readonly clock: Clock

  constructor(codec: Codec, clock: Clock) {
    this.builder = new BatchBuilder(codec)
    this.codec = codec
    this.clock = clock
  }
}

const NO_BYTES = new Uint8Array(0)

export class PartitionJournal implements Journal {
  /** Of a partition this broker leads. */
  readonly isLeading = true
  readonly #replica: Replica
  readonly #pen: JournalPen
  #listener: JournalListener | null = null
  /** As the listener knows it. */
  #endOffset: number
  #committedEnd: number

  constructor(replica: Replica, pen: JournalPen) {
    this.#replica = replica
    this.#pen = pen
    this.#endOffset = replica.live.endOffset
    this.#committedEnd = replica.live.highWatermark
    replica.onMove = () => this.#moved()
  }

  get endOffset(): number {
    return this.#endOffset
  }

  get committedEnd(): number {
    return this.#committedEnd
  }

  confirm(): null {
    return null
  }

  listen(listener: JournalListener): void {
    this.#listener = listener
  }

  append(records: readonly StoredRecord[]): JournalAppended | JournalRefusal {
    const appended = this.#replica.append(this.#batchOf(records), null)
    switch (appended.kind) {
      case 'appended':
        this.#endOffset = appended.lastOffset + 1
        return { kind: 'appended', baseOffset: appended.baseOffset }
      case 'loading':
        // The disk had no room for what came before.
        return { kind: 'disk-full' }
      default:
        return { kind: 'not-leading' }
    }
  }

  readSnapshot(): Promise<number> {
    return Promise.resolve(this.#replica.live.startOffset)
  }

  async read(from: number, upTo: number, visit: (record: StoredRecord, offset: number) => void): Promise<void> {
    const reader = new RecordReader()
    await this.#replica.live.scan(from, upTo, (bytes, at) => {
      if (isControl(bytes, at)) return
      assert(reader.open(bytes, at, this.#pen.codec), 'a checked batch can be read')
      for (let record = reader.next(); record !== null; record = reader.next()) {
        if (record.offset < from || record.offset >= upTo) continue
        const { key, keyStart, keyEnd, value, valueStart, valueEnd } = record
        const isTombstone = (record.attributes & RecordAttribute.tombstone) !== 0
        visit(
          {
            key: keyStart < 0 ? null : key.slice(keyStart, keyEnd),
            value: isTombstone ? null : value.slice(valueStart, valueEnd),
          },
          record.offset,
        )
      }
    })
    const { damage } = this.#replica.live
    if (damage !== null) throw new Error(`${damage.path} cannot be read at offset ${damage.offset} (${damage.detail})`)
  }

  /** Never asked for: see above. */
  saveSnapshot(): Promise<'saved'> {
    assert(false, 'a compacted log is its own snapshot')
    return Promise.resolve('saved')
  }

  /** From here on the partition moves without it. */
  close(): void {
    this.#replica.onMove = null
    this.#listener = null
  }

  /** The high watermark has risen, or what was appended last is not in the log any more. */
  #moved(): void {
    const { endOffset, highWatermark } = this.#replica.live
    if (highWatermark > this.#committedEnd) {
      this.#committedEnd = highWatermark
      this.#listener?.onCommitted(highWatermark)
    }
    if (endOffset < this.#endOffset) {
      this.#endOffset = endOffset
      this.#listener?.onLost(endOffset, 'none')
    }
  }

  #batchOf(records: readonly StoredRecord[]): Uint8Array {
    const { builder, spans, clock } = this.#pen
    const now = clock.now()
    for (const { key, value } of records) {
      spans.clear()
      spans.attributes = value === null ? RecordAttribute.tombstone : RecordAttribute.json
      if (key !== null) {
        spans.key = key
        spans.keyStart = 0
        spans.keyEnd = key.length
      }
      spans.value = value ?? NO_BYTES
      spans.valueEnd = spans.value.length
      assert(builder.add(spans, now), 'a decision fits one batch')
    }
    return builder.finish()
  }
}
