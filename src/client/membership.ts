// A consumer as a member of a group: which partitions it holds, what of them has been dealt with and is to be committed, and the
// moments at which partitions come and go, told to whoever takes records between two of them, never during one.
//
// Records of a partition count only for the hold they came under: what is left of an earlier one comes to somebody else.

import type { Inbox, RecordBatch } from './inbox.ts'
import type { NaruError } from './naru-error.ts'

export interface GroupPartition {
  readonly topic: string
  readonly partition: number
}

export interface DoneOffset extends GroupPartition {
  /** Of the record to go on with. */
  readonly nextOffset: number
}

/** Dealt with, and to be committed. */
export interface Done {
  /** All that came up to there. */
  readonly cursor: string | null
  /** And place by place. */
  readonly offsets: readonly DoneOffset[]
}

export interface GroupOptions {
  /** Consumers of one group share the partitions of its topics; the broker keeps where they are. */
  group?: string
  /** Its name in the group. Default one that nobody else has. */
  member?: string
  /**
   * at-least-once (default): committed when it has been dealt with. at-most-once: committed before it is sent. All of a group
   * say the same.
   */
  delivery?: 'at-least-once' | 'at-most-once'
  /** Who divides the partitions. Default sticky: few change hands. All of a group say the same. */
  assignor?: 'sticky' | 'range'
  /** Silent for so long, it is removed. */
  sessionMs?: number
  /** At work for so long without being done with a record or a batch, it is removed. */
  pollMs?: number
  /** So long others wait for what it is to let go; then it is removed. */
  rebalanceMs?: number
  /** A place that outlives this consumer: one that joins with the same name within `sessionMs` takes over its partitions. */
  static?: string
  /** Partitions are read from now on. */
  onAssigned?: (partitions: readonly GroupPartition[]) => void | Promise<void>
  /** Others wait for these; what was done of them is committed when this is done. */
  onRevoked?: (partitions: readonly GroupPartition[]) => void | Promise<void>
  /** These are somebody else's already, as far as is known: what was not committed comes to them. */
  onLost?: (partitions: readonly GroupPartition[]) => void | Promise<void>
}

interface Hold {
  readonly place: GroupPartition
  /** What came under an earlier stamp is of an earlier hold. */
  readonly since: number
  isRevoked: boolean
  /** Behind what is done and not committed; -1: nothing. */
  doneOffset: number
}

export class Membership {
  readonly group: string
  readonly member: string
  readonly isAtMostOnce: boolean
  readonly #options: GroupOptions
  readonly #inbox: Inbox
  readonly #holds = new Map<string, Hold>()
  /** The one asked for last: records of a partition come together. */
  #latest: Hold | null = null
  #doneCursor: string | null = null
  /** Those of which something is done and not committed. */
  #doneHolds: Hold[] = []
  #stamp = 0
  /** Called when something was dealt with. */
  onDone: (() => void) | null = null

  constructor(group: string, options: GroupOptions, inbox: Inbox) {
    this.group = group
    this.member = options.member ?? `consumer-${randomName()}`
    this.isAtMostOnce = options.delivery === 'at-most-once'
    this.#options = options
    this.#inbox = inbox
  }

  /** As it joins, over whatever way; fields it does not set are the broker's to choose. */
  get settings(): Pick<GroupOptions, 'delivery' | 'assignor' | 'sessionMs' | 'pollMs' | 'rebalanceMs' | 'static'> {
    const { delivery, assignor, sessionMs, pollMs, rebalanceMs, static: place } = this.#options
    return {
      ...(delivery === undefined ? null : { delivery }),
      ...(assignor === undefined ? null : { assignor }),
      ...(sessionMs === undefined ? null : { sessionMs }),
      ...(pollMs === undefined ? null : { pollMs }),
      ...(rebalanceMs === undefined ? null : { rebalanceMs }),
      ...(place === undefined ? null : { static: place }),
    }
  }

  /** What records that come now are of. */
  get stamp(): number {
    return this.#stamp
  }

  get held(): readonly GroupPartition[] {
    return [...this.#holds.values()].map(({ place }) => place)
  }

  // --- for who receives ------------------------------------------------------------------------------------------------

  assigned(partitions: readonly GroupPartition[]): void {
    if (partitions.length === 0) return
    const since = ++this.#stamp
    for (const { topic, partition } of partitions) {
      const place = { topic, partition }
      this.#holds.set(keyOf(topic, partition), { place, since, isRevoked: false, doneOffset: -1 })
    }
    this.#latest = null
    this.#tell(this.#options.onAssigned, partitions)
  }

  /** Resolves when nobody works on them any more; what was done of them is to be committed then. */
  revoked(partitions: readonly GroupPartition[]): Promise<void> {
    this.#stamp++
    for (const { topic, partition } of partitions) {
      const hold = this.#holdOf(topic, partition)
      if (hold !== null) hold.isRevoked = true
    }
    return new Promise((resolve) => {
      const letGo = async (): Promise<void> => {
        await this.#options.onRevoked?.(partitions)
        for (const { topic, partition } of partitions) {
          if (this.#holdOf(topic, partition)?.isRevoked === true) this.#holds.delete(keyOf(topic, partition))
        }
        this.#latest = null
        resolve()
      }
      // What was sent is committed and will not come again: it is handed out first.
      if (this.isAtMostOnce) this.#inbox.push({ kind: 'interlude', run: letGo })
      else this.#inbox.interrupt(letGo)
    })
  }

  /** All of them, without having been asked. */
  lost(): void {
    const partitions = this.held
    if (partitions.length === 0) return
    this.#stamp++
    this.#holds.clear()
    this.#latest = null
    this.takeDone()
    this.#tell(this.#options.onLost, partitions)
  }

  /** What has been dealt with since this was last asked. */
  takeDone(): Done | null {
    if (this.#doneCursor === null && this.#doneHolds.length === 0) return null
    const offsets = this.#doneHolds.map(({ place, doneOffset }) => ({ ...place, nextOffset: doneOffset }))
    const done = { cursor: this.#doneCursor, offsets }
    this.#doneCursor = null
    this.#forgetDoneHolds()
    return done
  }

  /** Whether joining again is right after this; otherwise two of one name would take turns. */
  mayRejoin({ code, problem }: NaruError): boolean {
    return code === 'fenced' && problem?.['replaced'] !== true && this.#options.static === undefined
  }

  // --- for who takes ---------------------------------------------------------------------------------------------------

  /** Whether the record is to be dealt with here. Where not, nothing that came with it is committed as a whole. */
  mayHand({ topic, partition }: GroupPartition, stamp: number): boolean {
    if (this.isAtMostOnce) return true
    const hold = this.#holdOf(topic, partition)
    if (hold !== null && !hold.isRevoked && hold.since <= stamp) return true
    if (stamp === this.#stamp) this.#stamp++
    return false
  }

  dealtWith(record: GroupPartition & { readonly offset: number }, stamp: number): void {
    if (!this.isAtMostOnce) this.#note(record, stamp)
    this.onDone?.()
  }

  /** All that came so far. What was passed over, since it is another's now, is behind an earlier stamp. */
  dealtWithAll({ cursor, records }: RecordBatch, stamp: number): void {
    if (stamp !== this.#stamp) {
      if (!this.isAtMostOnce) for (const record of records) this.#note(record, stamp)
    } else if (cursor !== '' && !this.isAtMostOnce) {
      this.#forgetDoneHolds()
      this.#doneCursor = cursor
    }
    this.onDone?.()
  }

  /** All that came is dealt with, and up to there nothing else was to come. */
  passed(cursor: string): void {
    if (this.isAtMostOnce || cursor === '') return
    this.#doneCursor = cursor
    this.onDone?.()
  }

  #note({ topic, partition, offset }: GroupPartition & { readonly offset: number }, stamp: number): void {
    const hold = this.#holdOf(topic, partition)
    if (hold === null || hold.since > stamp) return
    if (hold.doneOffset < 0) this.#doneHolds.push(hold)
    hold.doneOffset = offset + 1
  }

  #forgetDoneHolds(): void {
    for (const hold of this.#doneHolds) hold.doneOffset = -1
    this.#doneHolds = []
  }

  #holdOf(topic: string, partition: number): Hold | null {
    const latest = this.#latest
    if (latest !== null && latest.place.partition === partition && latest.place.topic === topic) return latest
    return (this.#latest = this.#holds.get(keyOf(topic, partition)) ?? null)
  }

  #tell(callback: GroupOptions['onLost'], partitions: readonly GroupPartition[]): void {
    if (callback !== undefined) this.#inbox.interrupt(() => callback(partitions))
  }
}

/** Pages that did not come over TLS have no randomUUID. */
function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36).padStart(7, '0')).join('')
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
