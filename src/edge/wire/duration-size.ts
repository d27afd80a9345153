// Durations and sizes in a query: an integer and a unit, always. A bare number is refused, because nobody can tell what it
// was meant to be.

import { Problem } from './problem.ts'

const MS_BY_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTES_BY_UNIT: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }
const AMOUNT = /^([0-9]{1,15})([A-Za-z]+)$/

/** Milliseconds; null: not a duration. */
export function durationMs(text: string): number | null {
  return amount(text, MS_BY_UNIT)
}

/** Bytes; null: not a size. */
export function sizeBytes(text: string): number | null {
  return amount(text, BYTES_BY_UNIT)
}

export function notADuration(name: string): Problem {
  return new Problem('malformed', `${name} is a duration with its unit, such as 250ms, 30s, 5m, 2h or 7d`, {
    parameter: name,
  })
}

export function notASize(name: string): Problem {
  return new Problem('malformed', `${name} is a size with its unit, such as 512B, 64KiB or 1MiB`, { parameter: name })
}

function amount(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = AMOUNT.exec(text)
  if (match === null || !Object.hasOwn(units, match[2]!)) return null
  const value = Number(match[1]) * units[match[2]!]!
  return Number.isSafeInteger(value) ? value : null
}
