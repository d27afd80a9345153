// One event stream: a subscription over plain HTTP, to what every browser has as EventSource. Its events carry the cursor as their
// id, so that the browser comes back by itself to where it was, after a cut, a restart or a sleep.

import { Problem } from '../wire/index.ts'
import { drainEvent, positionEvent, problemEvent, resetEvent, retryEvent } from './messages.ts'
import type { SlowReader } from './slow-readers.ts'
import type { Outlet, Subscription } from './subscription.ts'
import type { Reset } from './unit-reader.ts'
import type { Unit } from './unit.ts'
import type { PushWorld } from './world.ts'

/** Browsers come back spread over as much again. */
const RETRY_MS = 1_000

export class EventStream implements Outlet, SlowReader {
  readonly readable: ReadableStream<Uint8Array>
  readonly #world: PushWorld
  readonly #onEnd: () => void
  #controller!: ReadableStreamDefaultController<Uint8Array>
  #subscription: Subscription | null = null
  #isStalled = false
  #stalledAtMs = 0
  #hasEnded = false

  /** `onEnd` is called once, whoever ends it. */
  constructor(world: PushWorld, onEnd: () => void) {
    this.#world = world
    this.#onEnd = onEnd
    // Of the default strategy, a chunk at a time: Bun streams that natively, in half the memory of any other.
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
      },
      pull: () => this.#drained(),
      cancel: () => this.#end(),
    })
    this.#write(retryEvent(RETRY_MS + Math.floor(Math.random() * RETRY_MS)))
  }

  /** Begins with where it stands, and with what is not there any more. */
  start(subscription: Subscription, cursor: string, resets: readonly Reset[]): void {
    if (this.#hasEnded) return subscription.close()
    this.#subscription = subscription
    this.#world.pulse.add(subscription)
    this.#write(positionEvent(cursor))
    for (const reset of resets) this.#write(resetEvent(reset))
    subscription.resume()
  }

  drain(afterMs: number): void {
    this.#write(drainEvent(afterMs))
    this.#close()
  }

  endWith(problem: Problem): void {
    this.#write(problemEvent(problem))
    this.#close()
  }

  lookAgain(nowMs: number): void {
    if (nowMs - this.#stalledAtMs >= this.#world.slowMs) this.letGo()
  }

  letGo(): void {
    if (this.#hasEnded) return
    // What it has not read is dropped: it reads that again when it comes back.
    this.#controller.error(new Error('the reader is too slow'))
    this.#end()
  }

  // --- what is pushed --------------------------------------------------------------------------------------------------

  get isWritable(): boolean {
    return !this.#hasEnded && !this.#isStalled
  }

  sendUnit(_subscription: Subscription, { event }: Unit): number {
    this.#write(event)
    return event.length
  }

  sendPosition(_subscription: Subscription, cursor: string): void {
    this.#write(positionEvent(cursor))
  }

  sendReset(_subscription: Subscription, reset: Reset): void {
    this.#write(resetEvent(reset))
  }

  sendEnd(_subscription: Subscription, problem: Problem): void {
    this.endWith(problem)
  }

  failed(_subscription: Subscription, error: unknown): void {
    this.#world.onFailure(error)
    this.endWith(new Problem('internal', 'See the log of the broker'))
  }

  // --- the stream ------------------------------------------------------------------------------------------------------

  #write(event: Uint8Array): void {
    if (this.#hasEnded) return
    this.#controller.enqueue(event)
    if (this.#isStalled || (this.#controller.desiredSize ?? 0) > 0) return
    this.#isStalled = true
    this.#stalledAtMs = this.#world.monotonicMs()
    this.#world.slow.add(this, event.length)
  }

  #drained(): void {
    if (!this.#isStalled || (this.#controller.desiredSize ?? 0) <= 0) return
    this.#isStalled = false
    this.#world.slow.delete(this)
    this.#subscription?.resume()
  }

  #close(): void {
    if (this.#hasEnded) return
    this.#controller.close()
    this.#end()
  }

  #end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#world.slow.delete(this)
    if (this.#subscription !== null) {
      this.#world.pulse.delete(this.#subscription)
      this.#subscription.close()
    }
    this.#onEnd()
  }
}
