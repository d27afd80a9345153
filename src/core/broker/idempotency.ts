// What a topic already holds of one Idempotency-Key, over all its partitions: the basis for answering a repeat with the
// first result, for completing an attempt that broke off, and for refusing another body under the same key.

import { readU32, type TopicId } from '../base/index.ts'
import type { HeldKey } from '../partition/index.ts'
import type { PartitionResult } from './refusal.ts'
import type { Replica } from './replicas.ts'
import type { TopicRoute } from './routing.ts'

export class HeldRequest {
  readonly isHeld: boolean
  /** Partitions the topic had given when the key was first seen: a repeat routes by them, however it has changed since. */
  readonly partitionCount: number
  firstAppendedAt = Number.POSITIVE_INFINITY
  /** Where keyless records start, a function of the key alone. */
  readonly spread: number
  readonly #byPartition = new Map<number, HeldKey>()

  /**
   * What is held once all of it is committed: a repeat is answered with nothing that may yet be lost. Nobody appends under
   * the key meanwhile.
   */
  static async committed(
    { replicas, topic }: TopicRoute,
    keyHash: Uint8Array,
  ): Promise<HeldRequest | { kind: 'loading' }> {
    for (;;) {
      if (replicas.some(({ live }) => live.isLoading)) return { kind: 'loading' }
      const held = new HeldRequest(replicas, topic.nextPartition, keyHash)
      const commits = held.#commits(replicas)
      if (commits.length === 0) return held
      await Promise.all(commits)
    }
  }

  private constructor(replicas: readonly Replica[], partitionCount: number, keyHash: Uint8Array) {
    this.spread = readU32(keyHash, 0)
    for (const replica of replicas) {
      const held = replica.live.keyHeld(keyHash)
      if (held === null) continue
      this.#byPartition.set(replica.partition, held)
      partitionCount = held.partitionCount
      this.firstAppendedAt = Math.min(this.firstAppendedAt, held.ranges[0]!.appendedAt)
    }
    this.partitionCount = partitionCount
    this.isHeld = this.#byPartition.size > 0
  }

  #commits(replicas: readonly Replica[]): Promise<unknown>[] {
    const commits: Promise<unknown>[] = []
    for (const replica of replicas) {
      const held = this.#byPartition.get(replica.partition)
      const commit = held === undefined ? 'committed' : replica.whenCommitted(held.ranges.at(-1)!.lastOffset)
      if (commit !== 'committed') commits.push(commit)
    }
    return commits
  }

  holds(replica: Replica, ordinal: number): boolean {
    const held = this.#byPartition.get(replica.partition)
    return held !== undefined && ordinal < held.nextOrdinal
  }

  /** The digest after this ordinal, where a stored batch ends with it; else null. */
  digestAt(replica: Replica, ordinal: number): bigint | null {
    const held = this.#byPartition.get(replica.partition)
    if (held === undefined) return null
    for (const range of held.ranges) if (range.firstOrdinal + range.count === ordinal + 1) return range.digest
    return null
  }

  /** `reached`: how many records the repeat has brought to each partition. */
  isCoveredBy(reached: ReadonlyMap<number, number>): boolean {
    for (const [partition, held] of this.#byPartition)
      if ((reached.get(partition) ?? 0) < held.nextOrdinal) return false
    return true
  }

  resultOf(replica: Replica): PartitionResult | null {
    const held = this.#byPartition.get(replica.partition)
    return held === undefined ? null : resultOf(replica.partition, held)
  }

  results(): PartitionResult[] {
    return [...this.#byPartition].map(([partition, held]) => resultOf(partition, held))
  }
}

function resultOf(partition: number, held: HeldKey): PartitionResult {
  const first = held.ranges[0]!
  const last = held.ranges.at(-1)!
  let count = 0
  for (const range of held.ranges) count += range.count
  return { partition, baseOffset: first.baseOffset, lastOffset: last.lastOffset, count, appendedAt: last.appendedAt }
}

/** Keyed requests under way: a repeat waits here until the first is over. */
export class KeysUnderWay {
  readonly #ends = new Map<string, Promise<void>>()

  /** Resolves when no other request has the key; what it gives ends the hold. */
  async enter(topicId: TopicId, keyHash: Uint8Array): Promise<() => void> {
    const key = `${topicId}/${String.fromCharCode(...keyHash)}`
    for (let other = this.#ends.get(key); other !== undefined; other = this.#ends.get(key)) await other
    let end!: () => void
    this.#ends.set(key, new Promise<void>((resolve) => (end = resolve)))
    return () => {
      this.#ends.delete(key)
      end()
    }
  }
}
