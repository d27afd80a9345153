// Runs one machine on one journal.
//
//                     leads
//   loading ──▶ following ──▶ active ──▶ loading (an append was lost, or the lead: the state is dropped, snapshot and log
//      └──────▶ failed  (what is stored cannot be read)                                                are read again)
//
// The leader applies at append, so each decision sees all earlier ones. Therefore every reply and every read, also of what
// changed nothing, waits until all that was appended before it is committed: nobody is told what may yet be lost. Replies
// parked behind a loss are answered `lost`. What wrote nothing is answered when it is sure, too, that nobody else led.
//
// A follower applies what is committed and decides nothing. One that is to lead first applies all that its log holds.

import { assert, Deque, limits } from '../base/index.ts'
import type { Clock } from '../ports/index.ts'
import type { Journal, JournalListener, JournalRefusal } from './journal.ts'
import type { Machine, RecordCodec, StoredRecord } from './machine.ts'
import { MachineTimers } from './machine-timers.ts'

export interface RuntimeOptions<Command, Rec, Reply, View> {
  /** An empty machine. */
  create: () => Machine<Command, Rec, Reply, View>
  records: RecordCodec<Rec>
  journal: Journal
  clock: Clock
  /** A snapshot is taken when the log has grown by so much since the last. */
  snapshotBytes: number
  /** Told of every committed picture, in order, and that it holds all below `end`; also when only that has moved. */
  onCommitted?: (view: View, end: number) => void
  /** The state could not be loaded again after a loss. */
  onFailed?: (error: unknown) => void
}

export type RuntimePhase = 'loading' | 'following' | 'active' | 'failed' | 'closed'

/** `refused` means nothing was done. `lost`: as the outcome says. */
export type Submitted<Reply> =
  | { kind: 'committed'; reply: Reply }
  | { kind: 'refused'; reason: Exclude<RuntimePhase, 'active'> | JournalRefusal['kind'] }
  | { kind: 'lost'; outcome: 'none' | 'unknown' }

type Fate = 'committed' | 'none' | 'unknown'

interface Parked<View> {
  /** Everything below must be committed. */
  end: number
  settle: (fate: Fate) => void
  /** What becomes the committed picture with it. */
  view: View | null
}

interface Capture<Rec> {
  nextOffset: number
  records: Iterable<Rec>
}

/** An append the disk refused is tried again by the timer that wanted it. */
const TIMER_RETRY_MS = 1_000
/** Leaves room for a batch's header and each record's own. */
const DECISION_BYTES_MAX = limits.BATCH_BYTES_MAX / 2

export class Runtime<Command, Rec, Reply, View> implements JournalListener {
  readonly #options: RuntimeOptions<Command, Rec, Reply, View>
  #phase: RuntimePhase = 'loading'
  #machine: Machine<Command, Rec, Reply, View>
  #timers: MachineTimers<Command>
  /** Counts loads: one that a later loss has overtaken gives up. */
  #load = 0
  /** The machine is made of everything below; while active the journal's end says so. */
  #appliedEnd = 0
  #isCatchingUp = false
  readonly #parked = new Deque<Parked<View>>()
  #committedView: View
  #publishedEnd = 0
  #bytesSinceSnapshot = 0
  #capture: Capture<Rec> | null = null
  #isSaving = false

  private constructor(options: RuntimeOptions<Command, Rec, Reply, View>) {
    this.#options = options
    this.#machine = options.create()
    this.#timers = this.#newTimers()
    this.#committedView = this.#machine.view()
  }

  /** Resolves when the machine is active, or follows. Rejects when what is stored cannot be read. */
  static async open<Command, Rec, Reply, View>(
    options: RuntimeOptions<Command, Rec, Reply, View>,
  ): Promise<Runtime<Command, Rec, Reply, View>> {
    const runtime = new Runtime(options)
    options.journal.listen(runtime)
    await runtime.#loadState()
    return runtime
  }

  get phase(): RuntimePhase {
    return this.#phase
  }

  /** The latest picture whose every record is committed. */
  get committedView(): View {
    return this.#committedView
  }

  submit(command: Command): Promise<Submitted<Reply>> {
    if (this.#phase !== 'active') return Promise.resolve({ kind: 'refused', reason: this.#phase })
    const { records, reply, timers } = this.#machine.decide(command, this.#options.clock.now())
    if (records.length > 0) {
      const refusal = this.#append(records)
      if (refusal !== null) return Promise.resolve({ kind: 'refused', reason: refusal })
    }
    if (timers !== undefined) this.#timers.change(timers)
    return records.length > 0 ? this.#park(reply, this.#machine.view()) : this.#parkUnwritten(reply)
  }

  /** Answers from the present, once it is committed. */
  read<Answer>(query: (view: View) => Answer): Promise<Submitted<Answer>> {
    if (this.#phase !== 'active') return Promise.resolve({ kind: 'refused', reason: this.#phase })
    return this.#parkUnwritten(query(this.#machine.view()))
  }

  /** Takes no more work; resolves when all that was appended has met its fate. */
  async close(): Promise<void> {
    const wasActive = this.#phase === 'active'
    this.#phase = 'closed'
    this.#load++
    this.#timers.close()
    if (wasActive) await this.#park(null, null)
  }

  onCommitted(end: number): void {
    for (let parked = this.#parked.first(); parked !== undefined && parked.end <= end; parked = this.#parked.first()) {
      this.#parked.shift()
      this.#publish(parked.view, parked.end)
      parked.settle('committed')
    }
    if (this.#phase === 'active') this.#publish(null, end)
    this.#saveCapture()
    if (this.#phase === 'following') this.#catchUp()
  }

  onLeading(): void {
    if (this.#phase === 'following') this.#catchUp()
  }

  onRestored(end: number): void {
    if (this.#phase === 'closed' || this.#phase === 'failed' || this.#appliedEnd >= end) return
    this.#capture = null
    this.#reload()
  }

  onLost(from: number, outcome: 'none' | 'unknown'): void {
    const lost: Parked<View>[] = []
    for (let parked = this.#parked.last(); parked !== undefined && parked.end > from; parked = this.#parked.last()) {
      this.#parked.pop()
      lost.push(parked)
    }
    for (const parked of lost.reverse()) parked.settle(outcome)
    if (this.#capture !== null && this.#capture.nextOffset > from) this.#capture = null
    if (this.#phase === 'closed' || this.#phase === 'failed') return
    this.#reload()
  }

  // --- loading ---------------------------------------------------------------------------------------------------------

  #reload(): void {
    this.#loadState().catch((error: unknown) => this.#options.onFailed?.(error))
  }

  async #loadState(): Promise<void> {
    const { create, records, journal } = this.#options
    const load = ++this.#load
    this.#phase = 'loading'
    this.#timers.close()
    const timers = this.#newTimers()
    const machine = create()
    try {
      const from = await journal.readSnapshot((stored) => {
        timers.change(machine.apply(records.decode(stored), 0))
      })
      if (load !== this.#load) return
      this.#machine = machine
      this.#timers = timers
      this.#appliedEnd = from
      this.#bytesSinceSnapshot = 0
      await this.#applyThrough(load)
    } catch (error) {
      this.#fail(load, error)
    }
    // What is in the log of a lone broker is committed by being synced: the picture is there when `open` resolves.
    if (load === this.#load && this.phase === 'active') await this.#park(null, null)
  }

  /** More is committed, or this broker leads: one run at a time takes in all there is. */
  #catchUp(): void {
    if (this.#isCatchingUp) return
    this.#isCatchingUp = true
    const load = this.#load
    this.#applyThrough(load)
      .catch((error: unknown) => this.#fail(load, error))
      .finally(() => {
        this.#isCatchingUp = false
        if (this.#phase === 'following' && this.#appliedEnd < this.#readableEnd) this.#catchUp()
      })
      .catch((error: unknown) => this.#options.onFailed?.(error))
  }

  get #readableEnd(): number {
    const { journal } = this.#options
    return journal.isLeading ? journal.endOffset : journal.committedEnd
  }

  /** Applies what the journal holds, all of it on the leader; then this is what it says: active, or following. */
  async #applyThrough(load: number): Promise<void> {
    const { journal, records } = this.#options
    while (this.#appliedEnd < this.#readableEnd) {
      const end = this.#readableEnd
      await journal.read(this.#appliedEnd, end, (stored, offset) => {
        if (load !== this.#load) return
        this.#bytesSinceSnapshot += bytesOf(stored)
        this.#timers.change(this.#machine.apply(records.decode(stored), offset))
      })
      if (load !== this.#load) return
      this.#appliedEnd = end
      if (journal.isLeading) continue
      this.#captureAt(end)
      this.#saveCapture()
    }
    if (!journal.isLeading) {
      this.#phase = 'following'
      this.#publish(this.#machine.view(), this.#appliedEnd)
      return
    }
    this.#phase = 'active'
    this.#timers.start()
    void this.#park(null, this.#machine.view())
  }

  #fail(load: number, error: unknown): void {
    if (load !== this.#load) return
    this.#phase = 'failed'
    throw error
  }

  #newTimers(): MachineTimers<Command> {
    return new MachineTimers(this.#options.clock, (timer, command) => this.#onTimer(timer, command))
  }

  #onTimer(timer: string, command: Command): void {
    const timers = this.#timers
    void this.submit(command).then((submitted) => {
      if (submitted.kind === 'refused' && submitted.reason === 'disk-full' && timers === this.#timers) {
        timers.set({ timer, afterMs: TIMER_RETRY_MS, command })
      }
    })
  }

  // --- appending -------------------------------------------------------------------------------------------------------

  #append(records: readonly Rec[]): JournalRefusal['kind'] | null {
    const encoded = records.map((record) => this.#options.records.encode(record))
    let bytes = 0
    for (const record of encoded) bytes += bytesOf(record)
    assert(
      bytes <= DECISION_BYTES_MAX && records.length <= limits.BATCH_RECORDS_MAX,
      'a decision fits one batch; what does not is decided in steps',
    )
    const appended = this.#options.journal.append(encoded)
    if (appended.kind !== 'appended') return appended.kind
    let offset = appended.baseOffset
    for (const record of records) this.#timers.change(this.#machine.apply(record, offset++))
    assert(offset === this.#options.journal.endOffset, 'the journal takes one batch at a time')
    this.#bytesSinceSnapshot += bytes
    this.#captureAt(offset)
    return null
  }

  /** Nothing was appended for it: it may say so when all before it is committed, and nobody else led. */
  async #parkUnwritten<Answer>(answer: Answer): Promise<Submitted<Answer>> {
    const confirmed = this.#options.journal.confirm()
    const parked = await this.#park(answer, null)
    if (parked.kind === 'committed' && confirmed !== null && !(await confirmed))
      return { kind: 'lost', outcome: 'none' }
    return parked
  }

  #park<Answer>(reply: Answer, view: View | null): Promise<Submitted<Answer>> {
    const end = this.#options.journal.endOffset
    if (this.#parked.count === 0 && this.#options.journal.committedEnd >= end) {
      this.#publish(view, end)
      return Promise.resolve({ kind: 'committed', reply })
    }
    return new Promise((resolve) => {
      const settle = (fate: Fate): void =>
        resolve(fate === 'committed' ? { kind: 'committed', reply } : { kind: 'lost', outcome: fate })
      this.#parked.push({ end, settle, view })
    })
  }

  /** Null: the picture stays as it is. */
  #publish(view: View | null, end: number): void {
    if (view === null && end <= this.#publishedEnd) return
    if (view !== null) this.#committedView = view
    this.#publishedEnd = Math.max(this.#publishedEnd, end)
    this.#options.onCommitted?.(this.#committedView, this.#publishedEnd)
  }

  // --- snapshots -------------------------------------------------------------------------------------------------------

  #captureAt(nextOffset: number): void {
    if (this.#bytesSinceSnapshot < this.#options.snapshotBytes || this.#capture !== null || this.#isSaving) return
    this.#capture = { nextOffset, records: this.#machine.snapshot() }
    this.#bytesSinceSnapshot = 0
  }

  /** Taken at append, kept once it is committed: what a snapshot stands for is never lost. */
  #saveCapture(): void {
    const { journal, records } = this.#options
    const capture = this.#capture
    if (capture === null || capture.nextOffset > journal.committedEnd) return
    this.#capture = null
    this.#isSaving = true
    journal
      .saveSnapshot(capture.nextOffset, encodedEach(capture.records, records))
      // After 'disk-full' the log simply grows on; the next one is due as far from here as any.
      .finally(() => {
        this.#isSaving = false
      })
      .catch((error: unknown) => this.#options.onFailed?.(error))
  }
}

function* encodedEach<Rec>(records: Iterable<Rec>, codec: RecordCodec<Rec>): Iterable<StoredRecord> {
  for (const record of records) yield codec.encode(record)
}

function bytesOf({ key, value }: StoredRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0)
}
