// Produce of stored bytes: one or more batches for one partition, kept as sent. All are admitted before the first is
// appended; they are appended in order up to the first refusal, and each is answered for by its own commit.

import { limits } from '../base/index.ts'
import type { Codec } from '../ports/index.ts'
import { admitBatch, batchBytesOf, NO_PRODUCER, producerIdOf, recordCountOf, RecordReader } from '../record/index.ts'
import type { ProduceHost, ProduceOutcome, ProduceRequest } from './produce-request.ts'
import { joinResults, type PartitionResult, type ProduceRefusal, produceRefusalOf } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'

export function admitBatches(bytes: Uint8Array, codec: Codec, { topic, config }: TopicRoute): ProduceRefusal | null {
  const reader = config.cleanup === 'delete' ? null : new RecordReader()
  let batch = 0
  let numbered = 0
  let recordCount = 0
  for (let at = 0; at < bytes.length; batch++) {
    const fault = admitBatch(bytes, at, bytes.length, codec, config.recordBytesMax)
    if (fault !== null) return { kind: 'bad-batch', fault, batch }
    if (reader?.open(bytes, at, codec) === true) {
      for (let record = reader.next(); record !== null; record = reader.next()) {
        if (record.keyStart < 0)
          return { kind: 'key-required', topic: topic.name, record: recordCount + reader.ordinal }
      }
    }
    recordCount += recordCountOf(bytes, at)
    if (producerIdOf(bytes, at) !== NO_PRODUCER) numbered++
    at += batchBytesOf(bytes, at)
  }
  const batchesMax = limits.PRODUCER_BATCHES_KEPT
  if (numbered > batchesMax) return { kind: 'too-many-batches', batches: numbered, batchesMax }
  return batch > 0 ? null : { kind: 'bad-batch', fault: { kind: 'cut', detail: 'the body is empty' }, batch: 0 }
}

interface Append {
  result: PartitionResult
  firstRecord: number
  fate: 'unknown' | 'committed' | 'disk-full'
}

export async function appendBatches(
  host: ProduceHost,
  route: TopicRoute,
  replica: Replica,
  request: ProduceRequest,
  bytes: Uint8Array,
): Promise<ProduceOutcome> {
  const appends: Append[] = []
  const commits: Promise<void>[] = []
  let refused: ProduceRefusal | null = null
  let expectOffset = request.expectOffset
  let recordCount = 0
  for (let at = 0; at < bytes.length && refused === null;) {
    const batch = bytes.subarray(at, at + batchBytesOf(bytes, at))
    at += batch.length
    const appended = await appendPatiently(host, replica, batch, expectOffset)
    if (appended.kind !== 'appended' && appended.kind !== 'duplicate') {
      refused = produceRefusalOf(appended, route.topic, replica.partition)
      // What the refusal reveals must be durable before it is told.
      await replica.settled()
      continue
    }
    const { baseOffset, lastOffset, count, appendedAt } = appended
    if (expectOffset !== null) expectOffset = lastOffset + 1
    const result = { partition: replica.partition, baseOffset, lastOffset, count, appendedAt }
    const append: Append = { result, firstRecord: recordCount, fate: 'unknown' }
    appends.push(append)
    recordCount += recordCountOf(batch, 0)
    const commit = replica.whenCommitted(lastOffset)
    if (commit === 'committed') append.fate = commit
    else commits.push(commit.then((fate) => void (append.fate = fate)))
  }
  if (request.acks !== '0') await settledOrLate(host, request, commits)
  return outcomeOf(route, replica, request, appends, { refused, recordCount })
}

async function settledOrLate(host: ProduceHost, request: ProduceRequest, commits: Promise<void>[]): Promise<void> {
  if (commits.length === 0) return
  const all = Promise.all(commits)
  if (request.timeoutMs === null) await all
  else await host.expired(all, request.timeoutMs)
}

function outcomeOf(
  route: TopicRoute,
  replica: Replica,
  { acks, timeoutMs }: ProduceRequest,
  appends: readonly Append[],
  { refused, recordCount }: { refused: ProduceRefusal | null; recordCount: number },
): ProduceOutcome {
  let result: PartitionResult | null = null
  let refusal = refused
  let firstUnaccepted = recordCount
  for (const append of appends.toReversed()) {
    if (append.fate === 'committed' || acks === '0') {
      result = result === null ? append.result : joinResults(append.result, result)
      continue
    }
    refusal = append.fate === 'disk-full' ? replica.diskLow() : { kind: 'ack-timeout', timeoutMs: timeoutMs! }
    firstUnaccepted = append.firstRecord
  }
  return {
    topic: route.topic,
    created: false,
    replayed: false,
    count: result?.count ?? 0,
    partitions: result === null ? [] : [result],
    refusal,
    firstUnaccepted: refusal === null ? null : firstUnaccepted,
  }
}

/** A batch that is ahead of its producer's sequence waits a while for the one before it: several may be in flight. */
export async function appendPatiently(
  host: ProduceHost,
  replica: Replica,
  batch: Uint8Array,
  expectOffset: number | null,
): Promise<ReturnType<Replica['append']>> {
  const deadlineMs = host.monotonicMs() + limits.PRODUCER_GAP_WAIT_MS
  for (;;) {
    const appended = replica.append(batch, expectOffset)
    if (appended.kind !== 'sequence-gap' || !appended.isAhead) return appended
    if (host.monotonicMs() >= deadlineMs) return appended
    // The one before it has been appended by the time its commit is told.
    if ((await host.advanced(replica, deadlineMs)) !== 'advanced') return replica.append(batch, expectOffset)
  }
}
