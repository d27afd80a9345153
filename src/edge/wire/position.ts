// Where to read from and until when, as a query says it:
//
//   from   earliest · latest · <offset> (on an address of one partition) · -N (the last N of each) · @<time>
//   until  latest · @<time> · <cursor>
//   time   RFC 3339 with its zone · milliseconds since 1970 · -24h (before now)
//
// A `+` of a zone that a form decoder turned into a space is read as `+`. A number too small to be milliseconds of this age
// is someone's seconds, and a time without a zone is anybody's: both are refused.

import { limits } from '../../core/base/index.ts'
import type { FetchStart, FetchUntil } from '../../core/broker/index.ts'
import { readCursor } from './cursor.ts'
import { durationMs } from './duration-size.ts'
import { Problem } from './problem.ts'

const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)([Zz]|[+ -]\d\d:\d\d)?$/
/** In milliseconds this is March 1973; in seconds it is the year 5138. */
const SECONDS_BELOW = 100_000_000_000

/** Anything but a cursor. */
export type Place = Exclude<FetchStart, { kind: 'cursor' }>

export function readStart(
  text: string,
  nowMs: number,
  onePartition: boolean,
  parameter: 'from' | 'to' = 'from',
): Place | Problem {
  if (text === 'earliest' || text === 'latest') return { kind: text }
  if (text.startsWith('@')) {
    const ms = readTime(text.slice(1), nowMs, parameter)
    return ms instanceof Problem ? ms : { kind: 'time', ms }
  }
  if (text.startsWith('-') && INTEGER.test(text.slice(1))) {
    const count = Number(text.slice(1))
    return Number.isSafeInteger(count) ? { kind: 'last', count } : malformed(parameter)
  }
  if (INTEGER.test(text) && Number.isSafeInteger(Number(text))) {
    if (onePartition) return { kind: 'offset', offset: Number(text) }
    return new Problem(
      'invalid',
      'A bare offset is of one partition: use …/partitions/{p}/records?from=N, or cursor=0.N_1.M',
      { parameter },
    )
  }
  return malformed(parameter)
}

export function readUntil(text: string, nowMs: number): FetchUntil | Problem {
  if (text === 'latest') return { kind: 'latest' }
  if (text.startsWith('@')) {
    const ms = readTime(text.slice(1), nowMs, 'until')
    return ms instanceof Problem ? ms : { kind: 'time', ms }
  }
  if (!text.includes('.')) return malformed('until')
  const entries = readCursor(text, 'until')
  return entries instanceof Problem ? entries : { kind: 'cursor', entries }
}

/** What stands behind the `@`, as milliseconds. */
function readTime(text: string, nowMs: number, parameter: string): number | Problem {
  if (text.startsWith('-')) {
    const before = durationMs(text.slice(1))
    return before === null ? badTime(parameter) : Math.max(0, nowMs - before)
  }
  if (INTEGER.test(text)) {
    const ms = Number(text)
    if (!Number.isSafeInteger(ms)) return badTime(parameter)
    if (ms > 0 && ms < SECONDS_BELOW) {
      return invalid(parameter, `${text} looks like seconds; milliseconds are meant, so ${text}000`)
    }
    return ms
  }
  const match = RFC_3339.exec(text)
  if (match === null) return badTime(parameter)
  const [, date, time, zone] = match
  if (zone === undefined)
    return invalid(parameter, `the time has no zone: write ${date}T${time}Z, or an offset like +09:00`)
  const ms = Date.parse(`${date}T${time}${zone.replace(' ', '+').toUpperCase()}`)
  return Number.isNaN(ms) ? invalid(parameter, 'there is no such time') : ms
}

function badTime(parameter: string): Problem {
  return new Problem('malformed', `${parameter} takes @2026-01-31T09:00:00Z, @ and milliseconds, or @-24h`, {
    parameter,
  })
}

function invalid(parameter: string, message: string): Problem {
  return new Problem('invalid', `${parameter}: ${message}`, { parameter })
}

function malformed(parameter: 'from' | 'to' | 'until'): Problem {
  const forms =
    parameter !== 'until'
      ? 'earliest, latest, an offset, -N or @<time>'
      : `latest, @<time> or a cursor of at most ${limits.CURSOR_BYTES_MAX} bytes`
  return new Problem('malformed', `${parameter} takes ${forms}`, { parameter })
}
