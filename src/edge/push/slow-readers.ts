// Connections that do not take what they were given. Each keeps some of it in memory until it does, and what all of them keep is
// bounded: beyond that, whoever has been slow the longest is let go, as it would be in the end anyway.

export interface SlowReader {
  /** Called every so often, until it is removed. */
  lookAgain(nowMs: number): void
  /** Ends it, and removes it. */
  letGo(): void
}

export class SlowReaders {
  readonly #bytesMax: number
  /** With what each has kept since it became slow; the slowest first. */
  readonly #bytesOf = new Map<SlowReader, number>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get count(): number {
    return this.#bytesOf.size
  }

  get bytes(): number {
    return this.#bytes
  }

  add(reader: SlowReader, bytes: number): void {
    this.#bytesOf.set(reader, bytes)
    this.#bytes += bytes
    for (const slowest of this.#bytesOf.keys()) {
      if (this.#bytes <= this.#bytesMax) break
      slowest.letGo()
    }
  }

  delete(reader: SlowReader): void {
    this.#bytes -= this.#bytesOf.get(reader) ?? 0
    this.#bytesOf.delete(reader)
  }

  lookAgain(nowMs: number): void {
    for (const reader of this.#bytesOf.keys()) reader.lookAgain(nowMs)
  }
}
