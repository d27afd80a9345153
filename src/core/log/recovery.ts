// Opening a log: what is there, what of it is sure, what has to go.
//
//          startOffset                durable mark            end of the files
//   ─ gone ─┼──── synced: never cut ───────┼── tail: good batches ─┼─ cut ─
//           bad here = damage, reads tell    rewritten, synced       counted, logged
//
// Files that end exactly at the mark need no check at all: that is every clean shutdown, and most others. Above the mark each
// batch must follow the one before it; the first that does not ends the log. What is kept there is written again and synced
// before use, because after a failed sync the page cache shows bytes that the device never got.
//
// Without a readable mark nobody knows what was synced. Then everything is checked, and a bad batch with any whole one behind it
// counts as damage: a false alarm can be looked into, a false cut cannot.

import type { Clock, Codec, Disk, DiskFile, Events } from '../ports/index.ts'
import { appendedAtOf, baseOffsetOf, batchBytesOf, lastOffsetOf, leaderEpochOf } from '../record/index.ts'
import { nextBatch, type Track, walkBatches, type WalkEnd } from './batch-walk.ts'
import { CompactionMark } from './compaction-mark.ts'
import type { Damage } from './damage.ts'
import { finishCut } from './cut.ts'
import { DurableMark, type MarkFields } from './durable-mark.ts'
import { rebuildEpochs } from './epoch-rebuild.ts'
import { Epochs } from './epochs.ts'
import { beginAnew, emptyPoint, type LogPoint, marked } from './log-point.ts'
import type { GroupCommit } from './group-commit.ts'
import { Segment, segmentBaseOf } from './segment.ts'
import { finishSwaps } from './segment-swap.ts'
import { SegmentSet } from './segment-set.ts'

export interface RecoveryWorld {
  readonly disk: Disk
  readonly codec: Codec
  readonly clock: Clock
  readonly events: Events
  readonly commits: GroupCommit
}

export interface Recovered {
  readonly mark: DurableMark
  readonly epochs: Epochs
  readonly segments: SegmentSet
  readonly startOffset: number
  /** All below is synced. */
  readonly end: LogPoint
  readonly damages: Damage[]
  /** Segments whose ends no longer meet are to be looked for. */
  readonly isCountWrong: boolean
}

const COPY_BYTES = 1024 * 1024
const PROGRESS_BYTES = 256 * 1024 * 1024
const END_OF_TIME = Number.MAX_SAFE_INTEGER

export async function recover(folder: string, world: RecoveryWorld): Promise<Recovered> {
  return new Recovery(folder, world).run()
}

class Recovery {
  readonly #folder: string
  readonly #world: RecoveryWorld
  readonly #mark: DurableMark
  readonly #epochs: Epochs
  readonly #damages: Damage[] = []
  #segments = SegmentSet.empty
  #checkedBytes = 0

  constructor(folder: string, world: RecoveryWorld) {
    this.#folder = folder
    this.#world = world
    this.#mark = new DurableMark(world.disk, world.codec, folder)
    this.#epochs = new Epochs(world.disk, world.codec, folder)
  }

  async run(): Promise<Recovered> {
    const fields = this.#mark.read()
    this.#segments = await this.#findSegments()
    const isUnborn = fields === 'absent' || (fields !== 'bad' && this.#mark.isFresh)
    if (isUnborn && this.#segments.list.length === 0) return this.#create(fields === 'absent')
    if (fields === 'absent' || fields === 'bad') return this.#recoverUnmarked(fields)
    const areEpochsGood = this.#epochs.load()
    const { commits } = this.#world
    if (fields.state === 'unsettled') await commits.syncNow([this.#mark.writeTwice(fields)], [])
    if (fields.state === 'cutting') {
      this.#segments = await finishCut(this.#segments, this.#mark, fields, this.#epochs, this.#folder, commits)
    }
    return this.#recoverMarked(fields, areEpochsGood)
  }

  async #findSegments(): Promise<SegmentSet> {
    const { disk, codec } = this.#world
    const segments: Segment[] = []
    let names = disk.list(this.#folder)
    if (await finishSwaps(this.#folder, names, this.#world)) names = disk.list(this.#folder)
    for (const name of names) {
      const base = segmentBaseOf(name)
      if (base === null) continue
      const file = disk.open(`${this.#folder}/${name}`, 'read')
      const segment = new Segment(disk, codec, this.#folder, base, file.size())
      file.close()
      // an empty file may have a name that is not durable; the next write makes it again and syncs that
      if (segment.bytes === 0) segment.remove()
      else segments.push(segment)
    }
    return new SegmentSet(segments.sort((a, b) => a.base - b.base))
  }

  /**
   * The mark and every name on the way to it are made durable before any batch is written, so that later its absence means
   * loss. A process killed in the middle leaves a fresh mark, and the next start does all of it again.
   */
  async #create(isFirst: boolean): Promise<Recovered> {
    const { disk, commits } = this.#world
    disk.createFolder(this.#folder)
    const fields = marked(0, emptyPoint(0), 0)
    await commits.syncNow([isFirst ? this.#mark.create(fields) : this.#mark.createAgain(fields)], [])
    if (isFirst) this.#mark.name()
    const folders = [this.#folder]
    for (let path = this.#folder; path.length > 0;) {
      path = path.slice(0, Math.max(path.lastIndexOf('/'), 0))
      folders.push(path)
    }
    await commits.syncNow([], folders)
    this.#mark.write(fields)
    // of a log whose making a crash undid halfway
    if (!this.#epochs.load() || this.#epochs.count > 0) this.#epochs.clear()
    return this.#recovered(0, emptyPoint(0), false)
  }

  async #recoverMarked(fields: MarkFields, areEpochsGood: boolean): Promise<Recovered> {
    this.#dropBelow(fields.startOffset)
    this.#epochs.cutFrom(fields.durableEnd)
    // a torn entry of an epoch above the mark is what a crash may leave; the tail brings it again
    if (this.#epochs.latest !== fields.latestEpoch) {
      this.#world.events.warn('log-epochs-rebuilt', { folder: this.#folder, wasWhole: areEpochsGood })
      await rebuildEpochs(this.#epochs, this.#segments, fields, this.#world.codec)
    }
    const point: LogPoint = {
      end: fields.durableEnd,
      segmentBase: fields.segmentBase,
      segmentBytes: fields.segmentBytes,
      appendedAtMax: fields.appendedAtMax,
      epoch: fields.latestEpoch,
    }
    const { list } = this.#segments
    const first = list[0]
    const marksSegment = list.find((segment) => segment.base === fields.segmentBase)
    const isEmpty = fields.durableEnd === fields.startOffset
    if (!isEmpty && (first === undefined || first.base > fields.startOffset)) {
      const next = first === undefined ? fields.durableEnd : Math.min(first.base, fields.durableEnd)
      this.#damage(fields.startOffset, next, this.#folder, 'the first segments are missing')
    }
    const isLostEnd = fields.segmentBytes > (marksSegment?.bytes ?? 0) && !isEmpty
    if (isLostEnd) await this.#noteLostEnd(fields, marksSegment)
    const isCountWrong = this.#segments.countWithin(fields.startOffset, fields.durableEnd) !== fields.segmentCount
    if (this.#damages.length === 0 && (list.length === 0 || endsAt(list.at(-1)!, point))) {
      if (fields.state !== 'closed') await this.#syncEnd()
      return this.#recovered(fields.startOffset, point, isCountWrong)
    }
    const tail = list.filter((s) => s.base >= fields.durableEnd || (!isLostEnd && s === marksSegment))
    await this.#recoverTail(point, tail, fields.durableEnd)
    this.#mark.write(marked(fields.startOffset, point, this.#segments.countWithin(fields.startOffset, point.end)))
    return this.#recovered(fields.startOffset, point, isCountWrong)
  }

  /** After a crash the files may end at the mark only in the page cache: an unsynced cut is made again, and durable. */
  async #syncEnd(): Promise<void> {
    const { last } = this.#segments
    last?.file().truncate(last.bytes)
    await this.#world.commits.syncNow(last === null ? [] : [last.file()], [this.#folder])
  }

  /** Whole segments below the start: their removal was not durable, or never reached. */
  #dropBelow(startOffset: number): void {
    const gone = new Set(this.#segments.below(startOffset, END_OF_TIME))
    for (const segment of gone) segment.remove()
    this.#segments = this.#segments.without(gone)
  }

  async #noteLostEnd(fields: MarkFields, segment: Segment | undefined): Promise<void> {
    const durable = this.#segments.list.filter((s) => s.base < fields.durableEnd)
    const last = segment ?? durable.at(-1)
    let offset = fields.startOffset
    if (last !== undefined) {
      const track = { position: 0, offset: last.base, epoch: 0 }
      offset = (await walkBatches(last.file(), track, last.bytes, this.#world.codec, () => {})).offset
    }
    const path = segment?.path ?? this.#folder
    this.#damage(
      offset,
      fields.durableEnd,
      path,
      segment === undefined ? 'its segment is missing' : 'the file is too short',
    )
  }

  /** Walks on from `point` over `tail` and cuts behind the last good batch. `point` moves to the new end. */
  async #recoverTail(point: LogPoint, tail: readonly Segment[], durableEnd: number): Promise<void> {
    const kept: { segment: Segment; from: number }[] = []
    const gone: Segment[] = []
    let cut: { segment: Segment; end: WalkEnd } | null = null
    let track: Track = { position: 0, offset: point.end, epoch: Math.max(point.epoch, 0) }
    for (const segment of tail) {
      const isMarks = segment.base === point.segmentBase && segment.base < durableEnd
      if (cut !== null || (!isMarks && segment.base !== track.offset)) {
        cut ??= { segment, end: { ...track, position: 0, fault: null } }
        gone.push(segment)
        continue
      }
      const from = isMarks ? point.segmentBytes : 0
      const end = await this.#walk(segment, { ...track, position: from }, point)
      if (end.position > from) kept.push({ segment, from })
      track = end
      if (end.fault === null) continue
      cut = { segment, end }
      if (end.position === 0) gone.push(segment)
    }
    if (cut !== null) await this.#cutTail(cut.segment, cut.end, gone, point)
    const files = await this.#rewrite(kept)
    if (cut !== null && !gone.includes(cut.segment) && !files.includes(cut.segment.file()))
      files.push(cut.segment.file())
    files.push(this.#epochs.writeIfRoom())
    await this.#world.commits.syncNow(files, [this.#folder])
    if (kept.length === 0) return
    this.#world.events.info('log-tail-kept', { folder: this.#folder, fromOffset: durableEnd, endOffset: point.end })
  }

  async #walk(segment: Segment, track: Track, point: LogPoint): Promise<WalkEnd> {
    const { codec, events } = this.#world
    await segment.index.load(segment.bytes)
    segment.index.cutTo(track.position)
    return walkBatches(segment.file(), track, segment.bytes, codec, (bytes, at, position) => {
      const offset = baseOffsetOf(bytes, at)
      const epoch = leaderEpochOf(bytes, at)
      const batchEnd = position + batchBytesOf(bytes, at)
      this.#epochs.note(epoch, offset)
      segment.index.note(offset, position, appendedAtOf(bytes, at))
      point.end = lastOffsetOf(bytes, at) + 1
      point.segmentBase = segment.base
      point.segmentBytes = batchEnd
      point.appendedAtMax = Math.max(point.appendedAtMax, appendedAtOf(bytes, at))
      point.epoch = epoch
      const before = Math.floor(this.#checkedBytes / PROGRESS_BYTES)
      this.#checkedBytes += batchBytesOf(bytes, at)
      if (Math.floor(this.#checkedBytes / PROGRESS_BYTES) > before) {
        events.info('log-check-progress', { folder: this.#folder, checkedBytes: this.#checkedBytes })
      }
    })
  }

  async #cutTail(segment: Segment, end: WalkEnd, gone: readonly Segment[], point: LogPoint): Promise<void> {
    const { codec, events } = this.#world
    let droppedBatches = await countBatches(segment, end, codec)
    for (const other of gone) {
      if (other !== segment) droppedBatches += await countBatches(other, { ...end, position: 0 }, codec)
    }
    const droppedBytes = segment.bytes - end.position
    events.warn('log-tail-cut', {
      folder: this.#folder,
      endOffset: end.offset,
      droppedBatches,
      droppedBytes,
      why: end.fault?.detail ?? 'a segment before it is not whole',
    })
    for (const other of gone) other.remove()
    this.#segments = this.#segments.without(new Set(gone))
    if (gone.includes(segment)) return
    segment.file().truncate(end.position)
    segment.bytes = end.position
    beginAnew(point, point.end)
  }

  /** Writes the same bytes over themselves, so that they are dirty and the next sync means them. */
  async #rewrite(kept: readonly { segment: Segment; from: number }[]): Promise<DiskFile[]> {
    const files: DiskFile[] = []
    const bytes = new Uint8Array(
      Math.min(COPY_BYTES, Math.max(0, ...kept.map(({ segment, from }) => segment.bytes - from))),
    )
    for (const { segment, from } of kept) {
      const file = segment.file()
      files.push(file)
      for (let position = from; position < segment.bytes; position += bytes.length) {
        const count = await file.readCold(bytes.subarray(0, Math.min(bytes.length, segment.bytes - position)), position)
        file.write(bytes.subarray(0, count), position)
      }
    }
    return files
  }

  async #recoverUnmarked(why: 'absent' | 'bad'): Promise<Recovered> {
    const { events } = this.#world
    events.error('log-mark-lost', { folder: this.#folder, why })
    await new CompactionMark(this.#world, this.#folder).forget(this.#world.commits)
    this.#epochs.load()
    const lastStart = this.#epochs.entries().at(-1)?.startOffset ?? 0
    const { list } = this.#segments
    if (list.length === 0) {
      // where the log ended is not known: appending could use an offset twice
      this.#damage(lastStart, lastStart, this.#folder, 'the durable mark is lost and there are no segments')
      return this.#recovered(lastStart, emptyPoint(lastStart), false)
    }
    this.#epochs.clear()
    const start = list[0]!.base
    const point = emptyPoint(start)
    await this.#checkAll(point)
    const files = await this.#rewrite(this.#segments.list.map((segment) => ({ segment, from: 0 })))
    files.push(this.#epochs.writeIfRoom())
    await this.#world.commits.syncNow(files, [this.#folder])
    const fields = marked(start, point, this.#segments.countWithin(start, point.end))
    await this.#world.commits.syncNow([this.#mark.writeTwice(fields)], [this.#folder])
    return this.#recovered(start, point, false)
  }

  /** Bad bytes with a whole batch anywhere behind them are damage, at the very end they are a tail. */
  async #checkAll(point: LogPoint): Promise<void> {
    const { codec } = this.#world
    const { list } = this.#segments
    for (let i = 0; i < list.length; i++) {
      const segment = list[i]!
      if (segment.base !== point.end)
        this.#damage(point.end, segment.base, segment.path, 'a segment before it is missing or cut')
      let track: Track = { position: 0, offset: segment.base, epoch: Math.max(point.epoch, 0) }
      for (;;) {
        const end = await this.#walk(segment, track, point)
        if (end.fault === null) break
        const nextInFile = await nextBatch(segment.file(), end, segment.bytes, list[i + 1]?.base ?? END_OF_TIME, codec)
        const later = nextInFile === null ? await this.#firstReadable(list, i + 1) : null
        if (nextInFile === null && later === null)
          return this.#cutTail(segment, end, list.slice(end.position === 0 ? i : i + 1), point)
        const nextOffset = nextInFile?.offset ?? later!
        this.#damage(end.offset, nextOffset, segment.path, end.fault.detail)
        point.end = nextOffset
        if (nextInFile === null) break
        track = nextInFile
      }
    }
  }

  /** Base of the first segment from `index` on that has any whole batch. */
  async #firstReadable(list: readonly Segment[], index: number): Promise<number | null> {
    for (const segment of list.slice(index)) {
      const track = { position: 0, offset: segment.base, epoch: 0 }
      const end = await walkBatches(segment.file(), track, segment.bytes, this.#world.codec, () => {})
      if (end.position > 0) return segment.base
      const next = await nextBatch(segment.file(), end, segment.bytes, END_OF_TIME, this.#world.codec)
      if (next !== null) return segment.base
    }
    return null
  }

  #damage(offset: number, nextReadableOffset: number, path: string, detail: string): void {
    this.#damages.push({ offset, nextReadableOffset, path, detail })
    this.#world.events.error('log-damaged', { path, offset, nextReadableOffset, detail })
  }

  #recovered(startOffset: number, end: LogPoint, isCountWrong: boolean): Recovered {
    const { list } = this.#segments
    // thousands of logs may never be used: nobody holds a file for them
    for (const segment of list) segment.closeFile()
    this.#mark.closeFile()
    this.#epochs.closeFile()
    return {
      mark: this.#mark,
      epochs: this.#epochs,
      segments: this.#segments,
      startOffset,
      end,
      damages: this.#damages,
      isCountWrong,
    }
  }
}

function endsAt(last: Segment, point: LogPoint): boolean {
  if (point.segmentBytes === 0) return last.base < point.end
  return last.base === point.segmentBase && last.bytes === point.segmentBytes
}

async function countBatches(segment: Segment, from: Track, codec: Codec): Promise<number> {
  let batches = 0
  let track: Track | null = from
  while (track !== null) {
    const end: WalkEnd = await walkBatches(segment.file(), track, segment.bytes, codec, () => batches++)
    track =
      end.fault === null
        ? null
        : await nextBatch(segment.file(), { ...end, offset: -1 }, segment.bytes, END_OF_TIME, codec)
  }
  return batches
}
