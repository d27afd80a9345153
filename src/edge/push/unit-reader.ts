// Reads a fetch session in units: stored batches of one topic, gathered from its partitions in turn until a frame is worth
// its price, and turned into JSON. A batch is cut only where it does not fit a frame, so that bytes are read once.
//
// A position that cannot be read on is told as a reset, and reading goes on at the next place that can be; when its topic is
// gone, so is the reader.

import { type TopicId, unreachable } from '../../core/base/index.ts'
import type { FetchSession } from '../../core/broker/index.ts'
import { type FetchPosition, type FetchRefusal, type FetchSlice, type Wake } from '../../core/broker/index.ts'
import { ByteWriter, cursorOf, type Problem, type ProblemCode, problemOf, type RecordsWriter } from '../wire/index.ts'
import { frameHead, frameTail, Unit } from './unit.ts'
import { type Move, UnitCache } from './unit-cache.ts'

/** Read at a time: whole batches up to this, or one that is larger. */
const READ_BYTES = 128 * 1024
/** A unit that has so much is not added to. */
const UNIT_BYTES = 256 * 1024
/** Stored bytes passed by without a record that is wanted, before others have their turn. */
const SCAN_BYTES_MAX = 2 * 1024 * 1024
const DRAFTS_KEPT_MAX = 16

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export interface Reset {
  readonly kind: 'reset'
  readonly topic: string
  /** Null: all of them. */
  readonly partition: number | null
  readonly from: number | null
  readonly to: number | null
  readonly reason: ProblemCode
  readonly cursor: string
}

/** There is nothing to be read any more. */
export interface Gone {
  readonly kind: 'gone'
  readonly problem: Problem
}

export type Step = Unit | Reset | Gone

/** A unit under construction. */
interface Draft {
  /** The frame as far as it is made; the records begin at `headBytes`. */
  out: ByteWriter
  headBytes: number
  topicId: TopicId | null
  topic: string
  recordCount: number
  scannedBytes: number
  isFull: boolean
}

/** What every reader uses: one record is written at a time. */
export class Drafts {
  readonly records: RecordsWriter
  /** A unit is larger only where one record is. */
  readonly unitBytesMax: number
  readonly units = new UnitCache()
  readonly #outs: ByteWriter[] = []

  constructor(records: RecordsWriter, unitBytesMax: number) {
    this.records = records
    this.unitBytesMax = unitBytesMax
  }

  take(): Draft {
    const out = this.#outs.pop() ?? new ByteWriter(UNIT_BYTES)
    out.clear()
    return { out, headBytes: 0, topicId: null, topic: '', recordCount: 0, scannedBytes: 0, isFull: false }
  }

  give({ out }: Draft): void {
    if (this.#outs.length < DRAFTS_KEPT_MAX && out.bytes.length <= 2 * this.unitBytesMax) this.#outs.push(out)
  }
}

export class UnitReader {
  /** Who has the same reads the same partitions, through the same filter. */
  readonly key: string
  /** The subscription whose frames are made; others get theirs from those. */
  readonly #sub: string
  readonly #drafts: Drafts
  readonly #session: FetchSession
  readonly #tags: ReadonlySet<string> | null
  /** Where each position stood before the latest step. */
  #before: number[] = []
  #cursor: string | null = null
  /** Where the unit under way begins, and through what it is read. */
  #place = ''

  constructor(
    drafts: Drafts,
    session: FetchSession,
    tags: ReadonlySet<string> | null,
    { key, sub }: { key: string; sub: string },
  ) {
    this.key = key
    this.#sub = sub
    this.#drafts = drafts
    this.#session = session
    this.#tags = tags
  }

  /** Behind the latest step. */
  get cursor(): string {
    this.#cursor ??= cursorOf(this.#session)
    return this.#cursor
  }

  get isCaughtUp(): boolean {
    return this.#session.isCaughtUp
  }

  /** Null: nothing to be read now. */
  next(): Step | null | Promise<Step | null> {
    this.#session.look()
    this.#before = this.#session.positions.map(({ offset }) => offset)
    const step = this.#stepOver()
    if (step !== null || this.#session.ready() === null) return step
    this.#place = this.key + this.cursor
    return this.#madeBefore() ?? this.#gather(this.#drafts.take())
  }

  /** Parks until there may be more. */
  wait(): Promise<Wake> {
    return this.#session.wait(Number.POSITIVE_INFINITY)
  }

  cancelWait(): void {
    this.#session.cancelWait()
  }

  /** Another reader, where this one stood before its latest step. */
  fork(): UnitReader {
    return new UnitReader(this.#drafts, this.#session.fork(this.#before), this.#tags, { key: this.key, sub: this.#sub })
  }

  /** Whether both stand at the same place. */
  isAt({ positions: theirs }: UnitReader): boolean {
    const mine = this.positions
    return mine.length === theirs.length && mine.every((position, i) => isSame(position, theirs[i]!, theirs))
  }

  get positions(): readonly FetchPosition[] {
    return this.#session.positions
  }

  /** The unit of this place, where another reader has made it already. */
  #madeBefore(): Unit | null {
    const made = this.#drafts.units.get(this.#place)
    if (made === undefined || !made.moves.every((move) => isPossible(move, this.positions[move.index]))) return null
    for (const { index, to } of made.moves) this.positions[index]!.offset = to
    this.#cursor = made.unit.cursor
    return made.unit.asCaughtUp(this.isCaughtUp)
  }

  #gather(draft: Draft): Step | null | Promise<Step | null> {
    while (!draft.isFull) {
      const position = this.#session.ready()
      if (position === null || (draft.topicId !== null && draft.topicId !== position.topic.id)) break
      const slice = this.#session.read(position, READ_BYTES)
      if (slice instanceof Promise) return this.#gatherLate(draft, slice)
      if (slice !== null) this.#take(draft, slice)
    }
    return this.#finish(draft)
  }

  async #gatherLate(draft: Draft, late: Promise<FetchSlice | null>): Promise<Step | null> {
    const slice = await late
    if (slice !== null) this.#take(draft, slice)
    return this.#gather(draft)
  }

  #take(draft: Draft, { position, bytes }: FetchSlice): void {
    const { topic, replica } = position
    const { records, unitBytesMax } = this.#drafts
    const { out, recordCount } = draft
    if (draft.topicId === null) {
      draft.topicId = topic.id
      draft.topic = topic.name
      out.text(frameHead(this.#sub, topic.name))
      draft.headBytes = out.length
    }
    const written = records.write(out, bytes, {
      form: 'records',
      topic: null,
      partition: replica.partition,
      fromOffset: position.offset,
      untilOffset: position.untilOffset,
      recordsMax: Number.POSITIVE_INFINITY,
      bytesMax: draft.headBytes + unitBytesMax - out.length,
      recordsBefore: recordCount,
      wantedTags: this.#tags,
    })
    draft.recordCount += written.recordCount
    draft.scannedBytes += bytes.length
    position.offset = written.nextOffset
    if (written.damagedUntil >= 0) {
      const { offset } = position
      const nextReadableOffset = written.damagedUntil
      position.problem = {
        kind: 'damaged',
        topic: topic.name,
        partition: replica.partition,
        offset,
        nextReadableOffset,
      }
    }
    draft.isFull =
      written.isFull ||
      out.length >= draft.headBytes + UNIT_BYTES ||
      draft.scannedBytes >= SCAN_BYTES_MAX ||
      bytes.length === 0
  }

  #finish(draft: Draft): Step | null {
    const { out, topic, recordCount, scannedBytes } = draft
    if (scannedBytes === 0) {
      this.#drafts.give(draft)
      return this.#stepOver()
    }
    this.#cursor = null
    const { cursor, isCaughtUp } = this
    const recordsBytes = out.length - draft.headBytes
    out.text(frameTail(cursor, isCaughtUp))
    const frame = recordCount === 0 ? '' : decoder.decode(out.view())
    this.#drafts.give(draft)
    const unit = new Unit({ topic, sub: this.#sub, frame, recordsBytes, recordCount, cursor, isCaughtUp })
    if (recordCount > 0) this.#drafts.units.put(this.key, this.#place, { unit, moves: this.#moves() })
    return unit
  }

  #moves(): Move[] {
    const moves: Move[] = []
    for (const [index, { replica, offset: to }] of this.positions.entries()) {
      const from = this.#before[index] ?? 0
      if (to > from) moves.push({ index, replica, from, to })
    }
    return moves
  }

  /** The first position that stands still is taken up again behind what it cannot read. */
  #stepOver(): Reset | Gone | null {
    for (const position of this.#session.positions) {
      const { problem, offset, topic, replica } = position
      if (problem === null) continue
      const to = readableOffset(problem, offset)
      if (to === null) return { kind: 'gone', problem: problemOf(problem) }
      position.offset = to
      position.problem = null
      this.#cursor = null
      const { partition } = replica
      const reason = problemOf(problem).code
      return { kind: 'reset', topic: topic.name, partition, from: offset, to, reason, cursor: this.cursor }
    }
    return null
  }
}

/** Null: nowhere. */
function readableOffset(problem: FetchRefusal, offset: number): number | null {
  switch (problem.kind) {
    case 'below-start':
      return problem.logStartOffset
    case 'beyond-end':
      return problem.highWatermark
    case 'diverged':
      return problem.nearestOffset
    case 'damaged':
      return problem.nextReadableOffset > offset ? problem.nextReadableOffset : null
    case 'closing':
    case 'internal-topic':
    case 'invalid-name':
    case 'loading':
    case 'not-leader':
    case 'several-leaders':
    case 'topic-recreated':
    case 'unknown-partition':
    case 'unknown-topic':
      return null
    default:
      return unreachable(problem)
  }
}

/** Positions stand in the same order unless partitions were added since. */
function isSame(mine: FetchPosition, theirs: FetchPosition, all: readonly FetchPosition[]): boolean {
  const same = theirs.replica === mine.replica ? theirs : all.find(({ replica }) => replica === mine.replica)
  return same !== undefined && same.offset === mine.offset && same.problem === null && mine.problem === null
}

/** Whether the session can make the move of another as its own. */
function isPossible({ replica, from, to }: Move, position: FetchPosition | undefined): boolean {
  if (position?.replica !== replica || position.offset !== from || position.problem !== null) return false
  return !replica.isRemoved && from >= replica.live.startOffset && to <= replica.live.highWatermark
}
