// Reads the tags of a batch, which there are and which record has which, without touching a payload.

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export class TagReader {
  readonly tags: string[] = []
  readonly #bytes: Uint8Array
  readonly #maskBytes: number
  readonly #masksStart: number

  /** `at` is the tags entry's payload in a section that has been checked. */
  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    const tagCount = bytes[at++]!
    for (let i = 0; i < tagCount; i++) {
      const tagBytes = bytes[at++]!
      this.tags.push(decoder.decode(bytes.subarray(at, at + tagBytes)))
      at += tagBytes
    }
    this.#maskBytes = (tagCount + 7) >> 3
    this.#masksStart = at
  }

  /** The mask of the tags that `wanted` holds, to compare records against; empty when the batch has none of them. */
  maskOf(wanted: ReadonlySet<string>): TagMask {
    let low = 0
    let high = 0
    for (let i = 0; i < this.tags.length; i++) {
      if (!wanted.has(this.tags[i]!)) continue
      if (i < 32) low |= 1 << i
      else high |= 1 << (i - 32)
    }
    return { low, high }
  }

  /** `record` is its ordinal in the batch, not its offset delta. */
  matches(record: number, mask: TagMask): boolean {
    const at = this.#masksStart + record * this.#maskBytes
    for (let i = 0; i < this.#maskBytes; i++) {
      const word = i < 4 ? mask.low >>> (i * 8) : mask.high >>> ((i - 4) * 8)
      if ((this.#bytes[at + i]! & word & 0xff) !== 0) return true
    }
    return false
  }

  /** Bit i: the record has tag i, of the first 32; and of those after them. */
  lowBits(record: number): number {
    return this.#bits(record, 0)
  }

  highBits(record: number): number {
    return this.#bits(record, 4)
  }

  #bits(record: number, from: number): number {
    const at = this.#masksStart + record * this.#maskBytes
    let bits = 0
    for (let i = from; i < this.#maskBytes && i < from + 4; i++) bits |= this.#bytes[at + i]! << ((i - from) * 8)
    return bits
  }

  tagsOf(record: number): string[] {
    const at = this.#masksStart + record * this.#maskBytes
    const tags: string[] = []
    for (let i = 0; i < this.tags.length; i++) {
      if ((this.#bytes[at + (i >> 3)]! & (1 << (i & 7))) !== 0) tags.push(this.tags[i]!)
    }
    return tags
  }
}

export interface TagMask {
  readonly low: number
  readonly high: number
}
