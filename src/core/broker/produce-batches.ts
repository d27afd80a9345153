// Produce of stored bytes: one or more batches for one partition, kept as sent. All are admitted before the first is
// appended; they are appended in order up to the first refusal.

import { limits } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { admitBatch, batchBytesOf } from '../record/index.ts'
import type { ProduceHost, ProduceOutcome, ProduceRequest } from './produce-request.ts'
import { type PartitionResult, type ProduceRefusal, produceRefusalOf } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'

export function admitBatches(bytes: Uint8Array, codec: Codec): ProduceRefusal | null {
  let batch = 0
  for (let at = 0; at < bytes.length; batch++) {
    const fault = admitBatch(bytes, at, bytes.length, codec)
    if (fault !== null) return { kind: 'bad-batch', fault, batch }
    at += batchBytesOf(bytes, at)
  }
  return batch > 0 ? null : { kind: 'bad-batch', fault: { kind: 'cut', detail: 'the body is empty' }, batch: 0 }
}

export async function appendBatches(
  host: ProduceHost,
  route: TopicRoute,
  replica: Replica,
  request: ProduceRequest,
  bytes: Uint8Array,
): Promise<ProduceOutcome> {
  let result: PartitionResult | null = null
  let refusal: ProduceRefusal | null = null
  let commit: ReturnType<Replica['whenCommitted']> = 'committed'
  let expectOffset = request.expectOffset
  for (let at = 0; at < bytes.length;) {
    const batch = bytes.subarray(at, at + batchBytesOf(bytes, at))
    at += batch.length
    const appended = await appendPatiently(host, replica, batch, expectOffset)
    if (appended.kind !== 'appended' && appended.kind !== 'duplicate') {
      refusal = produceRefusalOf(appended, route.topic.name, replica.partition)
      await replica.settled()
      break
    }
    const { baseOffset, lastOffset, count, appendedAt } = appended
    if (expectOffset !== null) expectOffset = lastOffset + 1
    commit = replica.whenCommitted(lastOffset)
    if (result === null) {
      result = { partition: replica.partition, baseOffset, lastOffset, count, appendedAt }
    } else {
      result.lastOffset = Math.max(result.lastOffset, lastOffset)
      result.count += count
    }
  }
  if (request.acks !== '0') {
    const fate = await fateOf(host, request, commit)
    if (fate === 'disk-full') {
      refusal = replica.diskLow()
      result = null
    } else if (fate === 'late') {
      refusal = { kind: 'ack-timeout', timeoutMs: request.timeoutMs! }
    }
  }
  const count = result?.count ?? 0
  return {
    topic: route.topic,
    created: false,
    replayed: false,
    count,
    partitions: result === null ? [] : [result],
    refusal,
    firstUnaccepted: refusal === null ? null : count,
  }
}

async function fateOf(
  host: ProduceHost,
  request: ProduceRequest,
  commit: ReturnType<Replica['whenCommitted']>,
): Promise<'committed' | 'disk-full' | 'late'> {
  if (commit === 'committed') return commit
  if (request.timeoutMs !== null && (await host.expired(commit, request.timeoutMs))) return 'late'
  return commit
}

/** A batch that is ahead of its producer's sequence waits a while for the one before it: several may be in flight. */
export async function appendPatiently(
  host: ProduceHost,
  replica: Replica,
  batch: Uint8Array,
  expectOffset: number | null,
): Promise<ReturnType<Replica['append']>> {
  let appended = replica.append(batch, expectOffset)
  if (appended.kind !== 'sequence-gap' || !appended.isAhead) return appended
  const deadlineMs = host.monotonicMs() + limits.PRODUCER_GAP_WAIT_MS
  while (appended.kind === 'sequence-gap' && host.monotonicMs() < deadlineMs) {
    await host.advanced(replica, deadlineMs)
    appended = replica.append(batch, expectOffset)
  }
  return appended
}
