// Thousands of long polls on sockets of their own, each noting when its answer begins.

const CONNECT_AT_ONCE = 200

export class ParkedPolls {
  readonly #wakes: number[] = []
  readonly #count: number
  #sockets: Bun.Socket<undefined>[] = []
  #failure: Error | null = null
  #all: () => void = () => {}

  private constructor(count: number) {
    this.#count = count
  }

  /** `pollOf` makes the request of each. */
  static async open(port: number, pollOf: (i: number) => Uint8Array, count: number): Promise<ParkedPolls> {
    const polls = new ParkedPolls(count)
    for (let opened = 0; opened < count; opened += CONNECT_AT_ONCE) {
      const wave = Array.from({ length: Math.min(CONNECT_AT_ONCE, count - opened) }, (_, i) =>
        polls.#park(port, pollOf(opened + i)),
      )
      polls.#sockets.push(...(await Promise.all(wave)))
    }
    return polls
  }

  #park(port: number, poll: Uint8Array): Promise<Bun.Socket<undefined>> {
    let answered = false
    return Bun.connect<undefined>({
      hostname: '127.0.0.1',
      port,
      socket: {
        open: (socket) => void socket.write(poll),
        data: (_, bytes) => {
          if (answered) return
          answered = true
          if (!bytes.includes(' 200 ')) this.#failure = new Error(`a poll was answered: ${bytes.toString()}`)
          this.#wakes.push(performance.now())
          if (this.#wakes.length === this.#count) this.#all()
        },
        error: (_, error) => void (this.#failure = error),
      },
    })
  }

  /** When each was answered, in order. */
  async answered(withinMs: number): Promise<Float64Array> {
    if (this.#wakes.length < this.#count) {
      await new Promise<void>((resolve, reject) => {
        this.#all = resolve
        const late = () =>
          reject(new Error(`${this.#wakes.length} of ${this.#count} polls answered within ${withinMs} ms`))
        setTimeout(late, withinMs).unref()
      })
    }
    if (this.#failure !== null) throw this.#failure
    return new Float64Array(this.#wakes)
  }

  close(): void {
    for (const socket of this.#sockets) socket.end()
    this.#sockets = []
  }
}
