// naru consume --follow: records as they are pushed, a line each, over whatever connection can be made, for as long as somebody
// reads. A broker that goes away is waited for, and reading goes on behind the last record that was printed.
//
// Lines are what the broker itself makes of records (format=value, format=record): the text of a JSON value is printed as it is
// stored, never as JavaScript understood it.

import { Consumer, type ConsumedRecord, NaruError, type RecordBatch } from '../../client/index.ts'
import { CommandFailed, print } from './output.ts'
import type { Remote } from './remote.ts'

export interface Following {
  readonly from: string
  readonly format: string
  readonly tags?: string
  readonly partition?: string
  /** Infinite for none. */
  readonly limit: number
}

/** JSON as it is stored. */
class JsonText {
  constructor(readonly text: string) {}
}

export async function follow(topic: string, remote: Remote, following: Following): Promise<void> {
  const { from, format, tags, limit } = following
  const partition = following.partition === undefined ? null : Number(following.partition)
  if (partition !== null && !(partition >= 0 && Number.isInteger(partition))) {
    throw new CommandFailed('--partition is a number from 0')
  }
  // Who mistyped the broker or the topic is told at once; later a broker that does not answer is waited for.
  await remote.call('GET', `/v1/topics/${encodeURIComponent(topic)}`)
  let isWaiting = false
  const consumer = new Consumer({
    brokers: remote.base,
    topics: topic,
    from,
    parse: (json) => new JsonText(json),
    ...(partition === null ? null : { partition }),
    ...(tags === undefined ? null : { tags: tags.split(',') }),
    onReset: ({ partition: of, from: gone, to }) =>
      warn(`records ${gone ?? '?'} to ${to ?? '?'} of partition ${of ?? '?'} are gone; going on behind them`),
    onInterrupted: () => {
      if (!isWaiting && consumer.connections > 0) warn(`the connection to ${remote.base} ended; trying again`)
      isWaiting = true
    },
  })
  let left = limit
  try {
    for await (const { records } of consumer.batches()) {
      isWaiting = false
      await print(linesOf(records.slice(0, left), format))
      left -= records.length
      if (left <= 0) return
    }
  } catch (error) {
    throw error instanceof NaruError ? new CommandFailed(error.problem?.detail ?? error.message) : error
  }
}

function warn(message: string): void {
  process.stderr.write(`naru: ${message}\n`)
}

function linesOf(records: RecordBatch['records'], format: string): string {
  let lines = ''
  for (const record of records) lines += `${format === 'value' ? valueLine(record) : recordLine(record)}\n`
  return lines
}

function valueLine({ value }: ConsumedRecord): string {
  if (value instanceof JsonText) return value.text
  return value instanceof Uint8Array ? `{"valueBase64":"${value.toBase64()}"}` : 'null'
}

function recordLine({
  partition,
  offset,
  timestamp,
  appendedAt,
  key,
  value,
  tombstone,
  headers,
  tags,
}: ConsumedRecord): string {
  let line = `{"partition":${partition},"offset":${offset},"timestamp":${timestamp},"appendedAt":${appendedAt}`
  if (typeof key === 'string') line += `,"key":${JSON.stringify(key)}`
  else if (key !== undefined) line += `,"keyBase64":"${key.toBase64()}"`
  if (value instanceof JsonText) line += `,"value":${value.text}`
  else if (value instanceof Uint8Array) line += `,"valueBase64":"${value.toBase64()}"`
  if (tombstone === true) line += ',"tombstone":true'
  if (headers !== undefined) line += `,"headers":${JSON.stringify(headers)}`
  if (tags !== undefined) line += `,"tags":${JSON.stringify(tags)}`
  return `${line}}`
}
