// JSON Pointers (RFC 6901) followed through JSON where it lies, which is proved to be JSON on the same way. Where a name
// comes twice in an object its last value counts, as to JSON.parse.

import { limits } from '../../core/base/index.ts'
import { isPlainText, skipJsonName, skipJsonSpace, skipJsonString, skipJsonValue } from '../../core/record/index.ts'
import { jsonStringOf } from './json-text.ts'

const COMMA = 0x2c
const QUOTE = 0x22
const COLON = 0x3a
const SPACE_MAX = 0x20
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const STEPS_MAX = 32
const INDEX = /^(?:0|[1-9][0-9]{0,8})$/
const encoder = new TextEncoder()

/** The steps of a pointer, or null when the text is none. */
export function pointerSteps(pointer: string): string[] | null {
  if (pointer === '') return []
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer) || !pointer.isWellFormed()) return null
  const steps = pointer.slice(1).split('/')
  return steps.length > STEPS_MAX ? null : steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** A place that one or more of the pointers lead through or to. */
class Place {
  /** Where the value is that was last found here; -1: nowhere. */
  start = -1
  end = -1
  readonly below: Place[] = []
  readonly name: string
  readonly utf8: Uint8Array
  /** As an element of an array; -1: cannot be one. */
  readonly index: number

  constructor(name: string) {
    this.name = name
    this.utf8 = encoder.encode(name)
    this.index = INDEX.test(name) ? Number(name) : -1
  }

  clear(): void {
    this.start = -1
    for (const place of this.below) place.clear()
  }

  named(bytes: Uint8Array, start: number, end: number): Place | null {
    for (let i = 0; i < this.below.length; i++) {
      const place = this.below[i]!
      if (place.utf8.length === end - start && isAt(place.utf8, bytes, start)) return place
    }
    return null
  }
}

function isAt(utf8: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < utf8.length; i++) if (utf8[i]! !== bytes[start + i]!) return false
  return true
}

/** Follows a few pointers at once. One search serves any number of values. */
export class PointerSearch {
  readonly #root = new Place('')
  readonly #targets: Place[]
  #bytes: Uint8Array = new Uint8Array(0)
  #words: Int32Array = new Int32Array(0)
  #end = 0

  /** Each by its steps. */
  constructor(pointers: readonly (readonly string[])[]) {
    this.#targets = pointers.map((steps) => this.#placeOf(steps))
  }

  /** As `skipJsonValue`; `at` is the value's first byte. */
  search(bytes: Uint8Array, at: number, end: number, words: Int32Array): number {
    this.#bytes = bytes
    this.#words = words
    this.#end = end
    this.#root.clear()
    return this.#walk(this.#root, at, limits.JSON_DEPTH_MAX)
  }

  /** First byte of what pointer number `i` led to, or -1. */
  startOf(i: number): number {
    return this.#targets[i]!.start
  }

  endOf(i: number): number {
    return this.#targets[i]!.end
  }

  #placeOf(steps: readonly string[]): Place {
    let place = this.#root
    for (const step of steps) {
      let next = place.below.find((below) => below.name === step)
      if (next === undefined) place.below.push((next = new Place(step)))
      place = next
    }
    return place
  }

  #walk(place: Place, at: number, depthMax: number): number {
    const start = at
    const byte = at < this.#end ? this.#bytes[at]! : 0
    if (place.below.length > 0 && byte === OPEN_OBJECT) at = this.#walkObject(place, at, depthMax)
    else if (place.below.length > 0 && byte === OPEN_ARRAY) at = this.#walkArray(place, at, depthMax)
    else at = skipJsonValue(this.#bytes, at, this.#end, this.#words, depthMax)
    place.start = start
    place.end = at
    return at
  }

  #walkObject(place: Place, at: number, depthMax: number): number {
    const bytes = this.#bytes
    const words = this.#words
    const end = this.#end
    at = skipJsonSpace(bytes, at + 1, end)
    if (at < end && bytes[at]! === CLOSE_OBJECT) return at + 1
    for (;;) {
      const name = at
      let below: Place | null
      // Plain names, which nearly all are, are read here.
      let stop = at < end && bytes[at]! === QUOTE ? at + 1 : end
      while (stop < end && isPlainText(bytes[stop]!)) stop++
      if (stop + 1 < end && bytes[stop]! === QUOTE && bytes[stop + 1]! === COLON) {
        below = place.named(bytes, name + 1, stop)
        at = stop + 2
      } else {
        at = skipJsonName(bytes, at, end, words)
        if (at < 0) return at
        below = this.#placeNamed(place, name, at)
      }
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
      if (below !== null) {
        if (below.start >= 0) below.clear()
        at = this.#walk(below, at, depthMax - 1)
      } else if (at < end && bytes[at]! === QUOTE) {
        at = skipJsonString(bytes, at, end, words)
      } else {
        at = skipJsonValue(bytes, at, end, words, depthMax - 1)
      }
      if (at < 0) return at
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
      if (at >= end) return -1 - end
      if (bytes[at]! === CLOSE_OBJECT) return at + 1
      if (bytes[at]! !== COMMA) return -1 - at
      at++
      if (at < end && bytes[at]! <= SPACE_MAX) at = skipJsonSpace(bytes, at, end)
    }
  }

  /** `start` is the quote before a name in another form than the usual, `end` is behind its colon. */
  #placeNamed(place: Place, start: number, end: number): Place | null {
    const bytes = this.#bytes
    const quoteEnd = bytes.lastIndexOf(QUOTE, end - 1) + 1
    const name = jsonStringOf(bytes, start, quoteEnd)
    return place.below.find((below) => below.name === name) ?? null
  }

  #walkArray(place: Place, at: number, depthMax: number): number {
    const bytes = this.#bytes
    const end = this.#end
    at = skipJsonSpace(bytes, at + 1, end)
    if (at < end && bytes[at]! === CLOSE_ARRAY) return at + 1
    for (let index = 0; ; index++) {
      const below = place.below.find((candidate) => candidate.index === index)
      if (below === undefined) at = skipJsonValue(bytes, at, end, this.#words, depthMax - 1)
      else at = this.#walk(below, at, depthMax - 1)
      if (at < 0) return at
      at = skipJsonSpace(bytes, at, end)
      if (at >= end) return -1 - end
      if (bytes[at]! === CLOSE_ARRAY) return at + 1
      if (bytes[at]! !== COMMA) return -1 - at
      at = skipJsonSpace(bytes, at + 1, end)
    }
  }
}
