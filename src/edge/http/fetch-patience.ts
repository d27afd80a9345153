// How long a fetch may wait for enough to read, and that its client is still there.

import type { Broker, FetchSession } from '../../core/broker/index.ts'
import type { Call } from './call.ts'
import type { FetchCall } from './fetch-call.ts'

export class Patience {
  /** Time is up, the client gone or the broker closing. */
  isOver: boolean
  readonly #broker: Broker
  readonly #session: FetchSession
  readonly #bytesMin: number
  readonly #deadlineMs: number
  readonly #call: Call
  readonly #hasNews: () => boolean
  #onAbort: (() => void) | null = null

  /** `hasNews`: there is something else to say, which also ends a wait of the session. */
  constructor(
    broker: Broker,
    session: FetchSession,
    asked: FetchCall,
    call: Call,
    hasNews: () => boolean = () => false,
  ) {
    this.#broker = broker
    this.#session = session
    this.#bytesMin = asked.bytesMin
    this.isOver = asked.waitMs === 0
    this.#deadlineMs = this.isOver ? 0 : broker.monotonicMs() + asked.waitMs
    this.#call = call
    this.#hasNews = hasNews
  }

  /** Until there is enough to be worth a look, or it is over. */
  async wait(): Promise<void> {
    const session = this.#session
    while (!this.isOver && !session.isComplete && session.availableBytes() < this.#bytesMin) {
      if (this.#hasNews()) return
      this.#watch()
      const wake = await session.wait(this.#deadlineMs)
      this.isOver = wake !== 'advanced' || this.#broker.monotonicMs() >= this.#deadlineMs
    }
  }

  end(): void {
    if (this.#onAbort !== null) this.#call.request.signal.removeEventListener('abort', this.#onAbort)
  }

  #watch(): void {
    if (this.#onAbort !== null) return
    const { request, connection } = this.#call
    // A parked request is silent for longer than a connection may be.
    connection?.timeout(request, 0)
    this.#onAbort = () => this.#session.cancelWait()
    request.signal.addEventListener('abort', this.#onAbort)
    if (request.signal.aborted) this.isOver = true
  }
}
