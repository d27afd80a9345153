// What a file may hold after a crash, byte by byte: what was durable when a sync was reported and nothing touched since is
// firm; anything else is one of the values the file ever had at that place, or nothing.

export class FileHistory {
  content: number[] = []
  isSynced = false
  readonly #ever: Set<number>[] = []
  /** By position, the only value it may have. */
  #firm: (number | undefined)[] = []
  #firmSize = 0
  /** The number of the last change. */
  #changes = 0
  readonly #changedAt: number[] = []
  #cutAt = 0

  write(bytes: Uint8Array, position: number): void {
    this.#changes++
    while (this.content.length < position) this.#set(this.content.length, 0)
    for (const [i, byte] of bytes.entries()) this.#set(position + i, byte)
  }

  truncate(size: number): void {
    this.#cutAt = ++this.#changes
    this.content.length = Math.min(this.content.length, size)
    this.#firm.length = Math.min(this.#firm.length, size)
    this.#firmSize = Math.min(this.#firmSize, size)
  }

  /** A sync begins; call what it returns when it is reported done. */
  syncing(): () => void {
    const content = [...this.content]
    const changes = this.#changes
    return () => {
      this.isSynced = true
      const wasCut = this.#cutAt > changes
      const size = wasCut ? Math.min(content.length, this.#firmSize) : content.length
      for (let p = 0; p < size; p++) if ((this.#changedAt[p] ?? 0) <= changes) this.#firm[p] = content[p]
      this.#firmSize = wasCut ? this.#firmSize : content.length
    }
  }

  /** What is wrong with such a content after a crash, or null. */
  faultOf(found: Uint8Array): string | null {
    if (found.length < this.#firmSize) return `${found.length} bytes, ${this.#firmSize} were durable`
    for (const [p, byte] of found.entries()) {
      const firm = p < this.#firmSize ? this.#firm[p] : undefined
      if (firm !== undefined && byte !== firm) return `byte ${p} is ${byte}, ${firm} was durable`
      if (byte !== 0 && !this.#ever[p]?.has(byte)) return `byte ${p} is ${byte}, which it never was`
    }
    return null
  }

  #set(position: number, byte: number): void {
    this.content[position] = byte
    ;(this.#ever[position] ??= new Set([0])).add(byte)
    this.#changedAt[position] = this.#changes
    this.#firm[position] = undefined
  }
}
