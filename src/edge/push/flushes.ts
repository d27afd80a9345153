// Sockets with something to send, sent to once at the end of the step that gave it to them: several messages to one socket then
// share a system call, which is most of what a message costs.

export interface Flushed {
  flush(): void
}

export class Flushes {
  readonly #waiting: Flushed[] = []

  soon(socket: Flushed): void {
    if (this.#waiting.push(socket) === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    for (const socket of this.#waiting.splice(0)) socket.flush()
  }
}
