// JSON whose numbers are shown as they were sent. A number that JavaScript would round (or write otherwise: 2.50) stays its own
// text, in browsers that tell a reviver the source (all that are of 2025 and later); elsewhere it is a plain number.

interface Source {
  source?: string
}

declare global {
  interface JSON {
    rawJSON?(text: string): unknown
  }
}

export function parseExact(text: string): unknown {
  const { rawJSON } = JSON
  if (rawJSON === undefined) return JSON.parse(text)
  const exact = (_: string, value: unknown, context?: Source): unknown =>
    typeof value === 'number' && context?.source !== undefined && String(value) !== context.source
      ? rawJSON(context.source)
      : value
  return JSON.parse(text, exact)
}
