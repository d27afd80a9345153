// The query of a request against the names its operation knows. An unknown name is refused with the nearest known one: a
// misspelt `form=latest` that was ignored would read from the wrong end. Names of what is not built yet are refused as such.

import { durationMs, nearestName, notADuration, notASize, Problem, sizeBytes } from '../wire/index.ts'

const LATER = new Set(['delay', 'deliverAt', 'ttl', 'scheduleId', 'isolation', 'ticket', 'transaction'])
const NOTHING: ReadonlyMap<string, string> = new Map()

export class Query {
  readonly #values: ReadonlyMap<string, string>

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values
  }

  static readonly none = new Query(NOTHING)

  /** `text` is what stands behind the question mark. */
  static parse(text: string, known: readonly string[]): Query | Problem {
    if (text === '') return Query.none
    const values = new Map<string, string>()
    for (const pair of text.split('&')) {
      if (pair === '') continue
      const equals = pair.indexOf('=')
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
      const value = decoded(equals < 0 ? '' : pair.slice(equals + 1))
      if (name === null || value === null) {
        return new Problem('malformed', 'The query holds a percent sign that encodes nothing')
      }
      if (!known.includes(name)) return unknownParameter(name, known)
      if (values.has(name)) return new Problem('malformed', `${name} is given twice`, { parameter: name })
      values.set(name, value)
    }
    return new Query(values)
  }

  get names(): Iterable<string> {
    return this.#values.keys()
  }

  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  flag(name: string): boolean | Problem {
    const text = this.#values.get(name)
    if (text === undefined || text === 'false') return false
    return text === 'true' ? true : new Problem('malformed', `${name} is true or false`, { parameter: name })
  }

  integer(name: string, fallback: number, min: number, max: number): number | Problem {
    const text = this.#values.get(name)
    if (text === undefined) return fallback
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : -1
    if (value >= min && value <= max) return value
    return new Problem('malformed', `${name} is a whole number from ${min} to ${max}`, { parameter: name })
  }

  duration(name: string, fallback: number, maxMs: number): number | Problem {
    const text = this.#values.get(name)
    if (text === undefined) return fallback
    const ms = durationMs(text)
    if (ms === null) return notADuration(name)
    return ms <= maxMs ? ms : new Problem('malformed', `${name} is at most ${maxMs / 1_000}s`, { parameter: name })
  }

  size(name: string, fallback: number, maxBytes: number): number | Problem {
    const text = this.#values.get(name)
    if (text === undefined) return fallback
    const bytes = sizeBytes(text)
    if (bytes === null) return notASize(name)
    return bytes <= maxBytes ? bytes : new Problem('malformed', `${name} is at most ${maxBytes}B`, { parameter: name })
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice | Problem {
    const text = this.#values.get(name)
    if (text === undefined) return fallback
    const choice = choices.find((candidate) => candidate === text)
    return choice ?? new Problem('malformed', `${name} is one of ${choices.join(', ')}`, { parameter: name })
  }
}

function decoded(text: string): string | null {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return null
  }
}

function unknownParameter(name: string, known: readonly string[]): Problem {
  if (LATER.has(name)) return new Problem('unsupported', `${name} is not supported yet`, { parameter: name })
  const nearest = nearestName(name, known)
  const hint =
    nearest === null
      ? known.length === 0
        ? 'there are none here'
        : `known here: ${known.join(', ')}`
      : `did you mean ${nearest}?`
  return new Problem('unknown-parameter', `Unknown query parameter ${JSON.stringify(name.slice(0, 64))}: ${hint}`, {
    parameter: name.slice(0, 64),
    ...(nearest === null ? null : { nearest }),
  })
}
