// What has been received and not been taken yet, in order, bounded by what is asked of the broker ahead. It outlives connections:
// the next one goes on behind the latest that is in here.

import { Deque } from '../core/base/index.ts'
import type { ConsumedRecord } from './received.ts'

/** Records of one topic that came together. */
export interface RecordBatch {
  readonly topic: string
  readonly records: readonly ConsumedRecord[]
  /** Where to go on behind them. */
  readonly cursor: string
  /** Whether nothing was left to be read then. */
  readonly caughtUp: boolean
}

/** Records that were to be read are gone, or never were; reading goes on behind. */
export interface Reset {
  readonly topic: string
  /** Null: all of the topic. */
  readonly partition: number | null
  readonly from: number | null
  readonly to: number | null
  readonly reason: string
  readonly cursor: string
}

/** What is run between two records. */
export type Interlude = () => void | Promise<void>

export type Received =
  /** `stamp`: of the group's, see Membership. */
  | { kind: 'batch'; batch: RecordBatch; bytes: number; stamp: number }
  | { kind: 'reset'; reset: Reset }
  | { kind: 'interlude'; run: Interlude }

export interface InboxBounds {
  readonly records: number
  readonly bytes: number
}

export class Inbox {
  readonly bounds: InboxBounds
  /** Where the next connection goes on; null: where the consumer was to begin. */
  cursor: string | null
  /** Told of what is taken out: a connection asks for as much again. */
  onTaken: ((records: number, bytes: number) => void) | null = null
  #records = 0
  #bytes = 0
  readonly #items = new Deque<Received>()
  /** Run before anything else. */
  readonly #interludes = new Deque<Interlude>()
  #isPaused = false
  /** A taker waits. */
  #isWaiting = false
  #end: { error: unknown } | null = null
  #wakeTaker: (() => void) | null = null
  #wakeFeed: (() => void) | null = null
  #wakeIdle: (() => void) | null = null

  constructor(bounds: InboxBounds, cursor: string | null) {
    this.bounds = bounds
    this.cursor = cursor
  }

  get isEmpty(): boolean {
    return this.#items.count === 0
  }

  /** What may be asked for now. */
  get room(): InboxBounds {
    return {
      records: Math.max(this.bounds.records - this.#records, 0),
      bytes: Math.max(this.bounds.bytes - this.#bytes, 0),
    }
  }

  push(item: Received): void {
    if (item.kind === 'batch') {
      this.#records += item.batch.records.length
      this.#bytes += item.bytes
      this.cursor = item.batch.cursor
    } else if (item.kind === 'reset') {
      this.cursor = item.reset.cursor
    }
    this.#items.push(item)
    this.#wakeTaker?.()
  }

  /** To be run as soon as nothing is being dealt with. */
  interrupt(interlude: Interlude): void {
    this.#interludes.push(interlude)
    this.#wakeTaker?.()
  }

  /** Only interludes are handed out until it is set again. */
  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused
    this.#wakeTaker?.()
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** All has been dealt with, and more is waited for. */
  get isIdle(): boolean {
    return this.#isWaiting && this.#items.count === 0 && this.#interludes.count === 0
  }

  /** Whether there is something to `between` for. */
  get isInterrupted(): boolean {
    return this.#isPaused || this.#interludes.count > 0
  }

  /** Of one batch, between two records: runs what is to be run, and waits while it is paused. */
  async between(): Promise<void> {
    for (;;) {
      const run = this.#interludes.shift()
      if (run !== undefined) await run()
      else if (!this.#isPaused) return
      else await this.#woken()
    }
  }

  /** No more will come; `error` is thrown to the taker behind all that is here. */
  end(error: unknown): void {
    this.#end ??= { error }
    this.#wakeTaker?.()
  }

  /** Null: it has ended. */
  async take(): Promise<Received | null> {
    for (;;) {
      const run = this.#interludes.shift()
      if (run !== undefined) return { kind: 'interlude', run }
      const item = this.#isPaused ? undefined : this.#items.shift()
      if (item !== undefined) return this.#taken(item)
      if (this.#end !== null && !this.#isPaused) {
        if (this.#end.error !== null) throw this.#end.error
        return null
      }
      this.#isWaiting = !this.#isPaused
      if (this.#isWaiting) this.#wakeIdle?.()
      await this.#woken()
      this.#isWaiting = false
    }
  }

  /** Resolves when all has been dealt with, and more is waited for; or in `ms`. */
  async whenIdle(ms: number, signal: AbortSignal): Promise<boolean> {
    if (this.isIdle || signal.aborted) return this.isIdle
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#wakeIdle = wake
      signal.addEventListener('abort', wake)
    })
    this.#wakeIdle = null
    return this.isIdle
  }

  /** For connections without credit: resolves when there is room. */
  async whenRoom(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (this.#records >= this.bounds.records || this.#bytes >= this.bounds.bytes)) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.#wakeFeed = wake
        signal.addEventListener('abort', wake)
      })
      this.#wakeFeed = null
    }
  }

  async #woken(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wakeTaker = resolve))
    this.#wakeTaker = null
  }

  #taken(item: Received): Received {
    if (item.kind !== 'batch') return item
    const { length } = item.batch.records
    this.#records -= length
    this.#bytes -= item.bytes
    this.onTaken?.(length, item.bytes)
    this.#wakeFeed?.()
    return item
  }
}
