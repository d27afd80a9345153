// Event lines for whoever runs the broker: readable text on a terminal, one JSON object a line otherwise. Values are numbers,
// names and reasons; the core never passes a payload, a key or a secret (see the port).

import type { EventFields, Events } from '../../core/ports/index.ts'

export type EventFormat = 'text' | 'json'
type Level = 'info' | 'warn' | 'error'

const COLOURS: Record<Level, string> = { info: '\x1b[36m', warn: '\x1b[33m', error: '\x1b[31m' }
const DIM = '\x1b[2m'
const PLAIN = '\x1b[0m'

export function hostEvents(format: EventFormat, write: (line: string) => void, now: () => number): Events {
  const line = format === 'json' ? jsonLine : textLine
  const at =
    (level: Level) =>
    (event: string, fields: EventFields = {}) =>
      write(line(now(), level, event, fields))
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

function jsonLine(now: number, level: Level, event: string, fields: EventFields): string {
  return `${JSON.stringify({ time: new Date(now).toISOString(), level, event, ...fields })}\n`
}

function textLine(now: number, level: Level, event: string, fields: EventFields): string {
  const time = new Date(now).toISOString().slice(11, 23)
  let line = `${DIM}${time}${PLAIN} ${COLOURS[level]}${level.padEnd(5)}${PLAIN} ${event}`
  for (const [name, value] of Object.entries(fields)) line += ` ${DIM}${name}=${PLAIN}${shown(value)}`
  return `${line}\n`
}

/** Quoted when it would not read as one word; control characters are always escaped. */
function shown(value: string | number | boolean | null): string {
  return typeof value === 'string' && !/^[\w./:@+-]+$/.test(value) ? JSON.stringify(value) : String(value)
}
