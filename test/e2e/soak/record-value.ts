// The values the soak writes: a record's name and a filling that follows from it, as text or as JSON.

const FILLING_BYTES_MAX = 200

export interface RecordName {
  producer: number
  counter: number
}

function fillingOf({ producer, counter }: RecordName): string {
  return 'x'.repeat((producer * 31 + counter * 17) % FILLING_BYTES_MAX)
}

export function textOf(name: RecordName): string {
  return `${name.producer}:${name.counter}:${fillingOf(name)}`
}

export function jsonOf(name: RecordName): { p: number; n: number; key: string; fill: string } {
  return { p: name.producer, n: name.counter, key: keyOf(name), fill: fillingOf(name) }
}

/** Few enough that all partitions have many records of each. */
export function keyOf({ counter }: RecordName): string {
  return `key-${(counter * 7919) % 97}`
}

/** From either form as a reader gets it; throws when the value is not as it was sent. */
export function nameIn(value: unknown): RecordName {
  let name: RecordName
  let filling: string
  if (typeof value === 'string') {
    const [producer, counter, rest] = value.split(':')
    name = { producer: Number(producer), counter: Number(counter) }
    filling = rest ?? ''
  } else {
    const { p, n, fill } = value as { p: number; n: number; fill: string }
    name = { producer: p, counter: n }
    filling = fill
  }
  if (filling !== fillingOf(name)) throw new Error(`a value came back changed: ${JSON.stringify(value)}`)
  return name
}
