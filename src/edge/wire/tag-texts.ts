// Tags as strings. Records of a body mostly repeat the tags of a few others, so that the text of a `tags` member is looked
// up before it is parsed.

import { limits } from '../../core/base/index.ts'
import { bodyFault, type BodyFault } from './body-fault.ts'
import { textOf } from './json-text.ts'

const KNOWN_MAX = 256
/** Source bytes of the latest few are compared before any text is made of them. */
const RECENT_MAX = 8
const encoder = new TextEncoder()

interface Recent {
  readonly source: Uint8Array
  readonly tags: readonly string[]
}

export class TagTexts {
  readonly #known = new Map<string, readonly string[]>()
  readonly #recent: Recent[] = []
  #oldest = 0

  /** A JSON value that has been scanned. */
  read(bytes: Uint8Array, start: number, end: number): readonly string[] | BodyFault {
    for (let i = 0; i < this.#recent.length; i++) {
      const { source, tags } = this.#recent[i]!
      if (source.length === end - start && isAt(source, bytes, start)) return tags
    }
    const text = textOf(bytes, start, end)
    let tags = this.#known.get(text)
    if (tags === undefined) {
      const parsed: unknown = JSON.parse(text)
      const fault = tagsFault(parsed)
      if (fault !== null) return fault
      tags = this.#keep(text, parsed as string[])
    }
    this.#recent[this.#oldest] = { source: bytes.slice(start, end), tags }
    this.#oldest = (this.#oldest + 1) % RECENT_MAX
    return tags
  }

  /** One tag, or what is wrong with it. */
  of(tag: string): readonly string[] | string {
    return this.#known.get(tag) ?? tagFault(tag) ?? this.#keep(tag, [tag])
  }

  #keep(text: string, tags: readonly string[]): readonly string[] {
    if (this.#known.size === KNOWN_MAX) this.#known.clear()
    this.#known.set(text, tags)
    return tags
  }
}

function isAt(source: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < source.length; i++) if (source[i]! !== bytes[start + i]!) return false
  return true
}

function tagsFault(tags: unknown): BodyFault | null {
  if (!Array.isArray(tags)) return bodyFault('invalid', '/tags', 'tags are an array of strings')
  if (tags.length > limits.BATCH_TAGS_MAX) {
    return bodyFault('too-large', '/tags', `a record has ${limits.BATCH_TAGS_MAX} tags at most`)
  }
  for (const [i, tag] of tags.entries()) {
    const fault = typeof tag === 'string' ? tagFault(tag) : 'a tag is a string'
    if (fault !== null) return bodyFault('invalid', `/tags/${i}`, fault)
  }
  return null
}

/** What is wrong with a tag, or null. */
export function tagFault(tag: string): string | null {
  if (tag === '') return 'a tag is not empty'
  if (!tag.isWellFormed()) return 'half of a surrogate pair cannot be stored as UTF-8'
  if (tag.length <= limits.TAG_BYTES_MAX / 3) return null
  return encoder.encode(tag).length > limits.TAG_BYTES_MAX ? `a tag has ${limits.TAG_BYTES_MAX} bytes at most` : null
}
