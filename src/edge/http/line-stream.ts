// An answer that grows line by line. Writing never blocks; a writer that could outrun its reader waits for `hasRoom`. When
// the reader has gone, `isGone` is true and `onGone` is called once.

const ROOM_BYTES = 256 * 1024

export class LineStream {
  readonly readable: ReadableStream<Uint8Array>
  isGone = false
  onGone: (() => void) | null = null
  #controller!: ReadableStreamDefaultController<Uint8Array>
  #roomMade: (() => void) | null = null

  constructor() {
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => this.#tellRoom(),
        cancel: () => this.gone(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: ROOM_BYTES }),
    )
  }

  /** `bytes` are the stream's from here on. */
  write(bytes: Uint8Array): void {
    if (!this.isGone && bytes.length > 0) this.#controller.enqueue(bytes)
  }

  hasRoom(): Promise<void> | null {
    if (this.isGone || (this.#controller.desiredSize ?? 0) > 0) return null
    return new Promise((resolve) => {
      this.#roomMade = resolve
    })
  }

  close(): void {
    if (this.isGone) return
    this.isGone = true
    this.#controller.close()
    this.#tellRoom()
  }

  /** Breaks off, so that the reader sees that this was not the end. */
  fail(error: unknown): void {
    if (this.isGone) return
    this.isGone = true
    this.#controller.error(error)
    this.#tellRoom()
  }

  /** The reader has gone: nothing more is written. */
  gone(): void {
    if (this.isGone) return
    this.isGone = true
    this.#tellRoom()
    this.onGone?.()
  }

  #tellRoom(): void {
    this.#roomMade?.()
    this.#roomMade = null
  }
}
