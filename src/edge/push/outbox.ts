// What a socket has been given and has not sent. `send` of Bun drops what does not fit its buffer and says 0: that ends the
// socket. Below that it says -1 and buffers; until it has drained no unit is added, so that a slow reader holds one unit, not many.

import type { Flushed, Flushes } from './flushes.ts'

/** Of a Bun socket what is used of it. */
export interface RawSocket {
  /** Bytes sent; -1: buffered; 0: dropped. */
  sendText(text: string): number
  cork(send: () => void): unknown
  getBufferedAmount(): number
  close(code: number, reason: string): void
  pause(): void
  resume(): void
}

/** More than this goes out at once: a call of its own costs little beside it. */
const FLUSH_CHARS = 64 * 1024

export class Outbox implements Flushed {
  /** It buffers what it is given. */
  isStalled = false
  readonly #raw: RawSocket
  readonly #flushes: Flushes
  readonly #onStalled: () => void
  readonly #onDropped: () => void
  #texts: string[] = []
  #chars = 0

  constructor(raw: RawSocket, flushes: Flushes, onStalled: () => void, onDropped: () => void) {
    this.#raw = raw
    this.#flushes = flushes
    this.#onStalled = onStalled
    this.#onDropped = onDropped
  }

  send(text: string): void {
    this.#texts.push(text)
    this.#chars += text.length
    if (this.#chars >= FLUSH_CHARS) this.flush()
    else if (this.#texts.length === 1) this.#flushes.soon(this)
  }

  flush(): void {
    const texts = this.#texts
    if (texts.length === 0) return
    this.#texts = []
    this.#chars = 0
    if (texts.length === 1) this.#sendNow(texts[0]!)
    else this.#raw.cork(() => texts.forEach((text) => this.#sendNow(text)))
  }

  /** What has not been sent is not to be. */
  clear(): void {
    this.#texts = []
    this.#chars = 0
  }

  #sendNow(text: string): void {
    const sent = this.#raw.sendText(text)
    if (sent > 0) return
    if (sent === 0) {
      this.#onDropped()
    } else if (!this.isStalled) {
      this.isStalled = true
      this.#onStalled()
    }
  }
}
