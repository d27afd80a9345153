// Messages whose values are read by the user's own parser: their texts are cut out as they are, and a number stands for each while
// the rest is parsed.

import { jsonWords, skipJsonName, skipJsonSpace, skipJsonString, skipJsonValue } from '../core/record/index.ts'

export type ParseValue = (json: string) => unknown

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const OPEN_OBJECT = 0x7b
const CLOSE_ARRAY = 0x5d
const CLOSE_OBJECT = 0x7d

/** JSON as JSON.parse reads it, but the values of `records`, if it has any, as `parse` does. */
export function parsedApart(text: string, parse: ParseValue): unknown {
  const apart = new ValuesApart(text)
  const message = JSON.parse(apart.rest) as { records?: { value?: unknown }[] }
  if (apart.values.length === 0) return message
  for (const record of message.records!) {
    if (record.value !== undefined) record.value = parse(apart.values[record.value as number]!)
  }
  return message
}

class ValuesApart {
  readonly values: string[] = []
  /** The text with the place in `values` instead of each. */
  rest = ''
  readonly #text: string
  readonly #bytes: Uint8Array
  readonly #words: Int32Array
  /** A byte is a character. */
  readonly #isAscii: boolean
  #at = 0
  #copiedTo = 0

  constructor(text: string) {
    this.#text = text
    this.#bytes = encoder.encode(text)
    this.#words = jsonWords(this.#bytes)
    this.#isAscii = this.#bytes.length === text.length
    this.#space()
    if (this.#isAt(OPEN_OBJECT)) {
      this.#members((name) => (name === 'records' && this.#isAt(OPEN_ARRAY) ? this.#records() : this.#skip()))
    }
    this.rest += this.#slice(this.#copiedTo, this.#bytes.length)
  }

  #records(): void {
    this.#at++
    this.#space()
    while (this.#isAt(OPEN_OBJECT)) {
      this.#members((name) => (name === 'value' ? this.#cut() : this.#skip()))
      this.#space()
      if (this.#isAt(COMMA)) this.#at++
      this.#space()
    }
    this.#close(CLOSE_ARRAY)
  }

  #cut(): void {
    const start = this.#at
    this.#skip()
    this.rest += this.#slice(this.#copiedTo, start) + String(this.values.length)
    this.values.push(this.#slice(start, this.#at))
    this.#copiedTo = this.#at
  }

  /** Of the object here; `read` goes behind the value it is called at. */
  #members(read: (name: string) => void): void {
    this.#at++
    this.#space()
    while (!this.#isAt(CLOSE_OBJECT)) {
      const nameStart = this.#at + 1
      const nameEnd = this.#checked(skipJsonString(this.#bytes, this.#at, this.#bytes.length, this.#words)) - 1
      this.#at = this.#checked(skipJsonName(this.#bytes, this.#at, this.#bytes.length, this.#words))
      this.#space()
      read(this.#slice(nameStart, nameEnd))
      this.#space()
      if (this.#isAt(COMMA)) this.#at++
      this.#space()
    }
    this.#close(CLOSE_OBJECT)
  }

  #isAt(byte: number): boolean {
    return this.#bytes[this.#at] === byte
  }

  #space(): void {
    this.#at = skipJsonSpace(this.#bytes, this.#at, this.#bytes.length)
  }

  #skip(): void {
    this.#at = this.#checked(skipJsonValue(this.#bytes, this.#at, this.#bytes.length, this.#words))
  }

  #close(byte: number): void {
    if (!this.#isAt(byte)) throw new SyntaxError('this is not JSON')
    this.#at++
  }

  #checked(at: number): number {
    if (at < 0) throw new SyntaxError('this is not JSON')
    return at
  }

  #slice(start: number, end: number): string {
    return this.#isAscii ? this.#text.slice(start, end) : decoder.decode(this.#bytes.subarray(start, end))
  }
}
