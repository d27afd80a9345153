// The distinct tags of a batch under construction and which record has which.

import { assert, limits } from '../base/index.ts'

const encoder = new TextEncoder()

export class TagTable {
  readonly #indexByTag = new Map<string, number>()
  readonly #encoded: Uint8Array[] = []
  #dictionaryBytes = 0
  /** Two u32 words a record, grown on demand. */
  #masks = new Uint32Array(0)
  /** Masks behind this record are not written: it and its followers have no tags. */
  #maskedRecords = 0

  get isEmpty(): boolean {
    return this.#encoded.length === 0
  }

  /** Bytes of the tags entry's content for a batch of `recordCount` records; 0: no entry. */
  bytesFor(recordCount: number): number {
    return this.#bytesOf(this.#encoded.length, this.#dictionaryBytes, recordCount)
  }

  /** A bound of what they were if the last record had `tags`; infinite when a batch cannot hold so many. */
  bytesWith(tags: readonly string[], recordCount: number): number {
    let tagCount = this.#encoded.length
    let dictionaryBytes = this.#dictionaryBytes
    for (const tag of tags) {
      if (this.#indexByTag.has(tag)) continue
      tagCount++
      dictionaryBytes += 1 + tag.length * 3
    }
    if (tagCount > limits.BATCH_TAGS_MAX) return Number.POSITIVE_INFINITY
    return this.#bytesOf(tagCount, dictionaryBytes, recordCount)
  }

  set(record: number, tags: readonly string[]): void {
    if (record * 2 + 2 > this.#masks.length) this.#grow(record)
    this.#masks.fill(0, this.#maskedRecords * 2, record * 2 + 2)
    this.#maskedRecords = record + 1
    for (const tag of tags) {
      const index = this.#indexByTag.get(tag) ?? this.#take(tag)
      this.#masks[record * 2 + (index >> 5)]! |= 1 << (index & 31)
    }
  }

  clear(): void {
    if (this.#encoded.length === 0) return
    this.#indexByTag.clear()
    this.#encoded.length = 0
    this.#dictionaryBytes = 0
    this.#maskedRecords = 0
  }

  write(into: Uint8Array, at: number, recordCount: number): void {
    into[at++] = this.#encoded.length
    for (const tag of this.#encoded) {
      into[at++] = tag.length
      into.set(tag, at)
      at += tag.length
    }
    const maskBytes = (this.#encoded.length + 7) >> 3
    for (let record = 0; record < recordCount; record++) {
      const isMasked = record < this.#maskedRecords
      for (let i = 0; i < maskBytes; i++) {
        into[at++] = isMasked ? this.#masks[record * 2 + (i >> 2)]! >>> ((i & 3) * 8) : 0
      }
    }
  }

  #bytesOf(tagCount: number, dictionaryBytes: number, recordCount: number): number {
    return tagCount === 0 ? 0 : 1 + dictionaryBytes + recordCount * ((tagCount + 7) >> 3)
  }

  /** Texts that differ only in lone surrogates are the same bytes, hence one tag. */
  #take(tag: string): number {
    const whole = tag.toWellFormed()
    let index = this.#indexByTag.get(whole)
    if (index === undefined) {
      index = this.#encode(whole)
      this.#indexByTag.set(whole, index)
    }
    if (whole !== tag) this.#indexByTag.set(tag, index)
    return index
  }

  #encode(tag: string): number {
    const bytes = encoder.encode(tag)
    assert(bytes.length > 0 && bytes.length <= limits.TAG_BYTES_MAX, 'a tag is from 1 to 128 bytes')
    assert(this.#encoded.length < limits.BATCH_TAGS_MAX, 'a record has no more tags than a batch may')
    this.#dictionaryBytes += 1 + bytes.length
    return this.#encoded.push(bytes) - 1
  }

  #grow(record: number): void {
    const wider = new Uint32Array(Math.max(256, (record + 1) * 4))
    wider.set(this.#masks.subarray(0, this.#maskedRecords * 2))
    this.#masks = wider
  }
}
