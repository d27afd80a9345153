// naru dump FILE: a segment (or metadata snapshot) batch by batch, every checksum tried. Needs no running broker and opens
// the file for reading only, so it may be used beside one.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Command } from 'commander'
import {
  appendedAtOf,
  baseOffsetOf,
  baseSequenceOf,
  batchBytesOf,
  BATCH_HEADER_BYTES,
  BatchCodec,
  codecOf,
  firstTimestampOf,
  isControl,
  lastOffsetOf,
  leaderEpochOf,
  metaBytesOf,
  NO_PRODUCER,
  producerEpochOf,
  producerIdOf,
  readDeleteHorizon,
  RecordAttribute,
  RecordReader,
  recordCountOf,
  storedFault,
} from '../../core/record/index.ts'
import { hostCodec } from '../host/index.ts'
import { bytesText, CommandFailed, print, Progress, printJson } from './output.ts'

interface DumpedBatch {
  position: number
  baseOffset: number
  lastOffset: number
  /** Fewer than offsets: compaction has left the others out. */
  records: number
  bytes: number
  leaderEpoch: number
  appendedAt: string
  firstTimestamp: number
  codec: string
  control: boolean
  producer: { id: number; epoch: number; sequence: number } | null
  /** From then on compaction may leave out the batch's tombstones. */
  deleteHorizon: string | null
  fault: string | null
  values?: unknown[]
}

const CODEC_NAMES = Object.fromEntries(Object.entries(BatchCodec).map(([name, id]) => [id, name]))
const WINDOW_BYTES = 4 << 20

export function addDumpCommand(program: Command): void {
  program
    .command('dump <file>')
    .description('show a segment file batch by batch and check its sums; needs no running broker')
    .option('--records', 'show the records too')
    .option('--json', 'one JSON object a batch')
    .addHelpText('after', '\nExample:\n  naru dump data/topics/<topic id>/0/00000000000000000000.log --records')
    .action((path: string, options: { records?: boolean; json?: boolean }) => dump(path, options))
}

async function dump(path: string, options: { records?: boolean; json?: boolean }): Promise<void> {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw new CommandFailed(`${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}`)
  }
  const progress = new Progress()
  const size = fstatSync(file).size
  let batches = 0
  let records = 0
  let faults = 0
  for (const batch of batchesOf(file, size, options.records === true)) {
    batches++
    records += batch.records
    if (batch.fault !== null) faults++
    await print(options.json === true ? `${JSON.stringify(batch)}\n` : textOf(batch))
    if (!process.stdout.isTTY) progress.show(() => `${bytesText(batch.position)} of ${bytesText(size)}`)
  }
  progress.end()
  closeSync(file)
  if (options.json !== true) {
    await print(`${batches} batches, ${records} records, ${bytesText(size)}, ${faults} faults\n`)
  } else if (batches === 0) {
    await printJson({ batches: 0 })
  }
  if (faults > 0) process.exitCode = 1
}

function* batchesOf(file: number, size: number, withRecords: boolean): Iterable<DumpedBatch> {
  const window = new Uint8Array(WINDOW_BYTES)
  const reader = new RecordReader()
  for (let position = 0; position < size;) {
    const filled = readSync(file, window, 0, WINDOW_BYTES, position)
    let at = 0
    while (at < filled) {
      const fault = storedFault(window, at, filled, hostCodec)
      // A batch cut by the window is looked at again from its start; cut by the file's end it is a fault.
      if (fault?.kind === 'cut' && at > 0 && position + filled < size) break
      if (fault !== null && (fault.kind === 'cut' || fault.kind === 'structure')) {
        yield unreadable(position + at, size - position - at, `${fault.kind}: ${fault.detail}`)
        return
      }
      yield batchAt(
        window,
        at,
        position + at,
        fault === null ? null : `${fault.kind}: ${fault.detail}`,
        withRecords,
        reader,
      )
      at += batchBytesOf(window, at)
    }
    position += at
  }
}

function batchAt(
  bytes: Uint8Array,
  at: number,
  position: number,
  fault: string | null,
  withRecords: boolean,
  reader: RecordReader,
): DumpedBatch {
  const producerId = producerIdOf(bytes, at)
  const metaAt = at + BATCH_HEADER_BYTES
  const horizon = fault === null ? readDeleteHorizon(bytes, metaAt, metaAt + metaBytesOf(bytes, at)) : null
  return {
    position,
    baseOffset: baseOffsetOf(bytes, at),
    lastOffset: lastOffsetOf(bytes, at),
    records: recordCountOf(bytes, at),
    bytes: batchBytesOf(bytes, at),
    leaderEpoch: leaderEpochOf(bytes, at),
    appendedAt: isoTime(appendedAtOf(bytes, at)),
    firstTimestamp: firstTimestampOf(bytes, at),
    codec: CODEC_NAMES[codecOf(bytes, at)] ?? 'unknown',
    control: isControl(bytes, at),
    producer:
      producerId === NO_PRODUCER
        ? null
        : { id: producerId, epoch: producerEpochOf(bytes, at), sequence: baseSequenceOf(bytes, at) },
    deleteHorizon: horizon === null ? null : isoTime(horizon),
    fault,
    ...(withRecords && fault === null ? { values: valuesOf(bytes, at, reader) } : null),
  }
}

function valuesOf(bytes: Uint8Array, at: number, reader: RecordReader): unknown[] {
  const values: unknown[] = []
  if (!reader.open(bytes, at, hostCodec)) return values
  const decoder = new TextDecoder()
  for (let record = reader.next(); record !== null; record = reader.next()) {
    values.push({
      offset: record.offset,
      ...(record.keyStart < 0 ? null : { key: decoder.decode(record.key.subarray(record.keyStart, record.keyEnd)) }),
      ...((record.attributes & RecordAttribute.tombstone) !== 0
        ? { tombstone: true }
        : { value: decoder.decode(record.value.subarray(record.valueStart, record.valueEnd)) }),
    })
  }
  return values
}

function unreadable(position: number, bytes: number, fault: string): DumpedBatch {
  return {
    position,
    baseOffset: -1,
    lastOffset: -1,
    records: 0,
    bytes: Math.max(bytes, BATCH_HEADER_BYTES),
    leaderEpoch: -1,
    appendedAt: '',
    firstTimestamp: 0,
    codec: '',
    control: false,
    producer: null,
    deleteHorizon: null,
    fault,
  }
}

function textOf(batch: DumpedBatch): string {
  const place = `at ${String(batch.position).padEnd(10)}`
  if (batch.baseOffset < 0) return `${place} FAULT ${batch.fault}\n`
  const producer =
    batch.producer === null ? '' : ` producer ${batch.producer.id}/${batch.producer.epoch}/${batch.producer.sequence}`
  const line =
    `${place} offsets ${batch.baseOffset}–${batch.lastOffset}  ${batch.records} records  ${bytesText(batch.bytes)}  ` +
    `epoch ${batch.leaderEpoch}  ${batch.appendedAt}  ${batch.codec}${batch.control ? ' control' : ''}${producer}` +
    `${batch.deleteHorizon === null ? '' : `  tombstones until ${batch.deleteHorizon}`}` +
    `${batch.fault === null ? '' : `  FAULT ${batch.fault}`}\n`
  return line + (batch.values ?? []).map((value) => `    ${JSON.stringify(value)}\n`).join('')
}

function isoTime(ms: number): string {
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : String(ms)
}
