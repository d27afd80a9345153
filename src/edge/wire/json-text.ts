// Strings and numbers taken out of JSON that has been scanned already: the few places that need more than the bytes sent.

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The text of a span of UTF-8. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end))
}

/** What JSON.parse makes of a span. */
export function jsonOf(bytes: Uint8Array, start: number, end: number): unknown {
  return JSON.parse(textOf(bytes, start, end))
}

/** The string of a span, quotes included, that may hold escapes. */
export function jsonStringOf(bytes: Uint8Array, start: number, end: number): string {
  return jsonOf(bytes, start, end) as string
}
