// Runs one machine on one journal.
//
//   loading ──▶ active ──▶ loading (an append was lost: the state is dropped, snapshot and log are read again)
//      └──────▶ failed     (what is stored cannot be read)
//
// The leader applies at append, so each decision sees all earlier ones. Therefore every reply and every read, also of what
// changed nothing, waits until all that was appended before it is committed: nobody is told what may yet be lost. Replies
// parked behind a loss are answered `lost`. A follower would apply at commit and decide nothing; it comes with the quorum.

import { assert, Deque, limits } from '../base/index.ts'
import type { Clock } from '../ports/index.ts'
import type { Journal, JournalListener } from './journal.ts'
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
  /** Told of every committed picture, in order. */
  onCommitted?: (view: View) => void
  /** The state could not be loaded again after a loss. */
  onFailed?: (error: unknown) => void
}

export type RuntimePhase = 'loading' | 'active' | 'failed' | 'closed'

/** `refused` means nothing was done. `lost`: as the outcome says. */
export type Submitted<Reply> =
  | { kind: 'committed'; reply: Reply }
  | { kind: 'refused'; reason: Exclude<RuntimePhase, 'active'> | 'disk-full' | 'not-leading' }
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
  readonly #parked = new Deque<Parked<View>>()
  #committedView: View
  #bytesSinceSnapshot = 0
  #capture: Capture<Rec> | null = null
  #isSaving = false

  private constructor(options: RuntimeOptions<Command, Rec, Reply, View>) {
    this.#options = options
    this.#machine = options.create()
    this.#timers = this.#newTimers()
    this.#committedView = this.#machine.view()
  }

  /** Resolves when the machine is active. Rejects when what is stored cannot be read. */
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
    return this.#park(reply, records.length > 0 ? this.#machine.view() : null)
  }

  /** Answers from the present, once it is committed. */
  read<Answer>(query: (view: View) => Answer): Promise<Submitted<Answer>> {
    if (this.#phase !== 'active') return Promise.resolve({ kind: 'refused', reason: this.#phase })
    return this.#park(query(this.#machine.view()), null)
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
      this.#publish(parked.view)
      parked.settle('committed')
    }
    this.#saveCapture()
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
    this.#loadState().catch((error: unknown) => this.#options.onFailed?.(error))
  }

  // --- loading ---------------------------------------------------------------------------------------------------------

  async #loadState(): Promise<void> {
    const { create, records, journal } = this.#options
    const load = ++this.#load
    this.#phase = 'loading'
    this.#timers.close()
    const timers = this.#newTimers()
    const machine = create()
    let bytes = 0
    try {
      const from = await journal.readSnapshot((stored) => {
        timers.change(machine.apply(records.decode(stored), 0))
      })
      if (load !== this.#load) return
      const { endOffset } = journal
      await journal.read(from, endOffset, (stored, offset) => {
        bytes += bytesOf(stored)
        timers.change(machine.apply(records.decode(stored), offset))
      })
    } catch (error) {
      if (load !== this.#load) return
      this.#phase = 'failed'
      throw error
    }
    if (load !== this.#load) return
    this.#machine = machine
    this.#timers = timers
    this.#bytesSinceSnapshot = bytes
    this.#phase = 'active'
    timers.start()
    const whenCommitted = this.#park(null, machine.view())
    // What is in the log of a lone broker is committed by being synced: the picture is there when `open` resolves.
    await whenCommitted
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

  #append(records: readonly Rec[]): 'disk-full' | 'not-leading' | null {
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
    if (this.#bytesSinceSnapshot >= this.#options.snapshotBytes && this.#capture === null && !this.#isSaving) {
      this.#capture = { nextOffset: offset, records: this.#machine.snapshot() }
      this.#bytesSinceSnapshot = 0
    }
    return null
  }

  #park<Answer>(reply: Answer, view: View | null): Promise<Submitted<Answer>> {
    const end = this.#options.journal.endOffset
    if (this.#parked.count === 0 && this.#options.journal.committedEnd >= end) {
      this.#publish(view)
      return Promise.resolve({ kind: 'committed', reply })
    }
    return new Promise((resolve) => {
      const settle = (fate: Fate): void =>
        resolve(fate === 'committed' ? { kind: 'committed', reply } : { kind: 'lost', outcome: fate })
      this.#parked.push({ end, settle, view })
    })
  }

  #publish(view: View | null): void {
    if (view === null) return
    this.#committedView = view
    this.#options.onCommitted?.(view)
  }

  // --- snapshots -------------------------------------------------------------------------------------------------------

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
